"""What tests of approvals share: a request that waits, and what people do to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.api.wire import Json, new_thread

APPROVE, REJECT = {"type": "approve"}, {"type": "reject"}


def edit(count: Any, **more: Any) -> Json:
    return {"type": "edit", "edited_action": {"name": "launch", "args": {"count": count, **more}}}


async def ask(
    http: httpx.AsyncClient, *questions: str, graph: str = "approve", **policy: Any
) -> tuple[str, dict[str, str]]:
    """A thread on which requests wait: its id, and by name the ids of their approvals."""
    thread_id = await new_thread(http)
    said = [{"role": "user", "content": "please"}]
    asked = {"messages": said, "questions": list(questions or ("one",)), "policy": policy}
    body = {"assistant_id": graph, "input": asked}
    values = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
    names = [named(one) for one in values["__interrupt__"]]
    return thread_id, {name: f"{thread_id}:{thread_id}-{name}" for name in names}


def named(interrupt: Json) -> str:
    request_id: str = interrupt["value"]["policy"]["request_id"]
    return request_id.rpartition("-")[2]


async def ask_one(http: httpx.AsyncClient, **policy: Any) -> str:
    """The id of an approval that waits."""
    _, ids = await ask(http, **policy)
    return ids["one"]


async def decide(http: httpx.AsyncClient, approval_id: str, answer: Json, **more: Any) -> httpx.Response:
    return await http.post(f"/approvals/{approval_id}/decisions", json={**answer, **more})


async def listed(http: httpx.AsyncClient, **wanted: Any) -> list[str]:
    response = await http.get("/approvals", params=wanted)
    assert response.status_code == 200, response.text
    return [one["approval_id"] for one in response.json()]


async def shown(http: httpx.AsyncClient, approval_id: str) -> Json:
    response = await http.get(f"/approvals/{approval_id}")
    assert response.status_code == 200, response.text
    return response.json()


async def settled(http: httpx.AsyncClient, approval_id: str) -> Json:
    """The values of the thread once its runs have ended."""
    thread_id = approval_id.partition(":")[0]
    for run in (await http.get(f"/threads/{thread_id}/runs")).json():
        await http.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")
    return (await http.get(f"/threads/{thread_id}/state")).json()["values"]


def later(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


def kinds(approval: Json) -> list[str]:
    return [line["kind"] for line in approval["history"]]
