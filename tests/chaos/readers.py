"""Clients that read the events of a run of `counting` to its end, however often their streams are cut."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from httpx_sse import EventSource
from langgraph_sdk.client import LangGraphClient

COUNT = 150
PAUSE_S = 0.02
INPUT: Any = {"count": COUNT, "pause_s": PAUSE_S}
AGAIN_S = 0.05
OVER = ("completed", "failed", "interrupted")


@dataclass
class Reading:
    """What a client was given of one run; protocol v3 numbers its frames."""

    numbers: list[int] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)


Reader = Callable[[httpx.AsyncClient, Reading], Awaitable[None]]


async def by_hand(http: httpx.AsyncClient, reading: Reading) -> None:
    """On the classic wire, by `Last-Event-ID`."""
    asked = {
        "assistant_id": "counting",
        "input": INPUT,
        "stream_mode": ["custom"],
        "stream_resumable": True,
        "if_not_exists": "create",
    }
    thread = f"/threads/{uuid.uuid4()}"
    reply = (await http.post(f"{thread}/runs", json=asked)).raise_for_status()
    path, last = f"{thread}/runs/{reply.json()['run_id']}/stream", "-1"
    while True:
        try:
            async with http.stream("GET", path, headers={"Last-Event-ID": last}) as stream:
                async for event in EventSource(stream).aiter_sse():
                    last = event.id
                    if event.event == "custom":
                        reading.numbers.append(orjson.loads(event.data)["n"])
            return  # only the end of the run ends a stream without an error
        except httpx.TransportError:
            await asyncio.sleep(AGAIN_S)


async def by_hand_v3(http: httpx.AsyncClient, reading: Reading) -> None:
    """On the thread's wire, by `since` or by `Last-Event-ID`."""
    thread = f"/threads/{uuid.uuid4()}"
    params = {"assistant_id": "counting", "input": INPUT}
    command = {"id": 1, "method": "run.start", "params": params}
    (await http.post(f"{thread}/commands", json=command)).raise_for_status()
    while True:
        try:
            async with http.stream("POST", f"{thread}/stream/events", **cursor(reading)) as stream:
                async for event in EventSource(stream).aiter_sse():
                    if take(reading, orjson.loads(event.data)) in OVER:
                        return
        except httpx.TransportError:
            await asyncio.sleep(AGAIN_S)


def cursor(reading: Reading) -> dict[str, Any]:
    body: dict[str, Any] = {"channels": ["custom", "lifecycle", "values"]}
    last = reading.seqs[-1] if reading.seqs else 0
    if random.random() < 0.5:
        return {"json": {**body, "since": last}}
    return {"json": body, "headers": {"Last-Event-ID": str(last)}}


def take(reading: Reading, frame: Any) -> str | None:
    """Notes a frame of the thread's wire; a phase of the run's life comes back."""
    reading.seqs.append(frame["seq"])
    data = frame["params"]["data"]
    if frame["method"] == "custom":
        reading.numbers.append(data["payload"]["n"])
    return data["event"] if frame["method"] == "lifecycle" else None


async def by_the_sdk(http: httpx.AsyncClient, reading: Reading) -> None:
    async for part in LangGraphClient(http).runs.stream(
        str(uuid.uuid4()),
        "counting",
        input=INPUT,
        stream_mode="custom",
        stream_resumable=True,
        if_not_exists="create",
    ):
        data: Any = part.data
        if part.event == "custom":
            reading.numbers.append(data["n"])


async def by_the_sdk_v3(http: httpx.AsyncClient, reading: Reading) -> None:
    async with LangGraphClient(http).threads.stream(assistant_id="counting") as thread:
        await thread.run.start(input=INPUT)
        async for frame in thread.subscribe(["custom"]):
            take(reading, frame)
