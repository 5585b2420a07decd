"""Chat: messages and answers by session, a thin door on the runs of the first graph of langgraph.json."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import UUID, uuid4, uuid5

import orjson

from holdfast.core import answers, runs, threads
from holdfast.core.answers import Pending
from holdfast.core.following import NO_VALUES, START, Followed, Result
from holdfast.core.platform import Platform
from holdfast.core.replay import whole
from holdfast.errors import Conflict, Invalid, NotFound, NothingPending, ThreadExists, ThreadNotFound
from holdfast.events import Event, dump
from holdfast.redis.records import Caller, RunRecord, ThreadRecord, run_metadata
from holdfast.wire.chat import ChatRequest
from holdfast.wire.runs import CommandBody, RunCreate, StreamMode
from holdfast.wire.threads import ThreadCreate, ThreadTTL

SESSIONS = UUID("5b0a9a7e-3f43-5c0e-9d53-6b6f1f0c8a11")
TTL_MINUTES = 1440  # unless langgraph.json says otherwise
MODES: list[StreamMode] = ["messages-tuple", "values"]
BETWEEN = "\n\n"  # messages of one reply

NO_TASK = {"status": "not_found"}
TAKEN = "This session_id cannot be used: choose another one."
NOTHING_WAITS = "Nothing waits for an answer in this session."
FAILED = "Something went wrong while answering. Please try again."
FAILURES = {
    "GraphRecursionError": "This took more steps than one message may take, so it was stopped. "
    "Please ask again in smaller steps.",
    "TimeoutError": "This took too long, so it was stopped. Please try again.",
}
STOPPED = "The answer was stopped before it was complete."


class Session(NamedTuple):
    """A caller's conversation. `thread_id` follows from who calls, so that callers never share one."""

    session_id: str
    thread_id: str


def find_session(platform: Platform, caller: Caller, session_id: str | None) -> Session:
    """The session of that name, one of the caller's own; a new one without a name."""
    name = session_id or str(uuid4())
    parts = (platform.project.first_graph.graph_id, caller.tenant, caller.subject, name)
    # Each part after its length: no two lists of parts read the same.
    return Session(name, str(uuid5(SESSIONS, "".join(f"{len(part)}:{part}" for part in parts))))


# tasks: a run, under one opaque name that any replica can read


def task_name(thread_id: str, run_id: str) -> str:
    return urlsafe_b64encode(UUID(thread_id).bytes + UUID(run_id).bytes).rstrip(b"=").decode()


def read_task(task_id: str) -> tuple[str, str]:
    """Thread and run of a task. Raises `NotFound` for what is not a task's name."""
    try:
        packed = urlsafe_b64decode(task_id + "=")
    except (ValueError, binascii.Error):
        raise NotFound from None
    if len(packed) != 32:
        raise NotFound
    thread_id, run_id = str(UUID(bytes=packed[:16])), str(UUID(bytes=packed[16:]))
    if task_name(thread_id, run_id) != task_id:
        raise NotFound
    return thread_id, run_id


# what a run said


@dataclass(slots=True)
class Account:
    """What a run said, asked and came to, gathered from its events or from its checkpoints.

    `heard` are the ids of the messages that this run announced, `state` is the last event with its values:
    what is in both is the reply, in its final form. So what a failed try had said is not in it. `asked` are
    the ids of the approvals that the run left waiting.
    """

    heard: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    state: Event = NO_VALUES
    status: str = ""
    error: str = ""
    _last: str = ""

    def take(self, event: Event) -> str:
        """Notes an event; returns the text of the model, or of the graph, that came with it."""
        match event.mode:
            case "messages":
                return self._hear(orjson.loads(event.data)[0])
            case "values":
                self.state = event
            case "error":
                self.error = orjson.loads(event.data)["error"]
            case "end":
                end = orjson.loads(event.data)
                self.status = end["status"]
                self.asked = {approval_id(read_pending(one)) for one in end.get("interrupts") or ()}
        return ""

    def _hear(self, message: Mapping[str, Any]) -> str:
        if message["type"] not in ("ai", "AIMessageChunk"):
            return ""
        known = message["id"] in self.heard
        self.heard.add(message["id"])
        text = text_of(message)
        if not text or (known and message["type"] == "ai"):
            return ""
        parted = self._last not in ("", message["id"])
        self._last = message["id"]
        return BETWEEN + text if parted else text

    @property
    def problem(self) -> str | None:
        """Why there is no reply, in a sentence for the caller: never the words of an exception."""
        if self.error or self.status in ("error", "timeout"):
            return FAILURES.get(self.error, FAILED)
        return STOPPED if self.status == "interrupted" else None

    @property
    def reply(self) -> str:
        """What was said, without the remarks beside tool calls; those only where nothing else was said."""
        messages = orjson.loads(self.state.data).get("messages") or ()
        said = [one for one in messages if one.get("type") == "ai" and one.get("id") in self.heard]
        final = [one for one in said if not one.get("tool_calls")]
        return BETWEEN.join(filter(None, map(text_of, final or said)))


def text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = (block for block in content or () if isinstance(block, str) or block.get("type") == "text")
    return "".join(block if isinstance(block, str) else block.get("text") or "" for block in blocks)


async def listen(followed: Followed, account: Account) -> AsyncIterator[str]:
    """The run's words as they come; `account` is complete afterwards."""
    async for stored in followed.events():
        if delta := account.take(stored.event):
            yield delta
    account.state = await whole(followed.platform, followed.thread_id, account.state)


# asking


async def ask(platform: Platform, caller: Caller, session: Session, asked: ChatRequest) -> Followed:
    """Puts a run in line and follows it.

    Raises `Invalid` when the graph keeps no messages or does not take the answer, `NothingPending` when
    nothing waits for it.
    """
    run = await prepare(platform, caller, session, asked)
    _, followed = await runs.follow_new(platform, caller, session.thread_id, run)
    return followed


async def submit(platform: Platform, caller: Caller, session: Session, asked: ChatRequest) -> str:
    """As `ask`, without following: returns the task's name."""
    run = await prepare(platform, caller, session, asked)
    created = await runs.create(platform, caller, session.thread_id, run)
    return task_name(session.thread_id, created.record.run_id)


async def prepare(platform: Platform, caller: Caller, session: Session, asked: ChatRequest) -> RunCreate:
    await check_graph(platform, session.thread_id)
    if asked.message is None:
        resume = await read_answer(platform, caller, session, asked.resume)
        given: dict[str, Any] = {"command": CommandBody(resume=resume), "strict_resume": True}
    else:
        await open_thread(platform, caller, session)
        given = {"input": {"messages": [{"role": "user", "content": asked.message}]}}
    return RunCreate(
        assistant_id=platform.project.first_graph.graph_id,
        metadata={"session_id": session.session_id},
        stream_mode=MODES,
        if_not_exists="create",  # it may have expired since it was opened
        **given,
    )


async def check_graph(platform: Platform, thread_id: str) -> None:
    spec = platform.project.first_graph
    async with spec.open(threads.address(thread_id)) as graph:
        if "messages" not in graph.channels:
            raise Invalid(f"Graph {spec.graph_id!r} cannot chat: its state has no `messages`.")


async def find_thread(platform: Platform, caller: Caller, session: Session) -> ThreadRecord | None:
    """The session's thread; None before its first message.

    Raises `Conflict` when somebody else has made a thread under this id, on which a caller who may use every
    thread would otherwise talk.
    """
    try:
        thread = await threads.find(platform, caller, session.thread_id)
    except ThreadNotFound:
        return None
    if thread.owner != caller.subject:
        raise Conflict(TAKEN)
    return thread


async def open_thread(platform: Platform, caller: Caller, session: Session) -> None:
    if await find_thread(platform, caller, session):
        return
    ttl = None if platform.project.ttl_minutes else ThreadTTL(ttl=TTL_MINUTES)
    new = ThreadCreate(thread_id=session.thread_id, metadata={"session_id": session.session_id}, ttl=ttl)
    try:
        await threads.create(platform, caller, new)
    except ThreadExists:
        if not await find_thread(platform, caller, session):
            raise Conflict(TAKEN) from None


async def read_answer(platform: Platform, caller: Caller, session: Session, resume: Any) -> Any:
    """The answer as runs take it: by interrupt id where it names approvals. Raises `NothingPending`."""
    thread = await find_thread(platform, caller, session)
    if thread is None:
        raise NothingPending(NOTHING_WAITS)
    waiting, known = names_waiting(thread), known_names(thread)
    if isinstance(resume, dict) and resume.keys() & known.keys():
        if unknown := sorted(resume.keys() - known.keys()):
            raise NothingPending(f"No request {', '.join(unknown)} waits in this session.")
        return {known[name]: value for name, value in resume.items()}
    if not waiting:
        raise NothingPending(NOTHING_WAITS)
    if len(waiting) > 1 and not answers.is_map(resume):
        raise NothingPending(f"Say which request this answers, as {{id: answer}}: {', '.join(waiting)}.")
    return resume


def names_waiting(thread: ThreadRecord) -> dict[str, str]:
    """The interrupt ids of what waits, by the names that clients use."""
    return {approval_id(one): one.interrupt_id for one in answers.pending(thread)}


def known_names(thread: ThreadRecord) -> dict[str, str]:
    """The same, and of what was decided: it keeps its name, so that a late answer is told who decided."""
    waiting = names_waiting(thread)
    decided = {name: decision["interrupt_id"] for name, decision in thread.decisions.items()}
    return {**{interrupt: interrupt for interrupt in waiting.values()}, **decided, **waiting}


# answering


def read_pending(interrupt: Mapping[str, Any]) -> Pending:
    return Pending(interrupt["id"], interrupt.get("value"))


def approval_id(one: Pending) -> str:
    """The name that an approval keeps however often it is asked again; a plain interrupt has only its own."""
    return str(one.policy["request_id"]) if one.policy else one.interrupt_id


def display(one: Pending) -> Any:
    """What a person is to be shown: `display` where the payload has one, else the payload."""
    return one.value["display"] if isinstance(one.value, dict) and "display" in one.value else one.value


def waiting_on(thread: ThreadRecord) -> list[dict[str, Any]]:
    found = [{"id": approval_id(one), "display": display(one)} for one in answers.pending(thread)]
    return [one for one in found if one["id"] not in thread.decisions]


def show_waiting(thread_id: str, waiting: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    listed = list(waiting)
    return {"thread_id": thread_id, "approval": listed[0], "approvals": listed} if listed else {}


async def close(
    platform: Platform, caller: Caller, session: Session, account: Account
) -> tuple[str, dict[str, Any]]:
    """The reply of a run that has ended, and what goes with it: the error, or what waits now."""
    thread = await threads.find(platform, caller, session.thread_id)
    problem = {"error": account.problem} if account.problem else {}
    waiting = show_waiting(thread.thread_id, waiting_on(thread))
    return account.reply, {**problem, "session_id": session.session_id, **waiting}


async def result(platform: Platform, caller: Caller, session: Session, followed: Followed) -> Result:
    """Waits for the run's end: `{reply, session_id}` with what waits, or `{error, session_id}`."""
    account = Account()
    try:
        async for _ in listen(followed, account):
            pass
    finally:
        await followed.close()
    reply, rest = await close(platform, caller, session, account)
    return Result(dump(rest if "error" in rest else {"reply": reply, **rest}), account.status)


async def task(platform: Platform, caller: Caller, task_id: str) -> dict[str, Any]:
    """How a task stands. One of somebody else reads exactly like one that never was."""
    try:
        thread_id, run_id = read_task(task_id)
        record = await runs.get(platform, caller, thread_id, run_id)
        thread = await threads.find(platform, caller, thread_id)
    except NotFound:
        return NO_TASK
    if thread.owner != caller.subject:
        return NO_TASK
    session = {"session_id": run_metadata(record.request).get("session_id")}
    if record.active:
        return {"status": "running", **session}
    account = await recall(platform, thread, record)
    waiting = [one for one in waiting_on(thread) if one["id"] in account.asked]
    shown = {**session, **show_waiting(thread_id, waiting)}
    if account.problem:
        return {"status": "error", "error": account.problem, **shown}
    return {"status": "waiting_for_approval" if waiting else "done", "reply": account.reply, **shown}


async def recall(platform: Platform, thread: ThreadRecord, record: RunRecord) -> Account:
    """The account of a run that ended: from the log while it is kept, later from the checkpoints."""
    account = Account()
    async for page in platform.hub.pages(thread.thread_id, START):
        for stored in page:
            if stored.event.run_id == record.run_id:
                account.take(stored.event)
    if account.status:
        account.state = await whole(platform, thread.thread_id, account.state)
        return account
    if record.error:
        account.error = orjson.loads(record.error)["error"]
    account.status = record.status
    await read_checkpoints(platform, thread, record.run_id, account)
    return account


async def read_checkpoints(platform: Platform, thread: ThreadRecord, run_id: str, account: Account) -> None:
    """The values a run ended with, the messages that were not there before it, and what it left waiting."""
    address = threads.address(thread.thread_id)
    async with threads.opened(platform, thread) as graph:
        own = [one async for one in graph.aget_state_history(address, filter={"run_id": run_id})]
        # A run that answered one of several requests made no checkpoint: its words wait beside the last one.
        last = own[0] if own else await graph.aget_state(address)
        start = own[-1].parent_config if own else last.config
        before = (await graph.aget_state(start)).values if start else {}
    account.state = replace(NO_VALUES, data=platform.told(dump(last.values)))
    account.heard = message_ids(last.values) - message_ids(before)
    account.asked = {approval_id(Pending(one.id, one.value)) for one in last.interrupts}


def message_ids(values: Mapping[str, Any]) -> set[str]:
    return {one.get("id") for one in orjson.loads(dump(values.get("messages") or ()))}
