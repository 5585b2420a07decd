from pathlib import Path

import pytest

from tests.programs import need_program
from tests.setup.redis_stack import Unobtainable, debian_mirror


def test_a_program_that_is_there_is_found_off_the_path_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert need_program("sh", package="dash").name == "sh"
    monkeypatch.setenv("PATH", "/nowhere")
    assert need_program("ldconfig", package="libc-bin") == Path("/usr/sbin/ldconfig")


def test_a_missing_program_is_a_loud_skip_at_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install no-such-package"):
        need_program("no-such-program", package="no-such-package")


def test_a_missing_program_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install no-such-package"):
        need_program("no-such-program", package="no-such-package")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "sources.list",
            "# deb http://old/debian x\ndeb [arch=amd64] http://m.example/debian bookworm main\n",
        ),
        (
            "sources.list.d/debian.sources",
            "Types: deb\n# a comment\nURIs: http://m.example/debian/\n",
        ),
    ],
)
def test_the_debian_mirror_is_the_one_apt_uses(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert debian_mirror(tmp_path) == "http://m.example/debian"


def test_a_machine_without_a_debian_mirror_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(Unobtainable, match="no Debian mirror"):
        debian_mirror(tmp_path)
