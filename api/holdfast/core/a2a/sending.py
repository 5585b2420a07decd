"""Messages taken in: each begins a task, goes on with one, or answers what one asks. And tasks cancelled."""

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from langgraph.graph import END
from uuid_utils.compat import uuid7

from holdfast.core import assistants, pauses, runs, threads
from holdfast.core.a2a import tasks
from holdfast.core.a2a.answering import read_answer
from holdfast.core.a2a.contexts import Context, find_context
from holdfast.core.a2a.messages import Json, Said, data_part, read_message, text_part
from holdfast.core.a2a.tasks import INPUT_REQUIRED, TERMINAL, Question, Task
from holdfast.core.once import thread_for
from holdfast.core.platform import Platform
from holdfast.errors import Conflict, Forbidden, Invalid, NothingPending, RunNotFound
from holdfast.events import dump
from holdfast.redis.assistants import AssistantRecord
from holdfast.redis.lua import Place
from holdfast.redis.records import Caller
from holdfast.wire.runs import CommandBody, RunCreate, StreamMode
from holdfast.wire.threads import StateUpdate

MODES: list[StreamMode] = ["messages-tuple", "values"]
CANCELED_BY_CLIENT = "Canceled by the agent that asked for it."


class TaskEnded(Conflict):
    """The task has ended: send the message without its taskId to begin another one."""


class NotCancelable(Conflict):
    """The task has ended."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The task of a message, the run that the message became, and the place in the log before that run.

    `place` is None for a message that had been sent before.
    """

    thread_id: str
    first: str
    run_id: str
    place: Place | None


async def check_graph(platform: Platform, assistant: AssistantRecord) -> None:
    """Raises `Invalid` for a graph that cannot be talked to."""
    spec = assistants.spec_of(platform, assistant)
    async with spec.open(threads.address(str(uuid7()))) as graph:
        if "messages" not in graph.channels:
            raise Invalid(f"Graph {spec.graph_id!r} cannot be talked to: its state has no `messages`.")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a message, and in which context; `task` is the one that it goes on with."""

    context: Context
    said: Said
    task: Task | None

    @property
    def thread_id(self) -> str:
        return self.context.thread_id


async def plan(platform: Platform, caller: Caller, assistant: AssistantRecord, sent: Json) -> Plan:
    """Raises `TaskNotFound`, and `Invalid` for what is not well formed."""
    said = read_message(sent)
    named, task_id = sent.get("contextId"), sent.get("taskId")
    context = find_context(caller, named) if named else None
    if not task_id:
        return Plan(context or Context(thread_for(caller, key_of(said))), said, None)
    task = await tasks.find(platform, caller, assistant.assistant_id, task_id)
    if context and context.thread_id != task.thread_id:
        raise Invalid("This contextId is not that of the task.")
    return Plan(Context(task.thread_id), said, task)


def key_of(said: Said) -> str:
    """The same for a message that is sent again."""
    told = dump([said.message_id, said.text, said.data])
    return f"a2a-{sha256(told).hexdigest()}"


async def send(platform: Platform, caller: Caller, assistant: AssistantRecord, planned: Plan) -> Sent:
    """Puts a run in line for the message; once, however often it is sent.

    Raises `TaskEnded`, and what `runs.create` does.
    """
    task, said = planned.task, planned.said
    if task is None:
        return await begin(platform, caller, assistant, planned)
    if heard_before(task, said):
        return Sent(task.thread_id, task.first, task.runs[-1].run_id, None)
    if task.state in TERMINAL:
        raise TaskEnded
    stamp = {"task": task.first, "said": stamp_of(said), "hops": said.hops}
    answer = read_answer(task.questions, caller, said)
    if answer is None:
        created = await put_in_line(platform, caller, assistant, planned, stamp)
    else:
        created = await respond(platform, caller, task, answer, stamp)
    return Sent(task.thread_id, task.first, created.record.run_id, created.place)


def heard_before(task: Task, said: Said) -> bool:
    return any(run.request.get("said") == stamp_of(said) for run in task.runs)


def stamp_of(said: Said) -> Json:
    texts = [text_part(said.text)] if said.text else []
    return {"message_id": said.message_id, "parts": [*texts, *map(data_part, said.data)]}


async def begin(platform: Platform, caller: Caller, assistant: AssistantRecord, planned: Plan) -> Sent:
    await check_graph(platform, assistant)
    said = planned.said
    stamp = {"said": stamp_of(said), "context": planned.context.name, "hops": said.hops}
    created = await put_in_line(platform, caller, assistant, planned, stamp, key_of(said))
    run_id, place = created.record.run_id, created.place if created.record.active else None
    return Sent(planned.thread_id, run_id, run_id, place)


async def put_in_line(
    platform: Platform,
    caller: Caller,
    assistant: AssistantRecord,
    planned: Plan,
    stamp: Json,
    key: str | None = None,
) -> runs.Created:
    asked = RunCreate(
        assistant_id=assistant.assistant_id,
        input={"messages": [{"role": "user", "content": planned.said.content}]},
        stream_mode=MODES,
        if_not_exists="create",
    )
    return await runs.create(
        platform, caller, planned.thread_id, asked, key, assistant=assistant, stamp=stamp
    )


async def respond(
    platform: Platform, caller: Caller, task: Task, answer: dict[str, Any], stamp: Json
) -> runs.Created:
    """Answers what the task asks. Raises as `approvals.read_resume` does."""
    asked = RunCreate.model_validate(
        {
            "assistant_id": task.assistant_id,
            "command": {"resume": answer},
            "strict_resume": True,
            "stream_mode": MODES,
        }
    )
    by = [one for one in task.questions if one.pending.interrupt_id in answer]
    assistant = await asked_by(platform, task, by)
    created = await runs.create(platform, caller, task.thread_id, asked, assistant=assistant, stamp=stamp)
    await runs.on_disk(platform, created)
    return created


async def asked_by(platform: Platform, task: Task, questions: list[Question]) -> AssistantRecord:
    approval = next((one.approval for one in questions if one.approval), None)
    if approval:
        return await pauses.asked_by(platform, approval)
    return await pauses.paused_by(platform, task.thread)


# cancelled


async def cancel(platform: Platform, caller: Caller, task: Task) -> None:
    """Ends the runs of a task, and says no to what it asks. Raises `NotCancelable`, also where that no is not
    the caller's to say."""
    if task.state in TERMINAL:
        raise NotCancelable
    for run in reversed(task.runs):
        if run.active:
            with suppress(RunNotFound):  # it ended just now
                await runs.cancel(platform, caller, task.thread_id, run.run_id, action="interrupt", wait=True)
    again = await tasks.read(platform, caller, task.thread_id, task.first)
    if again.state == INPUT_REQUIRED:
        await refuse(platform, caller, again)


async def refuse(platform: Platform, caller: Caller, task: Task) -> None:
    if any(one.approval is None for one in task.questions):
        await abandon(platform, caller, task)
        return
    no = {"type": "reject", "message": CANCELED_BY_CLIENT}
    answer = {
        one.pending.interrupt_id: [no for _ in one.pending.value.get("action_requests") or ()]
        for one in task.questions
    }
    try:
        created = await respond(platform, caller, task, answer, {"task": task.first, "cancels": True})
    except (Forbidden, NothingPending) as error:
        raise NotCancelable(f"The task waits for somebody's decision: {error.detail}") from error
    await runs.join(platform, created.caller, task.thread_id, created.record.run_id)


async def abandon(platform: Platform, caller: Caller, task: Task) -> None:
    """Ends a task that waits at a plain interrupt, which nobody can say no to: the graph goes no further.

    The run that says so has nothing left to do.
    """
    assistant = await pauses.paused_by(platform, task.thread)
    await threads.update_state(platform, caller, task.thread_id, StateUpdate(as_node=END))
    asked = RunCreate(assistant_id=task.assistant_id, command=CommandBody(resume=None), stream_mode=MODES)
    stamp = {"task": task.first, "cancels": True}
    created = await runs.create(platform, caller, task.thread_id, asked, assistant=assistant, stamp=stamp)
    await runs.join(platform, created.caller, task.thread_id, created.record.run_id)
