"""A name taken out of stored checkpoints, without making the objects that they stand for."""

from typing import Any

import ormsgpack

from holdfast.checkpoint.compression import compressed
from holdfast.checkpoint.encoding import plain
from holdfast.checkpoint.packing import pack_row, unpack_row
from holdfast.checkpoint.runs import RunSaver
from holdfast.checkpoint.saver import RedisSaver
from holdfast.redis.checkpoints import ThreadCheckpoints
from holdfast.redis.traces import NAMED, nameless

OPTIONS = ormsgpack.OPT_NON_STR_KEYS
MSGPACK = b"Vmsgpack\0"


async def forget_name(saver: RunSaver, thread_id: str, name: str) -> int:
    """Takes a name out of the thread's checkpoints where they say who: see `redis.traces.nameless`.

    Returns how many stored values that changed; 0 where another checkpointer keeps them. Raises `Fenced`
    while a run is active.
    """
    if not isinstance(saver, RedisSaver):
        return 0
    thread = ThreadCheckpoints(saver.client, saver.keys, thread_id, "", 0)
    replaced = 0
    async for page in thread.pages():
        news = {field: without_name(field, value, name) for field, value in page.items()}
        changes = {field: (page[field], new) for field, new in news.items() if new != page[field]}
        replaced += await thread.replace(changes)
    return replaced


def without_name(field: bytes, value: bytes, name: str) -> bytes:
    """A stored value as it stands under its name in the thread's hash (see `checkpoint_common.lua`)."""
    if field[:1] == b"p":
        return row_without_name(value, name)
    head, stored = split(field[:1], value)
    return head + cleared(stored, name, named=says_who(field, head))


def row_without_name(row: bytes, name: str) -> bytes:
    try:
        writes = list(unpack_row(row))
    except ValueError:
        return row
    fresh = [
        write._replace(value=cleared(write.value, name, named=write.channel.decode() in NAMED))
        for write in writes
    ]
    return row if fresh == writes else pack_row(fresh)


def cleared(stored: bytes, name: str, *, named: bool) -> bytes:
    body = plain(stored)
    if not body.startswith(MSGPACK) or name.encode() not in body:
        return stored
    new = MSGPACK + rewritten(body[len(MSGPACK) :], name, named=named)
    if new == body:
        return stored
    return new if body == stored else compressed(new)


def says_who(field: bytes, head: bytes) -> bool:
    """Whether this is the value of a channel whose own name is such a key."""
    kind = field[:1]
    if kind not in (b"b", b"w"):
        return False
    channel = field.split(b"\0")[2] if kind == b"b" else head.split(b"\0")[1]
    return channel.decode() in NAMED


def split(kind: bytes, value: bytes) -> tuple[bytes, bytes]:
    """What stands before the serialized bytes, and these."""
    mark, parts = {b"c": (b"\x1e", 5), b"w": (b"\0", 2)}.get(kind, (b"", 0))
    if not parts:
        return b"", value
    *head, body = value.split(mark, parts)
    return mark.join([*head, b""]), body


class Extension:
    """A value of a type that MessagePack has no form for: its code and its packed parts."""

    __slots__ = ("code", "data")

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.data = data


def rewritten(data: bytes, name: str, *, named: bool, extension: bool = False) -> bytes:
    """MessagePack without the name; as it is where it could not be written back as it was."""
    try:
        value = ormsgpack.unpackb(data, ext_hook=Extension, option=OPTIONS)
        if pack(value) != data:
            return data
    except ValueError:
        return data

    def inside(other: Any, named: bool) -> Any:
        if isinstance(other, Extension):
            return Extension(other.code, rewritten(other.data, name, named=named, extension=True))
        return other

    match value:
        case ["builtins", "dict", list(pairs)] if extension:  # one with keys of any type
            fresh = nameless(dict(pairs), name, other=inside)
            return pack(["builtins", "dict", [list(pair) for pair in fresh.items()]])
    return pack(nameless(value, name, named=named, other=inside))


def pack(value: Any) -> bytes:
    return ormsgpack.packb(value, lambda extension: ormsgpack.Ext(extension.code, extension.data), OPTIONS)
