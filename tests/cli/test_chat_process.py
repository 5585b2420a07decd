"""`holdfast chat` as a process: on a pipe, at a terminal, and stopped in mid-answer."""

import asyncio
import os
import pty
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.servers import ROOT, Live, clean_environment, end, said
from tests.waiting import wait_until


@asynccontextmanager
async def chat(server: Live, home: Path, *arguments: str, **streams: Any) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "holdfast", "chat", "--url", server.url, *arguments),
        cwd=ROOT,
        env={**clean_environment(), "XDG_STATE_HOME": str(home), "TERM": "xterm", "COLUMNS": "100"},
        **{"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, **streams},
    )
    try:
        yield process
    finally:
        await end(process)


async def test_on_a_pipe_ctrl_c_stops_the_answer_and_the_next_line_is_read(
    server: Live, state_home: Path
) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "steps", input=said("go"))
    await sdk.threads.update_state(thread_id, {"delay": 60})

    async def status(wanted: str) -> bool:
        [run, *_] = await sdk.runs.list(thread_id)
        return run["status"] == wanted

    options = ("--thread", thread_id, "--assistant", "steps")
    async with chat(server, state_home, *options) as process:
        assert process.stdin
        process.stdin.write("慢一点\n".encode())
        await wait_until(lambda: status("running"), "the answer is running")
        process.send_signal(signal.SIGINT)
        await wait_until(lambda: status("interrupted"), "the answer is stopped")
        await sdk.threads.update_state(thread_id, {"delay": 0})
        out, err = await process.communicate("再来\n".encode())
    assert (process.returncode, err) == (0, b"")
    assert "(stopped)" in out.decode()
    assert await status("success")
    values: Any = (await sdk.threads.get(thread_id))["values"]
    assert [message["content"] for message in values["messages"]] == ["go", "慢一点", "再来"]


async def test_at_a_terminal_what_was_typed_ahead_approves_nothing(server: Live, state_home: Path) -> None:
    ours, theirs = pty.openpty()
    shown = bytearray()
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, lambda: shown.extend(os.read(ours, 65536)))

    async def has(text: str, times: int = 1) -> bool:
        return shown.count(text.encode()) >= times

    try:
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        async with chat(server, state_home, "--assistant", "approve", **streams) as process:
            await wait_until(lambda: has("> "), "the prompt")
            os.write(ours, "发射\napprove\n".encode())
            await wait_until(lambda: has("answer> "), "the question")
            os.write(ours, "拒绝 太早\n".encode())
            await wait_until(lambda: has("> ", 3), "the prompt again")
            os.write(ours, b"\x04")
            assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)
    [thread] = await server.sdk().threads.search()
    values: Any = thread["values"]
    [answer] = values["answers"].values()
    assert answer["decision"] == {"decisions": [{"type": "reject", "message": "太早"}]}
