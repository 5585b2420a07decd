"""Hand-off: a person is asked for, takes a thread over, and hands it back to its graph."""

from dataclasses import asdict
from datetime import UTC, datetime
from uuid import uuid4

from holdfast.core import threads
from holdfast.core.platform import Platform
from holdfast.core.racing import again
from holdfast.errors import Forbidden, Held, Invalid, NotHeld
from holdfast.redis import holds
from holdfast.redis.holds import Change
from holdfast.redis.lua import Raced
from holdfast.redis.records import Caller, Handback, Hold, ThreadRecord, tell_hold
from holdfast.settings import Settings
from holdfast.wire.threads import HoldPut

NO_NOTE = "Who withdraws a wish for a person leaves no note: only those who may take the thread over do."
NOT_ONES_OWN = "A thread is taken over in a role that one has."
NOT_YOURS = "Only those who may take a thread over hand it back, or who asked withdraws the wish in time."


async def put(platform: Platform, caller: Caller, thread_id: str, asked: HoldPut) -> Hold:
    """Takes the thread over or, for who may not or only asks, asks for a person.

    Whatever is so already stays so. Raises `Held` when somebody else has the thread, `Forbidden` or `Invalid`
    for a role that will not do.
    """
    value = {"thread_id": thread_id, "hold": asked.model_dump()}
    caller = await threads.admit(platform, caller, thread_id, "update", value)

    async def take() -> Hold:
        thread = await threads.read_record(platform, caller, thread_id)
        hold = choose(platform.settings, caller, thread.hold, asked)
        if hold != thread.hold:
            await change(platform, caller, thread, hold)
        return hold

    return await again(take)


async def release(platform: Platform, caller: Caller, thread_id: str, note: str | None) -> None:
    """Hands the thread back to its graph, which the next run tells of it; or withdraws the wish for a person.

    Raises `NotHeld`, and `Forbidden` for who may do neither.
    """
    value = {"thread_id": thread_id, "hold": None}
    caller = await threads.admit(platform, caller, thread_id, "update", value)

    async def hand_back() -> None:
        thread = await threads.read_record(platform, caller, thread_id)
        check_release(caller, thread.hold, note)
        await change(platform, caller, thread, None, note)

    await again(hand_back)


def choose(settings: Settings, caller: Caller, held: Hold | None, asked: HoldPut) -> Hold:
    """What there is to be after the request."""
    if asked.ask or not caller.may_hold:
        return held or Hold(asked_role(settings, asked.role), None, moment(), caller.subject)
    if held and held.by == caller.subject:
        return held
    if held and held.by is not None:
        raise Held(asdict(held))
    role = own_role(settings, caller, asked.role) if asked.role or not held else held.role
    return Hold(role, caller.subject, moment(), held.asked_by if held else None)


def asked_role(settings: Settings, role: str | None) -> str:
    """Whom a person is asked for; the first of those who take over unless it is said."""
    known = (*settings.hold_roles, *settings.staff_roles)
    if not known:
        raise Forbidden("Nobody takes threads over here: HOLDFAST_HOLD_ROLES names no role.")
    if role not in (None, *known):
        names = ", ".join(dict.fromkeys(known))
        raise Invalid(f"Nobody of that role takes threads over: ask for one of {names}.")
    return role or known[0]


def own_role(settings: Settings, caller: Caller, role: str | None) -> str:
    """As whom the caller takes over; the first role with which he may unless it is said."""
    if role is None:
        allowed = {*settings.hold_roles, *settings.staff_roles}
        return next(one for one in caller.roles if one in allowed)
    if role not in caller.roles:
        raise Forbidden(NOT_ONES_OWN)
    return role


def check_release(caller: Caller, hold: Hold | None, note: str | None) -> None:
    if hold is None:
        raise NotHeld
    if caller.may_hold:
        return
    if hold.by is not None or hold.asked_by != caller.subject:
        raise Forbidden(NOT_YOURS)
    if note:
        raise Forbidden(NO_NOTE)


async def change(
    platform: Platform, caller: Caller, thread: ThreadRecord, new: Hold | None, note: str | None = None
) -> None:
    """Raises `Raced` when somebody else has changed it since the record was read.

    The note is for the graph: it is not told on the log, which the owner reads.
    """
    now = datetime.now(UTC)
    handback = Handback(caller.subject, note, now.isoformat()) if new is None and caller.may_hold else None
    released = {} if new else {"released": {"by": caller.subject, "at": now.isoformat()}}
    changed = await holds.change(
        platform.client,
        platform.keys,
        thread.thread_id,
        caller,
        Change(uuid4().hex, thread.hold, new, handback, platform.told(tell_hold(new, **released))),
        now=now,
        ttl_s=threads.kept_s(platform, thread),
        keep_s=platform.settings.events_keep_s,
    )
    if not changed:
        raise Raced(thread.thread_id)


def moment() -> str:
    return datetime.now(UTC).isoformat()
