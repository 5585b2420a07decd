"""An assistant deleted, with what would be left without one."""

from contextlib import suppress

from holdfast.core import assistants, crons, thread_search, threads
from holdfast.core.platform import Platform
from holdfast.errors import ThreadNotFound
from holdfast.redis.assistants import AssistantRecord
from holdfast.redis.records import Caller
from holdfast.wire.threads import ThreadFilter


async def delete_assistant(
    platform: Platform, caller: Caller, assistant_id: str, *, with_threads: bool
) -> None:
    """Deletes an assistant, its crons, and when told to those of its threads that the caller may delete."""
    record = await assistants.find_to_delete(platform, caller, assistant_id)
    if with_threads:
        await delete_threads(platform, caller, record)
    await remove_assistant(platform, record)


async def remove_assistant(platform: Platform, record: AssistantRecord) -> int:
    """As the platform does it, whoever's they are: crons first, so that one who begins again finds them.

    Returns how many crons went.
    """
    used = [
        one for one in await crons.owned(platform, record.tenant) if one.assistant_id == record.assistant_id
    ]
    for cron in used:
        await crons.remove(platform, cron)
    await assistants.remove(platform, record)
    return len(used)


async def delete_threads(platform: Platform, caller: Caller, record: AssistantRecord) -> None:
    """Threads are an assistant's whose last run it was."""
    wanted = ThreadFilter(metadata={"assistant_id": record.assistant_id})
    searcher, wanted = await thread_search.admit_search(platform, caller, wanted)
    for thread in await thread_search.matching(platform, searcher, wanted):
        with suppress(ThreadNotFound):  # it has gone meanwhile
            await threads.delete(platform, caller, thread.thread_id)
