"""Assistants: made, read, changed, searched and deleted. Each graph of langgraph.json is one by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from holdfast.auth.rules import Action
from holdfast.core.platform import Platform
from holdfast.core.racing import again
from holdfast.errors import AssistantExists, AssistantNotFound, BadRequest, Conflict, Invalid
from holdfast.limits import check_metadata
from holdfast.project import GraphSpec
from holdfast.redis import assistants as stored
from holdfast.redis.assistants import AssistantRecord, Content, Version
from holdfast.redis.lua import Raced
from holdfast.redis.records import Caller, contains
from holdfast.wire.assistants import (
    AssistantCreate,
    AssistantFilter,
    AssistantPatch,
    AssistantSearch,
    VersionSearch,
)

METADATA = {"created_by": "system"}
OF_GRAPH = "This assistant is a graph of langgraph.json: make one of your own, or change it there."
BOTH = "Send either config.configurable or context: the one is a mirror of the other."


def missing(assistant_id: str) -> AssistantNotFound:
    return AssistantNotFound(f"Assistant {assistant_id} not found")


# found


def of_graph(platform: Platform, spec: GraphSpec) -> AssistantRecord:
    """The assistant that a graph is by itself."""
    content = Content(spec.graph_id, spec.graph_id, spec.description, metadata=dict(METADATA))
    return AssistantRecord(spec.assistant_id, platform.started_at, platform.started_at, content)


def of_graphs(platform: Platform) -> list[AssistantRecord]:
    return [of_graph(platform, spec) for spec in platform.project.graphs.values()]


def own_of_graph(platform: Platform, assistant_id: str) -> AssistantRecord | None:
    """The assistant that a graph is by itself, by its id."""
    specs = platform.project.graphs.values()
    return next((of_graph(platform, spec) for spec in specs if spec.assistant_id == assistant_id), None)


def read_name(platform: Platform, name: str) -> str:
    """The id of an assistant that is named by it, or by its graph. Raises `Invalid` for what is neither."""
    if name in platform.project.graphs:
        return platform.project.graphs[name].assistant_id
    try:
        return str(UUID(name))
    except ValueError:
        names = ", ".join(platform.project.graphs)
        sentence = f"Invalid assistant: {name!r}. It must be an assistant's UUID or one of: {names}."
        raise Invalid(sentence) from None


async def resolve(platform: Platform, caller: Caller, name: str) -> AssistantRecord:
    """What a run names: an assistant by its id, or a graph, which needs no leave.

    Raises `Invalid` for what is neither, and `AssistantNotFound`, also for somebody else's.
    """
    assistant_id = read_name(platform, name)
    record = own_of_graph(platform, assistant_id) or await find(platform, caller, assistant_id)
    spec_of(platform, record)
    return record


async def find(
    platform: Platform,
    caller: Caller,
    assistant_id: str,
    action: Action = "read",
    value: dict[str, Any] | None = None,
) -> AssistantRecord:
    """The assistant, for a caller who may do this to it.

    Raises `AssistantNotFound`, also when it is somebody else's, and what the project's rules raise.
    """
    asked = {"assistant_id": assistant_id, "metadata": {}} if value is None else value
    caller = await platform.rules.admit(caller, "assistants", action, asked)
    return await read_record(platform, caller, assistant_id)


async def read_record(platform: Platform, caller: Caller, assistant_id: str) -> AssistantRecord:
    """As `find`, for a caller whom the project's rules have admitted."""
    record = own_of_graph(platform, assistant_id)
    if record is None:
        record = await stored.read(platform.client, platform.keys, assistant_id, caller)
    if record is None or not may_use(caller, record):
        raise missing(assistant_id)
    return record


def may_use(caller: Caller, record: AssistantRecord) -> bool:
    return caller.meets(record.metadata) if record.of_graph else caller.may_use(record)


def spec_of(platform: Platform, record: AssistantRecord) -> GraphSpec:
    """Raises `AssistantNotFound` when the graph is not served any more."""
    return platform.project.graph(record.content.graph_id)


async def spec(platform: Platform, caller: Caller, assistant_id: str) -> GraphSpec:
    return spec_of(platform, await find(platform, caller, assistant_id))


# made, changed, deleted


async def create(platform: Platform, caller: Caller, asked: AssistantCreate) -> AssistantRecord:
    """Raises `BadRequest`, `AssistantNotFound` for an unknown graph, `AssistantExists` and `TooMany`."""
    assistant_id = asked.assistant_id or str(uuid7())
    given = mirrored(asked.given(), {})
    check_graph(platform, asked.graph_id)
    value = {**about(assistant_id, given), "if_exists": asked.if_exists}
    admitted = await platform.rules.admit(caller, "assistants", "create", value)
    now = datetime.now(UTC)
    content = Content(**(given | {"metadata": value["metadata"] or {}}))
    record = AssistantRecord(assistant_id, now, now, content, caller.subject, caller.tenant)
    try:
        await save(platform, record)
    except AssistantExists:
        if asked.if_exists == "raise":
            raise
        return await there_already(platform, admitted, record)
    return record


async def save(platform: Platform, record: AssistantRecord) -> None:
    if own_of_graph(platform, record.assistant_id):
        raise AssistantExists(f"Assistant {record.assistant_id} already exists")
    most = platform.settings.max_assistants_of_tenant
    await stored.create(platform.client, platform.keys, record, most=most)


async def there_already(platform: Platform, caller: Caller, record: AssistantRecord) -> AssistantRecord:
    """Raises `AssistantExists` for one that the caller may not see."""
    try:
        return await read_record(platform, caller, record.assistant_id)
    except AssistantNotFound:
        raise AssistantExists(f"Assistant {record.assistant_id} already exists") from None


def mirrored(given: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What was sent, with `config.configurable` and `context` as mirrors of each other.

    `before` is the config that stays where none is sent.
    """
    configurable, context = given.get("config", {}).get("configurable"), given.get("context")
    if configurable and context:
        raise BadRequest(BOTH)
    if configurable or context is None:
        return given if configurable is None else given | {"context": configurable}
    rest = {name: value for name, value in given.get("config", before).items() if name != "configurable"}
    return given | {"config": rest | ({"configurable": context} if context else {})}


def check_graph(platform: Platform, graph_id: str) -> None:
    if graph_id not in platform.project.graphs:
        names = ", ".join(platform.project.graphs)
        raise AssistantNotFound(f"Graph {graph_id!r} not found. Expected one of: {names}.")


def about(assistant_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """An assistant as the project's rules are asked about it; they may change `metadata`."""
    return {"assistant_id": assistant_id, "metadata": {}, **given}


async def update(
    platform: Platform, caller: Caller, assistant_id: str, asked: AssistantPatch
) -> AssistantRecord:
    """Makes a new version with what is given, and the rest of that in use; metadata is merged."""
    given = asked.given()
    if "graph_id" in given:
        check_graph(platform, given["graph_id"])
    value = about(assistant_id, mirrored(given, {}))

    async def attempt(record: AssistantRecord) -> tuple[Content, int]:
        content = replace(record.content, **mirrored(given, record.content.config))
        return with_metadata(content, {**record.metadata, **(value["metadata"] or {})}), 0

    return await change(platform, caller, assistant_id, value, attempt)


async def set_latest(
    platform: Platform, caller: Caller, assistant_id: str, number: int | None
) -> AssistantRecord:
    """Takes a version into use, all of it; what the project's rules stamp on changes goes over its metadata.

    Raises `AssistantNotFound` for one that is not kept.
    """

    async def attempt(record: AssistantRecord) -> tuple[Content, int]:
        found = await stored.find_version(platform.client, platform.keys, assistant_id, number or 0)
        if found is None:
            raise AssistantNotFound(f"Version {number} not found for assistant {assistant_id}")
        stamped = {**found.content.metadata, **(value["metadata"] or {})}
        return with_metadata(found.content, stamped), found.number

    value: dict[str, Any] = {"assistant_id": assistant_id, "version": number, "metadata": {}}
    return await change(platform, caller, assistant_id, value, attempt)


def with_metadata(content: Content, metadata: dict[str, Any]) -> Content:
    """Raises `Invalid` for too much of it."""
    check_metadata(metadata)
    return replace(content, metadata=metadata)


async def change(
    platform: Platform,
    caller: Caller,
    assistant_id: str,
    value: dict[str, Any],
    attempt: Callable[[AssistantRecord], Awaitable[tuple[Content, int]]],
) -> AssistantRecord:
    """Saves what an attempt makes of the record, and begins again when somebody has changed it meanwhile."""
    caller = await platform.rules.admit(caller, "assistants", "update", value)

    async def save() -> AssistantRecord:
        record = await read_record(platform, caller, assistant_id)
        check_free(record)
        content, number = await attempt(record)
        now = datetime.now(UTC)
        made = await stored.change(platform.client, platform.keys, record, content, now, number)
        if not made:
            raise Raced(assistant_id)
        return replace(record, content=content, version=made, updated_at=now)

    return await again(save)


def check_free(record: AssistantRecord) -> None:
    if record.of_graph:
        raise Conflict(OF_GRAPH)


async def find_to_delete(platform: Platform, caller: Caller, assistant_id: str) -> AssistantRecord:
    """Raises `Conflict` for that of a graph."""
    record = await find(platform, caller, assistant_id, "delete", {"assistant_id": assistant_id})
    check_free(record)
    return record


async def remove(platform: Platform, record: AssistantRecord) -> bool:
    """Deletes an assistant, whoever's it is."""
    return await stored.delete(platform.client, platform.keys, record)


# searched


async def search(
    platform: Platform, caller: Caller, wanted: AssistantSearch
) -> tuple[list[dict[str, Any]], int]:
    """A page of assistants, and how many there are."""
    found = [describe(record) for record in await matching(platform, caller, wanted)]
    by = wanted.sort_by or "created_at"
    found.sort(key=lambda one: str(one[by]).casefold(), reverse=wanted.sort_order != "asc")
    page = found[wanted.offset : wanted.offset + wanted.limit]
    if wanted.select:
        page = [{key: one[key] for key in wanted.select} for one in page]
    return page, len(found)


async def count(platform: Platform, caller: Caller, wanted: AssistantFilter) -> int:
    return len(await matching(platform, caller, wanted))


async def matching(platform: Platform, caller: Caller, wanted: AssistantFilter) -> list[AssistantRecord]:
    """The assistants that are asked for; the project's rules may narrow that by more `metadata`.

    Raises `AssistantNotFound` for a graph that is not served.
    """
    admitted = {"graph_id", "metadata", "limit", "offset"}
    value: dict[str, Any] = {"graph_id": None, "metadata": {}}
    value |= wanted.model_dump(include=admitted, exclude_none=True)
    caller = await platform.rules.admit(caller, "assistants", "search", value)
    if wanted.graph_id is not None:
        check_graph(platform, wanted.graph_id)
    found = of_graphs(platform) + await owned(platform, caller.tenant, caller.owner_filter)
    return [
        record
        for record in found
        if may_use(caller, record)
        and wanted.graph_id in (None, record.content.graph_id)
        and (wanted.name is None or wanted.name.casefold() in record.content.name.casefold())
        and contains(record.metadata, value["metadata"] or {})
    ]


async def owned(platform: Platform, tenant: str, owner: str = "") -> list[AssistantRecord]:
    """The assistants of an owner or, without one, of all the tenant."""
    client, keys = platform.client, platform.keys
    ids = await stored.listed(client, keys, tenant, owner)
    whose = Caller(owner, tenant, staff=not owner)
    found = await asyncio.gather(*(stored.read(client, keys, one, whose) for one in ids))
    return [record for record in found if record]


async def versions(
    platform: Platform, caller: Caller, assistant_id: str, wanted: VersionSearch
) -> tuple[list[dict[str, Any]], int]:
    """A page of the versions that are kept, the newest first, and how many there are."""
    record = await find(platform, caller, assistant_id)
    found = [
        version
        for version in await kept(platform, record)
        if contains(version.content.metadata, wanted.metadata or {})
    ]
    page = found[wanted.offset : wanted.offset + wanted.limit]
    return [describe_version(assistant_id, version) for version in page], len(found)


async def kept(platform: Platform, record: AssistantRecord) -> list[Version]:
    if record.of_graph:
        return [Version(record.version, record.created_at, record.content)]
    return await stored.read_versions(platform.client, platform.keys, record.assistant_id)


# what a client sees


def describe(record: AssistantRecord) -> dict[str, Any]:
    return {
        "assistant_id": record.assistant_id,
        **asdict(record.content),
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "version": record.version,
    }


def describe_version(assistant_id: str, version: Version) -> dict[str, Any]:
    return {
        "assistant_id": assistant_id,
        "version": version.number,
        **asdict(version.content),
        "created_at": version.created_at.isoformat(),
    }
