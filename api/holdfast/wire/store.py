"""The store: what a client sends."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.functional_validators import AfterValidator

from holdfast.wire.common import Body, JsonObject, Offset
from holdfast.wire.threads import MAX_TTL_MINUTES

MOST = 10_000


def check_label(label: str) -> str:
    if not label or "." in label or "\0" in label:
        raise ValueError(f"Namespace label {label!r} must be a non-empty text without periods and NUL")
    return label


Label = Annotated[str, AfterValidator(check_label), Field(json_schema_extra={"pattern": "^[^.\\u0000]+$"})]
Minutes = Annotated[float, Field(gt=0, le=MAX_TTL_MINUTES)]
Page = Annotated[int, Field(ge=1, le=MOST)]


class ItemPut(Body):
    """An item. `index` names the paths that are searched by meaning, instead of the store's own; or false."""

    namespace: list[Label]
    key: str
    value: JsonObject
    index: Literal[False] | list[str] | None = None
    ttl: Minutes | None = None


class ItemDelete(Body):
    namespace: list[Label] = Field(default_factory=list)
    key: str


class ItemSearch(Body):
    """`query` searches by meaning where langgraph.json says how (`store.index`)."""

    namespace_prefix: list[Label] | None = None
    filter: JsonObject | None = None
    limit: Page = 10
    offset: Offset = 0
    query: str | None = None
    refresh_ttl: bool | None = None


class NamespaceList(Body):
    """`*` stands for any label in `prefix` and `suffix`."""

    prefix: list[Label] | None = None
    suffix: list[Label] | None = None
    max_depth: Annotated[int, Field(ge=1)] | None = None
    limit: Page = 100
    offset: Offset = 0
