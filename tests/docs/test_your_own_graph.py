"""The first project that somebody makes, as its page says, from the first block to the last."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import Block, of
from tests.servers import clean_environment, free_port, holdfast, wait_ready

PAGE = list(of("docs/your-own-graph.md"))
FILES = [block for block in PAGE if block.file]


def client_after(file: Block) -> tuple[str, str]:
    """The code that the page shows next for the client, and what it says it prints."""
    rest = PAGE[PAGE.index(file) + 1 :]
    code = next(block.text for block in rest if block.language == "python" and not block.file)
    return code, next(block.text for block in rest if block.language == "text")


@pytest.mark.timeout(240)
async def test_the_page_works_from_top_to_bottom(tmp_path: Path) -> None:
    first, config, second = FILES
    assert [first.file, config.file, second.file] == ["agent.py", "langgraph.json", "agent.py"]
    (tmp_path / config.file).write_text(config.text)
    (tmp_path / first.file).write_text(first.text)
    assert "trip" in await run(tmp_path, "-m", "holdfast", "check")
    for agent in (first, second):
        (tmp_path / agent.file).write_text(agent.text)
        code, expected = client_after(agent)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        data = str(tmp_path / ".holdfast")
        started = ("dev", "--port", str(port), "--config", str(tmp_path / config.file))
        async with holdfast(*started, HOLDFAST_DATA=data):
            await wait_ready(url, 60)
            assert await run(tmp_path, "-c", code.replace("http://127.0.0.1:8123", url)) == expected


async def run(folder: Path, *args: str) -> str:
    environment = {**clean_environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *args, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return said.decode()
