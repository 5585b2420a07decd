"""What tests of the wire share: SSE read by hand, runs waited for, answers looked at."""

import re
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from langgraph_sdk.client import LangGraphClient

from tests.waiting import wait_until

Json = Any


@dataclass(frozen=True)
class Sent:
    """An event as it stands on the wire."""

    name: str
    data: Json
    id: str | None = None


def read_stream(text: str) -> list[Sent]:
    """The events of an SSE body, which must be made of CRLF lines in the order event, data, id."""
    assert "\n" not in text.replace("\r\n", ""), "a bare newline"
    text = re.sub(r"(?m)^:.*\r\n", "", text)
    events = []
    for block in text.removesuffix("\r\n\r\n").split("\r\n\r\n") if text else ():
        fields = [line.split(": ", 1) for line in block.split("\r\n")]
        names = [name for name, _ in fields]
        assert names in (["event", "data"], ["event", "data", "id"]), names
        values = dict(fields)
        events.append(Sent(values["event"], orjson.loads(values["data"]), values.get("id")))
    return events


async def streamed(http: httpx.AsyncClient, path: str, **body: Any) -> list[Sent]:
    response = await http.post(path, json=body)
    assert response.status_code == 200, response.text
    return read_stream(response.text)


def names(events: list[Sent]) -> list[str]:
    return [event.name for event in events]


async def new_thread(http: httpx.AsyncClient, **body: Any) -> str:
    response = await http.post("/threads", json=body)
    assert response.status_code == 200, response.text
    thread_id: str = response.json()["thread_id"]
    return thread_id


async def has_status(sdk: LangGraphClient, thread_id: str, run_id: str, *statuses: str) -> None:
    async def reached() -> bool:
        return (await sdk.runs.get(thread_id, run_id))["status"] in statuses

    await wait_until(reached, f"run {run_id} is {' or '.join(statuses)}")


async def has_runs(sdk: LangGraphClient, thread_id: str, count: int) -> None:
    async def reached() -> bool:
        return len(await sdk.runs.list(thread_id)) == count

    await wait_until(reached, f"{count} runs on {thread_id}")


async def has_logged(sdk: LangGraphClient, thread_id: str, lines: int) -> None:
    """Waits until the state of a run at work holds so many lines."""

    async def reached() -> bool:
        values: Json = (await sdk.threads.get_state(thread_id))["values"]
        return len(values.get("log") or ()) >= lines

    await wait_until(reached, f"{lines} steps done on {thread_id}")


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and sentence of an error; the sentence is always text."""
    detail = response.json()["detail"]
    assert isinstance(detail, str), detail
    assert detail
    return response.status_code, detail
