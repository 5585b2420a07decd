"""A person erased where langgraph-checkpoint-redis keeps the checkpoints."""

from pathlib import Path

import pytest

from holdfast.core import erasure
from tests.api.test_erasure import HOOKED, people
from tests.api.test_stateless_foreign import FOREIGN, stack_url
from tests.api.visitors import Visitor, live_a_life
from tests.servers import live

__all__ = ["people", "stack_url"]


@pytest.mark.timeout(180)  # the first use fetches the server
async def test_nothing_in_redis_knows_an_erased_person(stack_url: str, people: Path) -> None:
    async with live(stack_url, config=HOOKED, **FOREIGN) as server:
        visitor, other = Visitor(server), Visitor(server, name="olga")
        await live_a_life(visitor, people)
        await live_a_life(other, people)
        before, places = await other.traces(), " ".join(await visitor.traces())
        for place in ("ReJSON-RL checkpoint:", "ReJSON-RL checkpoint_write:"):
            assert place in places, f"the scan sees what is in {place}"
        await erasure.erase(server.platform, visitor.person)
        assert await visitor.traces() == []
        assert await other.traces() == before
