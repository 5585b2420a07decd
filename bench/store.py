"""What the store costs: `python -m bench.store`. Prints medians, and how much is its own CPU."""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.embeddings import DeterministicFakeEmbedding
from langgraph.store.base import PutOp

from holdfast.redis.client import connect
from holdfast.redis.keys import Keys
from holdfast.store import Index, RedisStore
from tests.servers import valkey

HERE = ("memories", "ann")
DIMS = 1536
BETWEEN = {"n": {"$gte": 10, "$lt": 99}}
TEXT = "what a person said a while ago, " * 6


async def measure(items: int, times: int) -> dict[str, tuple[float, float]]:
    with valkey() as url:
        async with connect(url) as client:
            plain = RedisStore(client, Keys("plain"), "bench")
            index = Index(DeterministicFakeEmbedding(size=DIMS), DIMS, ["text"])
            meant = RedisStore(client, Keys("meant"), "bench", index=index)
            for store in (plain, meant):
                await fill(store, items)
            chance = random.Random(1)
            keys = [f"k{chance.randrange(items)}" for _ in range(times)]
            calls: dict[str, Callable[[str], Awaitable[Any]]] = {
                "put": lambda key: plain.aput(HERE, key, value(1)),
                "get": lambda key: plain.aget(HERE, key),
                "search, no filter": lambda key: plain.asearch(HERE),
                "search, equality": lambda key: plain.asearch(HERE, filter={"kind": 7}),
                "search, $gte and $lt": lambda key: plain.asearch(HERE, filter=BETWEEN),
                "search, by meaning": lambda key: meant.asearch(HERE, query=key),
            }
            return {name: await medians(call, keys) for name, call in calls.items()}


def value(number: int) -> dict[str, Any]:
    return {"n": number, "kind": number % 50, "text": f"{number} {TEXT}"}


async def fill(store: RedisStore, items: int) -> None:
    for start in range(0, items, 500):
        numbers = range(start, min(start + 500, items))
        await store.abatch([PutOp(HERE, f"k{number}", value(number)) for number in numbers])


async def medians(call: Callable[[str], Awaitable[Any]], keys: list[str]) -> tuple[float, float]:
    took, worked = [], []
    for key in keys:
        start, began = time.perf_counter(), time.process_time()
        await call(key)
        took.append(time.perf_counter() - start)
        worked.append(time.process_time() - began)
    return statistics.median(took) * 1000, statistics.median(worked) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=30)
    asked = parser.parse_args()
    for name, (took_ms, worked_ms) in asyncio.run(measure(asked.items, asked.times)).items():
        sys.stdout.write(f"{name:24}{took_ms:8.2f} ms, of which CPU {worked_ms:8.2f} ms\n")


if __name__ == "__main__":
    main()
