"""Puts checkpoints and writes, one after the other, until it is killed: URL PREFIX LANES THREAD_ID..."""

import asyncio
import sys

from holdfast.checkpoint import RedisSaver
from tests.checkpoint.samples import at, put


async def put_for_ever(saver: RedisSaver, thread_id: str) -> None:
    config, turn, messages = at(thread_id), 0, list[object]()
    while True:
        turn += 1
        messages.append({"text": f"message {turn} " * 9})
        config = await put(saver, config, {"messages": messages, "n": turn}, version=f"{turn:08}")
        await saver.aput_writes(config, [("a", [turn]), ("b", {"n": turn})], "task")


async def main(url: str, prefix: str, lanes: str, *thread_ids: str) -> None:
    async with RedisSaver.from_url(url, prefix=prefix, lanes=int(lanes)) as saver:
        await asyncio.gather(*(put_for_ever(saver, thread_id) for thread_id in thread_ids))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
