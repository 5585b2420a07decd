"""LangGraph's blocking methods, for code that runs on a thread of its own beside the event loop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, ExitStack
from typing import Any, TypeVar

from anyio.from_thread import start_blocking_portal
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from holdfast.checkpoint.runs import RunSaver
from holdfast.redis.loops import wait

T = TypeVar("T")


class Opening(AbstractAsyncContextManager[T], AbstractContextManager[T]):
    """Opened by `async with` on the running loop, or by `with` on a loop of its own in a thread beside."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opened = opened
        self._stack = ExitStack()
        self._async_stack = AsyncExitStack()

    async def __aenter__(self) -> T:
        return await self._async_stack.enter_async_context(self._opened())

    async def __aexit__(self, *_: object) -> None:
        await self._async_stack.aclose()

    def __enter__(self) -> T:
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal())
            opened = stack.enter_context(portal.wrap_async_context_manager(self._opened()))
            self._stack = stack.pop_all()
        return opened

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class BlockingSaver(RunSaver):
    """Hands each blocking call to the asynchronous method of the same name, on the loop the saver lives on.

    Raises `RuntimeError` when called from that loop's own thread, where waiting would never end, or when the
    loop is not running.
    """

    loop: asyncio.AbstractEventLoop | None

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        return wait(call, self.loop, "checkpointer", "ainvoke, astream, aget_state and so on")

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self._wait(self.aget_tuple(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        found = aiter(self.alist(config, filter=filter, before=before, limit=limit))

        async def following() -> CheckpointTuple | None:
            return await anext(found, None)

        while (checkpoint := self._wait(following())) is not None:
            yield checkpoint

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self._wait(self.aput(config, checkpoint, metadata, new_versions))

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        self._wait(self.aput_writes(config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        self._wait(self.adelete_thread(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        self._wait(self.adelete_for_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self._wait(self.acopy_thread(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self._wait(self.aprune(thread_ids, strategy=strategy))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        return self._wait(self.aget_delta_channel_history(config=config, channels=channels))
