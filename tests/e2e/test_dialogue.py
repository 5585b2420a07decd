"""The dialogue of a refund over HTTP: each turn at another API process, the worker a third one, all of them
restarted between the turns. Nothing but Redis and the shop's database remembers, and nothing leaves the
machine."""

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from graph.demo import DemoModel, Script
from tests.checkpoint.servers import redis_stack
from tests.egress.watching import NOWHERE, Watch
from tests.servers import child_of, clean_environment, end, free_port, said, valkey, wait_ready
from tests.waiting import wait_until
from tests.zygote import Zygote

START_S = 60


@dataclass
class Words:
    ask: str
    agree: str
    how_long: str
    found: str
    done: str
    days: str


WORDS = {
    "zh": Words("我要退订单 #12345", "好的,帮我退款", "退款多久到账?", "iPhone 16", "已办理", "工作日"),
    "en": Words(
        "I want to return order #12345",
        "Yes, please refund it",
        "How long does a refund take?",
        "iPhone 16",
        "refund",
        "business days",
    ),
}
SERVERS: dict[str, Callable[[], Any]] = {
    "holdfast": valkey,
    "langgraph-checkpoint-redis": redis_stack,
}


@dataclass
class Fleet:
    """Two API processes and a worker, new ones for each turn."""

    zygote: Zygote
    environment: dict[str, str]
    stack: AsyncExitStack
    turns: int = 0

    async def restart(self) -> LangGraphClient:
        """Ends every process and starts others; gives a client of the API process whose turn it is."""
        await self.stack.aclose()
        ports = [free_port(), free_port()]
        commands = [*(("serve", "--port", str(port)) for port in ports), ("worker",)]
        for process in await asyncio.gather(
            *(
                self.stack.enter_async_context(child_of(self.zygote, *command, **self.environment))
                for command in commands
            )
        ):
            self.stack.push_async_callback(end, process)
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        await asyncio.gather(*(wait_ready(url, START_S) for url in urls))
        client = get_client(url=urls[self.turns % 2])
        self.stack.push_async_callback(client.aclose)
        self.turns += 1
        return client


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """What all processes are forked from: it is watched, and so are they."""
    watch = Watch(tmp_path_factory.mktemp("egress") / "notes")
    zygote = Zygote(environment={**clean_environment(), **watch.environment})
    yield zygote
    zygote.stop()
    assert watch.tried == []


@contextmanager
def shop_and_redis(checkpointer: str, folder: Path) -> Iterator[dict[str, str]]:
    with SERVERS[checkpointer]() as url:
        yield {
            "REDIS_URL": url,
            "CHECKPOINTER": checkpointer,
            "HOLDFAST_PREFIX": f"t{uuid.uuid4().hex[:8]}",
            "HOLDFAST_DATA": str(folder),
        }


@asynccontextmanager
async def fleet(zygote: Zygote, environment: dict[str, str], model: DemoModel) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        told = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "demo"}
        yield Fleet(zygote, {**environment, **told}, stack)


async def test_what_would_leave_the_machine_is_refused_and_told(tmp_path: Path) -> None:
    """Else it would say nothing that none of this is found, here and in `test_agent_over_http.py`."""
    watch = Watch(tmp_path / "egress")
    await watch.try_to_leave()
    assert watch.tried == [f"socket.getaddrinfo {NOWHERE}"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("language", "checkpointer"), [("zh", "holdfast"), ("en", "langgraph-checkpoint-redis")]
)
async def test_a_refund_through_restarts_of_everything(
    watched: Zygote, language: str, checkpointer: str, tmp_path: Path
) -> None:
    words = WORDS[language]
    async with DemoModel(Script()) as model:
        with shop_and_redis(checkpointer, tmp_path) as environment:
            async with fleet(watched, environment, model) as processes:
                client = await processes.restart()
                thread_id = (await client.threads.create())["thread_id"]
                values = await turn(client, thread_id, input=said(words.ask))
                assert words.found in last_words(values)
                assert calls(values) == ["query_order"]

                client = await processes.restart()
                values = await turn(client, thread_id, input=said(words.agree))
                [asked] = values["__interrupt__"]
                [action] = asked["value"]["action_requests"]
                assert action["args"]["order_id"] == "12345"
                assert (action["args"]["amount"], action["args"]["currency"]) == ("5999.00", "CNY")
                assert ledger(tmp_path) == []

                client = await processes.restart()
                values = await turn(client, thread_id, command=approve(asked["id"]))
                assert words.done in last_words(values)
                assert "5999.00" in last_words(values)
                assert ledger(tmp_path) == [("12345", 599900, "settled")]

                client = await processes.restart()
                before = calls(values)
                values = await turn(client, thread_id, input=said(words.how_long))
                assert words.days in last_words(values)
                assert calls(values) == before
                assert ledger(tmp_path) == [("12345", 599900, "settled")]


@pytest.mark.timeout(120)
async def test_tokens_arrive_while_the_model_is_still_speaking(watched: Zygote, tmp_path: Path) -> None:
    async with DemoModel(Script(hold_after=3)) as model:
        with shop_and_redis("holdfast", tmp_path) as environment:
            async with fleet(watched, environment, model) as processes:
                client = await processes.restart()
                thread_id = (await client.threads.create())["thread_id"]
                heard, released = "", False
                async for part in client.runs.stream(
                    thread_id, "support", input=said("hello"), stream_mode="messages-tuple"
                ):
                    if part.event != "messages":
                        continue
                    chunk: Any = part.data[0]
                    heard += chunk["content"]
                    if heard and not released:
                        await wait_until(holding(model), "the model is held in the middle of its reply")
                        released = True
                        so_far = heard
                        await asyncio.to_thread(model.release)
                assert released
                assert len(heard) > len(so_far)


def holding(model: DemoModel) -> Callable[[], Any]:
    async def held() -> bool:
        return model.held > 0

    return held


async def turn(client: LangGraphClient, thread_id: str, **asked: Any) -> Any:
    return await client.runs.wait(thread_id, "support", **asked)


def approve(interrupt_id: str) -> dict[str, Any]:
    return {"resume": {interrupt_id: {"decisions": [{"type": "approve"}]}}}


def last_words(values: Any) -> str:
    return str(values["messages"][-1]["content"])


def calls(values: Any) -> list[str]:
    """The names of the tools that the model has called so far."""
    return [call["name"] for message in values["messages"] for call in message.get("tool_calls") or ()]


def ledger(folder: Path) -> list[tuple[str, int, str]]:
    """What was really paid for order 12345: the rows themselves."""
    with sqlite3.connect(folder / "shop.db") as shop:
        rows = shop.execute(
            "SELECT order_id, amount, status FROM refunds WHERE order_id = '12345' ORDER BY request_id"
        )
        found = rows.fetchall()
    shop.close()
    return found
