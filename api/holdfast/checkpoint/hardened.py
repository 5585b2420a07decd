"""langgraph-checkpoint-redis with the gaps closed that can be closed from outside.

Needs Redis 8 or Redis Stack. What stays open: its writes are several commands and cannot be fenced, and its
index takes thread ids that differ only by case or by a comma for the same. Importing this module is slow:
it loads numpy and redisvl.
"""

import asyncio
import datetime
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from typing import Any

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

from holdfast.checkpoint.runs import RunSaver
from holdfast.errors import StartError

PAGE = 1000
ATTEMPTS = 6


class HardenedSerializer(JsonPlusRedisSerializer):
    """Keeps the values that the JSON form loses: Decimal comes back as 0 without this, for one.

    `allowed` are the types, as (module, name), that may be made beyond LangGraph's list of safe ones.
    """

    def __init__(self, allowed: Iterable[tuple[str, ...]] = ()) -> None:
        self.allowed = frozenset(allowed)
        # The types are named in JSON here, whole names in one tuple: ("a.b", "C") is ("a", "b", "C").
        names = [(*module.split("."), name) for module, name in self.allowed]
        super().__init__(allowed_json_modules=names or None, allowed_msgpack_modules=self.allowed or None)

    def with_msgpack_allowlist(self, extra_allowlist: Iterable[Any]) -> "HardenedSerializer":
        return HardenedSerializer(self.allowed | set(extra_allowlist))

    def _default_handler(self, obj: Any) -> Any:
        if isinstance(obj, Decimal):
            return self._encode_constructor_envelope(Decimal, args=[str(obj)])
        if isinstance(obj, datetime.timedelta):
            args = [obj.days, obj.seconds, obj.microseconds]
            return self._encode_constructor_envelope(datetime.timedelta, args=args)
        if isinstance(obj, (frozenset, deque)):
            elements = [self._preprocess_redis_json(element) for element in obj]
            return self._encode_constructor_envelope(type(obj), args=[elements])
        return super()._default_handler(obj)


class HardenedRedisSaver(RunSaver, AsyncRedisSaver):
    """The saver of langgraph-checkpoint-redis, to be used as a context manager."""

    def __init__(self, redis: Redis, *, ttl_s: int = 0) -> None:
        ttl = {"default_ttl": ttl_s / 60, "refresh_on_read": True} if ttl_s else None
        AsyncRedisSaver.__init__(self, redis_client=redis, ttl=ttl)
        self.serde = HardenedSerializer()

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
