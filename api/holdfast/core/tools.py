"""Assistants as tools for other agents: named, described by a schema, called with arguments."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from uuid_utils.compat import uuid7

from holdfast.core import approvals, assistants, chat, runs, threads
from holdfast.core.answers import Pending, pending
from holdfast.core.chat import Account
from holdfast.core.following import Followed
from holdfast.core.platform import Platform
from holdfast.core.runs import Created
from holdfast.core.schemas import input_schema
from holdfast.core.votes import check_claim, check_open, check_role
from holdfast.errors import Conflict, Forbidden, Invalid, NotFound, NothingPending
from holdfast.events import dump
from holdfast.redis.assistants import AssistantRecord
from holdfast.redis.records import Caller, ThreadRecord
from holdfast.redis.timers import server_time
from holdfast.wire.assistants import AssistantFilter
from holdfast.wire.common import canonical
from holdfast.wire.runs import CommandBody, RunCreate

Json = Any
Schema = dict[str, Any]

ANSWER = "answer"  # the one tool that is no assistant
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what the models of all providers take for a tool's name
THREAD: Schema = {
    "type": "string",
    "format": "uuid",
    "description": "A conversation to go on with, as an earlier result named it; without it a new one begins",
}
MOST_SAID = 500  # of what is wrong with arguments: the validator repeats them
# In place of LangChain's own schema of messages, which is 20 KB: each model would read it with each call.
MESSAGES: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {
            "role": {"type": "string", "description": "`user` for what a person says"},
            "content": {"type": ["string", "array"]},
        },
        "required": ["role", "content"],
    },
}
ANSWERS: Schema = {
    "type": "object",
    "properties": {
        "thread_id": {"type": "string", "format": "uuid"},
        "answers": {
            "type": "object",
            "description": 'By the id of what waits: {"type": "approve"}, {"type": "reject"}, or what else '
            "the question asks for. Leave it out to be told how the conversation stands.",
        },
    },
    "required": ["thread_id"],
    "additionalProperties": False,
}
NOT_WAITING = "Nothing of that name waits in this conversation."
ANSWERING = (
    "Answers a question on which a conversation waits, such as a request for approval, with what a person "
    "has decided. Never decide yourself: ask the person first."
)


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    title: str
    description: str
    input_schema: Schema


@dataclass(frozen=True, slots=True)
class Question:
    """What waits for an answer; `own` when the caller is among those who are asked."""

    pending: Pending
    own: bool

    @property
    def name(self) -> str:
        return chat.approval_id(self.pending)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a conversation stands after a call: what was said, or the values where there are no messages."""

    thread_id: str
    status: str
    reply: str = ""
    values: Json = None
    problem: str | None = None
    questions: tuple[Question, ...] = ()


@dataclass(slots=True)
class Tools:
    """The tools of a platform. What a graph takes does not change while a process runs."""

    platform: Platform
    _known: dict[str, "Arguments"] = field(default_factory=dict)

    # offered

    async def offered(self, caller: Caller) -> list[Tool]:
        """The assistants that the caller finds, and the tool that answers what waits."""
        found = [await self.describe(record) for record in await self._assistants(caller)]
        return [*found, Tool(ANSWER, "Answer what waits", ANSWERING, ANSWERS)]

    async def describe(self, record: AssistantRecord) -> Tool:
        content = record.content
        said = content.description or f"Runs the assistant {content.name!r}."
        arguments = await self._arguments(content.graph_id)
        return Tool(tool_name(record), content.name, said, arguments.schema)

    async def _assistants(self, caller: Caller) -> list[AssistantRecord]:
        found = await assistants.matching(self.platform, caller, AssistantFilter())
        return [one for one in found if one.content.graph_id in self.platform.project.graphs]

    async def _arguments(self, graph_id: str) -> "Arguments":
        if graph_id not in self._known:
            found = await input_schema(self.platform.project.graph(graph_id))
            self._known[graph_id] = Arguments.of(found or {})
        return self._known[graph_id]

    # called

    async def find(self, caller: Caller, name: str) -> AssistantRecord | None:
        found = await self._assistants(caller)
        return next((one for one in found if tool_name(one) == name), None)

    async def call(
        self, caller: Caller, record: AssistantRecord, given: Mapping[str, Json]
    ) -> tuple[Created, Followed]:
        """Puts a run in line and follows it. Raises `Invalid`, and what `runs.create` raises."""
        arguments = await self._arguments(record.content.graph_id)
        thread_id, value = arguments.read(given)
        run = RunCreate(
            assistant_id=record.assistant_id,
            input=value,
            stream_mode=chat.MODES,
            if_not_exists="create",
        )
        return await self._follow(caller, thread_id, run, record)

    async def answer(
        self, caller: Caller, thread_id: str, named: Mapping[str, Json]
    ) -> tuple[Created, Followed]:
        """Answers what waits on a thread, by the names of the questions.

        Raises `NotFound`, `NothingPending` for what does not wait, and what `runs.create` raises.
        """
        thread = await threads.find(self.platform, caller, thread_id)
        known = chat.known_names(thread)
        if named.keys() - known.keys():
            raise NothingPending(NOT_WAITING)
        resume = {known[name]: value for name, value in named.items()}
        run = RunCreate(
            assistant_id=thread.metadata.get("assistant_id") or self.platform.project.first_graph.graph_id,
            command=CommandBody(resume=resume),
            strict_resume=True,
            stream_mode=chat.MODES,
        )
        return await self._follow(caller, thread_id, run)

    async def _follow(
        self, caller: Caller, thread_id: str, run: RunCreate, record: AssistantRecord | None = None
    ) -> tuple[Created, Followed]:
        platform = self.platform
        return await runs.followed_from_start(
            platform, thread_id, lambda: runs.create(platform, caller, thread_id, run, assistant=record)
        )

    # told

    async def outcome(self, caller: Caller, thread_id: str, account: Account) -> Outcome:
        """What a run that has ended came to."""
        thread = await threads.find(self.platform, caller, thread_id)
        questions = await self.questions(caller, thread)
        values = orjson.loads(account.state.data)
        talks = isinstance(values, dict) and bool(values.get("messages"))
        return Outcome(
            thread_id,
            "error" if account.problem else "waiting" if questions else "done",
            account.reply if talks else "",
            None if talks else values,
            account.problem,
            questions,
        )

    async def standing(self, caller: Caller, thread_id: str) -> Outcome:
        """How a conversation stands, without a run: the last words of its assistant, and what waits."""
        platform = self.platform
        thread = await threads.find(platform, caller, thread_id)
        if thread.status == "busy":
            return Outcome(thread_id, "busy")
        failed = thread.status == "error"
        values = orjson.loads(platform.told(dump(await threads.values(platform, thread) or {})))
        questions = await self.questions(caller, thread)
        talks = isinstance(values, dict) and bool(values.get("messages"))
        said = [one for one in values["messages"] if one.get("type") == "ai"] if talks else ()
        return Outcome(
            thread_id,
            "error" if failed else "waiting" if questions else "done",
            chat.text_of(said[-1]) if said else "",
            None if talks else values,
            chat.FAILED if failed else None,
            questions,
        )

    async def questions(self, caller: Caller, thread: ThreadRecord) -> tuple[Question, ...]:
        waiting = [one for one in pending(thread) if chat.approval_id(one) not in thread.decisions]
        return tuple([Question(one, await self._is_asked(caller, thread, one)) for one in waiting])

    async def _is_asked(self, caller: Caller, thread: ThreadRecord, one: Pending) -> bool:
        """Whether the caller's answer would count; a plain interrupt takes anybody's."""
        if one.request_id is None:
            return True
        try:
            approval = await approvals.find(self.platform, caller, thread.thread_id, one.request_id)
            now = await server_time(self.platform.client)
            check_open(approval, now)
            check_role(approval, caller)
            check_claim(approval, caller, now)
        except (Conflict, Forbidden, NotFound, NothingPending):
            return False
        return all(vote["by"] != caller.subject for vote in approval.votes)


def tool_name(record: AssistantRecord) -> str:
    """A name that depends on nothing but the assistant: it means the same for ever, whatever else is made."""
    content = record.content
    if record.of_graph and NAME.fullmatch(content.graph_id) and content.graph_id != ANSWER:
        return content.graph_id
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", content.name).strip("_")[:51] or "assistant"
    return f"{readable}_{record.assistant_id[-12:]}"


# arguments


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a tool takes: the input of its graph, and the thread unless the graph has that name itself.

    `wrapped` is an input that is no object: it comes as the argument `input`.
    """

    schema: Schema
    threaded: bool
    wrapped: bool

    @classmethod
    def of(cls, schema: Schema) -> "Arguments":
        definitions = schema.get("$defs", {})
        wrapped = schema.get("type", "object") != "object"
        if wrapped:
            inner = {name: value for name, value in schema.items() if name != "$defs"}
            schema = {"properties": {"input": inner}, "required": ["input"]}
        own = {
            name: MESSAGES if holds_messages(one) else one
            for name, one in schema.get("properties", {}).items()
        }
        made = {
            "type": "object",
            "properties": {"thread_id": THREAD, **own},
            "required": list(schema.get("required", ())),
            "additionalProperties": schema.get("additionalProperties", not own),
        }
        defined = needed(definitions, made)
        whole = {**made, "$defs": defined} if defined else made
        return cls(whole, "thread_id" not in own, wrapped)

    def read(self, given: Mapping[str, Json]) -> tuple[str, Json]:
        """The thread, a new one where none is named, and the input. Raises `Invalid`."""
        check(self.schema, given)
        rest = dict(given)
        thread_id = read_id(rest.pop("thread_id")) if self.threaded and "thread_id" in rest else str(uuid7())
        return thread_id, rest["input"] if self.wrapped else rest


def holds_messages(schema: Schema) -> bool:
    return schema.get("type") == "array" and any(one.endswith("/HumanMessage") for one in references(schema))


def references(part: Json) -> Iterator[str]:
    """All that a part of a schema refers to."""
    inner: Iterable[Json] = (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    )
    if isinstance(part, dict) and isinstance(part.get("$ref"), str):
        yield part["$ref"]
    for one in inner:
        yield from references(one)


def needed(definitions: Mapping[str, Schema], part: Json) -> dict[str, Schema]:
    """The definitions that a part of a schema refers to, and those that they refer to."""
    found: dict[str, Schema] = {}
    left = [part]
    while left:
        for name in (one.rpartition("/")[2] for one in references(left.pop())):
            if name in definitions and name not in found:
                found[name] = definitions[name]
                left.append(definitions[name])
    return found


def check(schema: Schema, arguments: Mapping[str, Json]) -> None:
    """Raises `Invalid` with the first thing that is wrong."""
    for error in Draft202012Validator(schema).iter_errors(dict(arguments)):
        where = ".".join(map(str, error.absolute_path))
        message = error.message[:MOST_SAID]
        raise Invalid(f"{where}: {message}" if where else message)


def read_id(given: str) -> str:
    try:
        return canonical(given)
    except ValueError as error:
        raise Invalid(f"thread_id: {error}") from None
