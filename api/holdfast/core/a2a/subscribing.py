"""A task as it is followed: from the log of its thread, on whichever replica, whichever worker runs it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import takewhile

import orjson

from holdfast.core import pauses
from holdfast.core.a2a import tasks
from holdfast.core.a2a.messages import Json
from holdfast.core.a2a.sending import Sent
from holdfast.core.a2a.tasks import SETTLED, Task, TaskNotFound
from holdfast.core.chat import Account
from holdfast.core.platform import Platform
from holdfast.core.replay import whole
from holdfast.errors import ThreadNotFound
from holdfast.events import Event
from holdfast.redis.client import insist
from holdfast.redis.lua import Place
from holdfast.redis.records import Caller
from holdfast.redis.stream import START, Reader


@dataclass(slots=True)
class Speech:
    """What a run says, as it is told: piece by piece, and whole at its end."""

    account: Account = field(default_factory=Account)
    text: str = ""

    def take(self, event: Event) -> str:
        """Notes an event; returns what is to be added to the text that was told."""
        if event.mode == "metadata" and not event.begins:
            self.text = ""  # another worker begins the step anew
        words = self.account.take(event)
        added = words if self.text else words.lstrip("\n")
        self.text += added
        return added


@dataclass(slots=True)
class Follower:
    """One reader of a task; owns the subscription until `close`.

    The log is read up to `after`; `over` are the runs of which nothing is to come after that.
    """

    platform: Platform
    caller: Caller
    reader: Reader
    task: Task
    after: Place
    over: set[str] = field(default_factory=set)
    _speeches: dict[str, Speech] = field(default_factory=dict)
    _others: set[str] = field(default_factory=set)

    async def close(self) -> None:
        await self.platform.hub.leave(self.task.thread_id, self.reader)

    async def catch_up(self) -> None:
        """Reads what the run under way has said so far, and then how the task stands."""
        active = self._active
        async for page in self.platform.hub.pages(self.task.thread_id, START):
            for stored in page:
                if stored.event.run_id in active:
                    self._speech(stored.event.run_id).take(stored.event)
                self.after = stored.place
        await self._look()
        self.over = {run.run_id for run in self.task.runs if not run.active}

    @property
    def standing(self) -> Task:
        """The task as it stands where the log is read to: it may have come further."""
        ended = [run.run_id for run in self.task.runs if not run.active and run.run_id not in self.over]
        return self.task.before_end(ended[0]) if ended else self.task

    @property
    def _active(self) -> set[str]:
        return {run.run_id for run in self.task.runs if run.active}

    async def snapshot(self) -> Json:
        """The task as it was when the reader came, with what was said of what is still being said."""
        told = await tasks.describe(self.platform, self.standing)
        speeches = [(run_id, self._speeches[run_id]) for run_id in self._speeches if run_id in self._active]
        said = [tasks.artifact(run_id, one.text) for run_id, one in speeches if one.text]
        if said:
            told["artifacts"] = [*told.get("artifacts", []), *said]
        return told

    async def updates(self) -> AsyncIterator[Json]:
        """What changes, until the task has ended or asks something; each as a stream response."""
        async for batch in self.platform.hub.events(self.task.thread_id, self.reader, self.after):
            for stored in batch:
                event = stored.event
                if event.run_id in self.over or not await self._is_its(event.run_id):
                    continue
                async for update in self._tell(event):
                    yield update
                if event.mode == "end" and self.standing.state in SETTLED:
                    return

    async def _is_its(self, run_id: str) -> bool:
        """Whether a run is part of the task."""
        if not run_id or run_id in self._others:
            return False
        if run_id in self._speeches or any(run.run_id == run_id for run in self.task.runs):
            return True
        stored = await insist(lambda: self._request(run_id))
        if stored and pauses.first_of(run_id, orjson.loads(stored)) == self.task.first:
            return True
        self._others.add(run_id)
        return False

    async def _request(self, run_id: str) -> bytes | None:
        found: bytes | None = await self.platform.client.call(
            "HGET", self.platform.keys.runs(self.task.thread_id), run_id
        )
        return found

    def _speech(self, run_id: str) -> Speech:
        return self._speeches.setdefault(run_id, Speech())

    async def _tell(self, event: Event) -> AsyncIterator[Json]:
        speech = self._speech(event.run_id)
        fresh = not speech.text
        added = speech.take(event)
        if event.begins:
            await self._look()
            yield self.status()
        if added:
            yield self._artifact(event.run_id, added, append=not fresh)
        if event.mode == "end":
            account = speech.account
            account.state = await whole(self.platform, self.task.thread_id, account.state)
            if reply := account.reply:
                yield self._artifact(event.run_id, reply, append=False, last=True)
            self.over.add(event.run_id)
            await self._look()
            yield self.status(account)

    async def _look(self) -> None:
        thread_id, first = self.task.thread_id, self.task.first
        try:
            self.task = await insist(lambda: tasks.look(self.platform, self.caller, thread_id, first))
        except (ThreadNotFound, TaskNotFound):
            self.task = self.task.deleted()

    def status(self, account: Account | None = None) -> Json:
        told = {"taskId": self.task.task_id, "contextId": self.task.context_id}
        return {"statusUpdate": {**told, "status": tasks.status(self.platform, self.standing, account)}}

    def _artifact(self, run_id: str, text: str, *, append: bool, last: bool = False) -> Json:
        told = {"taskId": self.task.task_id, "contextId": self.task.context_id}
        update = {**told, "artifact": tasks.artifact(run_id, text), "append": append, "lastChunk": last}
        return {"artifactUpdate": update}


async def follow(
    platform: Platform, caller: Caller, thread_id: str, send: Callable[[], Awaitable[Sent]]
) -> Follower:
    """Follows the task of a message from before its run, which may be over by the time that it is read.

    Subscribes before the message is sent, so that nothing is missed. Raises what `send` does,
    `ThreadNotFound` and `TaskNotFound`.
    """
    reader = await platform.hub.join(thread_id)
    try:
        sent = await send()
        task = await tasks.read(platform, caller, thread_id, sent.first)
        now = Place(task.thread.epoch, task.thread.seq)
        follower = Follower(platform, caller.on(task.thread), reader, task, sent.place or now)
        if sent.place is None:
            await follower.catch_up()
        else:
            earlier = takewhile(lambda run: run.run_id != sent.run_id, task.runs)
            follower.over = {run.run_id for run in earlier if not run.active}
    except BaseException:
        await platform.hub.leave(thread_id, reader)
        raise
    return follower


async def subscribe(platform: Platform, caller: Caller, thread_id: str, first: str) -> Follower:
    """Follows a task that exists, from now on. Raises `ThreadNotFound` and `TaskNotFound`."""

    async def sent_before() -> Sent:
        return Sent(thread_id, first, first, None)

    return await follow(platform, caller, thread_id, sent_before)
