"""Stored bytes as LangGraph's checkpoints again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory, PendingWrite, writes_sort_key
from langgraph.checkpoint.serde.base import SerializerProtocol

from holdfast.checkpoint.encoding import Decoded, Encoding
from holdfast.checkpoint.names import Address, Envelope, parts
from holdfast.errors import Unreadable
from holdfast.redis.checkpoints import Fields, Loaded, Step


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Whatever does not fit raises `Unreadable`, which says where that is."""
    try:
        yield
    except Unreadable as error:
        raise Unreadable(f"{where}: {error.detail}") from error
    except Exception as error:  # a serializer of the caller's, and the ciphers within, may raise anything
        raise Unreadable(
            f"{where}: stored state does not have the form it was written in ({error!r})."
        ) from error


def places(thread_id: str, names: Sequence[bytes]) -> list[list[str]]:
    """The parts (kind, namespace, id) of the names of a thread's checkpoints."""
    with readable(f"Thread {thread_id}"):
        found = list(map(parts, names))
        if any(len(each) != 3 for each in found):
            raise Unreadable("its index names what is no checkpoint.")
    return found


class Reading(NamedTuple):
    """The stored fields of a thread, and what makes values of them."""

    serde: SerializerProtocol
    thread_id: str
    stored: Fields

    def tuples(self, loaded: Loaded) -> list[CheckpointTuple]:
        decoded: dict[str, Decoded] = {}
        rows = zip(loaded.names, loaded.writes, strict=True)
        return [self._tuple(name, writes, decoded) for name, writes in rows if name in self.stored]

    def _tuple(self, name: bytes, writes: list[bytes], decoded: dict[str, Decoded]) -> CheckpointTuple:
        with readable(self._named(name)):
            encoding, envelope = Encoding(self.serde), Envelope.unpack(self.stored[name])
            _, ns, checkpoint_id = parts(name)
            head, metadata, values = encoding.load(envelope.body)
            for value in envelope.values:
                channel = parts(value)[2]
                known = decoded.setdefault(channel, {})
                values[channel] = encoding.decode(self.stored[value], self.stored, known)
            values |= dict.fromkeys(envelope.nulls)
            order = [channel for channel in head["channel_versions"] if channel in values]
            checkpoint: Any = head | {"channel_values": {name: values[name] for name in order} | values}
            at = Address(self.thread_id, ns, checkpoint_id)
            parent = at._replace(checkpoint_id=envelope.parent).config() if envelope.parent else None
            return CheckpointTuple(at.config(), checkpoint, metadata, parent, self._pending(writes))

    def _pending(self, names: list[bytes]) -> list[PendingWrite]:
        """Writes in the order in which LangGraph applies them."""
        found, encoding = [], Encoding(self.serde)
        for name in names:
            path, channel, blob = self.stored[name][1:].split(b"\0", 2)
            _, _, _, task_id, index = parts(name)
            key = writes_sort_key(path.decode(), task_id, int(index))
            found.append((key, (task_id, channel.decode(), encoding.decode(blob, self.stored, {}))))
        return [write for _, write in sorted(found, key=lambda entry: entry[0])]

    def histories(self, steps: Sequence[Step], channels: Sequence[str]) -> dict[str, DeltaChannelHistory]:
        """The writes to delta channels, oldest first, and the values before; steps come nearest first."""
        histories: dict[str, DeltaChannelHistory] = {channel: {"writes": []} for channel in channels}
        encoding = Encoding(self.serde)
        with readable(f"Thread {self.thread_id}, history of {', '.join(channels)}"):
            for step in reversed(steps):
                for write in self._pending(step.writes):
                    histories[write[1]]["writes"].append(write)
                for name in step.values:
                    value = encoding.decode(self.stored[name], self.stored, {})
                    histories[parts(name)[2]]["seed"] = value
                for channel in step.nulls:
                    histories[channel.decode()]["seed"] = None
        return histories

    def _named(self, name: bytes) -> str:
        checkpoint_id = name.rpartition(b"\0")[2].decode(errors="replace")
        return f"Thread {self.thread_id}, checkpoint {checkpoint_id}"
