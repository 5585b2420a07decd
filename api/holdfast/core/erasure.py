"""A person forgotten: all that is kept of a subject is removed. `EVERYTHING`, below, says what that is."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from holdfast.checkpoint.nameless import forget_name
from holdfast.core import assistants, cascade, crons
from holdfast.core.batches import active_runs
from holdfast.core.platform import Platform
from holdfast.errors import Fenced, Forbidden, RunNotFound, Unavailable
from holdfast.redis import api_keys, audit, lua, outbox, traces
from holdfast.redis.lua import Place
from holdfast.redis.records import Caller, ThreadRecord
from holdfast.redis.store import Shelves
from holdfast.redis.stream import Stored
from holdfast.redis.thread_index import Part, reindex, scope_of, thread_of

logger = logging.getLogger(__name__)

AT_ONCE = 8
ROUNDS = 5  # over threads that a client goes on making meanwhile

Counts = Counter[str]


class Person(NamedTuple):
    subject: str
    tenant: str

    @property
    def digest(self) -> str:
        return Caller(self.subject, self.tenant).digest


class Erased(NamedTuple):
    """How much of each kind is gone: of what the platform keeps, and of what the project says it kept."""

    platform: dict[str, int]
    project: dict[str, int]


def check_admin(platform: Platform, caller: Caller) -> None:
    """Raises `Forbidden` unless the caller has one of the roles that may erase a person."""
    if not set(caller.roles) & set(platform.settings.admin_roles):
        raise Forbidden("Only the roles of HOLDFAST_ADMIN_ROLES may erase a person.")


async def erase(platform: Platform, person: Person) -> Erased:
    """Removes all that is kept of a person; called again it finishes what an earlier call left.

    Raises `Unavailable` when the project's own hook fails: by then the platform's part is done.
    """
    counts = Counts()
    for part in EVERYTHING:
        counts.update(await part(platform, person))
    removed = {kind: count for kind, count in sorted(counts.items()) if count}
    logger.info("a person was erased", extra={"removed": removed})
    return Erased(removed, await erase_in_project(platform, person))


async def erase_thread(platform: Platform, thread: ThreadRecord) -> dict[str, int]:
    """Removes one thread, whoever's it is; its runs end first."""
    owner = Person(thread.owner, thread.tenant)
    await end_all(platform, [thread.thread_id])
    counts = await forget_used_keys(platform, {thread.thread_id})
    counts.update(await delete_thread(platform, owner, thread.thread_id))
    return {kind: count for kind, count in sorted(counts.items()) if count}


async def erase_in_project(platform: Platform, person: Person) -> dict[str, int]:
    hooks = platform.project.hooks
    if hooks.erase is None:
        return {}
    tenant = {"tenant": person.tenant} if hooks.erases_by_tenant else {}
    try:
        return dict(await hooks.erase(person.subject, **tenant))
    except Exception as error:  # whatever a project's own code raises; its text may name the person
        failure = type(error).__name__
    logger.error("the project's erase hook failed", extra={"error": failure})
    raise Unavailable(
        f"What the platform keeps is erased, but the project's own erase hook failed ({failure}): erase "
        "again when what it needs is back.",
        "hook",
    )


# the person's keys and own threads


async def revoke_keys(platform: Platform, person: Person) -> Counts:
    found = await api_keys.list_all(platform.client, platform.keys)
    own = [key.key_id for key in found if Person(key.subject, key.tenant) == person]
    revoked = [await api_keys.revoke(platform.client, platform.keys, key_id) for key_id in own]
    return Counts(api_keys=sum(revoked))


async def delete_crons(platform: Platform, person: Person) -> Counts:
    found = await crons.owned(platform, person.tenant, person.subject)
    return Counts(crons=sum([await crons.remove(platform, record) for record in found]))


async def delete_assistants(platform: Platform, person: Person) -> Counts:
    """And the crons that others have made on them."""
    found = await assistants.owned(platform, person.tenant, person.subject)
    used = [await cascade.remove_assistant(platform, record) for record in found]
    return Counts(assistants=len(found), crons=sum(used))


async def delete_items(platform: Platform, person: Person) -> Counts:
    shelves = Shelves(platform.client, platform.keys, person.tenant)
    return Counts(items=await shelves.erase(person.subject))


async def owned(platform: Platform, person: Person) -> list[str]:
    """The person's threads; not those that have expired since, or that others have taken."""
    client, keys = platform.client, platform.keys
    found = []
    async for ids in listed(platform, person.tenant, person.subject):
        owners = await asyncio.gather(
            *(client.call("HMGET", keys.thread(one), "owner", "tenant") for one in ids)
        )
        found += [one for one, owner in zip(ids, owners, strict=True) if read(owner) == person]
    return found


async def listed(platform: Platform, tenant: str, owner: str = "") -> AsyncIterator[list[str]]:
    """The ids that the index has of an owner's threads, or of the tenant's, some of one lane at a time."""
    for lane in range(platform.keys.lanes):
        part = Part(platform.client, platform.keys, lane, scope_of(tenant, owner))
        async for entries in part.every():
            yield list(map(thread_of, entries))


def read(owner: list[bytes | None]) -> Person:
    subject, tenant = ((part or b"").decode() for part in owner)
    return Person(subject, tenant)


async def end_runs(platform: Platform, person: Person) -> Counts:
    await end_all(platform, await owned(platform, person))
    return Counts()


async def end_all(platform: Platform, thread_ids: Iterable[str]) -> None:
    """Cancels what runs, waits for it, and goes on after the grace time: nothing it writes then is taken."""
    try:
        async with asyncio.timeout(platform.settings.grace_s):
            await each(thread_ids, partial(end_runs_of, platform))
    except TimeoutError:
        logger.warning("runs of an erased person do not end: what they still write is refused")


async def end_runs_of(platform: Platform, thread_id: str) -> Counts:
    client, keys = platform.client, platform.keys
    async with platform.hub.follow(thread_id) as reader:
        epoch, seq, tenant = await client.call("HMGET", keys.thread(thread_id), "epoch", "seq", "tenant")
        active = await active_runs(platform, thread_id)
        running = {run_id for run_id in active if await cancel(platform, tenant.decode(), thread_id, run_id)}
        if running:
            await ended(platform.hub.events(thread_id, reader, Place(int(epoch), int(seq))), running)
    return Counts()


async def cancel(platform: Platform, tenant: str, thread_id: str, run_id: str) -> bool:
    """True when a worker has to end the run, False when it has ended."""
    now = datetime.now(UTC)
    try:
        return not await lua.cancel(
            platform.client, platform.keys, thread_id, tenant, run_id, "interrupt", now
        )
    except RunNotFound:
        return False


async def ended(events: AsyncGenerator[list[Stored]], running: set[str]) -> None:
    """Returns once the ends of all these runs were read."""
    async with aclosing(events):
        async for batch in events:
            running -= {stored.event.run_id for stored in batch if stored.event.mode == "end"}
            if not running:
                return


async def forget_own_keys(platform: Platform, person: Person) -> Counts:
    """Also those that others have used on the person's threads: so this comes before the threads go."""
    return await forget_used_keys(platform, set(await owned(platform, person)), person.digest)


async def forget_used_keys(platform: Platform, thread_ids: set[str], digest: str = "") -> Counts:
    removed = Counts()
    async for used in traces.used_keys(platform.client, platform.keys):
        if used.thread_id in thread_ids or used.digest == digest:
            removed["idempotency_keys"] += await platform.client.call("UNLINK", *used.keys)
    return removed


async def forget_departed(platform: Platform, person: Person) -> Counts:
    """The events of runs that had a thread to themselves, which went with them."""
    removed = Counts()
    async for left in traces.departed(platform.client, platform.keys):
        if left.digest == person.digest:
            removed["events"] += await platform.client.call("XLEN", platform.keys.events(left.thread_id))
            if platform.foreign_checkpointer:
                await platform.checkpointer.adelete_thread(left.thread_id)
            await platform.client.call("UNLINK", *left.keys)
    return removed


async def forget_use(platform: Platform, person: Person) -> Counts:
    """What limits are held against; what is used at the moment goes on being counted."""
    client, keys = platform.client, platform.keys
    days = [keys.tokens(lane, person.tenant, person.subject) for lane in range(keys.lanes)]
    counts = [*days, keys.rate(person.tenant, person.subject), keys.streams(person.tenant, person.subject)]
    removed = await asyncio.gather(*(client.call("UNLINK", key) for key in counts))
    return Counts(counts=sum(removed))


async def delete_threads(platform: Platform, person: Person) -> Counts:
    removed = Counts()
    for _ in range(ROUNDS):
        thread_ids = await owned(platform, person)
        if not thread_ids:
            break
        removed += await each(thread_ids, partial(delete_thread, platform, person))
    return removed


async def delete_thread(platform: Platform, person: Person, thread_id: str) -> Counts:
    removed = await contents(platform, thread_id)
    if platform.foreign_checkpointer:
        # First: were this process killed in between, nobody would know of them once the thread is gone.
        await platform.checkpointer.adelete_thread(thread_id)
    await lua.delete_thread(platform.client, platform.keys, thread_id, person.tenant)
    if (
        platform.foreign_checkpointer
    ):  # what a run that did not end has still written: there it is not refused
        await platform.checkpointer.adelete_thread(thread_id)
    return removed


async def contents(platform: Platform, thread_id: str) -> Counts:
    keys, client = platform.keys, platform.client
    run_count, checkpoints, events, letters = await asyncio.gather(
        client.call("ZCARD", keys.run_order(thread_id)),
        client.call("ZLEXCOUNT", keys.checkpoint_index(thread_id), "[c", "(d"),
        client.call("XLEN", keys.events(thread_id)),
        outbox.read_all(client, keys, thread_id),
    )
    return Counts(threads=1, runs=run_count, checkpoints=checkpoints, events=events, letters=len(letters))


async def forget_letters(platform: Platform, person: Person) -> Counts:
    """What webhooks are still to be told of the person's threads; and the name in those of others."""
    removed = Counts()
    for lane in range(platform.keys.lanes):
        filed = await outbox.filed(platform.client, platform.keys, lane)
        thread_ids = {one.address.thread_id for one in filed}
        removed += await each(thread_ids, partial(forget_letters_of, platform, person))
    return removed


async def forget_letters_of(platform: Platform, person: Person, thread_id: str) -> Counts:
    client, keys = platform.client, platform.keys
    letters = await outbox.read_all(client, keys, thread_id)
    own = [letter.address for letter in letters if letter.content["digest"] == person.digest]
    gone = [await outbox.withdraw(client, keys, address) for address in own]
    key = keys.letters(thread_id)
    changes = traces.nameless_fields(await client.call("HGETALL", key), person.subject)
    return Counts(letters=sum(gone), names=await traces.replace(client, key, changes))


async def forget_followed(platform: Platform, person: Person) -> Counts:
    """What the feed of approvals says of the person's threads: those that followed it live have heard it."""
    client, keys = platform.client, platform.keys
    feeds = [keys.feed(lane, person.tenant) for lane in range(keys.lanes)]
    return Counts(events=sum([await traces.drop_events(client, keys, one, person.digest) for one in feeds]))


# the person's name in what belongs to others


async def forget_names(platform: Platform, person: Person) -> Counts:
    """What the person decided or asked for on the threads of others stays, but not who it was."""
    removed = Counts()
    async for ids in listed(platform, person.tenant):
        naming = await traces.naming(platform.client, platform.keys, ids, person.subject)
        removed += await each(naming, partial(forget_name_on, platform, person))
    return removed


async def forget_name_on(platform: Platform, person: Person, thread_id: str) -> Counts:
    """The record last: as long as it names the person, the thread is found again."""
    client, keys, name = platform.client, platform.keys, person.subject
    hashes = tuple(reversed(traces.records(keys, thread_id)))
    stored = await asyncio.gather(*(client.call("HGETALL", key) for key in hashes))
    changes = [traces.nameless_fields(fields, name) for fields in stored]
    if not any(changes):
        return Counts()
    try:
        names = await forget_name(platform.checkpointer, thread_id, name)
    except Fenced:
        return Counts(busy_threads=1)
    events = await traces.drop_events(client, keys, thread_id, name)
    for key, change in zip(hashes, changes, strict=True):
        names += await traces.replace(client, key, change)
    await reindex(client, keys, thread_id, person.tenant)
    return Counts(names=names, events=events)


async def forget_pseudonyms(platform: Platform, person: Person) -> Counts:
    """The audit trail stays as it is; who one of its names was, nobody can tell any more."""
    forgotten = [
        await audit.forget(platform.client, platform.keys, lane, person.tenant, person.subject)
        for lane in range(platform.keys.lanes)
    ]
    return Counts(pseudonyms=sum(forgotten))


async def each(thread_ids: Iterable[str], work: Callable[[str], Awaitable[Counts]]) -> Counts:
    """Does something to each thread, some at once, and adds up what was removed."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(thread_id: str) -> Counts:
        async with gate:
            return await work(thread_id)

    return sum(await asyncio.gather(*map(one, thread_ids)), Counts())


# All that is kept of a person, each with what removes it, in the order in which it goes. Every part may be
# done again, and what tells a part what to do goes last. Whatever else comes to be kept of people joins here;
# the project's own data follows, by its hook.
EVERYTHING: tuple[Callable[[Platform, Person], Awaitable[Counts]], ...] = (
    revoke_keys,  # API keys: the person can do nothing more with them
    delete_crons,  # nothing is started any more
    delete_assistants,  # with their versions
    end_runs,  # nothing is written any more
    delete_items,  # of the store
    forget_own_keys,  # Idempotency-Keys
    delete_threads,  # records, runs, events, checkpoints, sessions of the chat door, lists of threads
    forget_followed,  # which of their requests for approval went with them
    forget_departed,  # events of stateless runs
    forget_use,  # tokens of the day, requests of the last moments, open streams
    forget_letters,  # what webhooks were still to be told, or could not be
    forget_names,  # decisions, votes, runs and holds of the person on the threads of others
    forget_pseudonyms,  # the person in the audit trail
)
