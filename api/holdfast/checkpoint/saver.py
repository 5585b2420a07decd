"""LangGraph's checkpointer on plain Redis or Valkey: exact, fenced, one round trip a call."""

import asyncio
import copy
import random
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.types import ERROR

from holdfast.checkpoint.blocking import BlockingSaver, Opening
from holdfast.checkpoint.encoding import Encoding, references
from holdfast.checkpoint.known import Known
from holdfast.checkpoint.names import (
    Address,
    Envelope,
    checked,
    checked_thread_id,
    checkpoint_name,
    parts,
    value_name,
)
from holdfast.checkpoint.reading import Reading, places
from holdfast.checkpoint.runs import Put, was_cancelled
from holdfast.checkpoint.serde import Serializer
from holdfast.errors import Invalid, words
from holdfast.redis.checkpoints import Fields, Loaded, TaskWrites, ThreadCheckpoints, Write, registered
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from holdfast.redis.loops import running_loop

PAGE = 64  # checkpoints loaded at once by `alist`
KNOWN = 100_000  # references remembered as stored (about 10 MB); forgetting one costs bytes, not correctness


@dataclass
class Draft:
    """What one call is about to store, and what it relies on being there."""

    encoding: Encoding
    fields: Fields = field(default_factory=dict)
    elements: Fields = field(default_factory=dict)
    unchanged: set[bytes] = field(default_factory=set)

    def unsent(self, known: Collection[bytes] = ()) -> Fields:
        """The elements that are to be sent, as they are stored."""
        compressed = self.encoding.compressed
        return {ref: compressed(blob) for ref, blob in self.elements.items() if ref not in known}

    def expected(self, blobs: Collection[bytes], sent: Fields) -> set[bytes]:
        """All that the blobs to be stored refer to and that is not sent with them."""
        needed = {ref for blob in (*blobs, *sent.values()) for ref in references(blob)}
        return self.unchanged | (needed - sent.keys())


class RedisSaver(BlockingSaver):
    """Stores the checkpoints of LangGraph threads in Redis >= 7.0 or Valkey, no modules needed.

    `token` is what the thread's fence must hold for a write to be accepted: empty outside of a run, the
    claim's token inside one (`for_run`). A refused write raises `holdfast.errors.Fenced` and changes nothing.
    `ttl_s` > 0 lets a thread expire that long after its last write or load of its state.
    """

    def __init__(
        self,
        client: Client,
        keys: Keys,
        *,
        token: str = "",
        ttl_s: int = 0,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(serde=serde or Serializer())
        self.client = client
        self.keys = keys
        self.token = token
        self.ttl_s = ttl_s
        self.loop = running_loop()
        self._known = Known(KNOWN)
        self._seen: dict[Address, Loaded] | None = None  # by a run that has not written yet
        self._writing: dict[Address, set[asyncio.Future[None]]] = {}

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        ttl_s: int = 0,
        prefix: str = "holdfast",
        lanes: int = 1,
        serde: SerializerProtocol | None = None,
    ) -> Opening[Self]:
        """A saver with connections of its own, to use without the rest of Holdfast.

        `async with` gives it to code on an event loop, `with` to code that has none.
        """
        keys = Keys(prefix, lanes)

        @asynccontextmanager
        async def opened() -> AsyncIterator[Self]:
            async with connect(url) as client:
                yield cls(client, keys, ttl_s=ttl_s, serde=serde)

        return Opening(opened)

    def for_run(self, token: str) -> Self:
        """The same saver for one run: its writes are accepted as long as the thread's fence holds `token`."""
        run = copy.copy(self)
        run.token, run.newest_put = token, Put()
        run._known, run._writing, run._seen = Known(KNOWN), {}, None
        return run

    def begin_with(self, thread_id: str, found: Loaded) -> None:
        if found.token == self.token:
            self._seen = {Address(thread_id, "", ""): found}

    def passing(self, ttl_s: int) -> Self:
        saver = self.for_run("")
        saver.ttl_s = ttl_s
        return saver

    def revoke(self) -> None:
        self.token = "revoked"  # noqa: S105 - no claim's token looks like this

    # writing

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        parent = Address.of(config)
        at = parent._replace(checkpoint_id=checked("checkpoint_id", checkpoint["id"], empty=False))
        draft = self._draft(config, parent, at, checkpoint, metadata, new_versions)
        await self._written(parent)
        thread, known = self._thread(at.thread_id), self._known.of(at.thread_id)
        sent = draft.unsent(known)
        expected = draft.expected(draft.fields.values(), sent)
        if await thread.put(at.name, sent | draft.fields, expected):
            # Expired, deleted, or lost in a fail-over: this checkpoint has to bring everything it needs.
            draft = self._draft(config, parent, at, checkpoint, metadata, checkpoint["channel_versions"])
            await thread.put(at.name, draft.unsent() | draft.fields, ())
        self._known.add(at.thread_id, draft.elements)
        if not at.ns:
            step, source = metadata.get("step", 0), metadata.get("source", "loop")
            self.newest_put = Put(at.checkpoint_id, parent.checkpoint_id, step, source)
        return at.config()

    def _draft(
        self,
        config: RunnableConfig,
        parent: Address,
        at: Address,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        changed: Collection[str],
    ) -> Draft:
        encoding = Encoding(self.serde)
        draft = Draft(encoding)
        values, versions = checkpoint["channel_values"], checkpoint["channel_versions"]
        held: list[bytes] = []
        for channel in (channel for channel in versions if values.get(channel) is not None):
            name = value_name(at.ns, channel, versions[channel])
            held.append(name)
            if channel in changed:
                draft.fields[name] = encoding.encode_channel(channel, values[channel], draft.elements)
            else:
                draft.unchanged.add(name)
        stored_metadata = get_checkpoint_metadata(config, metadata)
        body = (
            {key: value for key, value in checkpoint.items() if key != "channel_values"},
            stored_metadata,
            {channel: value for channel, value in values.items() if channel not in versions},
        )
        draft.fields[at.name] = Envelope(
            parent.checkpoint_id,
            checked("run_id", str(stored_metadata.get("run_id") or "")),
            "delta" if stored_metadata.get("counters_since_delta_snapshot") else "",
            held,
            [checked("A channel", name) for name in versions if name in values and values[name] is None],
            encoding.compressed(encoding.dump(body)),
        ).pack()
        return draft

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        if was_cancelled(writes):
            return
        at = Address.of(config)
        # Begun before the first await: a put that is asked for later in this turn already sees it.
        task = asyncio.ensure_future(self._put_writes(at, *self._drafted(at, writes, task_id, task_path)))
        writing = self._writing.setdefault(at, set())
        writing.add(task)
        try:
            await asyncio.shield(task)
        finally:
            writing.discard(task)
            if not writing:
                self._writing.pop(at, None)

    def _drafted(
        self, at: Address, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> tuple[Draft, TaskWrites]:
        draft, drafted = Draft(Encoding(self.serde)), dict[int, Write]()
        for position, (channel, value) in enumerate(writes):
            # What went wrong is kept for people to read; an error in the state itself cannot be stored.
            kept = words(value, repr) if channel == ERROR and isinstance(value, BaseException) else value
            blob = draft.encoding.encode_channel(checked("A channel", channel), kept, draft.elements)
            idx = WRITES_IDX_MAP.get(channel, position)  # of two special ones, the last
            drafted[idx] = Write(idx, channel, blob, channel in WRITES_IDX_MAP)
        task, path = checked("task_id", task_id), checked("task_path", task_path)
        return draft, TaskWrites(at.name, task, path, list(drafted.values()))

    async def _put_writes(self, at: Address, draft: Draft, written: TaskWrites) -> None:
        thread = self._thread(at.thread_id)
        sent = draft.unsent(self._known.of(at.thread_id))
        expected = draft.expected([write.value for write in written.writes], sent)
        if await thread.put_writes(written, sent, expected):
            await thread.put_writes(written, draft.unsent(), ())
        self._known.add(at.thread_id, draft.elements)

    async def _written(self, at: Address) -> None:
        """Waits for writes of the parent that are on their way: a checkpoint must not be seen before them."""
        if writing := self._writing.get(at):
            await asyncio.gather(*writing)

    # reading

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        at = Address.of(config)
        loaded = await self._load(at)
        tuples = self._tuples(at.thread_id, loaded)
        return tuples[0] if tuples else None

    async def _load(self, at: Address) -> Loaded:
        if self._seen and at in self._seen:
            return self._seen[at]
        thread = self._read(at.thread_id)
        loaded = await (thread.named([at.name]) if at.checkpoint_id else thread.newest(at.ns))
        if self._seen:
            self._seen[at] = loaded
        return loaded

    def _tuples(self, thread_id: str, loaded: Loaded) -> list[CheckpointTuple]:
        self._known.add(thread_id, [name for name in loaded.fields if name[:1] == b"e"])
        return Reading(self.serde, thread_id, loaded.fields).tuples(loaded)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, newest first; without a thread id, those of all threads.

        Checkpoints of one page share equal list elements as Python objects: change copies of them.
        """
        wanted = (config or {}).get("configurable", {})
        # LangGraph names no thread with it where it replays a subgraph.
        older = checked("checkpoint_id", (before or {}).get("configurable", {}).get("checkpoint_id") or "")
        if (left := -1 if limit is None else limit) == 0:
            return
        async for found in self._found(wanted, older, PAGE if left < 0 or filter else min(left, PAGE)):
            if filter and any(found.metadata.get(key) != value for key, value in filter.items()):
                continue
            yield found
            left -= 1
            if left == 0:
                return

    async def _found(
        self, wanted: Mapping[str, Any], older: str, page: int
    ) -> AsyncGenerator[CheckpointTuple, None]:
        ns, checkpoint_id = wanted.get("checkpoint_ns"), wanted.get("checkpoint_id")
        if "thread_id" not in wanted:
            threads = await registered(self.client, self.keys)
        else:
            threads = [checked_thread_id(wanted["thread_id"])]
            if ns is not None and not checkpoint_id:
                async for found in self._newest(threads[0], ns, older, page):
                    yield found
                return
        names = await asyncio.gather(*[self._thread(thread_id).names() for thread_id in threads])
        rows = [
            (row[2], row[1], thread_id)
            for thread_id, of_thread in zip(threads, names, strict=True)
            for row in places(thread_id, of_thread)
            if ns in (None, row[1]) and checkpoint_id in (None, "", row[2]) and (not older or row[2] < older)
        ]
        rows.sort(reverse=True)
        for first in range(0, len(rows), page):
            for found in await self._load_rows(rows[first : first + page]):
                yield found

    async def _newest(
        self, thread_id: str, ns: str, older: str, page: int
    ) -> AsyncGenerator[CheckpointTuple, None]:
        thread = self._thread(thread_id)._replace(ttl_s=0)
        while True:
            loaded = await thread.newest(ns, older, page)
            for found in self._tuples(thread_id, loaded):
                yield found
            if len(loaded.names) < page:
                return
            older = parts(loaded.names[-1])[2]

    async def _load_rows(self, rows: Sequence[tuple[str, str, str]]) -> list[CheckpointTuple]:
        """Loads the checkpoints (id, namespace, thread id), in this order."""
        of_threads: dict[str, list[bytes]] = {}
        for checkpoint_id, ns, thread_id in rows:
            of_threads.setdefault(thread_id, []).append(checkpoint_name(ns, checkpoint_id))
        loads = [self._thread(each)._replace(ttl_s=0).named(names) for each, names in of_threads.items()]
        found: dict[Address, CheckpointTuple] = {}
        for thread_id, loaded in zip(of_threads, await asyncio.gather(*loads), strict=True):
            found |= {Address.of(each.config): each for each in self._tuples(thread_id, loaded)}
        asked = [Address(thread_id, ns, checkpoint_id) for checkpoint_id, ns, thread_id in rows]
        return [found[at] for at in asked if at in found]

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        if not channels:
            return {}
        at = Address.of(config)
        steps, stored = await self._thread(at.thread_id).history(at.ns, at.checkpoint_id, channels)
        return Reading(self.serde, at.thread_id, stored).histories(steps, channels)

    # removing and copying

    async def adelete_thread(self, thread_id: str) -> None:
        await self._thread(checked_thread_id(thread_id)).delete()
        self._known.forget(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Removes the checkpoints of these runs in all threads: looks at every thread there is."""
        if not run_ids:
            return
        for thread_id in await registered(self.client, self.keys):
            await self._thread(thread_id).drop_runs([str(run_id) for run_id in run_ids])
            self._known.forget(thread_id)

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        await self._thread(thread_id).drop_runs([run_id])
        self._known.forget(thread_id)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies everything in the place of what the target held; copying an empty thread does nothing."""
        target = self._thread(checked_thread_id(target_thread_id))
        dumped = await self._thread(checked_thread_id(source_thread_id)).dump()
        if dumped is not None:
            await target.restore(dumped)
            self._known.forget(target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keeps the newest checkpoint of each namespace (`keep_latest`) or none (`delete`).

        Raises `Conflict` for a thread with delta channels under `keep_latest`; that thread is not changed.
        """
        if strategy not in ("keep_latest", "delete"):
            raise Invalid(f"Unknown prune strategy {strategy!r}: use 'keep_latest' or 'delete'.")
        for thread_id in thread_ids:
            if strategy == "delete":
                await self.adelete_thread(thread_id)
            else:
                await self._thread(checked_thread_id(thread_id)).drop_older()
                self._known.forget(thread_id)

    def get_next_version(self, current: str | float | None, channel: None) -> str:
        """Versions grow, and those of two branches from one checkpoint differ."""
        number = int(current.split(".")[0], 16) if isinstance(current, str) else int(current or 0)
        return f"{number + 1:08x}.{random.getrandbits(32):08x}"

    def _thread(self, thread_id: str) -> ThreadCheckpoints:
        self._seen = None  # whatever Redis is asked now may change it
        return self._read(thread_id)

    def _read(self, thread_id: str) -> ThreadCheckpoints:
        return ThreadCheckpoints(self.client, self.keys, thread_id, self.token, self.ttl_s)
