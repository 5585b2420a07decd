"""Shapes that several resources share."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.functional_validators import AfterValidator

JsonObject = dict[str, Any]
SortOrder = Literal["asc", "desc"]
Limit = Annotated[int, Field(ge=1, le=1000)]
Offset = Annotated[int, Field(ge=0)]


def canonical(text: str) -> str:
    """A UUID in its one canonical form: ids that differ in case only are the same id."""
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("must be a UUID") from None


AS_UUID = {"format": "uuid"}  # for the reference
Uuid = Annotated[str, AfterValidator(canonical), Field(json_schema_extra=AS_UUID)]


# What only the server may say: it is not taken from clients, wherever it stands.
RESERVED = ("__", "langgraph_auth_", "langgraph_request_id", "holdfast_")


def clean(given: JsonObject) -> JsonObject:
    return {key: value for key, value in given.items() if not key.startswith(RESERVED)}


# What a client says of a thing, and hands to a graph: no names of the server's are among it.
Words = Annotated[JsonObject, AfterValidator(clean)]


class Body(BaseModel):
    """A request body. As on the official server, unknown fields are ignored, no type passes for another."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Problem(BaseModel):
    """Why a request was refused: `detail` is a sentence for people, `code` a word for programs."""

    detail: str
    code: str


class CheckpointAddress(Body):
    """Where in a thread's history; without an id, the newest checkpoint of the namespace."""

    checkpoint_id: str | None = None
    checkpoint_ns: str = ""
    checkpoint_map: JsonObject | None = None
