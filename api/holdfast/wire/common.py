"""Shapes that several resources share."""

from typing import Annotated, Any, ClassVar, Literal, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.functional_validators import AfterValidator

T = TypeVar("T")
JsonObject = dict[str, Any]
Name = Annotated[str, Field(max_length=256)]
Namespace = Annotated[
    str, Field(max_length=4096)
]  # of a subgraph in subgraphs: names and ids, one after the other
Few = Annotated[list[T], Field(max_length=100)]
Many = Annotated[list[T], Field(max_length=1000)]
SortOrder = Literal["asc", "desc"]
Limit = Annotated[int, Field(ge=1, le=1000)]
Offset = Annotated[int, Field(ge=0)]


def sentence(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


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

# Metadata is kept in each record, and sent with each line of a list.
METADATA_KEYS = 256
METADATA_BYTES = 64 * 1024


def clean(given: JsonObject) -> JsonObject:
    return {key: value for key, value in given.items() if not key.startswith(RESERVED)}


def metadata_fault(metadata: JsonObject) -> str | None:
    """What is too much of some metadata."""
    if len(metadata) > METADATA_KEYS:
        return f"may have {METADATA_KEYS} keys, not {len(metadata)}"
    if any(len(key) > 256 for key in metadata):
        return "a key may have 256 characters"
    if (size := len(orjson.dumps(metadata))) > METADATA_BYTES:
        return f"may have {METADATA_BYTES} bytes as JSON, not {size}"
    return None


def small(metadata: JsonObject) -> JsonObject:
    if fault := metadata_fault(metadata):
        raise ValueError(fault)
    return metadata


# What a client says of a thing, and hands to a graph: no names of the server's are among it.
Words = Annotated[JsonObject, AfterValidator(clean)]
Metadata = Annotated[Words, AfterValidator(small)]
# What a thing's metadata must say: taken as it is, since without a part of it more would be found.
MetadataFilter = Annotated[JsonObject, AfterValidator(small)]


class Body(BaseModel):
    """A request body. As on the official server, unknown fields are ignored, no type passes for another."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Exact(Body):
    """A body in which null is no value, but for the fields of `NULLABLE`."""

    NULLABLE: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def refuse_null(cls, data: Any) -> Any:
        for name in cls.model_fields.keys() - cls.NULLABLE:
            if isinstance(data, dict) and name in data and data[name] is None:
                raise ValueError(f"{name} must not be null: leave it out")
        return data


class Problem(BaseModel):
    """Why a request was refused: `detail` is a sentence for people, `code` a word for programs."""

    detail: str
    code: str


class CheckpointAddress(Body):
    """Where in a thread's history; without an id, the newest checkpoint of the namespace.

    The map of a subgraph's checkpoint says where the graphs around it were, by namespace, and it itself.
    """

    checkpoint_id: Name | None = None
    checkpoint_ns: Namespace = ""
    checkpoint_map: dict[Namespace, Name] | None = None
