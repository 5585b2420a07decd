"""LangGraph's own conformance suite, on every kind of server that is supported."""

import uuid
from collections.abc import AsyncGenerator
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.report import CapabilityReport

from holdfast.checkpoint import LANGGRAPH_CHECKPOINT_REDIS, RedisSaver, open_checkpointer
from holdfast.redis.client import connect
from holdfast.redis.keys import Keys


def results(report: CapabilityReport) -> tuple[int, list[str]]:
    """The number of tests passed, and the failures."""
    found = report.results.values()
    return sum(each.tests_passed for each in found), [line for each in found for line in each.failures]


async def test_all_81_pass_on_plain_redis(any_url: str) -> None:
    @checkpointer_test(name="RedisSaver")
    async def fresh() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        async with RedisSaver.from_url(any_url, prefix=f"t{uuid.uuid4().hex[:8]}", lanes=2) as saver:
            yield saver

    assert results(await validate(fresh)) == (81, [])


async def test_all_66_on_offer_pass_with_langgraph_checkpoint_redis(stack_url: str) -> None:
    @checkpointer_test(name="HardenedRedisSaver")
    async def fresh() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        async with connect(stack_url) as client:
            await client.call("FLUSHALL")  # the suite lists all threads: those of the part before it, too
            async with open_checkpointer(LANGGRAPH_CHECKPOINT_REDIS, client, Keys()) as saver:
                yield saver

    assert results(await validate(fresh)) == (66, [])
