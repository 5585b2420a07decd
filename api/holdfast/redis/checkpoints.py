"""The checkpoint scripts as typed functions, bound to one thread."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from holdfast.errors import Conflict, Fenced, Unreadable
from holdfast.redis.client import STALE, Argument, Client, Script, insist
from holdfast.redis.keys import Keys
from holdfast.redis.records import fields_of

PUT = Script.load("checkpoint_common", "checkpoint_put")
_PUT_WRITES = Script.load("checkpoint_common", "checkpoint_put_writes")
_LOAD = Script.load("checkpoint_common", "checkpoint_load")
_HISTORY = Script.load("checkpoint_common", "checkpoint_history")
_NAMES = Script.load("checkpoint_common", "checkpoint_names")
_DROP = Script.load("checkpoint_common", "checkpoint_drop")
_DELETE = Script.load("checkpoint_common", "checkpoint_delete")
_DUMP = Script.load("checkpoint_common", "checkpoint_dump")
_RESTORE = Script.load("checkpoint_common", "checkpoint_restore")
_REPLACE = Script.load("checkpoint_common", "checkpoint_replace")

Fields = dict[bytes, bytes]

PAGE = 500  # fields read at once by who looks at all of them


class Write(NamedTuple):
    idx: int
    channel: str
    value: bytes
    replaces: bool


class TaskWrites(NamedTuple):
    """What a task has written; it waits at a checkpoint."""

    checkpoint: bytes
    task_id: str
    path: str
    writes: list[Write]


class Loaded(NamedTuple):
    """Checkpoints by name, the names of each one's writes, and every field that any of them needs.

    `token` is what the thread's fence held then.
    """

    names: list[bytes]
    writes: list[list[bytes]]
    fields: Fields
    token: str


class Step(NamedTuple):
    """What one ancestor adds to the history of some channels."""

    writes: list[bytes]
    values: list[bytes]
    nulls: list[bytes]


class ThreadCheckpoints(NamedTuple):
    """The checkpoints of one thread. Every call is one round trip.

    Each call that writes compares `token` with the thread's fence first and raises `Fenced` when they differ;
    then nothing has been changed. `ttl_s` 0 leaves expiry alone.
    """

    client: Client
    keys: Keys
    thread_id: str
    token: str
    ttl_s: int

    async def put(self, name: bytes, fields: Mapping[bytes, bytes], expected: Iterable[bytes]) -> list[bytes]:
        """Stores the checkpoint `name`, which is one of `fields`.

        Returns those of the `expected` names that are not in Redis: when there are any, nothing was stored.
        """
        awaited = tuple(expected)
        pairs = [part for pair in fields.items() for part in pair]
        head = (self.token, self.ttl_s, self.thread_id, name, len(awaited))
        missing: list[bytes] = await self._run(PUT, *head, *awaited, *pairs)
        return missing

    async def put_writes(
        self, written: TaskWrites, elements: Mapping[bytes, bytes], expected: Iterable[bytes]
    ) -> list[bytes]:
        """Stores writes and the elements they refer to; returns what is missing, as `put` does."""
        awaited = tuple(expected)
        pairs = [part for pair in elements.items() for part in pair]
        head = (self.token, self.ttl_s, self.thread_id, len(awaited))
        place = (written.checkpoint, written.task_id, written.path)
        writes: list[Argument] = []
        for write in written.writes:
            writes += (write.idx, write.channel, write.value, int(write.replaces))
        missing: list[bytes] = await self._run(
            _PUT_WRITES, *head, *awaited, len(elements), *pairs, *place, *writes
        )
        return missing

    async def newest(self, ns: str, before: str = "", limit: int = 1) -> Loaded:
        """The newest checkpoints of a namespace, newest first, optionally older than the id `before`."""
        return _loaded(await self._run(_LOAD, self.ttl_s, "newest", ns, before, limit))

    async def named(self, names: Sequence[bytes]) -> Loaded:
        return _loaded(await self._run(_LOAD, self.ttl_s, "names", *names))

    async def names(self) -> list[bytes]:
        found: list[bytes] = await self._run(_NAMES, self.thread_id)
        return found

    async def history(
        self, ns: str, checkpoint_id: str, channels: Sequence[str]
    ) -> tuple[list[Step], Fields]:
        """The writes and values that rebuild delta channels, nearest ancestor first."""
        steps, flat = await self._run(_HISTORY, ns, checkpoint_id, *channels)
        return [Step(*step) for step in steps], fields_of(flat)

    async def drop_runs(self, run_ids: Iterable[str]) -> int:
        """Removes the checkpoints of these runs; returns how many. Raises `Conflict` as `_drop` says."""
        return await self._drop("runs", *run_ids)

    async def drop_older(self) -> int:
        """Removes all but the newest checkpoint of each namespace; returns how many."""
        return await self._drop("older")

    async def _drop(self, *what: str) -> int:
        removed: int = await self._run(_DROP, self.token, self.thread_id, *what)
        if removed < 0:
            raise Conflict(
                "This thread has delta channels, whose values are rebuilt from older checkpoints: "
                "they cannot be removed while newer ones stay. Delete the thread instead."
            )
        return removed

    async def delete(self) -> None:
        await self._run(_DELETE, self.token, self.thread_id)

    async def dump(self) -> tuple[bytes, bytes] | None:
        found = await self._run(_DUMP)
        return (found[0], found[1]) if found else None

    async def restore(self, dumped: tuple[bytes, bytes]) -> None:
        await self._run(_RESTORE, self.token, self.ttl_s, self.thread_id, *dumped)

    async def pages(self) -> AsyncIterator[Fields]:
        """Every field, some at a time; what is written meanwhile may be among them or not."""
        key, cursor = self.keys.checkpoints(self.thread_id), 0
        while True:
            cursor, fields = await self.client.call("HSCAN", key, cursor, "COUNT", PAGE)
            yield fields
            if cursor == 0:
                return

    async def replace(self, changes: Mapping[bytes, tuple[bytes, bytes]]) -> int:
        """Puts values in the place of others, by field; returns how many were still what they had been."""
        flat = [part for field, pair in changes.items() for part in (field, *pair)]
        changed: int = await self._run(_REPLACE, self.token, *flat) if flat else 0
        return changed

    async def _run(self, script: Script, *args: Argument) -> Any:
        keys = (
            self.keys.thread(self.thread_id),
            self.keys.checkpoints(self.thread_id),
            self.keys.checkpoint_index(self.thread_id),
            self.keys.registry(self.keys.lane(self.thread_id)),
        )
        run = partial(self.client.run, script, keys, args)
        try:
            # A run waits for Redis; whoever works without a claim has a caller who can ask again.
            return await (insist(run) if self.token else run())
        except ResponseError as error:
            if str(error).startswith(STALE):
                raise Fenced from None
            if "WRONGTYPE" in str(error):
                raise Unreadable(
                    f"Thread {self.thread_id}: its keys hold something else ({error})."
                ) from error
            raise


async def registered(client: Client, keys: Keys) -> list[str]:
    """The ids of all threads with checkpoints, in no order; some may have expired just now."""
    lanes = [await client.call("SMEMBERS", keys.registry(lane)) for lane in range(keys.lanes)]
    return [member.decode() for members in lanes for member in members]


def _loaded(reply: Any) -> Loaded:
    names, writes, flat, token = reply
    return Loaded(names, writes, fields_of(flat), token.decode())
