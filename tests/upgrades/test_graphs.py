"""Threads that wait while their graph changes go on, or say `incompatible_graph`; never at a wrong node."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Live, forget, live

Json = Any
SERVED = Path(__file__).parent / "served"
BEFORE, AFTER = SERVED / "before.json", SERVED / "after.json"
STAFF = ("kim", "operator")


@dataclass
class Deployment:
    """One installation, served by the graphs of before and of after a deployment."""

    redis_url: str
    prefix: str
    noted: Callable[[], list[str]]

    @asynccontextmanager
    async def served(self, config: Path, **settings: Any) -> AsyncIterator[Live]:
        async with live(self.redis_url, config=config, prefix=self.prefix, **settings) as server:
            yield server


@pytest.fixture
async def deployment(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Deployment]:
    notes = tmp_path / "notes"
    monkeypatch.setenv("SERVED_NOTES", str(notes))
    prefix = f"u{abs(hash(request.node.name)):x}"[:12]
    yield Deployment(redis_url, prefix, lambda: notes.read_text().splitlines() if notes.exists() else [])
    await forget(redis_url, prefix)


async def waiting(server: Live, graph: str, **asked: Any) -> str:
    """A thread on which a question of the graph waits."""
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, graph, input={"log": []}, **asked)
    assert (await sdk.threads.get(thread_id))["status"] == "interrupted"
    return thread_id


async def go_on(server: Live, thread_id: str, graph: str, **asked: Any) -> Json:
    """How a run ends: its values, or its error."""
    sdk = server.sdk("ann")
    return await sdk.runs.wait(thread_id, graph, raise_error=False, **asked)


async def check_refused(server: Live, thread_id: str, graph: str, told: Json, node: str) -> None:
    """The run says so, and the thread can be used."""
    assert told["__error__"]["error"] == "incompatible_graph"
    assert (
        f"was left before '{node}', which the graph '{graph}' does not have" in told["__error__"]["message"]
    )
    thread = await server.sdk("ann").threads.get(thread_id)
    assert thread["status"] == "error"
    await go_on(server, thread_id, graph, input={"log": ["anew"]})
    thread = await server.sdk("ann").threads.get(thread_id)
    assert thread["status"] in ("interrupted", "idle")


async def test_a_field_that_came_and_one_that_went(deployment: Deployment) -> None:
    async with deployment.served(BEFORE) as server:
        thread_id = await waiting(server, "fields")
    async with deployment.served(AFTER) as server:
        values = await go_on(server, thread_id, "fields", command={"resume": "yes"})
    assert (values["log"], values["answer"]) == (["first", "did yes"], "yes")
    assert deployment.noted() == ["effect yes"]


async def test_a_node_that_is_not_there_any_more(deployment: Deployment) -> None:
    """Renamed or removed, in a subgraph that was sent to, and behind branches that are waited for."""
    async with deployment.served(BEFORE) as server:
        threads = {graph: await waiting(server, graph) for graph in ("renamed", "removed", "sent", "joined")}
        stopped = await waiting(server, "stopped", interrupt_before=["effect"])
    async with deployment.served(AFTER) as server:
        for graph, thread_id in threads.items():
            told = await go_on(server, thread_id, graph, command={"resume": "yes"})
            await check_refused(server, thread_id, graph, told, "effect" if graph == "joined" else "ask")
            assert "effect yes" not in deployment.noted(), graph
        told = await go_on(server, stopped, "stopped", input=None)
        assert told["__error__"]["error"] == "incompatible_graph"


async def test_a_decision_of_people_is_carried_out_when_the_node_is_back(deployment: Deployment) -> None:
    async with deployment.served(BEFORE) as server:
        thread_id = await waiting(server, "people")
    approval = f"/approvals/{thread_id}:r-1"
    async with deployment.served(AFTER) as server, server.http("ann") as ann:
        decided = await ann.post(f"{approval}/decisions", json={"type": "approve"})
        assert decided.status_code == 200, decided.text
        [run] = (await ann.get(f"/threads/{thread_id}/runs", params={"limit": 1})).json()
        told = (await ann.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")).json()
        assert told["__error__"]["error"] == "incompatible_graph"
    assert deployment.noted() == []
    async with deployment.served(BEFORE) as server, server.http(*STAFF) as kim:
        retried = (await kim.post(f"/threads/{thread_id}/runs/{run['run_id']}/retry")).json()
        values = (await kim.get(f"/threads/{thread_id}/runs/{retried['run_id']}/join")).json()
        assert values["log"] == ["first", "did approve"]
        late = await kim.post(f"{approval}/decisions", json={"type": "reject"})
        assert late.status_code == 409, "it was decided once"
    assert deployment.noted() == ["effect approve"]


async def test_a_graph_that_is_not_served_any_more(deployment: Deployment) -> None:
    async with deployment.served(BEFORE, worker=False) as server:
        sdk = server.sdk("ann")
        thread_id = (await sdk.threads.create())["thread_id"]
        run = await sdk.runs.create(thread_id, "gone", input={"log": []})
    async with deployment.served(AFTER, lease_s=0.5, max_attempts=2) as server:
        told: Json = await server.sdk("ann").runs.join(thread_id, run["run_id"])
    assert told["__error__"] == {
        "error": "incompatible_graph",
        "message": "langgraph.json names no graph 'gone': bring it back and try the run again.",
    }
