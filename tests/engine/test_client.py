"""Commands that share a round trip: whoever waits for one is answered."""

import asyncio
import uuid

from holdfast.redis.client import AT_ONCE, Client


async def test_what_redis_py_cannot_write_or_read_is_told_to_all_who_wait(client: Client) -> None:
    key = f"t{uuid.uuid4().hex[:8]}"
    await client.call("XGROUP", "CREATE", key, "group", 0, "MKSTREAM")
    await client.call("XADD", key, "*", "field", "value")
    await client.call("XREADGROUP", "GROUP", "group", "one", "STREAMS", key, ">")
    unwritable = ("ECHO", "\ud800")
    unreadable = ("XPENDING", key, "group", "-", "+", 10)  # redis-py expects the answer of the short form
    for command in (unwritable, unreadable):
        answers = [client.call(*command), client.call("GET", "none")]
        await asyncio.wait(answers, timeout=5)
        assert all(answer.done() and answer.exception() for answer in answers), command
        assert await client.call("ECHO", "mine") == b"mine", "a reply that nobody had read was taken"
    await client.call("DEL", key)


async def test_connections_that_the_server_has_closed_are_made_again(client: Client) -> None:
    await client.open()
    closed = await client.redis.client_kill_filter(_type="normal")  # on one of its own
    assert closed >= AT_ONCE
    assert await client.call("ECHO", "mine") == b"mine"
