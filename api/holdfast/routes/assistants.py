"""Assistants."""

from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import AfterValidator

from holdfast.core import assistants, cascade, schemas
from holdfast.errors import Invalid
from holdfast.routes.base import CallerDep, PlatformDep, answer, page, router
from holdfast.wire.assistants import (
    AssistantCreate,
    AssistantFilter,
    AssistantPatch,
    AssistantSearch,
    VersionChoice,
    VersionSearch,
)
from holdfast.wire.common import AS_UUID, JsonObject, canonical
from holdfast.wire.shown import Assistant, AssistantVersion

routes = router("assistants")


def read_id(text: str) -> str:
    try:
        return canonical(text)
    except ValueError:  # the name of a graph is one in runs only
        raise Invalid("Invalid assistant ID: must be a UUID") from None


AssistantId = Annotated[
    str, Path(description="An assistant's UUID", json_schema_extra=AS_UUID), AfterValidator(read_id)
]


@routes.post("/assistants", response_model=Assistant)
async def create_assistant(platform: PlatformDep, caller: CallerDep, asked: AssistantCreate) -> Response:
    """Makes an assistant of a graph: `config.configurable` and `context` are mirrors of each other."""
    return answer(assistants.describe(await assistants.create(platform, caller, asked)))


@routes.post("/assistants/search", response_model=list[JsonObject])
async def search_assistants(platform: PlatformDep, caller: CallerDep, asked: AssistantSearch) -> Response:
    found, total = await assistants.search(platform, caller, asked)
    return page(found, total, asked.offset)


@routes.post("/assistants/count", response_model=int)
async def count_assistants(platform: PlatformDep, caller: CallerDep, asked: AssistantFilter) -> Response:
    return answer(await assistants.count(platform, caller, asked))


@routes.get("/assistants/{assistant_id}", response_model=Assistant)
async def get_assistant(platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId) -> Response:
    return answer(assistants.describe(await assistants.find(platform, caller, assistant_id)))


@routes.patch("/assistants/{assistant_id}", response_model=Assistant)
async def patch_assistant(
    platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId, asked: AssistantPatch
) -> Response:
    """Makes a new version and takes it into use; `metadata` is merged, what is not given stays."""
    return answer(assistants.describe(await assistants.update(platform, caller, assistant_id, asked)))


@routes.delete("/assistants/{assistant_id}", status_code=204)
async def delete_assistant(
    platform: PlatformDep,
    caller: CallerDep,
    assistant_id: AssistantId,
    delete_threads: Annotated[bool, Query()] = False,
) -> Response:
    """Deletes an assistant with its crons; with `delete_threads` also the threads whose last run was its."""
    await cascade.delete_assistant(platform, caller, assistant_id, with_threads=delete_threads)
    return Response(status_code=204)


@routes.post("/assistants/{assistant_id}/versions", response_model=list[AssistantVersion])
async def list_versions(
    platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId, asked: VersionSearch
) -> Response:
    """The versions that are kept, the newest first."""
    found, total = await assistants.versions(platform, caller, assistant_id, asked)
    return page(found, total, asked.offset)


@routes.post("/assistants/{assistant_id}/latest", response_model=Assistant)
async def set_latest(
    platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId, asked: VersionChoice
) -> Response:
    """Takes a version into use."""
    record = await assistants.set_latest(platform, caller, assistant_id, asked.version)
    return answer(assistants.describe(record))


@routes.get("/assistants/{assistant_id}/graph", response_model=JsonObject)
async def get_graph(
    platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId, xray: str = "false"
) -> Response:
    """The graph's nodes and edges; `xray` opens subgraphs, all of them or to a depth."""
    depth = read_xray(xray)
    return answer(await schemas.drawing(await assistants.spec(platform, caller, assistant_id), depth))


def read_xray(text: str) -> bool | int:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise Invalid("xray must be true, false or a number above 0.")


@routes.get("/assistants/{assistant_id}/schemas", response_model=JsonObject)
async def get_schemas(platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId) -> Response:
    return answer(await schemas.schemas(await assistants.spec(platform, caller, assistant_id)))


@routes.get("/assistants/{assistant_id}/subgraphs", response_model=dict[str, JsonObject])
@routes.get("/assistants/{assistant_id}/subgraphs/{namespace}", response_model=dict[str, JsonObject])
async def get_subgraphs(
    platform: PlatformDep,
    caller: CallerDep,
    assistant_id: AssistantId,
    namespace: str | None = None,
    recurse: Annotated[bool, Query()] = False,
) -> Response:
    spec = await assistants.spec(platform, caller, assistant_id)
    return answer(await schemas.subgraphs(spec, namespace, recurse))
