"""The store as Redis keeps it: items by tenant, namespace and key, each put and read by one script."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress, islice
from operator import attrgetter
from typing import Any, Literal, NamedTuple, Self

import orjson
import ormsgpack

from holdfast.errors import ItemTaken, TooManyItems
from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.timers import clock_ms

PUT = Script.load("item", "item_put")
GET = Script.load("item", "item_get")
DELETE = Script.load("item", "item_delete")
LIVING = Script.load("item", "item_living")

LABELS, PARTS = "\0", "\0\0"  # what joins labels, and what joins the parts of a name: no label is empty
AFTER = "\1"  # comes next after what joins labels
SLICE = 1000  # items looked at in one turn of the event loop

Namespace = tuple[str, ...]
Hashes = Mapping[Namespace, Mapping[bytes, bytes]]  # fields of a hash of each namespace
Test = Callable[[Any], bool]


class Place(NamedTuple):
    """Where an item is, in the store of a tenant."""

    namespace: Namespace
    key: str

    def name(self, tenant: str) -> str:
        """The item's name among those of all tenants."""
        return PARTS.join((tenant, LABELS.join(self.namespace), self.key))

    @classmethod
    def read(cls, name: bytes) -> tuple[str, Self]:
        """Whose store, or who, a name begins with, and the place."""
        first, namespace, key = name.decode().split(PARTS, 2)
        return first, cls(split(namespace), key)


def split(namespace: str) -> Namespace:
    return tuple(namespace.split(LABELS)) if namespace else ()


class Stored(NamedTuple):
    """An item. `owner` is who put it first, `author` who put it last; `ttl_ms` 0 keeps it for ever."""

    namespace: Namespace
    key: str
    created_us: int
    updated_us: int
    ttl_ms: int
    owner: str
    author: str
    json: str

    @property
    def place(self) -> Place:
        return Place(self.namespace, self.key)

    @property
    def value(self) -> dict[str, Any]:
        value: dict[str, Any] = orjson.loads(self.json)
        return value

    @classmethod
    def read(cls, place: Place, packed: bytes) -> Self:
        return cls(*place, *ormsgpack.unpackb(packed))


class New(NamedTuple):
    """What is put: `vectors` are those of the texts by which it is searched, one after the other."""

    place: Place
    json: bytes
    ttl_ms: int = 0
    vectors: bytes = b""


class Shelves:
    """The store of one tenant. `owner` is whose items are seen and changed; "" stands for everybody."""

    def __init__(self, client: Client, keys: Keys, tenant: str, owner: str = "") -> None:
        self._client = client
        self._keys = keys
        self._tenant = tenant
        self._owner = owner
        self._expiry = keys.store_expiry(keys.lane(tenant))

    # one item

    async def put(self, new: New, author: str, most: int = 0) -> None:
        """Raises `ItemTaken` for an item that is there and is somebody else's.

        Raises `TooManyItems` for one more than the tenant may have: `most`, where that is not 0.
        """
        made = await self._client.run(
            PUT,
            self._keys_of(new.place),
            [*self._named(new.place), self._owner, author, new.json, new.ttl_ms, new.vectors, most],
        )
        if made == b"taken":
            raise ItemTaken
        if made == b"full":
            raise TooManyItems

    async def get(self, place: Place, *, refresh: bool) -> Stored | None:
        """The item, which `refresh` keeps for another ttl from now on."""
        packed = await self._client.run(
            GET,
            [self._items(place.namespace), self._expiry],
            [place.key, place.name(self._tenant), self._owner, int(refresh)],
        )
        return Stored.read(place, packed) if packed else None

    async def delete(self, place: Place) -> None:
        await self._delete(place, "owned", self._owner)

    async def drop_expired(self, place: Place) -> None:
        await self._delete(place, "expired")

    async def _delete(self, place: Place, which: Literal["owned", "of", "expired"], whose: str = "") -> int:
        deleted: int = await self._client.run(
            DELETE, self._keys_of(place), [*self._named(place), which, whose]
        )
        return deleted

    def _named(self, place: Place) -> list[str]:
        return [LABELS.join(place.namespace), place.key, place.name(self._tenant)]

    def _items(self, namespace: Namespace) -> str:
        return self._keys.store_items(self._tenant, LABELS.join(namespace))

    def _keys_of(self, place: Place) -> list[str]:
        return [
            self._items(place.namespace),
            self._keys.store_vectors(self._tenant, LABELS.join(place.namespace)),
            self._keys.store_namespaces(self._tenant),
            self._keys.store_people(self._tenant),
            self._expiry,
        ]

    # many

    async def namespaces(self, prefix: Namespace) -> list[Namespace]:
        """Those that hold items, whosever they are, in their order; some may just have expired."""
        start = LABELS.join(prefix)
        within = (f"[{start}", f"({start}{AFTER}") if prefix else ("-", "+")
        found = await self._client.call("ZRANGE", self._keys.store_namespaces(self._tenant), *within, "BYLEX")
        return [split(one.decode()) for one in found]

    async def living(self, namespaces: Sequence[Namespace]) -> list[Namespace]:
        """Those of some namespaces that hold an item whose time is not up."""
        keys = [self._expiry, *map(self._items, namespaces)]
        names = [self._tenant + PARTS, *map(LABELS.join, namespaces)]
        return list(compress(namespaces, await self._client.run(LIVING, keys, names)))

    async def items(self, prefix: Namespace, wanted: Test | None = None) -> list[Stored]:
        """The items in a namespace and all below it whose values are wanted, the oldest first."""
        hashes = await (self._owned(prefix) if self._owner else self._all(prefix))
        found = [one for one in await read_all(hashes, wanted) if self._owner in ("", one.owner)]
        return sorted(await self._living(found), key=attrgetter("created_us"))

    async def vectors(self, places: Iterable[Place]) -> dict[Place, bytes]:
        """The vectors of those items that have some."""
        found = await self._fields(places, self._keys.store_vectors)
        return {Place(of, key.decode()): one for of, values in found.items() for key, one in values.items()}

    async def refresh(self, items: Sequence[Stored]) -> None:
        """Keeps those that expire for another ttl from now on."""
        if expiring := [one for one in items if one.ttl_ms]:
            now_ms = await clock_ms(self._client)
            due = [part for one in expiring for part in (now_ms + one.ttl_ms, one.place.name(self._tenant))]
            await self._client.call("ZADD", self._expiry, "XX", "GT", *due)

    async def erase(self, person: str) -> int:
        """Deletes all items of which a person is owner or author; returns how many."""
        deleted = [await self._delete(place, "of", person) for place in await self._of(person, ())]
        return sum(deleted)

    async def _all(self, prefix: Namespace) -> Hashes:
        namespaces = await self.namespaces(prefix)
        found = await asyncio.gather(*(self._client.call("HGETALL", self._items(one)) for one in namespaces))
        return dict(zip(namespaces, found, strict=True))

    async def _owned(self, prefix: Namespace) -> Hashes:
        return await self._fields(await self._of(self._owner, prefix), self._keys.store_items)

    async def _of(self, person: str, prefix: Namespace) -> list[Place]:
        """Of what in a namespace and below it a person is owner or author."""
        start = PARTS.join((person, LABELS.join(prefix))) if prefix else person + LABELS
        low, high = f"[{start}{LABELS}", f"({start}{AFTER}"
        found = await self._client.call("ZRANGE", self._keys.store_people(self._tenant), low, high, "BYLEX")
        return [Place.read(name)[1] for name in found]

    async def _fields(self, places: Iterable[Place], key_of: Callable[[str, str], str]) -> Hashes:
        """What hashes hold of these places, of which there is one for each namespace."""
        keys = defaultdict[Namespace, list[bytes]](list)
        for place in places:
            keys[place.namespace].append(place.key.encode())
        found = await asyncio.gather(
            *(
                self._client.call("HMGET", key_of(self._tenant, LABELS.join(namespace)), *own)
                for namespace, own in keys.items()
            )
        )
        return {
            namespace: {key: one for key, one in zip(own, values, strict=True) if one is not None}
            for (namespace, own), values in zip(keys.items(), found, strict=True)
        }

    async def _living(self, items: list[Stored]) -> list[Stored]:
        """Those whose time is not up."""
        names = [one.place.name(self._tenant) for one in items if one.ttl_ms]
        if not names:
            return items
        now_ms, scores = await asyncio.gather(
            clock_ms(self._client), self._client.call("ZMSCORE", self._expiry, *names)
        )
        due = dict(zip(names, scores, strict=True))
        return [
            one for one in items if not one.ttl_ms or float(due[one.place.name(self._tenant)] or 0) > now_ms
        ]


async def read_all(hashes: Hashes, wanted: Test | None) -> list[Stored]:
    """Reads many items, and lets others have their turn in between."""
    found = list[Stored]()
    for namespace, items in hashes.items():
        for start in range(0, len(items), SLICE):
            for key, packed in islice(items.items(), start, start + SLICE):
                item = ormsgpack.unpackb(packed)
                if wanted is None or wanted(orjson.loads(item[-1])):
                    found.append(Stored._make((namespace, key.decode(), *item)))
            await asyncio.sleep(0)
    return found


async def expire(client: Client, keys: Keys, lane: int, most: int) -> int:
    """Deletes items of a lane whose time is up; returns how many there were, `most` at most."""
    now_ms = await clock_ms(client)
    names = await client.call("ZRANGE", keys.store_expiry(lane), "-inf", now_ms, "BYSCORE", "LIMIT", 0, most)
    places = map(Place.read, names)
    await asyncio.gather(*(Shelves(client, keys, tenant).drop_expired(place) for tenant, place in places))
    return len(names)
