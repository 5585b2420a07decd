"""The official client, as an agent that talks to one of ours."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import MessageToDict, ParseDict

Json = Any


def text(words: str) -> Json:
    return {"text": words}


def data(value: Json) -> Json:
    return {"data": value}


@dataclass
class Agent:
    """Another agent: each of its calls is one of the official client's, its answers are JSON."""

    client: Client
    http: httpx.AsyncClient

    async def stream(self, *parts: Json, message_id: str = "", **about: Json) -> AsyncGenerator[Json]:
        """What comes of a message: stream responses."""
        named = {"messageId": message_id or str(uuid.uuid4()), "role": "ROLE_USER"}
        message = {**named, "parts": list(parts), "taskId": about.pop("task", ""), "contextId": ""}
        message |= {"contextId": about.pop("context", ""), "metadata": about.pop("metadata", {})}
        asked = ParseDict({"message": message, "configuration": about}, pb.SendMessageRequest())
        async for found in self.client.send_message(asked):
            yield told(found)

    async def send(self, *parts: Json, **about: Json) -> Json:
        """The task that a message comes to."""
        [found] = [one async for one in self.stream(*parts, **about)]
        return found["task"]

    async def subscribe(self, task: Json) -> AsyncGenerator[Json]:
        async for found in self.client.subscribe(pb.SubscribeToTaskRequest(id=task["id"])):
            yield told(found)

    async def get(self, task: Json, history: int | None = None) -> Json:
        return told(await self.client.get_task(pb.GetTaskRequest(id=task["id"], history_length=history)))

    async def cancel(self, task: Json) -> Json:
        return told(await self.client.cancel_task(pb.CancelTaskRequest(id=task["id"])))

    async def search(self, **asked: Json) -> Json:
        return told(await self.client.list_tasks(ParseDict(asked, pb.ListTasksRequest())))


def told(message: Json) -> Json:
    return MessageToDict(message)


def state(told: Json) -> str:
    """The state in a task, or in what a stream tells of it."""
    held = told.get("task") or told.get("statusUpdate") or told
    name: str = held["status"]["state"]
    return name.removeprefix("TASK_STATE_").lower()


def states(stream: list[Json]) -> list[str]:
    return [state(one) for one in stream if "artifactUpdate" not in one]


def reply(task: Json) -> str:
    """What a task has said, each of its runs on a line of its own."""
    said = [part["text"] for one in task.get("artifacts", []) for part in one["parts"]]
    return "\n".join(said)


def heard(stream: list[Json]) -> str:
    """The artifact of a stream, put together as a client does it."""
    words = ""
    for one in stream:
        words = reply(one["task"]) if "task" in one else words
        if update := one.get("artifactUpdate"):
            piece = update["artifact"]["parts"][0]["text"]
            words = words + piece if update.get("append") else piece
    return words


@asynccontextmanager
async def agent(
    url: str, name: str, headers: dict[str, str] | None = None, *, streaming: bool = False
) -> AsyncIterator[Agent]:
    """An agent that has read the card of the assistant, and calls it where the card says."""
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        card = await A2ACardResolver(http, f"{url}/a2a/{name}").get_agent_card()
        config = ClientConfig(httpx_client=http, streaming=streaming)
        async with ClientFactory(config).create(card) as client:
            yield Agent(client, http)
