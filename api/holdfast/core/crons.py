"""Crons: made, read, changed, searched and deleted. What they start is in `ticks`."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from holdfast.auth.rules import Action
from holdfast.core import assistants, inspection, requests, threads
from holdfast.core.platform import Platform
from holdfast.core.racing import again
from holdfast.errors import AssistantNotFound, BadRequest, Conflict, CronNotFound, Invalid
from holdfast.limits import check_messages
from holdfast.redis import crons
from holdfast.redis.assistants import NO_CONTENT, AssistantRecord
from holdfast.redis.crons import CronRecord
from holdfast.redis.keys import Keys
from holdfast.redis.lua import Raced
from holdfast.redis.records import Caller, contains
from holdfast.redis.timers import clock_ms
from holdfast.schedules import Schedule, read_schedule
from holdfast.wire.common import sentence
from holdfast.wire.crons import OF_RUNS, CronCreate, CronFilter, CronPatch, CronSearch
from holdfast.wire.runs import RunCreate, RunCreateStateless

Wanted = TypeVar("Wanted", bound=CronFilter)
TIMING = ("schedule", "timezone", "end_time", "enabled")
DECLARED = "This cron is declared in langgraph.json: change it there."


def missing(cron_id: str) -> CronNotFound:
    return CronNotFound(f"Cron with ID {cron_id} not found")


# made, read, changed, deleted


async def create(
    platform: Platform, caller: Caller, asked: CronCreate, thread_id: str | None = None
) -> CronRecord:
    """Makes a cron; without a thread, each of its runs gets one of its own.

    Raises `Invalid`, `TargetRefused`, `TooLarge`, `ThreadNotFound` and `AssistantNotFound`, and `TooMany`.
    """
    assistant = await find_assistant(platform, caller, asked.assistant_id)
    thread = await threads.find(platform, caller, thread_id) if thread_id else None
    now = await clock(platform)
    new = CronRecord(
        cron_id=new_id(platform.keys, thread_id),
        owner=caller.subject,
        tenant=caller.tenant,
        thread_id=thread_id,
        seed=secrets.token_hex(16),
        created_at=now,
        updated_at=now,
        assistant_id=assistant.assistant_id,
        schedule=asked.schedule,
        timezone=asked.timezone,
        end_time=asked.end_time,
        enabled=asked.enabled is not False,
        on_run_completed=None if thread else asked.on_run_completed or "delete",
        payload=asked.model_dump(include=set(OF_RUNS), exclude_unset=True),
        metadata=asked.metadata or {},
        roles=caller.roles,
        user=caller.user,
    )
    value = {**about(new), "thread_id": thread_id, "user_id": new.owner, "end_time": new.end_time}
    await platform.rules.admit(caller, "crons", "create", value)
    record = planned(changed_by_rules(new, value), now)
    check_run(record)
    check_given(platform, record.payload)
    owner = thread.owner if thread else ""
    most = platform.settings.max_crons_of_tenant
    await crons.create(platform.client, platform.keys, record, thread_owner=owner, most=most)
    return record


async def find_assistant(platform: Platform, caller: Caller, assistant_id: str) -> AssistantRecord:
    try:
        return await assistants.resolve(platform, caller, assistant_id)
    except Invalid as error:  # a run with such a name is malformed; on this route it names what is not there
        raise AssistantNotFound(error.detail) from None


def new_id(keys: Keys, thread_id: str | None) -> str:
    """An id that keeps the cron in its thread's lane."""
    while True:
        cron_id = str(uuid7())
        if thread_id is None or keys.lane(cron_id) == keys.lane(thread_id):
            return cron_id


def about(record: CronRecord) -> dict[str, Any]:
    """A cron as the project's rules are asked about it; they may change `metadata` and `payload`."""
    return {
        "cron_id": record.cron_id,
        "schedule": record.schedule,
        "payload": record.payload,
        "metadata": record.metadata,
    }


def changed_by_rules(record: CronRecord, value: dict[str, Any]) -> CronRecord:
    return replace(record, metadata=value["metadata"] or {}, payload=value["payload"] or {})


async def find(
    platform: Platform,
    caller: Caller,
    cron_id: str,
    action: Action = "read",
    value: dict[str, Any] | None = None,
) -> CronRecord:
    """The cron, for a caller who may do this to it.

    Raises `CronNotFound`, also when it is somebody else's, and what the project's rules raise.
    """
    asked = {"cron_id": cron_id} if value is None else value
    caller = await platform.rules.admit(caller, "crons", action, asked)
    return await read_record(platform, caller, cron_id)


async def read_record(platform: Platform, caller: Caller, cron_id: str) -> CronRecord:
    """As `find`, for a caller whom the project's rules have admitted."""
    record = await crons.read(platform.client, platform.keys, cron_id, caller)
    if record is None or not caller.may_use(record):
        raise missing(cron_id)
    return record


async def update(platform: Platform, caller: Caller, cron_id: str, asked: CronPatch) -> CronRecord:
    """Changes what is given. The owner's own changes bring the roles up to date, which its runs have."""
    given = asked.model_dump(exclude_unset=True)
    if not given:
        raise BadRequest("There is nothing to change: name a field of the cron.")
    value = {
        "cron_id": cron_id,
        "schedule": asked.schedule,
        "payload": {name: given[name] for name in OF_RUNS & given.keys()},
        "metadata": given.pop("metadata", {}),
    }
    caller = await platform.rules.admit(caller, "crons", "update", value)

    async def save() -> CronRecord:
        record = await read_record(platform, caller, cron_id)
        check_free(record)
        now = await clock(platform)
        new = replace(changed(record, given, value), updated_at=now)
        if record.owner == caller.subject:
            new = replace(new, roles=caller.roles, user=caller.user)
        if any(getattr(new, name) != getattr(record, name) for name in TIMING):
            new = planned(new, now)
        check_run(new)
        check_given(platform, value["payload"] or {})
        if not await crons.change(platform.client, platform.keys, new):
            raise Raced(cron_id)  # it was changed meanwhile, or has ticked
        return new

    return await again(save)


def changed(record: CronRecord, given: dict[str, Any], value: dict[str, Any]) -> CronRecord:
    own: dict[str, Any] = {name: given[name] for name in TIMING if name in given}
    if record.thread_id is None and "on_run_completed" in given:
        own["on_run_completed"] = given["on_run_completed"]
    own["metadata"] = {**record.metadata, **(value["metadata"] or {})}
    own["payload"] = {**record.payload, **(value["payload"] or {})}
    return replace(record, **own)


async def delete(platform: Platform, caller: Caller, cron_id: str) -> None:
    record = await find(platform, caller, cron_id, "delete")
    check_free(record)
    await remove(platform, record)


def check_free(record: CronRecord) -> None:
    if record.name:
        raise Conflict(DECLARED)


async def remove(platform: Platform, record: CronRecord) -> bool:
    """Deletes a cron, whoever's it is; its thread may expire from now on."""
    thread = await inspection.find(platform, record.thread_id) if record.thread_id else None
    ttl_s = threads.kept_s(platform, thread) if thread else 0
    keep_s = platform.settings.events_keep_s
    return await crons.delete(platform.client, platform.keys, record, ttl_s=ttl_s, keep_s=keep_s)


# searched


async def search(platform: Platform, caller: Caller, wanted: CronSearch) -> tuple[list[dict[str, Any]], int]:
    """A page of crons, and how many there are in all."""
    found = [describe(record) for record in await matching(platform, caller, wanted)]
    by = wanted.sort_by
    found.sort(key=lambda one: (one[by] is None, one[by] or ""), reverse=wanted.sort_order == "desc")
    page = found[wanted.offset : wanted.offset + wanted.limit]
    if wanted.select:
        page = [{name: one[name] for name in wanted.select} for one in page]
    return page, len(found)


async def count(platform: Platform, caller: Caller, wanted: CronFilter) -> int:
    return len(await matching(platform, caller, wanted))


async def matching(platform: Platform, caller: Caller, wanted: CronFilter) -> list[CronRecord]:
    value = wanted.model_dump(exclude_none=True, exclude={"select", "sort_by", "sort_order"})
    if wanted.assistant_id:
        value["assistant_id"] = assistants.read_name(platform, wanted.assistant_id)
    value.setdefault("metadata", {})
    assistant_id = value.get("assistant_id")
    caller = await platform.rules.admit(caller, "crons", "search", value)
    return [
        record
        for record in await owned(platform, caller.tenant, caller.owner_filter)
        if caller.may_use(record)
        and assistant_id in (None, record.assistant_id)
        and wanted.thread_id in (None, record.thread_id)
        and wanted.enabled in (None, record.enabled)
        and contains(record.metadata, value["metadata"] or {})
    ]


async def owned(platform: Platform, tenant: str, owner: str = "") -> list[CronRecord]:
    """The crons of an owner or, without one, of all the tenant."""
    ids = await crons.listed(platform.client, platform.keys, tenant, owner)
    return await load_all(platform, ids)


async def load_all(platform: Platform, ids: Iterable[str]) -> list[CronRecord]:
    found = await asyncio.gather(*(crons.load(platform.client, platform.keys, one) for one in ids))
    return [record for record in found if record]


def describe(record: CronRecord) -> dict[str, Any]:
    payload = {"assistant_id": record.assistant_id, "schedule": record.schedule, **record.payload}
    if record.metadata:
        payload["metadata"] = record.metadata
    return {
        "cron_id": record.cron_id,
        "assistant_id": record.assistant_id,
        "thread_id": record.thread_id,
        "user_id": record.owner,
        "end_time": shown(record.end_time),
        "schedule": record.schedule,
        "timezone": record.timezone,
        "payload": payload,
        "next_run_date": None if record.due_ms is None else shown(moment(record.due_ms)),
        "metadata": record.metadata,
        "on_run_completed": record.on_run_completed,
        "enabled": record.enabled,
        "created_at": shown(record.created_at),
        "updated_at": shown(record.updated_at),
    }


def shown(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


# when, and what


async def clock(platform: Platform) -> datetime:
    """The server's clock: that of a process may be wrong."""
    return moment(await clock_ms(platform.client))


def moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def planned(record: CronRecord, after: datetime) -> CronRecord:
    """The cron with the time of its next run. Raises `Invalid` for what is no schedule."""
    return replace(record, due_ms=next_ms(record, read_schedule(record.schedule, record.timezone), after))


def next_ms(record: CronRecord, schedule: Schedule, after: datetime) -> int | None:
    """The first tick after a time; None while the cron is not enabled, and when none comes before its end."""
    tick = schedule.next(after) if record.enabled else None
    if tick is None or (record.end_time and tick > record.end_time):
        return None
    return int(tick.timestamp() * 1000)


def check_run(record: CronRecord) -> RunCreateStateless:
    """The run that is asked for. Raises `Invalid` and `BadRequest` for what is none."""
    metadata = {**record.metadata, "cron_id": record.cron_id}
    asked = {**record.payload, "assistant_id": record.assistant_id, "metadata": metadata}
    try:
        run = (
            RunCreate.model_validate(asked)
            if record.thread_id
            else RunCreateStateless.model_validate({**asked, "on_completion": record.on_run_completed})
        )
    except ValidationError as error:
        raise Invalid(sentence(error)) from None
    requests.kwargs(run, NO_CONTENT)
    return run


def check_given(platform: Platform, given: Mapping[str, Any]) -> None:
    """Raises `TargetRefused` and `TooLarge`: else each tick would be refused, which nobody is told."""
    check_messages(platform.settings, given.get("input"))
    if given.get("webhook"):
        platform.targets.check(given["webhook"])
