"""`http` of langgraph.json, the official key: the project's own routes, CORS, what is not served."""

import re
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.functional_validators import AfterValidator

Header = Annotated[str, Field(min_length=1)]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]

ANY = "*"


def check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from None
    return pattern


class Part(BaseModel):
    """An object of langgraph.json; `shape` names the keys of one that nothing is done about."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    WITHOUT_EFFECT: ClassVar[tuple[str, ...]] = ()  # official keys that somebody may count on
    NEEDLESS: ClassVar[tuple[str, ...]] = ()  # official keys that nothing here depends on


class Cors(Part):
    """Which pages of other origins may call from a browser; None is what holds without it."""

    allow_origins: list[Origin] | None = None
    allow_origin_regex: Annotated[str, AfterValidator(check_pattern)] | None = None
    allow_methods: list[Header] | None = None
    allow_headers: list[Header] | None = None
    allow_credentials: bool = False
    expose_headers: list[Header] = []
    max_age: Annotated[int, Field(ge=0)] = 600

    @model_validator(mode="after")
    def names_who_is_trusted(self) -> "Cors":
        if self.allow_credentials and ANY in (self.allow_origins or ()):
            raise ValueError("allow_credentials would let any page call as its visitor: name the origins")
        return self

    @property
    def names_origins(self) -> bool:
        return self.allow_origins is not None or self.allow_origin_regex is not None


class Http(Part):
    # Official keys that mean nothing here; the project's own routes always ask for a sign-in.
    WITHOUT_EFFECT: ClassVar = (
        "configurable_headers",
        "logging_headers",
        "middleware_order",
        "enable_custom_route_auth",
        "mount_prefix",
    )

    app: str | None = None
    cors: Cors | None = None
    disable_assistants: bool = False
    disable_threads: bool = False
    disable_runs: bool = False
    disable_store: bool = False
    disable_mcp: bool = False
    disable_a2a: bool = False
    disable_meta: bool = False
    disable_ui: bool = False
    disable_webhooks: bool = False


NO_HTTP = Http()
