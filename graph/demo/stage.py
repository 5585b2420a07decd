"""The scripted side of one server: the step a request gets, the gates its stream waits at, what was asked."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from graph.demo.conversation import Conversation, Message, RequestInvalid
from graph.demo.replies import Call, Reply
from graph.demo.script import Long, Loop, Malformed, Raw, Reset, Say, Script, ScriptedCall, Stall, Step
from graph.demo.understanding import answer
from graph.demo.wire import Frame

MAX_RECORDED = 10_000
_DIRECTIVE = re.compile(r"\[\[(\{.*\})\]\]", re.DOTALL)


class ConnectionCut(Exception):
    """The script wants the connection reset now."""


class Playback:
    """A script while it is being played."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.released = asyncio.Event()
        self.held = 0
        self._steps = deque((step, step.times) for step in script.steps)

    def next_step(self) -> Step | None:
        if not self._steps:
            return None
        step, left = self._steps[0]
        if left is not None:
            self._steps[0] = (step, left - 1)
            if left == 1:
                self._steps.popleft()
        return step


@dataclass(frozen=True, slots=True)
class Take:
    """What one request gets."""

    reply: Reply
    step: Step | None
    playback: Playback
    closing: asyncio.Event

    async def perform(self, frames: Iterable[Frame]) -> AsyncIterator[str]:
        """The frames at the script's pace; ends early on closing, raises ConnectionCut to break off."""
        spoken = 0
        for frame in frames:
            if frame.spoken:
                await self._pace(spoken)
                if self.closing.is_set():
                    return
                match self.step:
                    case Raw(data=data, after_words=limit) if spoken == limit:
                        yield f"data: {data}\n\n"
                spoken += 1
            yield frame.data

    async def _pace(self, spoken: int) -> None:
        if self.playback.script.delay_s:
            await asyncio.sleep(self.playback.script.delay_s)
        if spoken == self.playback.script.hold_after:
            await self._hold()
        match self.step:
            case Stall(after_words=limit) if spoken == limit:
                await self.closing.wait()
            case Reset(after_words=limit) if spoken == limit:
                raise ConnectionCut

    async def _hold(self) -> None:
        self.playback.held += 1
        try:
            await self.playback.released.wait()
        finally:
            self.playback.held -= 1


class Stage:
    """Not thread-safe: it lives on the loop of its server."""

    def __init__(self, script: Script | None = None) -> None:
        self.scripting = script is not None
        self.closing = asyncio.Event()
        self.requests: deque[dict[str, Any]] = deque(maxlen=MAX_RECORDED)
        self._main = Playback(script or Script())
        self._directives: dict[str, Playback] = {}

    def play(self, script: Script) -> None:
        """Start this script over and forget all others; streams they held go on."""
        self.release()
        self._main = Playback(script)
        self._directives.clear()

    def release(self) -> None:
        """Open the gates of all scripts played so far, for good: a later stream does not wait there again."""
        for playback in self._playbacks():
            playback.released.set()

    def close(self) -> None:
        self.closing.set()
        self.release()

    @property
    def held(self) -> int:
        """How many streams wait at a gate."""
        return sum(playback.held for playback in self._playbacks())

    def record(self, path: str, body: dict[str, Any]) -> None:
        if self.scripting:
            self.requests.append({"path": path, "body": body})

    def take(self, conversation: Conversation) -> Take:
        """Decide what this request gets; raises RequestInvalid for a directive that cannot be read."""
        playback = self._directed(conversation.last_user_text) or self._main
        if self.scripting:
            conversation = _without_directives(conversation)
        step = playback.next_step()
        reply = scripted_reply(step, conversation) or answer(conversation, obey=playback.script.obey)
        return Take(reply, step, playback, self.closing)

    def _playbacks(self) -> list[Playback]:
        return [self._main, *self._directives.values()]

    def _directed(self, text: str) -> Playback | None:
        """The script inside the customer's message; requests with the same message share one playback."""
        found = _DIRECTIVE.search(text) if self.scripting else None
        if found is None:
            return None
        if text not in self._directives:
            try:
                script = Script.model_validate_json(found[1])
            except ValidationError as error:
                raise RequestInvalid(f"directive: {error}") from error
            self._directives[text] = Playback(script)
        return self._directives[text]


def _without_directives(conversation: Conversation) -> Conversation:
    def strip(message: Message) -> Message:
        if message.role != "user":
            return message
        return replace(message, text=_DIRECTIVE.sub("", message.text).strip())

    return replace(conversation, messages=tuple(strip(message) for message in conversation.messages))


def scripted_reply(step: Step | None, conversation: Conversation) -> Reply | None:
    """The step's own words or calls; None when the rules are to answer."""
    match step:
        case Say(text=text, refusal=refusal, calls=calls):
            return Reply(text, tuple(_call(call) for call in calls), refusal)
        case Long(words=count):
            return Reply(" ".join(f"word{number}" for number in range(1, count + 1)))
        case Malformed(what=what):
            return Reply(calls=(_malformed(what, conversation.tools),))
        case Loop(call=call) if call.name in conversation.tools:
            return Reply(calls=(_call(call),))
        case _:
            return None


def _call(scripted: ScriptedCall) -> Call:
    if isinstance(scripted.args, str):
        call = Call(scripted.name, scripted.args)
    else:
        call = Call.of(scripted.name, **scripted.args)
    return replace(call, id=scripted.id) if scripted.id else call


def _malformed(what: str, tools: frozenset[str]) -> Call:
    tool = "query_order" if "query_order" in tools else min(tools, default="query_order")
    broken = {
        "json": Call(tool, '{"order_id": "123'),
        "tool": Call.of("open_the_safe", order_id="12345"),
        "types": Call.of(tool, order_id={"number": [12345]}),
    }
    return broken[what]
