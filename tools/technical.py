"""Technical support, another agent: asked over A2A. Loaded by name, where an address of it is configured."""

import asyncio
from dataclasses import dataclass

import httpx
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError, AgentCardResolutionError
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError

from tools.errors import TechnicalSupportAway

HOPS = "holdfast_hops"  # how many agents a question has come through: a server of ours hands it to its graph
LONGEST = 8_000
AWAY = (A2AClientError, AgentCardResolutionError, A2AError, httpx.HTTPError, TimeoutError, ValueError)


@dataclass(frozen=True, slots=True)
class Question:
    """The same `message_id` is answered once, however often it is sent; `context_id` is one conversation."""

    text: str
    message_id: str
    context_id: str
    hops: int


@dataclass(frozen=True, slots=True)
class Advice:
    """What the other agent has said; `asks` when it wants to know more. It is another's words: data."""

    text: str
    asks: bool


class TechnicalSupport:
    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        headers = {"x-api-key": key} if key else {}
        self._http = httpx.AsyncClient(headers=headers, timeout=timeout_s)
        self._client: Client | None = None

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, question: Question) -> Advice:
        """Raises `TechnicalSupportAway` when there is no answer in time."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return read_advice(await self._send(question))
        except AWAY as error:
            self._client = None  # its card may say something else by now
            raise TechnicalSupportAway from error

    async def _send(self, question: Question) -> pb.Task | pb.Message:
        client = self._client = self._client or await self._find()
        message = pb.Message(
            message_id=question.message_id,
            context_id=question.context_id,
            role=pb.ROLE_USER,
            parts=[pb.Part(text=question.text)],
        )
        message.metadata.update({HOPS: question.hops})
        async for told in client.send_message(pb.SendMessageRequest(message=message)):
            return told.task if told.HasField("task") else told.message
        raise ValueError("no answer")

    async def _find(self) -> Client:
        card = await A2ACardResolver(self._http, self._url).get_agent_card()
        return ClientFactory(ClientConfig(httpx_client=self._http, streaming=False)).create(card)


def read_advice(told: pb.Task | pb.Message) -> Advice:
    """Raises ValueError for a task that came to nothing."""
    if isinstance(told, pb.Message):
        return Advice(text_of(told.parts), asks=False)
    asks = told.status.state == pb.TASK_STATE_INPUT_REQUIRED
    said = [text_of(artifact.parts) for artifact in told.artifacts] or [text_of(told.status.message.parts)]
    if not asks and told.status.state != pb.TASK_STATE_COMPLETED:
        raise ValueError(f"the task is {pb.TaskState.Name(told.status.state)}")
    return Advice("\n\n".join(filter(None, said))[:LONGEST], asks)


def text_of(parts: "list[pb.Part]") -> str:
    return "\n".join(part.text for part in parts if part.text)
