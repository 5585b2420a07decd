"""Contexts: conversations as clients name them, by the thread's id, or by a name of the caller's own."""

from typing import NamedTuple
from uuid import UUID, uuid5

from holdfast.errors import Invalid
from holdfast.redis.records import Caller
from holdfast.wire.common import canonical

CONTEXTS = UUID("3f1f9c53-5b0d-5a53-8d0c-2f7d6f4a9a10")  # any constant will do: it sets these ids apart
LONGEST = 256


class Context(NamedTuple):
    """A context. `name` is None where it is the thread's id."""

    thread_id: str
    name: str | None = None


def find_context(caller: Caller, context_id: str) -> Context:
    """Raises `Invalid` for a name that is too long."""
    try:
        return Context(canonical(context_id))
    except ValueError:
        pass
    if len(context_id) > LONGEST:
        raise Invalid(f"A contextId has at most {LONGEST} characters.")
    parts = (caller.tenant, caller.subject, context_id)
    # Each part after its length: no two lists of parts read the same.
    return Context(str(uuid5(CONTEXTS, "".join(f"{len(part)}:{part}" for part in parts))), context_id)
