"""Graphs that fail in as many ways as there are, always with what they were given in the message."""

import asyncio
import logging
import sqlite3
import threading
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import httpx
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import RetryPolicy, interrupt
from openai import OpenAI
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from typing_extensions import TypedDict

logger = logging.getLogger("noisy")


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    way: str
    secret: str
    delay: float


class Strict(BaseModel):
    number: int


class Vain(RuntimeError):
    """Repeats what it was told, wherever it is shown."""


async def reply(state: Talk) -> dict[str, Any]:
    logger.info("a line of the project's own code")
    get_stream_writer()({"told": state.get("secret")})
    await asyncio.sleep(state.get("delay") or 0)
    text = f"You said: {state['messages'][-1].content}"
    model = GenericFakeChatModel(messages=iter([AIMessage(text)]))
    return {"messages": [await model.ainvoke(state["messages"])]}


def raises(secret: str) -> None:
    raise Vain(secret)


def in_a_chain(secret: str) -> None:
    try:
        raises(secret)
    except Vain as error:
        raise Vain(f"again: {secret}") from error


def in_a_group(secret: str) -> None:
    raise ExceptionGroup(secret, [Vain(secret), ValueError(secret)])


def with_a_note(secret: str) -> None:
    error = Vain("noted")
    error.add_note(secret)
    raise error


def invalid(secret: str) -> None:
    Strict.model_validate({"number": secret})


def missing(secret: str) -> None:
    state: dict[str, int] = {}
    state[secret] += 1


def in_sql(secret: str) -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text("SELECT * FROM absent WHERE name = :name"), {"name": secret})


def in_sqlite(secret: str) -> None:
    sqlite3.connect(":memory:").execute(f"SELECT '{secret}' FROM absent")  # noqa: S608 - as careless code does


def over_http(secret: str) -> None:
    httpx.get(f"http://127.0.0.1:9/{secret}", headers={"Authorization": secret})


def in_a_thread(secret: str) -> None:
    thread = threading.Thread(target=raises, args=[secret], name=secret)
    thread.start()
    thread.join()


def with_a_warning(secret: str) -> None:
    warnings.warn(secret, stacklevel=1)


def in_a_finalizer(secret: str) -> None:
    class Finalized:
        def __del__(self) -> None:
            raises(secret)

    Finalized()


def in_the_background(secret: str) -> None:
    """Its exception is retrieved by nobody."""

    async def fail() -> None:
        raises(secret)

    asyncio.get_running_loop().create_task(fail(), name=secret)


def in_a_callback(secret: str) -> None:
    asyncio.get_running_loop().call_soon(raises, secret)


def of_a_model(secret: str) -> None:
    OpenAI(base_url="http://127.0.0.1:9", api_key=secret, max_retries=0).models.retrieve(secret)


WAYS: dict[str, Callable[[str], None]] = {
    way.__name__: way
    for way in (
        *(raises, in_a_chain, in_a_group, with_a_note, invalid, missing, in_sql, in_sqlite, over_http),
        *(in_a_thread, with_a_warning, in_a_finalizer, in_the_background, in_a_callback, of_a_model),
    )
}


async def fail(state: Talk) -> dict[str, Any]:
    way, secret = state["way"], state["secret"]
    if way == "asks":
        return {"messages": [AIMessage(str(interrupt({"question": secret})))]}
    WAYS[way](secret)
    await asyncio.sleep(0)
    return {}


def built(**options: Any) -> Any:
    builder = StateGraph(Talk)
    builder.add_node("fail", fail, **options)
    builder.add_edge(START, "fail")
    builder.add_edge("fail", END)
    return builder


def unbuildable() -> Any:
    """A factory that fails, also for those who only ask what the graph looks like."""
    raise Vain("CANARY in a factory")


talking = StateGraph(Talk)
talking.add_node("reply", reply)
talking.add_edge(START, "reply")
echo = talking.compile()
# LangGraph writes the exception's message into a line of its own before each try.
failing = built(retry_policy=RetryPolicy(max_attempts=2, initial_interval=0.01, retry_on=Vain)).compile()
