"""What is asked for again under an Idempotency-Key, and is to happen once."""

from hashlib import sha256
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

from holdfast.errors import Invalid
from holdfast.events import dump
from holdfast.redis import lua
from holdfast.redis.records import Caller
from holdfast.wire.runs import RunCreateStateless

STATELESS = UUID("1d4d8c0a-6d5c-5b0e-9a37-2f0d4f3b7c55")  # any constant will do: it sets these ids apart
LONGEST_KEY = 255


def thread_for(caller: Caller, key: str | None) -> str:
    """The id of a stateless run's thread: under an Idempotency-Key always the same."""
    if key is None:
        return str(uuid7())
    return str(uuid5(STATELESS, "\0".join((caller.tenant, caller.subject, key))))


def read_once(caller: Caller, thread_id: str, asked: RunCreateStateless, key: str | None) -> lua.Once | None:
    if key is None:
        return None
    if not 0 < len(key) <= LONGEST_KEY:
        raise Invalid(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.")
    name = sha256("\0".join((caller.tenant, caller.subject, thread_id, key)).encode())
    once = f"{caller.digest}.{name.hexdigest()}"
    return lua.Once(once, sha256(dump(asked.model_dump(exclude_unset=True))).hexdigest())
