"""Scripts take more arguments than the stack of Lua holds."""

from holdfast.redis import lua
from holdfast.redis.records import read_thread
from tests.engine.conftest import ME, Engine, now


async def test_a_thread_with_twenty_thousand_fields(engine: Engine) -> None:
    metadata = {f"k{n}": n for n in range(20_000)}
    await lua.create_thread(
        engine.client,
        engine.keys,
        engine.thread_id,
        ME,
        now=now(),
        metadata=metadata,
        ttl_minutes=None,
        default_ttl_s=60,
    )
    stored = await engine.client.call("HGETALL", engine.keys.thread(engine.thread_id))
    assert read_thread(engine.thread_id, stored).metadata == metadata
