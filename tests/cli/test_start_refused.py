"""What cannot start: one sentence that says what to do, exit code 2, and nothing left behind."""

import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from holdfast.cli import main
from holdfast.cli.checking import describe_kept
from holdfast.redis.checks import shown
from holdfast.redis.embedded import embedded
from holdfast.redis.keys import Keys
from tests.cli.conftest import Run
from tests.servers import free_port

FREE = ("--port", "0")
FINE_GRAPH = {"a": "./broken_one.py:graph"}
pytestmark = pytest.mark.usefixtures("restored")
FINE = str(Path(__file__).parent / "started" / "langgraph.json")


def project(folder: Path, config: object, **files: str) -> str:
    """A langgraph.json, as an object or as its text, with modules beside it."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    path = folder / "langgraph.json"
    path.write_bytes(config.encode() if isinstance(config, str) else orjson.dumps(config))
    return str(path)


# the project


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("{", "cannot be read"),
        ("[]", "must hold a JSON object"),
        ({}, 'names no graphs: add "graphs"'),
        ({"graphs": {}}, 'names no graphs: add "graphs"'),
        ({"graphs": {"a": "agent.py"}}, 'must be named as "./file.py:variable"'),
        ({"graphs": {"a": None}}, 'must be named as "./file.py:variable"'),
        ({"graphs": {"a": "./gone.py:graph"}}, "the file ./gone.py does not exist"),
        ({"graphs": {"a": "../broken_out.py:graph"}}, "the file ../broken_out.py does not exist"),
        ({"graphs": {"a": "broken_gone.x:graph"}}, "failed with ModuleNotFoundError: No module named"),
        ({"graphs": {"a": "./broken_one.py:gone"}}, "./broken_one.py has no variable 'gone'"),
        ({"graphs": {"a": "./broken_one.py:number"}}, "Graph 'a' is a int: langgraph.json must name"),
        ({"graphs": {"a": "./broken_two.py:graph"}}, "failed with ValueError: no good, at all."),
        ({"graphs": {"a": "./broken_three.py:graph"}}, "failed with SyntaxError"),
        ({"graphs": {"a": "./broken_five.py:graph"}}, "failed with SystemExit: no key."),
        ({"graphs": {"a": "./broken_one.py:graph"}, "auth": {"path": "auth.py"}}, '"auth" must be named as'),
        ({"graphs": {"a": "./broken_one.py:graph"}, "auth": {"path": 5}}, '"auth" must be named as'),
        (
            {"graphs": {"a": "./broken_one.py:graph"}, "auth": {"paths": "./broken_one.py:auth"}},
            '"auth" has no "path": name a langgraph_sdk.Auth, as in',
        ),
        ({"graphs": {"a": "./broken_one.py:graph"}, "auth": {}}, '"auth" has no "path"'),
        (
            {"graphs": {"a": "./broken_one.py:graph"}, "auth": {"path": "./gone.py:auth"}},
            '"auth": the file ./gone.py does not exist',
        ),
        (
            {"graphs": {"a": "./broken_one.py:graph"}, "auth": {"path": "./broken_one.py:number"}},
            '"auth": ./broken_one.py:number is a int: it must be a langgraph_sdk.Auth.',
        ),
        ({"graphs": {"a": "./broken_one.py:graph"}, "checkpointer": "redis"}, '"checkpointer" must be'),
        ({"graphs": {"a": "./broken_one.py:graph"}, "checkpointer": {"ttl": 5}}, '"ttl" must be an object'),
        (
            {"graphs": {"a": "./broken_one.py:graph"}, "checkpointer": {"ttl": {"default_ttl": "1h"}}},
            "must be a number of minutes, not '1h'",
        ),
        ({"graphs": FINE_GRAPH, "holdfast": "hooks"}, '"holdfast" must be an object, as in {"hooks": '),
        (
            {"graphs": FINE_GRAPH, "holdfast": {"hooks": 5}},
            '"hooks" must be the name of a module, as in {"hooks": ',
        ),
        (
            {"graphs": FINE_GRAPH, "holdfast": {"hooks": "./gone.py"}},
            "The hooks: the file ./gone.py does not exist",
        ),
        (
            {"graphs": FINE_GRAPH, "holdfast": {"hooks": "broken_two"}},
            "The hooks: importing broken_two failed",
        ),
        (
            {"graphs": FINE_GRAPH, "holdfast": {"hooks": "broken_four"}},
            "The hooks: erase in broken_four must be an async function",
        ),
    ],
)
def test_a_broken_project(tmp_path: Path, refused: Run, config: object, sentence: str) -> None:
    path = project(
        tmp_path,
        config,
        broken_one="number = 1\ndef graph(): ...",
        broken_two="raise ValueError('no good,\\nat all')",
        broken_three="def",
        broken_four="def erase(subject): ...",
        broken_five="import sys\nsys.exit('no key')",
    )
    assert sentence in refused("check", "--config", path)


def test_a_graph_outside_the_project(tmp_path: Path, refused: Run) -> None:
    (tmp_path / "broken_out.py").write_text("graph = 1")
    (tmp_path / "inner").mkdir()
    path = project(tmp_path / "inner", {"graphs": {"a": "../broken_out.py:graph"}})
    assert "../broken_out.py lies outside the folder" in refused("check", "--config", path)


def test_no_project(tmp_path: Path, refused: Run) -> None:
    path = tmp_path / "gone.json"
    assert refused("dev", "--config", str(path)) == (
        f"{path} does not exist: name your langgraph.json with --config."
    )
    assert "cannot be read" in refused("check", "--config", str(tmp_path))


def test_what_was_started_before_the_graphs_were_looked_at_is_ended(tmp_path: Path, refused: Run) -> None:
    path = project(tmp_path, {"graphs": {"a": "./gone.py:graph"}})
    assert "the file ./gone.py does not exist" in refused("dev", "--config", path, *FREE)
    with embedded(tmp_path / "data") as url:  # nobody holds the folder
        assert url.startswith("unix://")


def test_a_graph_whose_factory_fails(tmp_path: Path, refused: Run) -> None:
    code = "def graph(config): raise OSError('no such shelf')"
    path = project(tmp_path, {"graphs": FINE_GRAPH}, broken_one=code)
    assert refused("check", "--config", path) == "Graph 'a': it cannot be made, OSError: no such shelf."


# settings and addresses


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"HOLDFAST_LANE": "2"}, "HOLDFAST_LANE is not a setting: the settings are CHECKPOINTER, "),
        ({"HOLDFAST_LANES": "many"}, "HOLDFAST_LANES='many' does not fit: Input should be a valid integer"),
        ({"HOLDFAST_LEASE_S": "0"}, "HOLDFAST_LEASE_S='0' does not fit: "),
        ({"HOLDFAST_AUTH": "none"}, "HOLDFAST_AUTH='none' does not fit: "),
        ({"HOLDFAST_PREFIX": "a{b}"}, "HOLDFAST_PREFIX='a{b}' does not fit: "),
        ({"CHECKPOINTER": "memory"}, "CHECKPOINTER='memory' does not fit: "),
    ],
)
def test_a_setting_that_is_wrong(refused: Run, environment: dict[str, str], sentence: str) -> None:
    assert refused("check", "--config", FINE, **environment).startswith(sentence)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
@pytest.mark.parametrize("command", ["dev", "serve"])
def test_an_address_that_others_can_reach(tmp_path: Path, refused: Run, command: str, host: str) -> None:
    sentence = refused(command, "--config", FINE, "--host", host, *FREE)
    assert f"listens on loopback only: use --host 127.0.0.1 instead of {host}, or another" in sentence
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_taken(tmp_path: Path, refused: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sentence = refused("dev", "--config", FINE, "--port", str(port))
    assert sentence.startswith(f"Port {port} on 127.0.0.1 cannot be used (Address already in use): stop")
    assert not (tmp_path / "data").exists()


# the embedded server


def test_a_data_folder_in_use(tmp_path: Path, refused: Run) -> None:
    with embedded(tmp_path / "data") as url:
        sentence = refused("dev", "--config", FINE, *FREE)
        with redis.Redis.from_url(url) as first:
            assert first.ping()
    assert sentence.endswith(
        "is in use by another Holdfast: stop that one, or set HOLDFAST_DATA to another folder."
    )


def test_a_data_folder_that_cannot_be_written(tmp_path: Path, refused: Run) -> None:
    (tmp_path / "data").write_text("a file")
    sentence = refused("dev", "--config", FINE, *FREE)
    assert sentence.endswith("cannot be written (File exists): set HOLDFAST_DATA.")


# the server of REDIS_URL


@contextmanager
def fake_redis(version: str = "7.2.4", refusal: bytes = b"", **info: str) -> Iterator[str]:
    """A server that answers INFO as it is told to, or everything with a refusal."""
    facts = {"redis_version": version, "aof_enabled": "1", **info}
    text = "".join(f"{name}:{value}\r\n" for name, value in facts.items()).encode()

    class Answering(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                words = []
                for _ in range(int(line[1:])):
                    self.rfile.readline()
                    words.append(self.rfile.readline().strip().upper())
                answer = b"$%d\r\n%b\r\n" % (len(text), text) if words[0] == b"INFO" else b"+OK\r\n"
                self.wfile.write(refusal or answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"redis://:secret@127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        ({"version": "6.2.14"}, "Redis 6.2.14 is too old: Holdfast needs Redis 7.0, Valkey 7.2 or newer."),
        (
            {"maxmemory_policy": "allkeys-lru"},
            "Redis may evict what it keeps (maxmemory-policy allkeys-lru): set",
        ),
        ({"refusal": b"-WRONGPASS invalid password\r\n"}, "refuses the password: correct REDIS_URL."),
        ({"refusal": b"HTTP/1.1 400 Bad Request\r\n"}, "cannot be reached: start it, or correct REDIS_URL."),
    ],
)
def test_a_redis_that_will_not_do(
    tmp_path: Path, refused: Run, server: dict[str, Any], sentence: str
) -> None:
    with fake_redis(**server) as url:
        said = refused("dev", "--config", FINE, *FREE, REDIS_URL=url)
    assert sentence in said
    assert "secret" not in said
    assert not (tmp_path / "data").exists()


def test_a_redis_that_is_not_there(refused: Run) -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    for command in (("dev", *FREE), ("serve", *FREE), ("worker",)):
        sentence = refused(*command, "--config", FINE, REDIS_URL=url)
        assert sentence == f"Redis at {url} cannot be reached: start it, or correct REDIS_URL."


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://:secret@localhost:x"])
def test_a_redis_url_that_is_none(refused: Run, url: str) -> None:
    sentence = refused("worker", "--config", FINE, REDIS_URL=url)
    assert sentence.startswith("REDIS_URL is not an address: write it as redis://host:6379")
    assert "secret" not in sentence


@pytest.mark.parametrize("command", [("serve", *FREE), ("worker",)])
def test_serve_and_worker_want_a_redis(refused: Run, command: tuple[str, ...]) -> None:
    sentence = refused(*command, "--config", FINE)
    assert sentence.startswith("REDIS_URL is not set: name the Redis server, as in REDIS_URL=redis://")


def test_another_number_of_lanes(redis_url: str, refused: Run) -> None:
    prefix = f"lanes{os.getpid()}"
    given = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": prefix, "HOLDFAST_LANES": "4"}
    with redis.Redis.from_url(redis_url) as server:
        server.hset(Keys(prefix, 1).installation(), "lanes", "1")
        sentence = refused("worker", "--config", FINE, **given)
        server.delete(Keys(prefix, 1).installation())
    assert sentence.startswith("This installation has 1 lanes, not 4: set HOLDFAST_LANES=1, or choose")


def test_a_redis_without_the_modules_of_the_checkpointer(redis_url: str, refused: Run) -> None:
    given = {"REDIS_URL": redis_url, "CHECKPOINTER": "langgraph-checkpoint-redis"}
    sentence = refused("worker", "--config", FINE, **given)
    assert sentence.startswith(
        "CHECKPOINTER=langgraph-checkpoint-redis needs the Redis module RediSearch, which"
    )


def test_a_shown_url_has_no_password() -> None:
    assert shown("rediss://user:a@b@host:1/2") == "rediss://host:1/2"
    assert shown("unix:///run/redis.sock") == "unix:///run/redis.sock"


# what can be started


@pytest.mark.parametrize(
    ("minutes", "sentence"),
    [
        (None, "threads are kept until they are deleted"),
        (90, "threads are kept for 90 minutes after their last change"),
        (-5, "threads are kept, and 5 minutes after a change all but the latest checkpoint goes"),
    ],
)
def test_how_long_threads_are_kept_is_said(minutes: float | None, sentence: str) -> None:
    assert describe_kept(minutes) == sentence


def test_check_says_what_would_be_served(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["holdfast", "check", "--config", FINE])
    with pytest.raises(SystemExit) as exit:
        main()
    assert exit.value.code == 0
    graph, described, kept, *_ = capsys.readouterr().out.splitlines()
    assert graph.startswith("graph steps: assistant ")
    assert described == "  Three steps"
    assert kept == "threads are kept for 90 minutes after their last change"
