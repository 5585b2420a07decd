"""What the cases share."""

import uuid
from typing import Any

import httpx
from langgraph_sdk.client import LangGraphClient

from tests.waiting import wait_until

Json = Any
MISSING = "00000000-0000-4000-8000-000000000000"
GRAPHS = ("ask", "echo", "fail", "named", "nested", "outer", "pair", "pondering", "shelf", "slow", "steps")


def human(text: str) -> Json:
    return {"messages": [{"role": "user", "content": text}]}


def contents(values: Json) -> list[str]:
    return [message["content"] for message in values["messages"]]


async def thread(client: LangGraphClient, **fields: Any) -> str:
    return str((await client.threads.create(**fields))["thread_id"])


async def asked(client: LangGraphClient, graph: str = "ask") -> tuple[str, Json]:
    """A thread that waits, and what it waits for."""
    thread_id = await thread(client)
    values: Json = await client.runs.wait(thread_id, graph, input={})
    return thread_id, values["__interrupt__"]


async def events(client: LangGraphClient, thread_id: str | None, graph: str, **fields: Any) -> list[Json]:
    """`(name, data)` of a run's stream."""
    stream = client.runs.stream(thread_id, graph, **fields)
    return [(part.event, part.data) async for part in stream]


async def until_status(client: LangGraphClient, thread_id: str, run_id: str, *wanted: str) -> Json:
    async def reached() -> bool:
        return (await client.runs.get(thread_id, run_id))["status"] in wanted

    await wait_until(reached, f"run {run_id} is {' or '.join(wanted)}", 20)
    return await client.runs.get(thread_id, run_id)


async def system_assistant(client: LangGraphClient, graph: str) -> str:
    [found] = await client.assistants.search(graph_id=graph, metadata={"created_by": "system"})
    return found["assistant_id"]


def fresh() -> str:
    return str(uuid.uuid4())


async def refused(http: httpx.AsyncClient, method: str, path: str, **sent: Any) -> tuple[int, str]:
    """The status and the sentence of an error, which is always a string."""
    response = await http.request(method, path, **sent)
    assert response.status_code >= 400, response.text
    detail = response.json()["detail"]
    assert isinstance(detail, str)
    assert detail
    return response.status_code, detail
