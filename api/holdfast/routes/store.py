"""The store: items by namespace and key, found again by what they hold. See docs/store.md."""

from typing import Annotated

from fastapi import Query, Response

from holdfast.core import store
from holdfast.routes.base import CallerDep, PlatformDep, answer, router
from holdfast.wire.shown import FoundItems, Namespaces, StoredItem
from holdfast.wire.store import ItemDelete, ItemPut, ItemSearch, NamespaceList

routes = router("store")


@routes.put("/store/items", status_code=204)
async def put_item(platform: PlatformDep, caller: CallerDep, asked: ItemPut) -> Response:
    """Makes an item, or gives it another value; an item of somebody else is answered 409."""
    await store.put(platform, caller, asked)
    return Response(status_code=204)


@routes.get("/store/items", response_model=StoredItem | None)
async def get_item(
    platform: PlatformDep,
    caller: CallerDep,
    key: str,
    namespace: Annotated[str, Query(description="Its labels, joined by dots")] = "",
    refresh_ttl: Annotated[bool | None, Query(description="Whether it is kept for another ttl")] = None,
) -> Response:
    """The item, or null."""
    found = await store.get(platform, caller, namespace, key, refresh_ttl)
    return answer(found.dict() if found else None)


@routes.delete("/store/items", status_code=204)
async def delete_item(platform: PlatformDep, caller: CallerDep, asked: ItemDelete) -> Response:
    """Deletes an item, if there is one of the caller's."""
    await store.delete(platform, caller, asked)
    return Response(status_code=204)


@routes.post("/store/items/search", response_model=FoundItems)
async def search_items(platform: PlatformDep, caller: CallerDep, asked: ItemSearch) -> Response:
    """Items of a namespace and all below it: by what they hold, and by meaning."""
    found = await store.search(platform, caller, asked)
    return answer({"items": [item.dict() for item in found]})


@routes.post("/store/namespaces", response_model=Namespaces)
async def list_namespaces(platform: PlatformDep, caller: CallerDep, asked: NamespaceList) -> Response:
    """The namespaces that hold items, sorted."""
    return answer({"namespaces": await store.namespaces(platform, caller, asked)})
