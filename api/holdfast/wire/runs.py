"""Runs: what a client sends."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from holdfast.wire.common import Body, CheckpointAddress, Few, JsonObject, Many, Metadata, Name, Uuid, Words

StreamMode = Literal[
    "values", "updates", "messages", "messages-tuple", "custom", "tasks", "checkpoints", "debug", "events"
]
RunStatus = Literal["pending", "running", "error", "success", "timeout", "interrupted"]
MultitaskStrategy = Literal["reject", "enqueue", "interrupt", "rollback"]
Durability = Literal["sync", "async", "exit"]
Nodes = Literal["*"] | Few[Name]
RunField = Literal[
    "run_id",
    "thread_id",
    "assistant_id",
    "created_at",
    "updated_at",
    "status",
    "metadata",
    "kwargs",
    "multitask_strategy",
    "cancel_reason",
]
CancelAction = Literal["interrupt", "rollback"]

YEAR_S = 365 * 86_400


# For the reference: one mode, several, or none for the default.
ONE_MODE: JsonObject = {"enum": list(get_args(StreamMode))}
MODES = WithJsonSchema({"anyOf": [ONE_MODE, {"type": "array", "items": ONE_MODE}, {"type": "null"}]})
# For the reference: what clients may send as they like.
IGNORED: JsonObject = {"description": "Ignored: a thread that was there before is never deleted by its run"}


def default_modes() -> list[StreamMode]:
    return ["values"]


class Goto(Body):
    node: Name
    input: Any = None


class Jump(Body):
    """What a node can say: an update, also in pairs of name and value, and where to go on."""

    update: JsonObject | list[Any] | None = None
    goto: Name | Goto | Many[Name | Goto] | None = None


class CommandBody(Jump):
    """LangGraph's Command. `resume` answers what waits; null is an answer too, so presence counts."""

    resume: Any = None

    @property
    def resumes(self) -> bool:
        return "resume" in self.model_fields_set


class RunConfig(Body):
    tags: Few[Name] | None = None
    recursion_limit: Annotated[int, Field(ge=1, le=10_000)] | None = None
    configurable: Words | None = None
    metadata: Metadata | None = None


class RunCreateStateless(Body):
    """A run on a thread of its own."""

    assistant_id: Name
    input: Any = None
    command: CommandBody | None = None
    metadata: Metadata | None = None
    config: RunConfig | None = None
    context: Words | None = None
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None
    stream_mode: Annotated[Few[StreamMode], MODES] = Field(default_factory=default_modes)
    stream_subgraphs: bool = False
    stream_resumable: bool = False
    on_disconnect: Literal["cancel", "continue"] = "continue"
    on_completion: Literal["delete", "keep"] = "delete"
    durability: Durability | None = None
    checkpoint_during: bool | None = None  # what clients sent before `durability`: false meant "exit"
    webhook: str | None = None
    feedback_keys: Few[Name] | None = None  # for LangSmith: of no effect here
    after_seconds: Annotated[float, Field(ge=0, le=YEAR_S)] | None = None

    @field_validator("stream_mode", mode="before")
    @classmethod
    def listed(cls, value: object) -> object:
        if value is None or value == []:
            return ["values"]
        return [value] if isinstance(value, str) else value

    @property
    def effective_durability(self) -> Durability:
        if self.durability:
            return self.durability
        return "exit" if self.checkpoint_during is False else "sync"


class RunCheckpoint(CheckpointAddress):
    checkpoint_id: Uuid | None = None


class RunCreate(RunCreateStateless):
    """A run on a thread."""

    checkpoint: RunCheckpoint | None = None
    checkpoint_id: Uuid | None = None
    multitask_strategy: MultitaskStrategy = "enqueue"
    if_not_exists: Literal["create", "reject"] = "reject"
    strict_resume: bool = False
    on_completion: Annotated[Literal["keep"], WithJsonSchema(IGNORED)] = "keep"

    @field_validator("on_completion", mode="before")
    @classmethod
    def keep(cls, _value: object) -> str:
        return "keep"


class RunsCancel(Body):
    """Which runs are to end: some of a thread, or all that the caller may use in a state."""

    thread_id: Uuid | None = None
    run_ids: Many[Uuid] | None = None
    status: Literal["pending", "running", "all"] | None = None

    @model_validator(mode="after")
    def one_way(self) -> Self:
        by_ids = [self.thread_id is not None, self.run_ids is not None]
        if any(by_ids) if self.status else not all(by_ids):
            raise ValueError("send either thread_id and run_ids, or status")
        return self
