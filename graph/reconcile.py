"""Refunds of which nobody heard how they ended, as a graph that runs on a clock: the provider is asked again,
and each customer's conversation is told. `graph` is what langgraph.json serves as `reconcile`.

    START -> ask -> tell -> END

Its state holds counts and nothing else: whoever may run assistants may run this one too.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import LangGraphError
from typing_extensions import TypedDict

from graph.callers import ERRAND
from graph.workplace import DOORS, Doors
from tools.reconciling import BATCH, News, list_news, note_told, reconcile
from tools.refunds import UNFINISHED

log = logging.getLogger(__name__)

SUPPORT = "support"
AT_ONCE = 5
TELLING_S = 20.0
TICK_S = 20.0  # for each half of the work: both end before the next tick
NOT_FOUND = 404


class Counts(TypedDict, total=False):
    """How many refunds were asked about and how many of them ended; how many conversations were told."""

    asked: int
    ended: int
    told: int
    untold: int


class Clerk:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def ask(self, state: Counts) -> Counts:
        """The provider, about what is open for a while: after a bad hour of its there may be thousands."""
        workplace, until = await self._doors.enter(), time.monotonic() + TICK_S
        entries = batch = await reconcile(workplace.shop, workplace.provider)
        while len(batch) == BATCH and time.monotonic() < until:
            batch = await reconcile(workplace.shop, workplace.provider)
            entries += batch
        return {"asked": len(entries), "ended": sum(entry.status not in UNFINISHED for entry in entries)}

    async def tell(self, state: Counts) -> Counts:
        """Their conversations; those that cannot be reached are told another time."""
        workplace, until = await self._doors.enter(), time.monotonic() + TICK_S
        shop, settings, free = workplace.shop, workplace.settings, asyncio.Semaphore(AT_ONCE)
        told: list[bool] = []

        async def tell_one(one: News) -> bool:
            async with free:
                heard = await is_told(client, one, shop.clock())
                if heard:
                    await note_told(shop, one.request_id)
                return heard

        async with get_client(url=settings.server_url, api_key=settings.server_key) as client:
            while news := await list_news(shop):
                told += (batch := await asyncio.gather(*map(tell_one, news)))
                if len(news) < BATCH or not all(batch) or time.monotonic() > until:
                    break  # those that could not be told would come first again
        return {"told": sum(told), "untold": len(told) - sum(told)}


async def is_told(client: LangGraphClient, news: News, now: datetime) -> bool:
    """Have the conversation put back what the ledger says, and see whether it did: a message of it is there
    once, however often this is done. Without an answer, the same run is asked after again within the hour."""
    try:
        async with asyncio.timeout(TELLING_S):
            values = await client.runs.wait(
                news.thread_id,
                SUPPORT,
                input={"messages": []},
                config={"configurable": {ERRAND: True}},
                multitask_strategy="enqueue",
                on_disconnect="continue",
                raise_error=False,
                headers={"Idempotency-Key": f"{news.request_id}-{news.status}-{now:%Y%m%d%H}"},
            )
    except (LangGraphError, httpx.HTTPError, TimeoutError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        said = {"error": type(error).__name__, "status": status}
        log.warning("A refund's conversation could not be told.", extra=said)
        # Deleted or expired, or not this key's to see: where there is one, its next turn brings this up too.
        return status == NOT_FOUND
    return has_heard(values, news)


def has_heard(values: Any, news: News) -> bool:
    """Whether the conversation says of the request what the ledger says, or knows nothing of it."""
    requests = values.get("requests") if isinstance(values, Mapping) else None
    if not isinstance(requests, Mapping):
        return False
    request = requests.get(news.request_id)
    return request is None or (isinstance(request, Mapping) and request.get("status") == news.status)


def build(doors: Doors) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The clerk with the workplace behind these doors."""
    clerk = Clerk(doors)
    builder = StateGraph(Counts)
    builder.add_node("ask", clerk.ask)
    builder.add_node("tell", clerk.tell)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", "tell")
    builder.add_edge("tell", END)
    return builder.compile(name="reconcile")


graph = build(DOORS)
