"""A saver in a process of its own: `python -m bench.checkpointer.contender OPENER URL TALK`.

Each line that it reads is JSON: what to measure and how; each that it writes is what came of it.
"""

import json
import random
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, get_checkpoint_metadata

from bench.checkpointer.openers import OPENERS, ForRun, Saver
from bench.checkpointer.talk import agent, checkpoint, question

CHANGE = 4096  # bytes
METADATA: CheckpointMetadata = {"source": "loop", "step": 1, "parents": {}}

Seconds = list[float]


def at(thread_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}


class Contender:
    """One saver with its threads: a talk that grows turn by turn, its copy to put to, and a small state."""

    def __init__(self, for_run: ForRun, graph: Any, talk: str) -> None:
        self.for_run = for_run
        self.graph = graph
        self.talk = talk
        self.number = 0
        self.heads: dict[str, RunnableConfig] = {}

    async def warm_up(self, times: int) -> dict[str, Seconds]:
        """Turns of another talk: the server loads what it needs, and counters and tables are made."""
        other = str(uuid.uuid4())
        for _ in range(times):
            await self.turn(other)
        return {}

    async def turns(self, times: int) -> dict[str, Seconds]:
        """The talk goes on; what a turn takes, and how much processor time of this process."""
        taken, cpu = Seconds(), Seconds()
        for _ in range(times):
            begun, cpu_begun = time.perf_counter(), time.process_time()
            await self.turn(self.talk)
            taken.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - cpu_begun)
        return {"turn": taken, "cpu": cpu}

    async def turn(self, thread_id: str) -> None:
        graph = self.graph.copy(update={"checkpointer": await self.for_run(thread_id)})
        await graph.ainvoke({"messages": [question()]}, at(thread_id), durability="sync")

    async def puts(self, times: int) -> dict[str, Seconds]:
        """One more message each time, on a thread of its own that began as a copy of the talk."""
        saver = await self.for_run(self.talk)
        found = await saver.aget_tuple(at(self.talk))
        assert found
        messages = list(found.checkpoint["channel_values"]["messages"])
        # The put that begins the thread, or the run, brings all of them: it is not the one that is measured.
        taken, _ = await self.put_each(
            "long", [{"messages": [*messages, question()]} for _ in range(times + 1)]
        )
        return {"put": taken[1:]}

    async def changes(self, times: int) -> dict[str, Seconds]:
        """4 kB of text that differ from what was there, and beside each put what encoding takes alone."""
        values = [{"note": random.randbytes(CHANGE // 2).hex()} for _ in range(times + 1)]
        taken, encoding = await self.put_each("small", values)
        return {"change": taken[1:], "encoding": encoding[1:]}

    async def put_each(self, thread: str, values: list[dict[str, Any]]) -> tuple[Seconds, Seconds]:
        config = self.heads.get(thread) or at(str(uuid.uuid4()))
        saver = await self.for_run(config["configurable"]["thread_id"])
        taken, encoding = Seconds(), Seconds()
        for each in values:
            self.number += 1
            new = checkpoint(each, f"{self.number:032}.{random.random():.16f}")
            begun = time.perf_counter()
            config_after = await saver.aput(config, new, METADATA, new["channel_versions"])
            put = time.perf_counter()
            encode(saver, config, new)
            taken.append(put - begun)
            encoding.append(time.perf_counter() - put)
            config = config_after
        self.heads[thread] = config
        return taken, encoding

    async def gets(self, times: int) -> dict[str, Seconds]:
        """The newest checkpoint of the talk, as a run that begins reads it."""

        async def get(saver: Saver) -> None:
            assert await saver.aget_tuple(at(self.talk))

        return {"get": [await timed(get, await self.for_run(self.talk)) for _ in range(times)]}

    async def lists(self, times: int) -> dict[str, Seconds]:
        async def list_10(saver: Saver) -> None:
            assert len([each async for each in saver.alist(at(self.talk), limit=10)]) == 10

        return {"list": [await timed(list_10, await self.for_run(self.talk)) for _ in range(times)]}


async def timed(call: Callable[[Saver], Awaitable[None]], saver: Saver) -> float:
    begun = time.perf_counter()
    await call(saver)
    return time.perf_counter() - begun


def encode(saver: Saver, config: RunnableConfig, new: Any) -> None:
    """What no saver can do without: bytes of each value, and of the rest of the checkpoint."""
    for value in new["channel_values"].values():
        saver.serde.dumps_typed(value)
    head = {name: part for name, part in new.items() if name != "channel_values"}
    saver.serde.dumps_typed([head, get_checkpoint_metadata(config, METADATA)])


async def work(name: str, url: str, talk: str) -> None:
    """Measures what it is asked for until its input ends."""
    random.seed(7)
    graph = agent()
    async with OPENERS[name](url, graph) as for_run:
        contender = Contender(for_run, graph, talk)
        for line in iter(sys.stdin.readline, ""):
            what, times = json.loads(line)
            found = await getattr(contender, what)(times)
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(work(*sys.argv[1:]))
