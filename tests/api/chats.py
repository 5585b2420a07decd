"""What tests of the short door share: plain requests, as curl would send them."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import leaked
from tests.servers import Live, live
from tests.waiting import wait_until

OWN = "tests.api.chat_graphs"
SERVED = "tests.served.served_graphs"
Door = Callable[..., AbstractAsyncContextManager[Live]]
Answer = dict[str, Any]


@asynccontextmanager
async def opened(redis_url: str, folder: Path, graph: str, **config: Any) -> AsyncIterator[Live]:
    """Holdfast with this one graph. Afterwards its threads are deleted; no key may be left."""
    path = folder / "langgraph.json"
    path.write_text(json.dumps({"graphs": {"first": graph}, **config}))
    async with live(redis_url, config=path) as running:
        yield running
        async with running.http() as http:
            for thread in (await http.post("/threads/search", json={})).json():
                await http.delete(f"/threads/{thread['thread_id']}")

        async def clean() -> bool:
            return not await leaked(running)

        await wait_until(clean, "no key without a TTL is left")


async def post(http: httpx.AsyncClient, path: str = "/chat", **body: Any) -> Answer:
    response = await http.post(path, json=body)
    assert response.status_code == 200, response.text
    answer: Answer = response.json()
    return answer


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[Answer]:
    async for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


async def streamed(http: httpx.AsyncClient, **body: Any) -> list[Answer]:
    async with http.stream("POST", "/chat/stream", json=body) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        return [frame async for frame in frames(response.aiter_lines())]


async def finished(http: httpx.AsyncClient, task_id: str) -> Answer:
    """The task's answer, once it is no longer running."""
    answers: list[Answer] = []

    async def ended() -> bool:
        answers.append((await http.get(f"/chat/result/{task_id}")).json())
        return bool(answers[-1]["status"] != "running")

    await wait_until(ended, f"task {task_id} has ended")
    return answers[-1]
