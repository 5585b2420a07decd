"""Processes that die in the middle: `python -m tests.api.dying <Redis> <prefix>` says by which signals."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

from langgraph.graph import START, StateGraph
from langgraph_sdk import Auth
from typing_extensions import TypedDict

from holdfast.auth.dev import TENANT
from holdfast.core import batches, histories
from holdfast.core.platform import Platform, open_platform
from holdfast.project import GraphSpec, Project
from holdfast.redis.records import Caller
from holdfast.settings import Settings
from holdfast.wire.runs import RunCreateStateless
from holdfast.wire.threads import ThreadCreate

ANN = Caller("ann", TENANT)
DEADLY = "deadly"


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def collect(old: list[str], new: list[str]) -> list[str]:
    return die() if DEADLY in new else old + new


class State(TypedDict):
    log: Annotated[list[str], collect]


def nothing(state: State) -> dict[str, Any]:
    return {}


auth = Auth()


@auth.on.threads.create_run
async def admit(ctx: Auth.types.AuthContext, value: Any) -> None:
    if DEADLY in value["metadata"]:
        die()


async def make_batch(platform: Platform) -> None:
    """The third run is deadly: two have been made by then."""
    run = {"assistant_id": "steps", "input": {"delay": 0}, "on_completion": "keep"}
    asked = [run, run, {**run, "metadata": {DEADLY: True}}]
    await batches.create(platform, ANN, [RunCreateStateless.model_validate(one) for one in asked])


async def make_history(platform: Platform) -> None:
    """The third superstep is deadly: two checkpoints have been written by then."""
    steps = [{"updates": [{"values": {"log": [word]}, "as_node": "first"}]} for word in ("a", "b", DEADLY)]
    asked = {"metadata": {"graph_id": "steps"}, "supersteps": steps}
    await histories.create(platform, ANN, ThreadCreate.model_validate(asked))


async def work(make: Callable[[Platform], Awaitable[None]], redis_url: str, prefix: str) -> None:
    graph = StateGraph(State).add_node("first", nothing).add_edge(START, "first").compile()
    project = Project(Path(), {"steps": GraphSpec("steps", graph)}, None, None, auth)
    async with open_platform(Settings.model_validate({"prefix": prefix}), project, redis_url) as platform:
        await make(platform)


def main() -> None:
    for make in (make_batch, make_history):
        if os.fork() == 0:
            asyncio.run(work(make, *sys.argv[1:]))
        sys.stdout.write(f"{os.WTERMSIG(os.wait()[1])}\n")


if __name__ == "__main__":
    main()
