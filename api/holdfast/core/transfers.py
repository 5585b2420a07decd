"""A thread as one JSON document: taken out, and put in again, here or in another installation."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast.core import answers, approvals, erasure, inspection
from holdfast.core.platform import Platform
from holdfast.errors import Conflict, Invalid, ThreadExists, ThreadNotFound
from holdfast.redis.records import ThreadRecord, read_thread
from holdfast.redis.transfers import Contents, read_contents, write_contents
from holdfast.wire.common import Uuid

FORMAT = "holdfast-thread"
VERSION = 1

# What the record says of a claim, of runs in line and of the log: it means nothing in another place.
OF_CLAIMS = (b"token", b"active", b"entry", b"written", b"handback_past", b"handback_run")
# What the statistics of this place have counted of it.
COUNTED = (b"rated", b"handed", b"counted:threads", b"counted:handoffs")
PASSING = frozenset(
    {
        *OF_CLAIMS,
        *COUNTED,
        b"delayed",
        b"ends",
        b"asking",
        b"imported",
        b"indexed",
        b"crons",
        b"pushes",
        b"prunes",
    }
)
ACTIVE = (b"pending", b"running")
CLAIMED = (b"cancel", b"caller", b"tokens")  # of a run that has not ended
PUSH = b":push"  # where a task's news goes, with secrets of who is told
ELSEWHERE = (
    "CHECKPOINTER=langgraph-checkpoint-redis keeps the checkpoints where they cannot be taken out or put in."
)


class Document(BaseModel):
    """An exported thread. Record and runs are text, checkpoints are bytes in base64, as Redis holds them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["holdfast-thread"]
    version: Literal[1]
    thread_id: Uuid
    exported_at: str
    record: Annotated[dict[str, str], Field(min_length=1)]
    runs: dict[str, str]
    checkpoints: dict[str, str]


async def export(platform: Platform, thread_id: str) -> dict[str, Any]:
    """The thread's record, its runs and all of its checkpoints, as they are at one moment; no events.

    Raises `ThreadNotFound`, and `Conflict` where another checkpointer keeps the checkpoints.
    """
    check_checkpointer(platform)
    contents = await read_contents(platform.client, platform.keys, thread_id)
    if not contents.record:
        raise ThreadNotFound(f"Thread with ID {thread_id} not found")
    record = {field: value for field, value in contents.record.items() if field not in PASSING}
    return {
        "format": FORMAT,
        "version": VERSION,
        "thread_id": thread_id,
        "exported_at": datetime.now(UTC).isoformat(),
        "record": decoded(record),
        "runs": decoded({name: value for name, value in contents.runs.items() if not name.endswith(PUSH)}),
        "checkpoints": {to_text(name): to_text(value) for name, value in contents.checkpoints.items()},
    }


async def restore(
    platform: Platform, document: Any, thread_id: str | None = None, *, replace: bool = False
) -> ThreadRecord:
    """Makes the thread of an exported document, under its own id or another one.

    Runs that had not ended are `interrupted` in it. With `replace` a thread that has the id is erased first.
    Raises `Invalid` for anything but such a document, `ThreadExists`, and `Conflict` where another
    checkpointer keeps the checkpoints.
    """
    check_checkpointer(platform)
    read = read_document(document)
    target = thread_id or read.thread_id
    contents = contents_of(read, target)
    thread = read_record(target, contents)
    ttl_s = time_to_live(platform, thread)
    if replace and (other := await inspection.find(platform, target)):
        await erasure.erase_thread(platform, other)
    if not await write_contents(platform.client, platform.keys, target, contents, ttl_s=ttl_s):
        raise ThreadExists(f"Thread with ID {target} already exists")
    for one in answers.pending(thread):
        if one.policy:
            await approvals.kept(platform, thread, one)
    return thread


def check_checkpointer(platform: Platform) -> None:
    if platform.foreign_checkpointer:
        raise Conflict(ELSEWHERE)


def read_document(document: Any) -> Document:
    try:
        return Document.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise Invalid(f"This is no exported thread: {where}: {first['msg']}.") from error


def contents_of(document: Document, thread_id: str) -> Contents:
    try:
        checkpoints = {to_bytes(name): to_bytes(value) for name, value in document.checkpoints.items()}
    except ValueError as error:
        raise Invalid(f"This is no exported thread: its checkpoints are not base64 ({error}).") from error
    record = {field: value for field, value in encoded(document.record).items() if field not in PASSING}
    return Contents(at_rest(record), ended(encoded(document.runs), thread_id), checkpoints)


def read_record(thread_id: str, contents: Contents) -> ThreadRecord:
    try:
        return read_thread(thread_id, contents.record)
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"This is no exported thread: its record cannot be read ({error}).") from error


def at_rest(record: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The record of a thread on which nothing runs."""
    if record.get(b"status") != b"busy":
        return record
    waits = record.get(b"interrupts", b"{}") != b"{}"
    return {**record, b"status": b"interrupted" if waits else b"idle"}


def ended(runs: Mapping[bytes, bytes], thread_id: str) -> dict[bytes, bytes]:
    """The same runs on the thread, none of them active."""
    kept = {}
    for field, value in runs.items():
        _, colon, what = field.partition(b":")
        if not colon:
            kept[field] = on_thread(value, thread_id)
        elif what == b"status" and value in ACTIVE:
            kept[field] = b"interrupted"
        elif what not in CLAIMED:
            kept[field] = value
    return kept


def on_thread(request: bytes, thread_id: str) -> bytes:
    try:
        asked = orjson.loads(request)
        return request if asked["thread_id"] == thread_id else orjson.dumps(asked | {"thread_id": thread_id})
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid("This is no exported thread: one of its runs cannot be read.") from error


def time_to_live(platform: Platform, thread: ThreadRecord) -> int:
    """As long as after a run of its own; without an end where an approval waits or a person is asked for."""
    if thread.hold or any(one.policy for one in answers.pending(thread)):
        return 0
    return platform.project.ttl_s if thread.ttl_minutes is None else round(thread.ttl_minutes * 60)


def decoded(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {field.decode(): value.decode() for field, value in fields.items()}


def encoded(fields: Mapping[str, str]) -> dict[bytes, bytes]:
    return {field.encode(): value.encode() for field, value in fields.items()}


def to_text(stored: bytes) -> str:
    return b64encode(stored).decode()


def to_bytes(text: str) -> bytes:
    return b64decode(text, validate=True)
