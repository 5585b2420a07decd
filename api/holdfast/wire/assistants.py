"""Assistants: what a client sends."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from holdfast.wire.common import (
    Body,
    Exact,
    Few,
    JsonObject,
    Limit,
    Metadata,
    MetadataFilter,
    Name,
    Offset,
    SortOrder,
    Uuid,
)
from holdfast.wire.runs import RunConfig

CONTENT = {"graph_id", "config", "context", "metadata", "name", "description"}
Text = Annotated[str, Field(max_length=16_384)]
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


class AssistantConfig(RunConfig):
    configurable: Metadata | None = None


class AssistantPatch(Exact):
    """What is to change; the rest stays, and `metadata` is merged."""

    graph_id: Name | None = None
    config: AssistantConfig | None = None
    context: Metadata | None = None
    metadata: Metadata | None = None
    name: Name | None = None
    description: Text | None = None

    def given(self) -> JsonObject:
        """What was sent, as it is kept; an empty name is none, and an empty config changes nothing."""
        found = self.model_dump(include=CONTENT, exclude_none=True)
        return {key: value for key, value in found.items() if key not in ("name", "config") or value}


class AssistantCreate(AssistantPatch):
    NULLABLE: ClassVar[frozenset[str]] = frozenset({"description"})

    graph_id: Name
    assistant_id: Uuid | None = None
    if_exists: Literal["raise", "do_nothing"] = "raise"


class VersionSearch(Body):
    metadata: MetadataFilter | None = None
    limit: Limit = 10
    offset: Offset = 0


class VersionChoice(Exact):
    """A version to be taken into use."""

    version: Annotated[int, Field(ge=0, le=2**53)] | None = None


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
