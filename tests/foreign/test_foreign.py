"""A project that is none of ours: other packages of the names `graph`, `tools` and `api`, another state. It
is served by the wheel, in an environment where nothing else of this checkout can be imported."""

import asyncio
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client

from tests.servers import ROOT, clean_environment, end, free_port, wait_ready

PROJECT = Path(__file__).parent / "project"
UV = Path(sys.executable).parent / "uv"
ORIGIN = "import holdfast, graph, tools; print(*(one.__path__[0] for one in (holdfast, graph, tools)))"


def run(*command: str | Path, cwd: Path) -> str:
    """Its output, both streams; fails as the command does."""
    done = subprocess.run(
        command, cwd=cwd, env=clean_environment(), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment that has the wheel, and what the wheel depends on."""
    folder = tmp_path_factory.mktemp("foreign")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    [wheel] = folder.glob("holdfast-*.whl")
    venv.create(folder / "venv", symlinks=True)
    programs = folder / "venv" / "bin"
    install = ("pip", "install", "--quiet", "--offline", "--no-deps", "--python", programs / "python", wheel)
    run(UV, *install, cwd=folder)
    # A line in a .pth adds a folder and reads no .pth in it: the checkout, which is installed as editable, is
    # not seen.
    [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return programs


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(PROJECT, tmp_path / "project")


@asynccontextmanager
async def holdfast(programs: Path, project: Path, *args: str, redis_url: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        programs / "holdfast",
        *args,
        cwd=project,
        env={**clean_environment(), "REDIS_URL": redis_url, "HOLDFAST_PREFIX": "foreign"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield
    finally:
        await end(process)


def test_the_wheel_and_the_project_are_what_is_imported(installed: Path, project: Path) -> None:
    found = run(installed / "python", "-c", ORIGIN, cwd=project).split()
    assert found[0].startswith(str(installed.parent))
    assert found[1:] == [str(project / "graph"), str(project / "tools")]


def test_check_says_what_would_be_served(installed: Path, project: Path) -> None:
    said = run(installed / "holdfast", "check", cwd=project)
    for line in (
        "graph trip: assistant ",
        "Plans a trip and asks before it books",
        "graph echo: assistant ",
        "routes of ./api/app.py:app: GET /cities",
        "threads are kept for 60 minutes",
        "without effect here: dependencies, python_version",
        "unknown: mistyped",
    ):
        assert line in said


async def test_it_is_served(installed: Path, project: Path, redis_url: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        holdfast(installed, project, "serve", "--port", str(port), redis_url=redis_url),
        holdfast(installed, project, "worker", redis_url=redis_url),
        get_client(url=url) as client,
        httpx.AsyncClient(base_url=url) as http,
    ):
        await wait_ready(url)
        assert (await http.get("/cities")).json() == ["Lisbon", "Oslo"]
        assert await client.runs.wait(None, "echo", input={"text": "ha"}) == {"text": "haha"}
        [echo] = await client.assistants.search(graph_id="echo")
        schemas: Any = await client.assistants.get_schemas(echo["assistant_id"])
        assert schemas["input_schema"]["properties"]["text"]["type"] == "string"

        thread_id = (await client.threads.create())["thread_id"]
        asked: Any = await client.runs.wait(thread_id, "trip", input={"city": "Oslo", "nights": 3})
        assert asked["__interrupt__"][0]["value"] == {"question": "Shall I book it?", "total": "420.60"}
        done: Any = await client.runs.wait(thread_id, "trip", command={"resume": "yes"})
        assert (done["booked"], done["notes"]) == (True, ["420.60 EUR", "answered yes"])
        state: Any = await client.threads.get_state(thread_id)
        assert str(state["values"]["total"]) == "420.60"
        refused: Any = await client.runs.wait(None, "trip", input={"city": "Atlantis"})
        assert refused["notes"] == ["nobody goes to Atlantis"]
