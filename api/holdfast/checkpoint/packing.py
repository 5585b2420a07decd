"""The row of a checkpoint: writes that wait at it, packed in one value by `checkpoint_put_writes.lua`."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple


class PackedWrite(NamedTuple):
    task_id: bytes
    path: bytes
    idx: bytes
    channel: bytes
    value: bytes

    def pack(self) -> bytes:
        return b"\0".join((self.idx, self.channel, b"%d" % len(self.value), self.value))


def unpack_row(row: bytes) -> Iterator[PackedWrite]:
    """Raises `ValueError` for what is no row."""
    mark, rest = row[:1], row[1:]
    if mark != b"P":
        raise ValueError("This is no row of writes.")
    while rest:
        task_id, path, count, rest = rest.split(b"\0", 3)
        for _ in range(int(count)):
            index, channel, length, rest = rest.split(b"\0", 3)
            value, rest = rest[: int(length)], rest[int(length) :]
            if len(value) < int(length):
                raise ValueError("This row of writes is cut short.")
            yield PackedWrite(task_id, path, index, channel, value)


def pack_row(writes: Iterable[PackedWrite]) -> bytes:
    row = [b"P"]
    for (task_id, path), each in groupby(writes, attrgetter("task_id", "path")):
        packed = [write.pack() for write in each]
        row += [b"%b\0%b\0%d\0" % (task_id, path, len(packed)), *packed]
    return b"".join(row)
