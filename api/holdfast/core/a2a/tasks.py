"""Tasks: a message and all that comes of it, in however many runs.

A task is named `<thread>:<run>` after its first run. A run that goes on with it, because it brings a further
message or an answer to what was asked, names that run in its request: `task`. So any replica can say how it
stands.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson

from holdfast.core import answers, chat, pauses, threads
from holdfast.core.a2a.messages import Json, message, own_id, question, text_part
from holdfast.core.answers import Pending
from holdfast.core.platform import Platform
from holdfast.errors import NotFound, ThreadNotFound
from holdfast.events import dump
from holdfast.redis import approvals as stored
from holdfast.redis.approvals import Approval
from holdfast.redis.records import RUN_FIELDS, Caller, RunRecord, ThreadRecord, read_run, run_fields
from holdfast.wire.common import canonical

SUBMITTED, WORKING = "TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"
COMPLETED, FAILED, CANCELED = "TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED"
INPUT_REQUIRED = "TASK_STATE_INPUT_REQUIRED"
TERMINAL = frozenset({COMPLETED, FAILED, CANCELED})
SETTLED = TERMINAL | {INPUT_REQUIRED}  # nothing more comes of it by itself

TRIES = 5  # to see a thread and its runs at one moment


class TaskNotFound(NotFound):
    """There is no such task."""


class Question(NamedTuple):
    """What a task asks; `approval` is None for a plain interrupt."""

    pending: Pending
    approval: Approval | None


@dataclass(frozen=True, slots=True)
class Task:
    """The runs of a task, the oldest first, and what waits for an answer because one of them asked it."""

    thread: ThreadRecord
    runs: list[RunRecord]
    questions: list[Question]

    @property
    def first(self) -> str:
        return self.runs[0].run_id

    @property
    def thread_id(self) -> str:
        return self.thread.thread_id

    @property
    def context_id(self) -> str:
        """The context as the client has named it that began the task."""
        return str(self.runs[0].request.get("context") or self.thread_id)

    @property
    def task_id(self) -> str:
        return task_name(self.thread_id, self.first)

    @property
    def assistant_id(self) -> str:
        return str(self.runs[0].request["assistant_id"])

    @property
    def state(self) -> str:
        last = self.runs[-1]
        if last.active:
            return SUBMITTED if last.status == "pending" and len(self.runs) == 1 else WORKING
        if last.request.get("cancels"):
            return CANCELED
        if self.questions:
            return INPUT_REQUIRED
        return {"success": COMPLETED, "interrupted": CANCELED}.get(last.status, FAILED)

    def before_end(self, run_id: str) -> "Task":
        """The task as it was before one of its runs had ended."""
        at = [run.run_id for run in self.runs].index(run_id)
        run = replace(self.runs[at], status="running", updated_at=self.runs[at].created_at)
        return replace(self, runs=[*self.runs[:at], run], questions=[])

    def deleted(self) -> "Task":
        """The task of a thread that was deleted: what was still to come of it has failed."""
        runs = [replace(run, status="error") if run.active else run for run in self.runs]
        return replace(self, runs=runs, questions=[])


def task_name(thread_id: str, run_id: str) -> str:
    return f"{thread_id}:{run_id}"


def read_name(task_id: str) -> tuple[str, str]:
    """Thread and first run of a task. Raises `TaskNotFound` for what names none."""
    thread_id, _, run_id = task_id.partition(":")
    try:
        return canonical(thread_id), canonical(run_id)
    except ValueError:
        raise TaskNotFound from None


async def find(platform: Platform, caller: Caller, assistant_id: str, task_id: str) -> Task:
    """Raises `TaskNotFound`, also for somebody else's, and for one of another assistant."""
    thread_id, first = read_name(task_id)
    try:
        task = await read(platform, caller, thread_id, first)
    except ThreadNotFound:
        raise TaskNotFound from None
    if task.assistant_id != assistant_id:
        raise TaskNotFound
    return task


async def read(platform: Platform, caller: Caller, thread_id: str, first: str) -> Task:
    """As `find`, of whichever assistant. Raises `ThreadNotFound` and `TaskNotFound`."""
    thread = await threads.find(platform, caller, thread_id)
    return await look(platform, caller.on(thread), thread_id, first)


async def look(platform: Platform, caller: Caller, thread_id: str, first: str) -> Task:
    """The task as it is at one moment, for a caller who may read the thread."""
    thread = await threads.read_record(platform, caller, thread_id)
    for _ in range(TRIES):
        runs = await its_runs(platform, thread_id, first)
        before, thread = thread, await threads.read_record(platform, caller, thread_id)
        if before.updated_at == thread.updated_at:
            break
    if not runs:
        raise TaskNotFound
    return Task(thread, runs, await its_questions(platform, thread, runs))


async def its_runs(platform: Platform, thread_id: str, first: str) -> list[RunRecord]:
    """The run, and all later ones that go on with its task; none for a run that goes on with another."""
    client, keys = platform.client, platform.keys
    later = await client.call("ZRANGEBYLEX", keys.run_order(thread_id), f"[{first}", "+")
    ids = [one.decode() for one in later]
    if not ids or ids[0] != first:
        return []
    names = [name for run_id in ids for name in run_fields(run_id)]
    values = await client.call("HMGET", keys.runs(thread_id), *names)
    width = len(RUN_FIELDS)
    found = (read_run(thread_id, one, values[i * width : (i + 1) * width]) for i, one in enumerate(ids))
    return [run for run in found if run and pauses.first_of(run.run_id, run.request) == first]


async def its_questions(
    platform: Platform, thread: ThreadRecord, runs: Iterable[RunRecord]
) -> list[Question]:
    waiting = [one for one in answers.pending(thread) if one.request_id not in thread.decisions]
    if not waiting:
        return []
    ids = {run.run_id for run in runs}
    last = await pauses.last_begun(platform, thread.thread_id)
    client, keys = platform.client, platform.keys
    kept = await asyncio.gather(
        *(stored.read(client, keys, thread.thread_id, one.request_id or "") for one in waiting)
    )
    questions = [Question(one, approval) for one, approval in zip(waiting, kept, strict=True)]
    return [one for one in questions if (one.approval.card["run_id"] if one.approval else last) in ids]


# told


async def describe(
    platform: Platform, task: Task, *, history_length: int | None = None, artifacts: bool = True
) -> Json:
    """A task as clients see it."""
    ended = [run for run in task.runs if not run.active]
    accounts = [await chat.recall(platform, task.thread, run) for run in ended]
    told: Json = {"id": task.task_id, "contextId": task.context_id}
    told["status"] = status(platform, task, accounts[-1] if accounts else None)
    said = [artifact(run.run_id, one.reply) for run, one in zip(ended, accounts, strict=True) if one.reply]
    if artifacts and said:
        told["artifacts"] = said
    if history := shorten(history_of(task), history_length):
        told["history"] = history
    return told


def status(platform: Platform, task: Task, account: chat.Account | None = None) -> Json:
    """How a task stands. `account` is that of its last run, where that has ended."""
    state, last = task.state, task.runs[-1]
    told: Json = {"state": state, "timestamp": last.updated_at.isoformat()}
    parts: list[Json] = []
    if state == INPUT_REQUIRED:
        parts = told_question(platform, task)
    elif state in TERMINAL and account and account.problem:
        parts = [text_part(account.problem)]
    if parts:
        asked = sorted(one.pending.interrupt_id for one in task.questions)
        named = own_id(last.run_id, state, *asked)
        told["message"] = message(task.task_id, task.context_id, "AGENT", named, parts)
    return told


def told_question(platform: Platform, task: Task) -> list[Json]:
    asked = question(one.pending for one in task.questions)
    found: list[Json] = orjson.loads(platform.told(dump(asked)))
    return found


def artifact(run_id: str, text: str) -> Json:
    """What a run has said, under the run's id."""
    return {"artifactId": run_id, "name": "reply", "parts": [text_part(text)]}


def history_of(task: Task) -> list[Json]:
    """What was said to the task; its own words are its artifacts."""
    told = (history_line(task, run) for run in task.runs)
    return [one for one in told if one]


def history_line(task: Task, run: RunRecord) -> Json | None:
    said = run.request.get("said")
    if said is None:
        return None
    return message(task.task_id, task.context_id, "USER", said["message_id"], said["parts"])


def shorten(history: list[Any], length: int | None) -> list[Any]:
    """The last of it, as many as were asked for."""
    return history if length is None else history[len(history) - min(max(length, 0), len(history)) :]
