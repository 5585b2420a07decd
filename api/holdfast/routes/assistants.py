"""Assistants."""

from typing import Annotated

from fastapi import Path, Query, Response

from holdfast.core import assistants
from holdfast.errors import BadRequest
from holdfast.routes.base import CallerDep, PlatformDep, answer, page, router
from holdfast.wire.assistants import AssistantFilter, AssistantSearch
from holdfast.wire.common import AS_UUID, JsonObject
from holdfast.wire.shown import Assistant

routes = router("assistants")

AssistantId = Annotated[str, Path(description="An assistant's UUID", json_schema_extra=AS_UUID)]


@routes.post("/assistants/search", response_model=list[JsonObject])
async def search_assistants(platform: PlatformDep, caller: CallerDep, asked: AssistantSearch) -> Response:
    found, total = await assistants.search(platform, caller, asked)
    return page(found, total, asked.offset)


@routes.post("/assistants/count", response_model=int)
async def count_assistants(platform: PlatformDep, caller: CallerDep, asked: AssistantFilter) -> Response:
    return answer(len(await assistants.matching(platform, caller, asked)))


@routes.get("/assistants/{assistant_id}", response_model=Assistant)
async def get_assistant(platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId) -> Response:
    return answer(assistants.describe(platform, await assistants.read(platform, caller, assistant_id)))


@routes.get("/assistants/{assistant_id}/graph", response_model=JsonObject)
async def get_graph(
    platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId, xray: str = "false"
) -> Response:
    """The graph's nodes and edges; `xray` opens subgraphs, all of them or to a depth."""
    depth = read_xray(xray)
    return answer(await assistants.drawing(await assistants.read(platform, caller, assistant_id), depth))


def read_xray(text: str) -> bool | int:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise BadRequest("xray must be true, false or a number above 0.")


@routes.get("/assistants/{assistant_id}/schemas", response_model=JsonObject)
async def get_schemas(platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId) -> Response:
    return answer(await assistants.schemas(await assistants.read(platform, caller, assistant_id)))


@routes.get("/assistants/{assistant_id}/subgraphs", response_model=dict[str, JsonObject])
@routes.get("/assistants/{assistant_id}/subgraphs/{namespace}", response_model=dict[str, JsonObject])
async def get_subgraphs(
    platform: PlatformDep,
    caller: CallerDep,
    assistant_id: AssistantId,
    namespace: str | None = None,
    recurse: Annotated[bool, Query()] = False,
) -> Response:
    spec = await assistants.read(platform, caller, assistant_id)
    return answer(await assistants.subgraphs(spec, namespace, recurse))
