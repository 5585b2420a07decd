"""Nodes that leave in ways of their own: each fails its own run, once, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.servers import forget, free_port, holdfast, wait_ready

LEAVING = str(Path(__file__).parent / "served" / "leaving.json")
PREFIX = "leaving"


@pytest.fixture(scope="module")
async def sdk(redis_url: str) -> AsyncIterator[LangGraphClient]:
    """A process of its own: where nothing guards it, it dies."""
    port = free_port()
    settings = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": PREFIX, "HOLDFAST_LEASE_S": "1"}
    async with holdfast("dev", "--config", LEAVING, "--port", str(port), **settings):
        await wait_ready(f"http://127.0.0.1:{port}")
        async with get_client(url=f"http://127.0.0.1:{port}") as client:
            yield client
    await forget(redis_url, PREFIX)


async def failed(sdk: LangGraphClient, graph: str, **asked: Any) -> tuple[str, dict[str, str]]:
    """The thread of a run that failed at its first attempt, and the error that was told."""
    thread_id = (await sdk.threads.create())["thread_id"]
    told = [part async for part in sdk.runs.stream(thread_id, graph, input={}, **asked)]
    assert [part.data["attempt"] for part in told if part.event == "metadata"] == [1]
    [error] = [part.data for part in told if part.event == "error"]
    [run] = await sdk.runs.list(thread_id)
    assert run["status"] == "error"
    return thread_id, error


async def test_an_error_that_cannot_be_put_into_words(sdk: LangGraphClient) -> None:
    thread_id, error = await failed(sdk, "unsaid", stream_mode=["values", "tasks", "debug", "events"])
    assert error == {"error": "Unsaid", "message": "<Unsaid whose str() failed>"}
    state = await sdk.threads.get_state(thread_id)
    assert "<Unsaid whose repr() failed>" in str(state["tasks"][0]["error"])


async def test_an_error_whose_words_no_text_can_hold(sdk: LangGraphClient) -> None:
    _, error = await failed(sdk, "unwritten")
    assert error == {"error": "ValueError", "message": "half a ? pair"}


async def test_a_node_that_exits_fails_its_own_run_alone(sdk: LangGraphClient, tmp_path: Path) -> None:
    (waited_for := tmp_path / "file").touch()
    thread_id = (await sdk.threads.create())["thread_id"]
    beside = await sdk.runs.create(thread_id, "patient", input={"said": str(waited_for)})
    for graph in (
        *("exits", "exits_in_a_thread", "exits_inside", "exits_in_a_tool"),
        *("exits_beside_another", "exits_when_made"),
    ):
        for stream_mode in ("values", "custom"):
            _, error = await failed(sdk, graph, stream_mode=stream_mode)
            assert error == {"error": "GraphExit", "message": "the graph called sys.exit(3)"}
    waited_for.unlink()
    assert await sdk.runs.join(thread_id, beside["run_id"]) == {"said": "waited"}
