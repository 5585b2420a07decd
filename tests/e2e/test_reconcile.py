"""A refund that nobody heard of, told to its customer by the graph that runs on a clock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.cli.test_operators import said_by
from tests.servers import free_port, holdfast, said, valkey, wait_ready
from tests.tools.providers import Silent
from tools.refunds import Decision, apply_refund
from tools.shop import Shop
from tools.shop.schema import refunds

QUIET = {"asked": 0, "ended": 0, "told": 0, "untold": 0}


@dataclass
class Place:
    """A server that lets in keys only: the customer's, and that of the graph."""

    folder: Path
    customer: LangGraphClient
    clerk: LangGraphClient


async def make_key(environment: dict[str, str], subject: str, role: str) -> str:
    words = ("keys", "create", "--subject", subject, "--role", role, "--scope", "write", "--name", subject)
    told = await said_by(*words, beside=environment)
    return next(word for word in told.split() if word.startswith("hf_"))


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder, port = tmp_path_factory.mktemp("shop"), free_port()
    url = f"http://127.0.0.1:{port}"
    with valkey() as redis_url:
        environment = {"REDIS_URL": redis_url, "HOLDFAST_DATA": str(folder), "HOLDFAST_AUTH": "keys"}
        customer, clerk = [
            await make_key(environment, *who) for who in (("demo", "customer"), ("clerk", "operator"))
        ]
        environment |= {"AGENT_SERVER_URL": url, "AGENT_SERVER_KEY": clerk}
        async with holdfast("serve", "--port", str(port), **environment), holdfast("worker", **environment):
            await wait_ready(url, 60)
            async with (
                get_client(url=url, api_key=customer) as one,
                get_client(url=url, api_key=clerk) as two,
            ):
                yield Place(folder, one, two)


async def left_open(place: Place, order_id: str) -> tuple[str, str]:
    """A thread, and its request, decided elsewhere two minutes ago; the provider never answered."""
    thread_id = (await place.customer.threads.create())["thread_id"]
    text = f"I want a refund of 10 yuan for order {order_id}"
    values: Any = await place.customer.runs.wait(thread_id, "support", input=said(text))
    request_id = values["__interrupt__"][0]["value"]["policy"]["request_id"]
    async with Shop.open(f"sqlite:///{place.folder / 'shop.db'}") as shop:
        decision = Decision("approve", ("demo",), shop.clock())
        entry = await apply_refund(shop, Silent(), "demo", request_id, decision)
        assert entry.status == "unknown"
        await age(shop, request_id)
    return thread_id, request_id


async def age(shop: Shop, request_id: str) -> None:
    before = shop.clock() - timedelta(minutes=2)
    aged = update(refunds).where(refunds.c.request_id == request_id).values(updated_at=before)

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(aged)

    await shop.write(work)


async def tick(place: Place) -> Any:
    return await place.clerk.runs.wait(None, "reconcile", input={})


async def test_the_customer_is_told_without_a_word(place: Place) -> None:
    thread_id, request_id = await left_open(place, "12346")
    assert await tick(place) == {"asked": 1, "ended": 1, "told": 1, "untold": 0}
    thread = await place.customer.threads.get(thread_id)
    values: Any = thread["values"]
    assert thread["status"] == "idle"
    assert values["requests"][request_id]["status"] == "settled"
    assert values["messages"][-1]["id"] == f"refund-{request_id}-settled"
    assert await tick(place) == QUIET
    again: Any = (await place.customer.threads.get(thread_id))["values"]
    assert again["messages"] == values["messages"]


async def test_a_conversation_that_is_gone_is_told_nothing(place: Place) -> None:
    thread_id, _ = await left_open(place, "12347")
    await place.customer.threads.delete(thread_id)
    assert await tick(place) == {"asked": 1, "ended": 1, "told": 1, "untold": 0}
    assert await tick(place) == QUIET


async def test_two_ticks_at_once_tell_it_once(place: Place) -> None:
    thread_id, request_id = await left_open(place, "12352")
    both = await asyncio.gather(tick(place), tick(place))
    assert sorted(found["asked"] for found in both) == [0, 1]
    values: Any = (await place.customer.threads.get(thread_id))["values"]
    told = [message["id"] for message in values["messages"] if request_id in (message["id"] or "")]
    assert told == [f"refund-{request_id}-settled"]
