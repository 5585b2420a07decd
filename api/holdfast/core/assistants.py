"""Assistants: one for each graph of langgraph.json."""

import logging
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from langgraph.pregel import Pregel
from langgraph.warnings import LangGraphDeprecatedSinceV10
from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from holdfast.core.platform import Graph, Platform
from holdfast.errors import AssistantNotFound, Invalid
from holdfast.project import GraphSpec
from holdfast.redis.records import Caller
from holdfast.wire.assistants import AssistantFilter, AssistantSearch

logger = logging.getLogger(__name__)

METADATA = {"created_by": "system"}
ADMITTED = {"graph_id", "metadata", "limit", "offset"}  # what the project's rules see of a search


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def find(platform: Platform, assistant_id: str) -> GraphSpec:
    """The graph that an assistant id, or the name of a graph, stands for."""
    graphs = platform.project.graphs
    if assistant_id in graphs:
        return graphs[assistant_id]
    if not is_uuid(assistant_id):
        names = ", ".join(graphs)
        raise Invalid(
            f"Invalid assistant: {assistant_id!r}. It must be an assistant's UUID or one of: {names}."
        )
    for spec in graphs.values():
        if spec.assistant_id == assistant_id.lower():
            return spec
    raise AssistantNotFound


def by_id(platform: Platform, assistant_id: str) -> GraphSpec:
    """As `find`, where only an id will do."""
    if not is_uuid(assistant_id):
        raise Invalid("Invalid assistant ID: must be a UUID")
    return find(platform, assistant_id)


def describe(platform: Platform, spec: GraphSpec) -> dict[str, Any]:
    return {
        "assistant_id": spec.assistant_id,
        "graph_id": spec.graph_id,
        "config": {},
        "context": {},
        "metadata": dict(METADATA),
        "name": spec.graph_id,
        "created_at": platform.started_at.isoformat(),
        "updated_at": platform.started_at.isoformat(),
        "version": 1,
        "description": spec.description,
    }


async def read(platform: Platform, caller: Caller, assistant_id: str) -> GraphSpec:
    """As `by_id`, for a caller whom the project's rules let read it."""
    spec = by_id(platform, assistant_id)
    value: dict[str, Any] = {"assistant_id": spec.assistant_id, "metadata": {}}
    caller = await platform.rules.admit(caller, "assistants", "read", value)
    if not caller.meets(METADATA):
        raise AssistantNotFound
    return spec


async def matching(platform: Platform, caller: Caller, wanted: AssistantFilter) -> list[dict[str, Any]]:
    """The assistants that are asked for; the project's rules may narrow that by more `metadata`."""
    value = {"graph_id": None, "metadata": {}, **wanted.model_dump(include=ADMITTED, exclude_none=True)}
    caller = await platform.rules.admit(caller, "assistants", "search", value)
    if not caller.meets(METADATA):
        return []
    found = [describe(platform, spec) for spec in platform.project.graphs.values()]
    return [
        one
        for one in found
        if (wanted.graph_id is None or one["graph_id"] == wanted.graph_id)
        and (wanted.name is None or wanted.name.lower() in one["name"].lower())
        and all(one["metadata"].get(key) == value for key, value in (value["metadata"] or {}).items())
    ]


async def search(
    platform: Platform, caller: Caller, wanted: AssistantSearch
) -> tuple[list[dict[str, Any]], int]:
    """A page of assistants, and how many there are."""
    found = await matching(platform, caller, wanted)
    found.sort(key=lambda one: str(one[wanted.sort_by or "created_at"]), reverse=wanted.sort_order != "asc")
    page = found[wanted.offset : wanted.offset + wanted.limit]
    if wanted.select:
        page = [{key: one[key] for key in wanted.select if key in one} for one in page]
    return page, len(found)


async def schemas(spec: GraphSpec) -> dict[str, Any]:
    async with spec.open({}) as graph:
        state = getattr(getattr(graph, "builder", None), "state_schema", None)
        of_state = schema(spec, lambda: TypeAdapter(state).json_schema()) if state else None
        return {"graph_id": spec.graph_id, "state_schema": of_state, **graph_schemas(spec, graph)}


def graph_schemas(spec: GraphSpec, graph: Graph) -> dict[str, Any]:
    return {
        "input_schema": schema(spec, graph.get_input_jsonschema),
        "output_schema": schema(spec, graph.get_output_jsonschema),
        "config_schema": schema(spec, partial(config_schema, graph)),
        "context_schema": schema(spec, graph.get_context_jsonschema),
    }


def config_schema(graph: Graph) -> dict[str, Any]:
    """What may be configured: LangGraph calls this the context by now, the wire knows both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangGraphDeprecatedSinceV10)
        return graph.get_config_jsonschema()


def schema(spec: GraphSpec, make: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """A JSON schema, or None for types that have none: a graph may be served all the same."""
    try:
        return make()
    except (PydanticUserError, TypeError, ValueError) as error:
        logger.info("a graph has no schema", extra={"graph_id": spec.graph_id}, exc_info=error)
        return None


async def drawing(spec: GraphSpec, xray: int | bool) -> dict[str, Any]:
    async with spec.open({}) as graph:
        return (await graph.aget_graph(xray=xray)).to_json()


async def subgraphs(spec: GraphSpec, namespace: str | None, recurse: bool) -> dict[str, Any]:
    async with spec.open({}) as graph:
        return {
            name: graph_schemas(spec, sub)
            async for name, sub in graph.aget_subgraphs(namespace=namespace, recurse=recurse)
            if isinstance(sub, Pregel)
        }
