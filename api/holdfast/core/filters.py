"""Which threads a search means, by what their records say."""

from holdfast.redis.records import ThreadRecord, contains
from holdfast.wire.threads import HoldState, ThreadFilter


def fits(thread: ThreadRecord, wanted: ThreadFilter) -> bool:
    """Whether the thread is one that is looked for; its values, which the record does not hold, aside."""
    return (
        wanted.status in (None, thread.status)
        and contains(thread.metadata, wanted.metadata or {})
        and (wanted.hold is None or is_held(thread, wanted.hold))
    )


def is_held(thread: ThreadRecord, wanted: HoldState) -> bool:
    if thread.hold is None:
        return False
    return wanted == "any" or wanted == ("asked" if thread.hold.by is None else "taken")
