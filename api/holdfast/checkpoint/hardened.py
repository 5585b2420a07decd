"""langgraph-checkpoint-redis with the gaps closed that can be closed from outside.

Needs Redis 8 or Redis Stack. What stays open: its writes are several commands and cannot be fenced, and its
index takes thread ids that differ only by case or by a comma for the same. Importing this module is slow:
it loads numpy and redisvl.
"""

import asyncio
import base64
import math
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Literal

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, get_checkpoint_id
from langgraph.checkpoint.redis.aio import AsyncRedisSaver
from langgraph.checkpoint.redis.jsonplus_redis import JsonPlusRedisSerializer
from langgraph.checkpoint.redis.util import (
    from_storage_safe_id,
    from_storage_safe_str,
    to_storage_safe_id,
)
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from redisvl.exceptions import RedisSearchError  # type: ignore[import-untyped]
from redisvl.query import FilterQuery  # type: ignore[import-untyped]
from redisvl.query.filter import Tag  # type: ignore[import-untyped]

from holdfast.allowed_types import NO_TYPES, AllowedTypes, TypeName
from holdfast.checkpoint.constructors import SURROGATE
from holdfast.checkpoint.runs import RunSaver, was_cancelled
from holdfast.checkpoint.serde import Serializer
from holdfast.errors import StartError, Unstorable

PACKED = {"lc": 2, "type": "constructor", "id": ["holdfast", "packed"]}
MARKS = (
    "__delta_snapshot__",
    "__interrupt__",
    "__send__",
)  # what is true under one of these is made an object
LARGEST = 2**53  # the whole numbers that are exact wherever JSON is read
PAGE = 1000
ATTEMPTS = 6


class HardenedSerializer(JsonPlusRedisSerializer):
    """Keeps what JSON loses: Decimal comes back as 0 without this, for one, and a date as text.

    What JSON can carry is written as that package writes it; anything else is packed by our own serializer,
    into an envelope of its own. `allowed` are the types, as (module, name), that may be part of a state
    beyond LangGraph's list of safe ones. Raises `Unstorable` as `Serializer` does.
    """

    def __init__(self, allowed: Iterable[TypeName] | Literal[True] = ()) -> None:
        self.exact = Serializer(allowed)
        self.allowed = self.exact.listed
        # The types are named in JSON here, whole names in one tuple: ("a.b", "C") is ("a", "b", "C").
        names = [(*module.split("."), name) for module, name in self.allowed]
        super().__init__(allowed_json_modules=names or None, allowed_msgpack_modules=self.allowed or None)

    def with_msgpack_allowlist(self, extra_allowlist: Iterable[Any]) -> "HardenedSerializer":
        return HardenedSerializer(self.exact.with_msgpack_allowlist(extra_allowlist).allowed)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        try:
            return super().dumps_typed(obj)
        except RecursionError:
            raise Unstorable("What holds itself, or is nested too deep, cannot be stored.") from None

    def _preprocess_redis_json(self, obj: Any, *, encode_bytes: Any = None) -> Any:
        if type(obj) is list:
            return [self._preprocess_redis_json(each) for each in obj]
        if type(obj) is dict and plain_keys(obj):
            return {key: self._preprocess_redis_json(each) for key, each in obj.items()}
        if jsonable(obj):
            return obj
        _, packed = self.exact.dumps_typed([obj])
        return {**PACKED, "args": [base64.b64encode(packed).decode()]}

    def _revive_if_needed(self, obj: Any) -> Any:
        if isinstance(obj, dict) and obj.keys() == {*PACKED, "args"} and obj["id"] == PACKED["id"]:
            (value,) = self.exact.loads_typed(("msgpack", base64.b64decode(obj["args"][0])))
            return value
        return super()._revive_if_needed(obj)


def jsonable(value: Any) -> bool:
    """Whether JSON, as that package and its server write and read it, gives back just this."""
    kind = type(value)
    if kind is str:
        return SURROGATE.search(value) is None
    if kind is int:
        return bool(-LARGEST <= value <= LARGEST)
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(map(jsonable, value))
    if kind is dict:
        return plain_keys(value) and all(map(jsonable, value.values()))
    if isinstance(value, BaseMessage) and kind.__module__.startswith("langchain_core."):
        return jsonable(vars(value))
    return value is None or kind is bool


def plain_keys(value: dict[Any, Any]) -> bool:
    """Whether the keys are text, and none of them makes something else of the dictionary."""
    return not marked(value) and all(type(key) is str and jsonable(key) for key in value)


def marked(value: dict[Any, Any]) -> bool:
    """Whether that package takes the dictionary for an object. LangGraph's own `versions_seen` has a key
    `__interrupt__`, and is read where nothing is unpacked."""
    return "__bytes__" in value or value.get("lc") in (1, 2) or any(value.get(mark) is True for mark in MARKS)


class HardenedRedisSaver(RunSaver, AsyncRedisSaver):
    """The saver of langgraph-checkpoint-redis, to be used as a context manager."""

    def __init__(self, redis: Redis, *, ttl_s: int = 0, allowed: AllowedTypes = NO_TYPES) -> None:
        ttl = {"default_ttl": ttl_s / 60, "refresh_on_read": True} if ttl_s else None
        AsyncRedisSaver.__init__(self, redis_client=redis, ttl=ttl)
        self.serde = HardenedSerializer(allowed)

    async def asetup(self) -> None:
        """Makes the indexes. Raises `StartError` on a server without the modules."""
        await self._require_modules()
        for attempt in range(ATTEMPTS):
            try:
                await super().asetup()
            except RedisSearchError as error:
                # Another process has made the index between this one's look and its own attempt.
                if "already exists" not in str(error) or attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(0.02 * 2**attempt)
            else:
                return

    async def _require_modules(self) -> None:
        for module, probe in (("RediSearch", ("FT._LIST",)), ("RedisJSON", ("JSON.GET", "holdfast:probe"))):
            try:
                await self._redis.execute_command(*probe)
            except ResponseError as error:
                if "unknown command" not in str(error):
                    raise
                raise StartError(
                    f"CHECKPOINTER=langgraph-checkpoint-redis needs the Redis module {module}, which this "
                    "server does not have: use Redis 8 or Redis Stack, or leave CHECKPOINTER unset."
                ) from None

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        if not was_cancelled(writes):
            await super().aput_writes(config, writes, task_id, task_path)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        wanted = (config or {}).get("configurable", {})
        older = get_checkpoint_id(before) if before else None
        left = limit if limit is not None else -1
        for checkpoint_id, thread_id, ns in await self._rows(wanted.get("thread_id")):
            if left == 0:
                return
            if (
                wanted.get("checkpoint_ns") not in (None, ns)
                or wanted.get("checkpoint_id") not in (None, "", checkpoint_id)
                or (older and checkpoint_id >= older)
            ):
                continue
            at = {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}
            found = await self.aget_tuple({"configurable": at})
            if found and not any(found.metadata.get(key) != value for key, value in (filter or {}).items()):
                left -= 1
                yield found

    async def _rows(self, thread_id: str | None) -> list[tuple[str, str, str]]:
        """(checkpoint id, thread id, namespace) of all checkpoints, newest first."""
        query = FilterQuery(
            filter_expression="*" if thread_id is None else Tag("thread_id") == to_storage_safe_id(thread_id),
            return_fields=["thread_id", "checkpoint_ns", "checkpoint_id"],
        )
        rows = [
            (
                from_storage_safe_id(row["checkpoint_id"]),
                from_storage_safe_id(row["thread_id"]),
                from_storage_safe_str(row["checkpoint_ns"]),
            )
            async for page in self.checkpoints_index.paginate(query, page_size=PAGE)
            for row in page
            if row.get("thread_id")  # a document that expired while it was being found has no fields
        ]
        return sorted((row for row in rows if thread_id in (None, row[1])), reverse=True)

    async def aprune(
        self, thread_ids: Sequence[str], *, strategy: str = "keep_latest", **options: Any
    ) -> None:
        if thread_ids:
            await super().aprune(thread_ids, strategy=strategy, **options)
