"""The model's client, and one answer of it: retried within bounds, read as it streams, failures named."""

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, Literal

import httpx
import openai
from langchain_core.exceptions import ContextOverflowError
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCall
from langchain_core.messages.utils import message_chunk_to_message
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from graph.demo import MODEL, demo_base_url
from graph.languages import plain_text
from graph.settings import SettingInvalid, Settings

log = logging.getLogger(__name__)

Model = Runnable[LanguageModelInput, AIMessage]
Connect = Callable[[Sequence[dict[str, Any]]], Model]
Report = Callable[[dict[str, Any]], None]
Failure = Literal["busy", "unreachable", "empty", "overflow"]

OPENAI = "https://api.openai.com/v1"
CHECK_S, CHECKED_S = 4.0, 60.0
EMBED_S, EMBEDDED_AT_ONCE = 30.0, 64

NAME_LENGTH = 64
ARGUMENTS_LENGTH = 10_000
ARGUMENTS_DEPTH = 10
LARGEST_INT = 2**53

UNREADABLE_STREAM = (ValueError, TypeError, AttributeError, LookupError)
"""What the library raises when a server sends what this protocol does not look like."""

UNREADABLE = "unreadable_arguments"
"""The one argument of a call whose JSON could not be read: the history stays valid for every server."""


class ModelFailed(Exception):
    """The model gave no answer within the bounds; `kind` names the sentence to say instead."""

    def __init__(self, kind: Failure) -> None:
        super().__init__(kind)
        self.kind: Failure = kind


async def connect_model(settings: Settings, resources: AsyncExitStack) -> Connect:
    """ChatOpenAI for the configured server or the demo model, built off the loop: it reads certificates."""
    base_url = await demo_base_url() if settings.demo_model else settings.openai_base_url
    chat, client = await asyncio.to_thread(_build, settings, base_url)
    await resources.enter_async_context(client)
    return chat.bind_tools


def connect_embeddings(settings: Settings) -> OpenAIEmbeddings:
    """OpenAIEmbeddings for the configured server. Raises SettingInvalid: the demo model embeds nothing."""
    if settings.demo_model:
        raise SettingInvalid("Search by meaning needs a model: set OPENAI_API_KEY or OPENAI_BASE_URL.")
    return OpenAIEmbeddings(
        model=settings.openai_embedding_model,
        base_url=settings.openai_base_url,
        api_key=SecretStr(settings.openai_api_key or "none"),
        chunk_size=EMBEDDED_AT_ONCE,
        timeout=EMBED_S,
        max_retries=0,
        # To count tokens the library would fetch tables from elsewhere.
        check_embedding_ctx_length=False,
    )


async def check_model(settings: Settings) -> None:
    """Raises RuntimeError when the model's server cannot be reached, or refuses the key.

    What it says counts for `CHECKED_S`: a server that is asked whether it is ready asks for this each time.
    """
    if settings.demo_model:
        return
    asked = (settings.openai_base_url, settings.openai_api_key)
    problem, until = _checked.get(asked, (None, 0.0))
    if time.monotonic() >= until:
        problem = await _ask_model(settings)
        _checked.clear()
        _checked[asked] = (problem, time.monotonic() + CHECKED_S)
    if problem:
        raise RuntimeError(problem)


_checked: dict[tuple[str | None, str | None], tuple[str | None, float]] = {}


async def _ask_model(settings: Settings) -> str | None:
    base_url = (settings.openai_base_url or OPENAI).rstrip("/")
    headers = {"Authorization": f"Bearer {settings.openai_api_key}"} if settings.openai_api_key else {}
    try:
        async with httpx.AsyncClient(timeout=CHECK_S, follow_redirects=True) as client:
            response = await client.get(f"{base_url}/models", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return f"The model does not answer ({type(error).__name__}): see to OPENAI_BASE_URL."
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return "The model refuses the key: see to OPENAI_API_KEY."
    return None  # a server that does not list its models may have them all the same


def _build(settings: Settings, base_url: str | None) -> tuple[ChatOpenAI, httpx.AsyncClient]:
    # A client of its own: the library's shared one stays bound to the first event loop that used it. The demo
    # model is on loopback, where no proxy of the environment may step in.
    client = httpx.AsyncClient(trust_env=not settings.demo_model, follow_redirects=True)
    chat = ChatOpenAI(
        model=MODEL if settings.demo_model else settings.openai_model,
        base_url=base_url,
        api_key=SecretStr(settings.openai_api_key or "none"),
        streaming=True,
        # Not every server that speaks this protocol knows how to count.
        stream_usage=settings.openai_base_url is None,
        max_retries=0,
        timeout=httpx.Timeout(settings.model_idle_s, connect=5.0),
        stream_chunk_timeout=settings.model_idle_s,
        http_async_client=client,
    )
    return chat, client


async def speak(
    model: Model, messages: list[BaseMessage], settings: Settings, report: Report, config: RunnableConfig
) -> AIMessage:
    """One answer of the model. What a failed try had said already is not part of it: `report` gets
    `{"type": "model_retry", "attempt", "discard": message id}`, so that a client can drop it.

    Raises ModelFailed; `overflow` means the messages are too long for this model.
    """
    failure: Failure = "unreachable"
    for attempt in range(1, settings.model_attempts + 1):
        heard: list[AIMessageChunk] = []
        try:
            async with asyncio.timeout(settings.model_total_s):
                await _listen(model, messages, settings, config, heard)
            if answer := _answer(heard):
                return answer
            failure, wait = "empty", 0.0
        except ContextOverflowError as error:
            raise ModelFailed("overflow") from error
        except (openai.APIError, httpx.TransportError, TimeoutError, *UNREADABLE_STREAM) as error:
            failure, wait = _judge(error, attempt, settings)
        if attempt < settings.model_attempts:
            report({"type": "model_retry", "attempt": attempt + 1, "discard": heard[0].id if heard else None})
            await asyncio.sleep(wait)
    raise ModelFailed(failure)


async def _listen(
    model: Model,
    messages: list[BaseMessage],
    settings: Settings,
    config: RunnableConfig,
    heard: list[AIMessageChunk],
) -> None:
    """Adds to `heard` until the model has said all, or more than will be kept: a call that is cut off here
    is not whole JSON, and is refused as unreadable."""
    said = asked = 0
    async with aclosing(model.astream(messages, config)) as stream:  # type: ignore[type-var]
        async for chunk in stream:
            heard.append(chunk)  # type: ignore[arg-type]
            said += len(chunk.text)
            asked += sum(len(piece["args"] or "") for piece in heard[-1].tool_call_chunks)
            if said > settings.answer_chars or asked > ARGUMENTS_LENGTH:
                return


def _judge(error: Exception, attempt: int, settings: Settings) -> tuple[Failure, float]:
    """What to call it and how long to wait; raises ModelFailed when another try is of no use."""
    kind: Failure = "busy" if isinstance(error, openai.RateLimitError) else "unreachable"
    status = getattr(error, "status_code", None)  # and nothing of the message: a provider repeats what it got
    log.warning(
        "The model did not answer.",
        extra={"attempt": attempt, "error": type(error).__name__, "status": status},
    )
    final = isinstance(error, openai.APIStatusError) and error.status_code < 500
    if final and not isinstance(error, openai.RateLimitError | openai.ConflictError):
        raise ModelFailed(kind) from error
    wait = _retry_after(error)
    if wait is None:
        wait = min(0.25 * 2 ** (attempt - 1), settings.retry_wait_s)
    if wait > settings.retry_wait_s:
        raise ModelFailed(kind) from error
    return kind, wait


def _retry_after(error: Exception) -> float | None:
    if not isinstance(error, openai.APIStatusError):
        return None
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "")))
    except ValueError:
        return None


def _answer(heard: list[AIMessageChunk]) -> AIMessage | None:
    """The chunks as one message, every call of it readable; None when it says and calls nothing."""
    if not heard:
        return None
    whole = heard[0] + heard[1:] if len(heard) > 1 else heard[0]
    message = message_chunk_to_message(whole)
    calls = _calls(whole)
    if not isinstance(message, AIMessage) or not (message.text.strip() or calls):
        return None
    return AIMessage(
        content=message.content,
        id=message.id,
        tool_calls=calls,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
    )


def _calls(whole: AIMessageChunk) -> list[ToolCall]:
    """Read strictly: the library completes JSON that was cut off, and "59.99" cut off is another amount."""
    calls: dict[str, ToolCall] = {}
    for number, piece in enumerate(whole.tool_call_chunks):
        known = piece["id"] is None or piece["id"] in calls
        call_id = f"{whole.id}-{number}" if known else str(piece["id"])
        name = plain_text(piece["name"] or "")[:NAME_LENGTH]
        calls[call_id] = ToolCall(name=name, args=_arguments(piece["args"] or "{}"), id=call_id)
    return list(calls.values())


def _arguments(text: str) -> dict[str, Any]:
    """The arguments, as every checkpointer and every server can keep them."""
    try:
        arguments = _plain(json.loads(text)) if len(text) <= ARGUMENTS_LENGTH else None
    except (ValueError, RecursionError):
        arguments = None
    return arguments if isinstance(arguments, dict) else {UNREADABLE: plain_text(text[:500])}


def _plain(value: Any, depth: int = 0) -> Any:
    """Without what JSON or MessagePack cannot say: such numbers become the text they were, for the tool to
    refuse. Raises ValueError for what is nested too deep for any tool."""
    if depth > ARGUMENTS_DEPTH:
        raise ValueError("nested too deep")
    match value:
        case str():
            return plain_text(value)
        case dict():
            return {plain_text(key): _plain(inner, depth + 1) for key, inner in value.items()}
        case list():
            return [_plain(inner, depth + 1) for inner in value]
        case int() if abs(value) > LARGEST_INT:
            return str(value)
        case float() if not math.isfinite(value):
            return str(value)
    return value
