"""What the checkpoints of a thread weigh, channel by channel."""

from dataclasses import dataclass

from holdfast.checkpoint.encoding import references
from holdfast.checkpoint.names import parts
from holdfast.checkpoint.packing import unpack_row
from holdfast.redis.checkpoints import Fields


@dataclass(slots=True)
class Size:
    """Bytes of names and values: in how many versions, in how many elements of lists and writes of tasks."""

    bytes: int = 0
    versions: int = 0
    elements: int = 0
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of checkpoints, channels, and the elements that nothing refers to any more."""

    checkpoints: Size
    channels: dict[str, Size]
    unused: Size


def measure(stored: Fields) -> Sizes:
    """Sorts a thread's fields (see `checkpoint_common.lua`) by what they belong to.

    An element that several channels hold counts for the first of them.
    """
    sizes = Sizes(Size(), {}, Size())
    left = {name for name in stored if name[:1] == b"e"}
    for name in sorted(stored.keys() - left):
        if name[:1] == b"c":
            add(sizes.checkpoints, stored, name)
            sizes.checkpoints.versions += 1
            continue
        if name[:1] == b"p":
            measure_row(sizes, stored, name, left)
            continue
        channel, body = channel_of(name, stored[name])
        size = sizes.channels.setdefault(channel, Size())
        add(size, stored, name)
        size.versions += name[:1] == b"b"
        size.writes += name[:1] == b"w"
        take(size, stored, body, left)
    for name in left:
        add(sizes.unused, stored, name)
        sizes.unused.elements += 1
    return sizes


def measure_row(sizes: Sizes, stored: Fields, name: bytes, left: set[bytes]) -> None:
    """What the row of a checkpoint holds beside the writes themselves counts for the checkpoints."""
    add(sizes.checkpoints, stored, name)
    for write in unpack_row(stored[name]):
        size, weight = sizes.channels.setdefault(write.channel.decode(), Size()), len(write.pack())
        sizes.checkpoints.bytes -= weight
        size.bytes += weight
        size.writes += 1
        take(size, stored, write.value, left)


def channel_of(name: bytes, value: bytes) -> tuple[str, bytes]:
    """The channel of a value or a write, and its serialized bytes."""
    if name[:1] == b"b":
        return parts(name)[2], value
    _, channel, body = value.split(b"\0", 2)
    return channel.decode(), body


def take(size: Size, stored: Fields, body: bytes, left: set[bytes]) -> None:
    """Counts the elements that a value refers to, as far as they are left."""
    waiting = references(body)
    while waiting:
        name = waiting.pop()
        if name in left:
            left.discard(name)
            add(size, stored, name)
            size.elements += 1
            waiting += references(stored[name])


def add(size: Size, stored: Fields, name: bytes) -> None:
    size.bytes += len(name) + len(stored[name])
