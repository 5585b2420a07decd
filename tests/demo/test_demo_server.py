import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from graph.demo import DemoModel, Say, Script, Stall, demo_base_url
from graph.demo.serving import THREADS
from tests.demo.talks import wait_until


async def test_each_process_has_one_whoever_asks() -> None:
    first, second = await asyncio.gather(demo_base_url(), demo_base_url())
    other_loop = await asyncio.to_thread(asyncio.run, demo_base_url())
    assert first == second == other_loop
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{first}/models")).status_code == 200


async def test_it_leaves_signals_to_its_host() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with DemoModel():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_two_live_side_by_side_and_closing_ends_the_thread() -> None:
    async with DemoModel() as one, DemoModel() as other, httpx.AsyncClient(trust_env=False) as http:
        assert one.base_url != other.base_url
        for model in (one, other):
            assert (await http.get(f"{model.base_url}/models")).status_code == 200
        running = sum(thread.name == f"{THREADS}model" for thread in threading.enumerate())
    assert sum(thread.name == f"{THREADS}model" for thread in threading.enumerate()) == running - 2


@pytest.mark.parametrize("script", [Script(steps=(Stall(),)), Script(steps=(Say(text="a b"),), hold_after=1)])
async def test_closing_ends_what_waits(script: Script) -> None:
    hello = {"messages": [{"role": "user", "content": "Hello"}]}
    async with httpx.AsyncClient(trust_env=False) as http:
        async with DemoModel(script) as model:
            waiting = asyncio.create_task(http.post(f"{model.base_url}/chat/completions", json=hello))
            await wait_until(lambda: len(model.requests) == 1, "the request came")
        answer = await asyncio.wait_for(waiting, 5)
    assert answer.status_code == (503 if script.hold_after is None else 200)


async def test_a_server_without_a_script_keeps_nothing_and_takes_no_directions() -> None:
    said = '[[{"steps": [{"kind": "status"}]}]] Hello'
    hello = {"messages": [{"role": "user", "content": said}]}
    async with DemoModel() as model, httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(f"{model.base_url}/chat/completions", json=hello)).status_code == 200
        assert model.requests == []
        for path in ("script", "release"):
            assert (await http.post(f"{model.url}/demo/{path}", json={})).status_code == 404
        assert (await http.get(f"{model.url}/demo/requests")).status_code == 404


async def test_a_port_in_use_is_told() -> None:
    async with DemoModel() as model:
        port = int(model.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            DemoModel(port=port).start()
        alone = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "graph.demo", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert alone.returncode != 0
    assert f"port {port} cannot be used" in alone.stderr
    assert "Traceback" not in alone.stderr


def test_directing_one_that_does_not_run_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        DemoModel(Script()).release()
    DemoModel().close()


async def test_the_hosts_logs_are_spared(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with DemoModel() as model, httpx.AsyncClient(trust_env=False) as http:
        await http.get(f"{model.base_url}/models")
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


async def test_it_runs_alone_until_interrupted() -> None:
    alone = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "graph.demo", "--port", "0", "--scripting", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert alone.stdout is not None
        url = (await asyncio.wait_for(alone.stdout.readline(), 20)).decode().strip()
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{url}/models")).status_code == 200
            assert (await http.get(f"{url.removesuffix('/v1')}/demo/held")).json() == {"held": 0}
        alone.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(alone.wait(), 10) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            alone.kill()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
async def test_a_fork_starts_its_own() -> None:
    program = """
import asyncio, os, sys
from graph.demo import demo_base_url
mine = asyncio.run(demo_base_url())
child = os.fork()
if child == 0:
    sys.exit(0 if asyncio.run(demo_base_url()) != mine else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    forked = await asyncio.create_subprocess_exec(sys.executable, "-W", "ignore", "-c", program)
    assert await asyncio.wait_for(forked.wait(), 20) == 0


async def test_it_listens_on_loopback_only() -> None:
    async with DemoModel() as model:
        port = int(model.url.rsplit(":", 1)[1])
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            # Another loopback address reaches a listener on all of them, and not one on 127.0.0.1.
            other.connect(("127.0.0.2", port))
