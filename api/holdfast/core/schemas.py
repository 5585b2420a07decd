"""What a graph looks like to a client: its schemas, its nodes and edges, its subgraphs."""

import logging
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from langgraph.pregel import Pregel
from langgraph.warnings import LangGraphDeprecatedSinceV10
from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from holdfast.core.platform import Graph
from holdfast.core.typed import extended
from holdfast.project import GraphSpec

logger = logging.getLogger(__name__)


async def schemas(spec: GraphSpec) -> dict[str, Any]:
    async with spec.open({}) as graph:
        return {"graph_id": spec.graph_id, **graph_schemas(spec, graph)}


async def input_schema(spec: GraphSpec) -> dict[str, Any] | None:
    async with spec.open({}) as graph:
        builder = getattr(graph, "builder", None)
        return schema(spec, graph.get_input_jsonschema, getattr(builder, "input_schema", None))


def graph_schemas(spec: GraphSpec, graph: Graph) -> dict[str, Any]:
    builder = getattr(graph, "builder", None)
    state = getattr(builder, "state_schema", None)
    context = schema(spec, graph.get_context_jsonschema, graph.context_schema)
    return {
        "input_schema": schema(spec, graph.get_input_jsonschema, getattr(builder, "input_schema", None)),
        "output_schema": schema(spec, graph.get_output_jsonschema, getattr(builder, "output_schema", None)),
        "state_schema": schema(spec, lambda: TypeAdapter(state).json_schema(), state) if state else None,
        "config_schema": context or schema(spec, partial(config_schema, graph)),
        "context_schema": context,
    }


def config_schema(graph: Graph) -> dict[str, Any]:
    """What may be configured in a graph without a context, which is what LangGraph calls this by now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangGraphDeprecatedSinceV10)
        return graph.get_config_jsonschema()


def schema(
    spec: GraphSpec, make: Callable[[], dict[str, Any] | None], kind: Any = None
) -> dict[str, Any] | None:
    """A JSON schema of the type, or None for one that has none: a graph may be served all the same."""
    try:
        try:
            return make()
        except PydanticUserError as error:
            if error.code != "typed-dict-version":
                raise
            return TypeAdapter(extended(kind)).json_schema()
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
