"""Protocol v3: what a client sends, and which frames it asked for."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from holdfast.wire.common import Body, Few, JsonObject, Limit, Many, Metadata, Name, Uuid
from holdfast.wire.runs import Goto, RunConfig

CHANNELS = frozenset(
    {
        "values",
        "updates",
        "messages",
        "tools",
        "lifecycle",
        "input",
        "custom",
        "tasks",
        "checkpoints",
    }
)
CUSTOM = "custom:"

# For the reference: what a channel may be.
CHANNEL: JsonObject = {"anyOf": [{"enum": sorted(CHANNELS)}, {"type": "string", "pattern": f"^{CUSTOM}.+$"}]}

Namespace = Few[Name]
Cursor = Annotated[int, Field(ge=0, lt=2**53)]


class Command(Body):
    """`{id, method, params}`: what is wrong with `params` is for the method to say."""

    id: Annotated[int, Field(ge=0)]
    method: Name
    params: Any = None


class Response(Body):
    interrupt_id: Name
    namespace: Namespace = Field(default_factory=list)
    response: Any


def one_each(responses: list[Response]) -> list[Response]:
    if len({one.interrupt_id for one in responses}) < len(responses):
        raise ValueError("must answer each interrupt once")
    return responses


class InputRespond(Body):
    """One answer, or several in `responses`."""

    responses: Annotated[Many[Response], Field(min_length=1), AfterValidator(one_each)]
    update: JsonObject | None = None
    goto: Name | Goto | Many[Name | Goto] | None = None
    config: RunConfig | None = None
    metadata: Metadata | None = None

    @model_validator(mode="before")
    @classmethod
    def listed(cls, data: Any) -> Any:
        if isinstance(data, dict) and "responses" not in data:
            one = {key: data[key] for key in ("interrupt_id", "namespace", "response") if key in data}
            return {**data, "responses": [one]}
        return data

    def given(self, *fields: str) -> JsonObject:
        return self.model_dump(include=set(fields), exclude_none=True)


class TreeGet(Body):
    run_id: Uuid | None = None


class StateGet(Body):
    """A state of a graph: all of it, or some of its keys."""

    namespace: Namespace = Field(default_factory=list)
    keys: Many[Name] | None = None


class StateList(Body):
    namespace: Namespace = Field(default_factory=list)
    limit: Limit = 10
    before: Name | None = None


class StateFork(Body):
    """A run that goes on from a checkpoint."""

    checkpoint_id: Uuid
    input: Any = None
    config: JsonObject | None = None


class Unsubscribe(Body):
    subscription_id: Name


class Reconnect(Body):
    """Which subscriptions of an earlier connection a client would have back."""

    subscriptions: Few[Name] = Field(default_factory=list)


class EventsRequest(Body):
    """Which frames to send, and from where on: `since` is the `seq` of the last one that was seen."""

    channels: Annotated[Few[Name], Field(json_schema_extra={"minItems": 1, "items": CHANNEL})]
    namespaces: Few[Namespace] | None = None
    depth: Annotated[int, Field(ge=0)] | None = None
    since: Cursor | None = None
    since_event_id: Name | None = None

    @field_validator("channels")
    @classmethod
    def known(cls, channels: list[str]) -> list[str]:
        odd = [one for one in channels if one not in CHANNELS and not is_custom(one)]
        if odd:
            allowed = ", ".join(sorted(CHANNELS))
            raise ValueError(f"unsupported: {', '.join(odd)}. Allowed: {allowed}, or {CUSTOM}<name>")
        if not channels:
            raise ValueError("must name at least one channel")
        return channels

    def covers(self, method: str, namespace: Sequence[str], data: Any = None) -> bool:
        if method == "gap":
            return True
        asked = "input" if method == "input.requested" else method
        named = method == "custom" and f"{CUSTOM}{data.get('name')}" in self.channels
        return (named or asked in self.channels) and self._reaches(namespace)

    def _reaches(self, namespace: Sequence[str]) -> bool:
        if not self.namespaces:
            return self.depth is None or len(namespace) <= self.depth
        return any(
            is_below(namespace, prefix) and (self.depth is None or len(namespace) - len(prefix) <= self.depth)
            for prefix in self.namespaces
        )


def is_custom(channel: str) -> bool:
    return channel.startswith(CUSTOM) and channel != CUSTOM


def is_below(namespace: Sequence[str], prefix: Sequence[str]) -> bool:
    """A prefix's part without `:` matches whatever task runs under that name."""
    return len(prefix) <= len(namespace) and all(
        part in (one, one.partition(":")[0]) for one, part in zip(namespace, prefix, strict=False)
    )
