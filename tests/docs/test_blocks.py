"""What the pages show is what one can type."""

import ast
import asyncio
import gc
import json
import re
import shlex
from collections.abc import AsyncIterator
from inspect import CO_COROUTINE
from io import StringIO
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
import typer
from dotenv import dotenv_values

from holdfast.cli.commands import app
from holdfast.settings import read_settings
from tests.docs.blocks import WAITING, Block, blocks, needed
from tests.servers import clean_environment, free_port, holdfast, wait_ready

PYTHON, SHELL, JSON = blocks("python"), blocks("sh"), blocks("json")
# What they need is told beside them; the last has a test of its own.
ELSEWHERE = {"docs/audit.md": "a file", "docs/hand-off.md": "a node", "docs/your-own-graph.md": "all of it"}
WHOLE = [
    block
    for block in PYTHON
    if block.page not in ELSEWHERE and not needed(block.text) and "..." not in block.text
]
SETTINGS = [block for block in SHELL if re.match(r"[A-Z_]+=\S+", block.text)]
# What is there to be typed as it stands, and needs nothing but a server.
TYPED = [block for block in SHELL if block.text.startswith("curl") and "$" not in block.text]
PLACEHOLDER = re.compile(r"^.*\bTASK_ID\b.*$", re.M)
HOME = "http://127.0.0.1:8123"


@pytest.fixture(scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[str]:
    port, data = free_port(), tmp_path_factory.mktemp("pages")
    settings = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": "pages", "HOLDFAST_DATA": str(data)}
    async with holdfast("dev", "--port", str(port), **settings):
        await wait_ready(f"http://127.0.0.1:{port}", 60)
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_what_is_imported_is_there(block: Block) -> None:
    tree = ast.parse(block.text, str(block))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(list(imports), []), str(block), "exec"), {})  # noqa: S102 - our own pages


# A page may leave its client open at its end.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("block", WHOLE, ids=str)
async def test_what_needs_nothing_else_runs(
    block: Block, url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = block.text.replace(HOME, url)
    text = re.sub(r"redis://localhost(:6379)?", redis_url, text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    compiled, space = compile(text, str(block), "exec", flags=WAITING), {"__name__": "page"}
    if compiled.co_flags & CO_COROUTINE:
        await FunctionType(compiled, space)()
    else:
        await asyncio.to_thread(exec, compiled, space)
    space.clear()
    gc.collect()


def test_most_pages_with_python_have_some_that_runs() -> None:
    assert len({block.page for block in WHOLE}) >= 5


@pytest.mark.parametrize("block", JSON, ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", SETTINGS, ids=str)
def test_settings_are_taken(block: Block, tmp_path: Path) -> None:
    given = dotenv_values(stream=StringIO(block.text))
    assert read_settings({name: value or "" for name, value in given.items()})


@pytest.mark.parametrize("block", TYPED, ids=str)
async def test_requests_are_answered(block: Block, url: str) -> None:
    commands = PLACEHOLDER.sub("", block.text).replace(HOME, url)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", commands),
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said.decode()
    assert b'"detail":' not in said, said.decode()


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_exist_with_their_options(block: Block) -> None:
    for words in commands(block.text):
        command: Any = typer.main.get_command(app)
        while words and (sub := getattr(command, "commands", {}).get(words[0])):
            command, words = sub, words[1:]
        assert not getattr(command, "commands", {}), f"holdfast {' '.join(words)} is no command"
        known = {option for one in command.params for option in one.opts + one.secondary_opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def commands(text: str) -> list[list[str]]:
    """What is given to each `holdfast` of a block."""
    found = re.findall(r"(?<![\w/@.-])holdfast ((?:[^|&;()\n\\]|\\\n)*)", text)
    bare = (re.sub("[<>]", "", one.partition(" #")[0]) for one in found)
    return [shlex.split(one, posix=False) for one in bare]
