"""What a test can make the demo model do instead of answering.

A script is given to `DemoModel`, posted as JSON to `/demo/script` of a running one, or written into a message
for requests that end in this very message: `[[{"steps": [{"kind": "status", "status": 429}]}]]`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Scripted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(Scripted):
    """One way to meet a request. `times` requests get it, then the next step has its turn; None: all do."""

    times: int | None = Field(default=1, ge=1)


class Status(Step):
    """An HTTP error: 429, 500 and their like."""

    kind: Literal["status"] = "status"
    status: int = Field(default=500, ge=400, le=599)
    retry_after_s: float | None = None


class Stall(Step):
    """Silence: no answer at all, or none after so many words."""

    kind: Literal["stall"] = "stall"
    after_words: int | None = None


class Reset(Step):
    """The connection is reset (RST, not a clean end) after so many words."""

    kind: Literal["reset"] = "reset"
    after_words: int = 3


class Raw(Step):
    """A line of the stream as it stands here, after so many words: what no server should send."""

    kind: Literal["raw"] = "raw"
    data: str
    after_words: int = 0


class ScriptedCall(Scripted):
    """A tool call; `args` as text goes out unread, broken or not."""

    name: str
    args: dict[str, Any] | str = Field(default_factory=dict)
    id: str | None = None


class Say(Step):
    """These words and calls; nothing at all is an empty reply."""

    kind: Literal["say"] = "say"
    text: str = ""
    refusal: str = ""
    calls: tuple[ScriptedCall, ...] = ()


class Long(Step):
    """A reply that goes on for so many words."""

    kind: Literal["long"] = "long"
    words: int = Field(default=5000, ge=1)


class Malformed(Step):
    """A tool call that cannot be carried out: broken JSON, no such tool, or values of wrong types."""

    kind: Literal["malformed"] = "malformed"
    what: Literal["json", "tool", "types"] = "json"


class Loop(Step):
    """The same look-up again and again, as long as the tool is offered."""

    kind: Literal["loop"] = "loop"
    times: int | None = Field(default=None, ge=1)
    call: ScriptedCall = ScriptedCall(name="query_order", args={"order_id": "12345"})


AnyStep = Annotated[
    Status | Stall | Reset | Raw | Say | Long | Malformed | Loop,
    Field(discriminator="kind"),
]


class Script(Scripted):
    """Steps are played one a request, in order; when they are used up the model understands again by itself.

    `delay_s` passes before every word. `hold_after` words into each stream the model waits to be released.
    `obey` makes it do whatever an order's note, a tracking text or the customer asks for.
    """

    steps: tuple[AnyStep, ...] = ()
    delay_s: float = Field(default=0.0, ge=0)
    hold_after: int | None = Field(default=None, ge=0)
    obey: bool = False
