"""`holdfast doctor`: what it finds on this machine, in Redis, in the project, and through a real nginx."""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from typer.testing import CliRunner

from holdfast.cli.commands import app
from holdfast.cli.doctor import machine
from holdfast.cli.doctor import server as deployed
from holdfast.cli.doctor.redis import examine_memory, examine_persistence
from holdfast.redis.checks import version_of
from holdfast.redis.keys import Keys
from holdfast.routes import sse
from holdfast.settings import Settings
from tests.cli.test_start_refused import project
from tests.nginx import running_nginx
from tests.servers import SERVED, Live, free_port

Json = Any
HERE = ("--port", "0", "--config", str(SERVED))

pytestmark = pytest.mark.usefixtures("restored")


async def examined(*words: str, code: int = 0, **environment: Any) -> dict[str, tuple[str, str]]:
    """What `holdfast doctor` finds: by what was looked at, how bad it is and its sentence."""
    runner = CliRunner(env={"COLUMNS": "80", **environment})
    done = await asyncio.to_thread(runner.invoke, app, ["doctor", "--json", *words])
    assert done.exit_code == code, (done.stdout, done.exception)
    return {one["check"]: (one["level"], one["detail"]) for one in orjson.loads(done.stdout)}


async def test_all_is_well(server: Live, redis_url: str) -> None:
    prefix = f"{server.platform.keys.prefix}n"  # of an installation that has not begun
    found = await examined(*HERE, REDIS_URL=redis_url, HOLDFAST_PREFIX=prefix)
    assert {level for level, _ in found.values()} == {"ok"}, found
    assert list(found) == [
        "settings", "port", "open files", "redis", "eviction", "persistence", "memory", "answers", "clock",
        "installation", "project", "business",
    ]  # fmt: skip
    assert found["redis"][1].startswith("Valkey 9")
    runner = CliRunner(env={"REDIS_URL": redis_url, "HOLDFAST_PREFIX": prefix})
    done = await asyncio.to_thread(runner.invoke, app, ["doctor", *HERE])
    assert "ok  eviction      noeviction\n" in done.stdout


async def test_what_the_installation_says_is_held_against_the_settings(server: Live, redis_url: str) -> None:
    client, keys = server.platform.client, Keys(f"{server.platform.keys.prefix}d")
    beside: Json = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": keys.prefix}
    try:
        await client.call("HSET", keys.installation(), "lanes", 1, "records", 7, "readable", 1)
        found = await examined(*HERE, **beside)
        assert found["records"] == ("ok", "version 7, which this one can read with its 1")
        await client.call("HSET", keys.installation(), "lanes", 4, "readable", 7)
        found = await examined(*HERE, code=1, **beside)
    finally:
        await client.call("DEL", keys.installation())
    assert found["lanes"][0] == "fail"
    assert "set HOLDFAST_LANES=4" in found["lanes"][1]
    assert found["records"][0] == "fail"
    assert "need a Holdfast that knows version 7" in found["records"][1]


async def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path) -> None:
    unreachable = f"redis://127.0.0.1:{free_port()}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = await examined("--config", str(SERVED), "--port", port, code=1, REDIS_URL=unreachable)
    assert found["port"][0] == "fail"
    assert "or choose another with --port" in found["port"][1]
    assert found["redis"] == (
        "fail",
        f"Redis at {unreachable} cannot be reached: start it, or correct REDIS_URL.",
    )
    broken = project(tmp_path, {"graphs": {"a": "./broken_one.py:graph"}}, broken_one="graph = 1")
    found = await examined("--config", broken, "--port", "0", code=1)
    assert found["project"][0] == "fail"
    assert found["redis"][0] == found["disk"][0] == "ok", "nothing runs, and there is room for it"
    found = await examined(*HERE, code=1, HOLDFAST_LANES="many")
    assert list(found) == ["settings"]


async def test_the_project_says_what_only_it_knows(tmp_path: Path) -> None:
    hook = 'async def check():\n    raise RuntimeError("The key is refused: set MODEL_KEY.")\n'
    config = {"graphs": {"a": "tests.served.served_graphs:echo"}, "holdfast": {"hooks": "./broken_hook.py"}}
    found = await examined("--config", project(tmp_path, config, broken_hook=hook), "--port", "0", code=1)
    assert found["business"] == ("fail", "The key is refused: set MODEL_KEY.")


def test_what_a_server_says_of_itself() -> None:
    info: Json = {"aof_enabled": 1, "used_memory": 95, "maxmemory": 100, "valkey_version": "9.0.0"}
    assert version_of(info) == ("Valkey", "9.0.0")
    assert examine_memory(info).level == "warn"
    assert examine_memory({**info, "used_memory": 50}).level == "ok"
    assert examine_persistence(info).level == "ok"
    assert examine_persistence({**info, "aof_enabled": 0}).level == "warn"
    assert examine_persistence({**info, "aof_last_write_status": "err"}).level == "fail"
    assert examine_persistence({**info, "role": "slave"}).level == "fail"


async def test_little_space_and_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "FEW_FILES", sys.maxsize)
    monkeypatch.setattr(machine, "LITTLE_DISK", sys.maxsize)
    settings = Settings.model_validate({"data": tmp_path / "data"})
    assert [one.level for one in await machine.examine(settings, "127.0.0.1", 0)] == ["ok", "warn", "warn"]
    monkeypatch.setattr(machine, "NO_DISK", sys.maxsize)
    assert machine.examine_disk(tmp_path).level == "fail"


# a server from outside


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pings, and the patience that waits for two of them, at a tenth of their time."""
    monkeypatch.setattr(sse, "PING_S", 0.5)
    monkeypatch.setattr(deployed, "PING_S", 2.0)


async def test_through_a_proxy_that_keeps_streams_back_and_one_that_does_not(
    server: Live, quick: None, tmp_path: Path, redis_url: str
) -> None:
    port = urlsplit(server.url).port or 0
    beside: Json = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": server.platform.keys.prefix}
    beside["HOLDFAST_TOKEN"] = server.authenticator.sign("kim", ("operator",))
    with running_nginx(tmp_path, [port, port]) as good:
        trusted = {**beside, "SSL_CERT_FILE": str(good.certificate)}
        found = await examined(*HERE, "--url", good.https_url, **trusted)
        untrusted = await examined(*HERE, "--url", good.https_url, code=1, **beside)
    assert [found[name][0] for name in ("tls", "server", "version", "headers", "streams")] == ["ok"] * 5, (
        found
    )
    assert untrusted["tls"][0] == "fail"
    assert "is not trusted here" in untrusted["tls"][1]
    keeping = "on; proxy_ignore_headers X-Accel-Buffering"
    with running_nginx(tmp_path, [port, port], proxy_buffering=keeping) as bad:
        found = await examined(*HERE, "--url", bad.https_url, code=1, **trusted)
    assert found["streams"][0] == "fail"
    assert "set proxy_buffering off" in found["streams"][1]
    found = await examined(*HERE, "--url", bad.https_url, code=1, **trusted)
    assert found["server"][0] == "fail", "it runs no more"


async def test_without_a_key_the_streams_are_not_looked_at(server: Live, quick: None) -> None:
    found = await examined(*HERE, "--url", server.url, HOLDFAST_TOKEN="x")
    assert found["streams"][0] == "warn"
    assert found["tls"] == ("ok", "none, on 127.0.0.1")


async def test_an_address_without_tls_elsewhere() -> None:
    assert (await deployed.examine_tls("http://holdfast.example")).level == "fail"
