"""Assistants: what a client sends."""

from typing import Literal

from holdfast.wire.common import Body, Few, Limit, MetadataFilter, Name, Offset, SortOrder

AssistantField = Literal[
    "assistant_id",
    "graph_id",
    "name",
    "description",
    "config",
    "context",
    "created_at",
    "updated_at",
    "metadata",
    "version",
]


class AssistantFilter(Body):
    metadata: MetadataFilter | None = None
    graph_id: Name | None = None
    name: Name | None = None


class AssistantSearch(AssistantFilter):
    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] | None = None
    sort_order: SortOrder | None = None
    select: Few[AssistantField] | None = None
