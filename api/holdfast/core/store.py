"""The store as callers use it: each sees what is theirs, staff the whole of their tenant's.

The project's rules may open the whole to everybody, and give another namespace than was asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langgraph.store.base import NOT_PROVIDED, InvalidNamespaceError, Item, SearchItem

from holdfast.auth.rules import Action
from holdfast.core.platform import Platform
from holdfast.errors import BadRequest, Invalid, Unavailable, Unstorable
from holdfast.redis.records import Caller
from holdfast.store import EmbeddingError, FilterError, RedisStore, Unfit, Unsearchable
from holdfast.wire.store import ItemDelete, ItemPut, ItemSearch, NamespaceList, check_label

Namespace = tuple[str, ...]


async def put(platform: Platform, caller: Caller, asked: ItemPut) -> None:
    """Raises `ItemTaken` for an item that is somebody else's, `TooManyItems` for one more than may be."""
    value = asked.model_dump()
    caller = await admit(platform, caller, "put", value)
    ttl = NOT_PROVIDED if value["ttl"] is None else value["ttl"]
    with told():
        await view(platform, caller).aput(
            value["namespace"], value["key"], value["value"], value["index"], ttl=ttl
        )


async def get(
    platform: Platform, caller: Caller, namespace: str, key: str, refresh_ttl: bool | None
) -> Item | None:
    """The item; `namespace` is its labels, joined by dots."""
    value: dict[str, Any] = {"namespace": read_namespace(namespace), "key": key}
    caller = await admit(platform, caller, "get", value)
    with told():
        return await view(platform, caller).aget(value["namespace"], value["key"], refresh_ttl=refresh_ttl)


async def delete(platform: Platform, caller: Caller, asked: ItemDelete) -> None:
    value = asked.model_dump()
    caller = await admit(platform, caller, "delete", value)
    with told():
        await view(platform, caller).adelete(value["namespace"], value["key"])


async def search(platform: Platform, caller: Caller, asked: ItemSearch) -> list[SearchItem]:
    value = asked.model_dump()
    value["namespace"] = value.pop("namespace_prefix") or ()
    caller = await admit(platform, caller, "search", value)
    with told():
        return await view(platform, caller).asearch(
            value["namespace"],
            query=value["query"],
            filter=value["filter"],
            limit=value["limit"],
            offset=value["offset"],
            refresh_ttl=asked.refresh_ttl,
        )


async def namespaces(platform: Platform, caller: Caller, asked: NamespaceList) -> list[Namespace]:
    value = asked.model_dump()
    value["namespace"] = value.pop("prefix")
    value["suffix"] = None if asked.suffix is None else tuple(asked.suffix)
    caller = await admit(platform, caller, "list_namespaces", value)
    with told():
        return await view(platform, caller).alist_namespaces(
            prefix=value["namespace"],
            suffix=value["suffix"],
            max_depth=value["max_depth"],
            limit=value["limit"],
            offset=value["offset"],
        )


async def admit(platform: Platform, caller: Caller, action: Action, value: dict[str, Any]) -> Caller:
    """Asks the project's rules, which may change `value`. In it a namespace is a tuple, or None."""
    value["namespace"] = as_tuple(value["namespace"])
    caller = await platform.rules.admit(caller, "store", action, value)
    value["namespace"] = as_tuple(value["namespace"])
    return caller


def as_tuple(namespace: Any) -> Namespace | None:
    return None if namespace is None else tuple(namespace)


def view(platform: Platform, caller: Caller) -> RedisStore:
    """Items have no metadata that a rule's filter could be held against: it leaves callers their own."""
    owner = caller.subject if caller.conditions else caller.owner_filter
    return platform.store(caller.tenant, caller.subject, owner=owner)


def read_namespace(joined: str) -> Namespace:
    """Raises `Invalid`."""
    try:
        return tuple(check_label(label) for label in joined.split("."))
    except ValueError as error:
        raise Invalid(str(error)) from None


@contextmanager
def told() -> Iterator[None]:
    """What a store complains of, as callers are told."""
    try:
        yield
    except (InvalidNamespaceError, FilterError) as error:
        raise BadRequest(str(error)) from error
    except Unfit as error:
        raise Unstorable(str(error)) from error
    except Unsearchable as error:
        raise Invalid(str(error)) from error
    except EmbeddingError as error:
        raise Unavailable(str(error), "embedding") from error
