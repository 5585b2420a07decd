import subprocess
import sys
from pathlib import Path

import pytest

from tests import gates

LONG = "x = 1\n" * 401


def test_every_gate_passes_on_this_project() -> None:
    assert gates.complaints(gates.project_files()) == []


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"api/holdfast/app.py": LONG}, "api/holdfast/app.py has 401 lines"),
        (
            {"deploy/x.conf": "\nindex https://" + gates.REGISTRIES[0] + "/simple"},
            "deploy/x.conf:2 names a",
        ),
        ({"a.lock": "--hash x  # https://files." + gates.REGISTRIES[1]}, "a.lock:1 names a package registry"),
        ({"docs/a.md": "see /" + "work/main/x"}, "docs/a.md:1 names a path of one machine"),
        ({"tests/a.py": 'open("/' + 'home/ann/x")'}, "tests/a.py:1 names a path of one machine"),
        ({"api/holdfast/core/runs.py": "# a Refund"}, "api/holdfast/core/runs.py:1 is the platform"),
    ],
)
def test_a_gate_names_file_and_fault(files: dict[str, str], complaint: str) -> None:
    (found,) = gates.complaints(files)
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    "files",
    [
        {"api/holdfast/app.py": "x = 1\n" * 400, "requirements.lock": "#\n" * 5000},
        {"graph/refund.py": "refund = 1"},
        {"Dockerfile": "WORKDIR /app\nCOPY --from=build /opt/holdfast /opt/holdfast"},
        {"README.md": "http://127.0.0.1:8123/work/plan and ./home/x/"},
    ],
)
def test_a_gate_lets_honest_files_pass(files: dict[str, str]) -> None:
    assert gates.complaints(files) == []


def test_a_long_file_needs_a_reason_and_keeps_none_it_does_not_need() -> None:
    assert list(gates.short_files({"a.py": LONG}, longer={"a.py": "a table"})) == []
    (stale,) = gates.short_files({"a.py": "x = 1\n"}, longer={"a.py": "a table"})
    assert "is not one" in stale


def test_hosts_of_this_machine_are_read_from_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:secret@mirror.example.internal/simple")
    (found,) = gates.no_registry({"a.txt": "from mirror.example.internal"})
    assert found.endswith("mirror.example.internal")


def test_new_files_are_gated_before_they_are_committed_and_ignored_ones_never(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("built.py\n")
    (tmp_path / "new.py").write_text("")
    (tmp_path / "built.py").write_text("")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    assert set(gates.project_files(tmp_path)) == {".gitignore", "new.py"}


def test_make_check_fails_when_a_gate_complains(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "gates.py").write_text(Path(gates.__file__).read_text())
    (tmp_path / "long.py").write_text(LONG)
    done = subprocess.run(
        [sys.executable, "-m", "tests.gates"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[0]) == (1, "long.py")
