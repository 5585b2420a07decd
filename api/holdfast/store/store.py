"""LangGraph's `BaseStore` on plain Redis."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)

from holdfast.errors import Fenced
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.redis.loops import running_loop, wait
from holdfast.redis.store import Namespace, New, Place, Shelves, Stored
from holdfast.store.documents import dump
from holdfast.store.filters import read_filter
from holdfast.store.index import Index
from holdfast.store.ranking import rank

MOST_SEARCHED = 10_000  # items whose vectors are fetched for one query
LISTED = 100  # namespaces looked at in one step
LONGEST_TTL = 100 * 366 * 24 * 60  # a hundred years, in minutes
ANY = "*"

SHARED = "holdfast_shared"  # the first label of what the project shares with all tenants
NOBODY = ""  # the tenant that keeps it: no caller's tenant has an empty name


class Unsearchable(ValueError):
    """More items than can be compared with a query."""


class RedisStore(BaseStore):
    """The store of one tenant, on Redis >= 7.0 or Valkey, no modules needed.

    What is put belongs to `person`. `owner` is whose items are seen and changed, "" for everybody's. Nothing
    of what one tenant keeps is seen by another. What is below `SHARED` can be read by who `reads_shared`, and
    put through the store of `NOBODY` alone. `most` is how many items the tenant may have, 0 any number.
    The blocking methods are for threads beside the event loop.
    """

    supports_ttl = True

    def __init__(
        self,
        client: Client,
        keys: Keys,
        tenant: str,
        *,
        person: str = "",
        owner: str = "",
        index: Index | None = None,
        ttl: TTLConfig | None = None,
        reads_shared: bool = False,
        most: int = 0,
    ) -> None:
        self.ttl_config = ttl
        self._shelves = Shelves(client, keys, tenant, owner)
        self._puts_shared = tenant == NOBODY
        self._shared = Shelves(client, keys, NOBODY) if reads_shared or self._puts_shared else None
        self._person = person
        self._most = most
        self._owner = owner
        self._index = index
        self._loop = running_loop()
        self._revoked = False

    def revoke(self) -> None:
        """Refuses every further call: who holds this has lost the right to it."""
        self._revoked = True

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        return wait(self.abatch(ops), self._loop, "store", "aget, aput, asearch and so on")

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Answers what is asked, then puts: of one item only what comes last.

        Raises `InvalidNamespaceError`, `FilterError`, `Unfit` and `Unsearchable` (all of them ValueErrors),
        `EmbeddingError`, `ItemTaken` for an item that is there and is not among those that are seen, and
        `TooManyItems`.
        """
        if self._revoked:
            raise Fenced
        asked = list(ops)
        for op in asked:
            validate_op_namespace(op)
            if isinstance(op, PutOp) and is_shared(op.namespace) and not self._puts_shared:
                raise InvalidNamespaceError(f"What is below {SHARED!r} is put by the project alone.")
        results = await asyncio.gather(*map(self._answer, asked))
        await self._put_all({Place(op.namespace, op.key): op for op in asked if isinstance(op, PutOp)})
        return results

    async def _answer(self, op: Op) -> Result:
        match op:
            case GetOp():
                return await self._get(op)
            case SearchOp():
                return await self._search(op)
            case ListNamespacesOp():
                return await self._list(op)
        return None

    # putting

    async def _put_all(self, puts: Mapping[Place, PutOp]) -> None:
        new = {
            place: New(place, dump(op.value), ttl_ms(op))
            for place, op in puts.items()
            if op.value is not None
        }
        vectors = await self._embed({place: puts[place] for place in new})
        await asyncio.gather(
            *(self._put(one._replace(vectors=vectors[place])) for place, one in new.items()),
            *(self._shelves.delete(place) for place in puts.keys() - new.keys()),
        )

    async def _embed(self, puts: Mapping[Place, PutOp]) -> dict[Place, bytes]:
        index = self._index
        if index is None:
            return dict.fromkeys(puts, b"")
        texts = {place: index.texts(op.value or {}, op.index) for place, op in puts.items()}
        packed = await index.embed([text for of in texts.values() for text in of])
        return {place: b"".join(packed[text] for text in of) for place, of in texts.items()}

    async def _put(self, new: New) -> None:
        if not new.place.namespace:
            raise InvalidNamespaceError("Namespace cannot be empty.")
        await self._shelves.put(new, self._person, self._most)

    # reading

    def _shelves_of(self, namespace: Namespace) -> Shelves:
        if not is_shared(namespace):
            return self._shelves
        if self._shared is None:
            raise InvalidNamespaceError(f"What is below {SHARED!r} is read by graphs alone.")
        return self._shared

    async def _get(self, op: GetOp) -> Item | None:
        found = await self._shelves_of(op.namespace).get(Place(op.namespace, op.key), refresh=op.refresh_ttl)
        return Item(**shown(found)) if found else None

    async def _search(self, op: SearchOp) -> list[SearchItem]:
        """Items in the order in which they were made; under a query the nearest first, then the others."""
        wanted = read_filter(op.filter) if op.filter else None
        shelves = self._shelves_of(op.namespace_prefix)
        found = await shelves.items(op.namespace_prefix, wanted)
        scores: dict[Place, float] = {}
        if op.query and self._index:
            scores = await score(self._index, op.query, shelves, found)
            found.sort(key=lambda one: -scores.get(one.place, -2.0))  # a cosine is -1 at least
        page = found[max(op.offset, 0) :][: max(op.limit, 0)]
        if op.refresh_ttl:
            await shelves.refresh(page)
        return [SearchItem(**shown(one), score=scores.get(one.place)) for one in page]

    async def _list(self, op: ListNamespacesOp) -> list[Namespace]:
        conditions = op.match_conditions or ()
        prefixes = [literal(one.path) for one in conditions if one.match_type == "prefix"]
        prefix = max(prefixes, key=len, default=())
        shelves = self._shelves_of(prefix)
        if self._owner:
            found = {one.namespace for one in await shelves.items(prefix)}
        else:
            found = set(await shelves.namespaces(prefix))
        fitting = sorted(one for one in found if all(fits(each, one) for each in conditions))
        start, count = max(op.offset, 0), max(op.limit, 0)
        return (await first(shelves, start + count, fitting, op.max_depth))[start:]


async def first(
    shelves: Shelves, count: int, namespaces: list[Namespace], depth: int | None
) -> list[Namespace]:
    """So many of those that hold items, in their order: no more are looked at than it takes."""
    found: dict[Namespace, None] = {}
    for start in range(0, len(namespaces), LISTED):
        if len(found) >= count:
            break
        living = await shelves.living(namespaces[start : start + LISTED])
        found |= dict.fromkeys(one[:depth] for one in living)
    return list(found)[:count]


async def score(index: Index, query: str, shelves: Shelves, items: list[Stored]) -> dict[Place, float]:
    """How near items are to a query, those that have vectors. Raises `Unsearchable`, `EmbeddingError`."""
    if len(items) > MOST_SEARCHED:
        raise Unsearchable(
            f"{len(items)} items are too many to be searched by meaning, {MOST_SEARCHED} are taken: give "
            "a longer namespace prefix, or a filter."
        )
    wanted, vectors = await asyncio.gather(
        index.embed_query(query), shelves.vectors([one.place for one in items])
    )
    scores = await asyncio.to_thread(rank, wanted, list(vectors.values()))
    return {place: score for place, score in zip(vectors, scores, strict=True) if score is not None}


def is_shared(namespace: Namespace) -> bool:
    return namespace[:1] == (SHARED,)


def ttl_ms(op: PutOp) -> int:
    """0 for an item that is kept for ever. Raises ValueError for what is no time."""
    if op.ttl is None:
        return 0
    if not 0 < op.ttl <= LONGEST_TTL:
        raise ValueError(f"A ttl must be more than 0 minutes and at most {LONGEST_TTL}, not {op.ttl}.")
    return max(1, round(op.ttl * 60_000))


def shown(item: Stored) -> dict[str, Any]:
    return {
        "namespace": item.namespace,
        "key": item.key,
        "value": item.value,
        "created_at": moment(item.created_us),
        "updated_at": moment(item.updated_us),
    }


def moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def literal(path: Namespace) -> Namespace:
    """What a pattern begins with before the first label that may be any."""
    return path[: path.index(ANY)] if ANY in path else path


def fits(condition: MatchCondition, namespace: Namespace) -> bool:
    path = condition.path
    if len(path) > len(namespace):
        return False
    start = 0 if condition.match_type == "prefix" else len(namespace) - len(path)
    part = namespace[start : start + len(path)]
    return all(wanted in (ANY, label) for wanted, label in zip(path, part, strict=True))
