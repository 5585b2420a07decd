"""Values as bytes: lists element by element, so that what two checkpoints share is stored once."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from holdfast.checkpoint import compression
from holdfast.errors import TooLarge, Unstorable

REF = 17  # bytes of a reference: "e" and a digest of 16 bytes
CHUNK = 32  # references a chunk; a long list is a tree of chunks, so that appending to it costs O(log n)
SMALL = 24  # bytes: a list whose elements are smaller on average costs less as one value
HEAD = b"Vmsgpack\0"  # of a value that MessagePack carries
LARGEST_VALUE = 256 * 1024 * 1024  # half of what Redis takes in one argument (proto-max-bulk-len)

# What MessagePack has forms of its own for; anything else is an extension: kind, length and bytes.
NATIVE = frozenset((bool, bytearray, bytes, dict, float, int, list, str, type(None)))
EXTENSION = {0xC7: 1, 0xC8: 2, 0xC9: 4}  # first byte: how many bytes the length has
ARRAY = {0xDC: 3, 0xDD: 5}  # first byte: how many bytes the head of an array has, if not one

Stored = Mapping[bytes, bytes]
Decoded = dict[tuple[bytes, int], Any]


def references(blob: bytes) -> list[bytes]:
    """The elements and chunks that a value or chunk consists of; none for a value stored whole."""
    if blob[:1] != b"L":
        return []
    return [blob[at : at + REF] for at in range(1, len(blob), REF)]


class Encoding:
    """Encodes values with a serializer and decodes them again."""

    def __init__(self, serde: SerializerProtocol) -> None:
        self.serde = serde
        # Only of this serializer is it known that its bytes, one after the other, are the body of an array.
        self._joinable = isinstance(serde, JsonPlusSerializer)
        # What is encrypted differs each time: no two checkpoints can share it, and elements are only dearer.
        self._shares = self._joinable or serde.dumps_typed("") == serde.dumps_typed("")

    def dump(self, value: Any) -> bytes:
        kind, data = self.serde.dumps_typed(value)
        return _fitting(b"V" + kind.encode() + b"\0" + data)

    def compressed(self, blob: bytes) -> bytes:
        """A body or an element as it is stored; what a cipher may have made stays as it is."""
        return compression.compressed(blob) if self._joinable and blob.startswith(HEAD) else blob

    def load(self, blob: bytes) -> Any:
        kind, _, data = plain(blob)[1:].partition(b"\0")
        return self.serde.loads_typed((kind.decode(), data))

    def encode_channel(self, channel: str, value: Any, elements: dict[bytes, bytes]) -> bytes:
        """As `encode`; what is raised says which channel it was."""
        try:
            return self.encode(value, elements)
        except (TooLarge, Unstorable) as error:
            raise type(error)(f"Channel {channel}: {error.detail}") from error

    def encode(self, value: Any, elements: dict[bytes, bytes]) -> bytes:
        """The bytes of a value; the elements that they refer to are added to `elements`."""
        if not self._shares or type(value) is not list or not value or type(value[0]) in (bool, int, float):
            return self.dump(value)
        dumped = self._dump_each(value)
        if sum(map(len, dumped)) < SMALL * len(dumped):
            return self.dump(value)
        level = [_add(blob, elements) for blob in dumped]
        tails: list[bytes] = []
        while len(level) > 2 * CHUNK:
            full = len(level) // CHUNK * CHUNK
            tails = level[full:] + tails
            level = [_add(b"L" + b"".join(level[at : at + CHUNK]), elements) for at in range(0, full, CHUNK)]
        return b"L" + b"".join(level + tails)

    def _dump_each(self, values: list[Any]) -> list[bytes]:
        if self._joinable and type(values[0]) not in NATIVE:
            # One array instead of many values, and taken apart: a fifth faster for a few hundred messages.
            kind, array = self.serde.dumps_typed(values)
            if kind == "msgpack" and (parts := _extensions(array, len(values))):
                return [_fitting(HEAD + part) for part in parts]
        return [self.dump(value) for value in values]

    def decode(self, blob: bytes, stored: Stored, decoded: Decoded) -> Any:
        """The value of these bytes.

        `decoded` holds elements that are ready: values decoded with the same one share equal elements, but
        equal elements within one value stay different objects.
        """
        if blob[:1] != b"L":
            return self.load(blob)
        counts: dict[bytes, int] = {}
        wanted: list[tuple[bytes, int]] = []
        for ref in _flat(references(blob), stored):
            counts[ref] = count = counts.get(ref, -1) + 1
            wanted.append((ref, count))
        fresh = [key for key in wanted if key not in decoded]
        decoded.update(zip(fresh, self._load_all([stored[ref] for ref, _ in fresh]), strict=True))
        return [decoded[key] for key in wanted]

    def _load_all(self, stored: list[bytes]) -> list[Any]:
        blobs = [plain(blob) for blob in stored]
        if not self._joinable or not all(blob.startswith(HEAD) for blob in blobs):
            return [self.load(blob) for blob in blobs]
        # One array instead of many values: three times faster for a few hundred messages.
        array = b"\xdd" + len(blobs).to_bytes(4, "big") + b"".join([blob[len(HEAD) :] for blob in blobs])
        values: list[Any] = self.serde.loads_typed(("msgpack", array))
        return values


def plain(blob: bytes) -> bytes:
    """A stored value as it was before it was compressed."""
    return compression.plain(blob, LARGEST_VALUE)


def _fitting(blob: bytes) -> bytes:
    if len(blob) > LARGEST_VALUE:
        raise TooLarge(
            f"A value of {len(blob):,} bytes is too large for Redis (limit {LARGEST_VALUE:,}): "
            "store it elsewhere and keep a reference to it in the state."
        )
    return blob


def _extensions(array: bytes, count: int) -> list[bytes]:
    """The elements of a packed array; none where not all of them are extensions."""
    parts, at = [], ARRAY.get(array[0], 1)
    for _ in range(count):
        width = EXTENSION.get(array[at])
        if width is None:
            return []
        end = at + 2 + width + int.from_bytes(array[at + 1 : at + 1 + width], "big")
        parts.append(array[at:end])
        at = end
    return parts


def _add(blob: bytes, elements: dict[bytes, bytes]) -> bytes:
    ref = b"e" + blake2b(blob, digest_size=REF - 1).digest()
    elements[ref] = blob
    return ref


def _flat(refs: Iterable[bytes], stored: Stored) -> Iterable[bytes]:
    for ref in refs:
        if stored[ref][:1] == b"L":
            yield from _flat(references(stored[ref]), stored)
        else:
            yield ref
