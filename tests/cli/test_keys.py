"""`holdfast keys`: what is typed, what is printed, what is kept."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from holdfast.cli import main
from holdfast.redis.embedded import embedded
from tests.cli.conftest import Run
from tests.cli.test_start_refused import FINE

PREFIX = "keyscli"
Say = Callable[..., tuple[str, str]]


@pytest.fixture(autouse=True)
def place(redis_url: str, monkeypatch: pytest.MonkeyPatch, restored: None) -> Iterator[redis.Redis]:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("HOLDFAST_PREFIX", PREFIX)
    monkeypatch.setenv("COLUMNS", "200")
    with redis.Redis.from_url(redis_url, decode_responses=True) as server:
        yield server
        for key in server.scan_iter(f"{PREFIX}:*"):
            server.delete(key)


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs `holdfast keys ...`: what it prints, and what it says beside."""

    def run(*arguments: str) -> tuple[str, str]:
        monkeypatch.setattr("sys.argv", ["holdfast", "keys", *arguments, "--config", FINE])
        with pytest.raises(SystemExit) as exit:
            main()
        assert exit.value.code == 0
        output = capsys.readouterr()
        return output.out, output.err

    return run


def test_a_key_is_made_listed_and_revoked(say: Say, place: redis.Redis) -> None:
    printed, beside = say(
        *("create", "--subject", "ann", "--tenant", "north", "--role", "a", "--role", "b"),
        *("--scope", "read", "--name", "night jobs", "--expires", "30d"),
    )
    secret = printed.strip()
    assert re.fullmatch(r"hf_[0-9a-f]{12}_[\w-]{43}", secret)
    key_id = secret.split("_")[1]
    assert key_id in beside
    assert secret not in beside
    [line] = [line for line in say("ls")[0].splitlines() if key_id in line]
    words = ("night jobs", "ann", "north", "a,b", "read", "never")
    assert [word for word in words if word not in line] == []
    assert say("revoke", secret)[0] == f"API key {key_id} is revoked.\n"
    assert key_id not in say("ls")[0]
    assert place.keys(f"{PREFIX}:*") == []


def test_nothing_that_is_kept_lets_anybody_call(say: Say, place: redis.Redis) -> None:
    secret = say("create", "--subject", "ann")[0].strip().split("_", 2)[2]
    kept = [place.dump(key) for key in place.keys(f"{PREFIX}:*")]
    assert kept
    assert not [one for one in kept if secret.encode() in (one or b"")]


def test_a_key_that_ends_goes_by_itself_and_off_the_list(say: Say, place: redis.Redis) -> None:
    key_id = say("create", "--subject", "ann", "--expires", "90m")[0].split("_")[1]
    [key] = place.keys(f"{PREFIX}:api-key:*")
    assert 5390 <= place.ttl(key) <= 5400
    place.delete(key)
    assert key_id not in say("ls")[0]
    assert place.keys(f"{PREFIX}:*") == []


def test_a_key_without_an_end_stays(say: Say, place: redis.Redis) -> None:
    say("create", "--subject", "ann")
    [key] = place.keys(f"{PREFIX}:api-key:*")
    assert place.ttl(key) == -1
    assert place.hget(key, "tenant") == "default"


def test_what_cannot_be_made(refused: Run) -> None:
    create = ("keys", "create", "--config", FINE, "--subject")
    assert refused(*create, "").startswith("The caller's subject must be a text of 1 to 255")
    assert refused(*create, "a\nb").startswith("The caller's subject must be a text of 1 to 255")
    assert refused(*create, "ann", "--role", "").startswith("The caller's role must be")
    for expires in ("1y", "0d", "-1d", "d", "1.5h"):
        assert refused(*create, "ann", f"--expires={expires}").endswith("write it as 90m, 12h or 30d.")
    assert refused("keys", "revoke", "0" * 12, "--config", FINE) == (
        "There is no API key 000000000000: `holdfast keys ls` lists them."
    )


def test_without_a_redis(refused: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL")
    assert refused("keys", "ls", "--config", FINE).startswith("REDIS_URL is not set")


def test_while_dev_runs_with_a_server_of_its_own(
    say: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("REDIS_URL")
    with embedded(tmp_path / "data"):
        key_id = say("create", "--subject", "ann")[0].split("_")[1]
        assert key_id in say("ls")[0]
