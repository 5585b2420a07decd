"""What checkpoints and their parts are called in Redis, and which ids may be part of a name."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig

from holdfast.errors import Invalid

NUL, RS, US = "\0", "\x1e", "\x1f"  # the parts of a name; of an envelope; of a list in an envelope
LONGEST_ID = 1024


def checked(what: str, part: Any, *, empty: bool = True) -> str:
    """`part` if it can stand in a name; raises `Invalid` otherwise: it would be lost or mixed up."""
    if not isinstance(part, str):
        raise Invalid(f"{what} must be a string, not {type(part).__name__}.")
    if not (part or empty):
        raise Invalid(f"{what} must not be empty.")
    if len(part) > LONGEST_ID:
        raise Invalid(f"{what} must not be longer than {LONGEST_ID} characters.")
    if NUL in part or RS in part or US in part:
        raise Invalid(f"{what} must not contain the control characters NUL, RS or US.")
    try:
        part.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{what} must be valid Unicode text.") from None
    return part


def checked_thread_id(thread_id: Any) -> str:
    return checked("thread_id", thread_id, empty=False)


class Address(NamedTuple):
    """Where a LangGraph config points to; without a checkpoint id, to the newest one of the namespace."""

    thread_id: str
    ns: str
    checkpoint_id: str

    @classmethod
    def of(cls, config: RunnableConfig) -> "Address":
        parts = config["configurable"]
        return cls(
            checked_thread_id(parts.get("thread_id")),
            checked("checkpoint_ns", parts.get("checkpoint_ns") or ""),
            checked("checkpoint_id", parts.get("checkpoint_id") or ""),
        )

    def config(self) -> RunnableConfig:
        return {
            "configurable": {
                "thread_id": self.thread_id,
                "checkpoint_ns": self.ns,
                "checkpoint_id": self.checkpoint_id,
            }
        }

    @property
    def name(self) -> bytes:
        return checkpoint_name(self.ns, self.checkpoint_id)


def checkpoint_name(ns: str, checkpoint_id: str) -> bytes:
    return f"c\0{ns}\0{checkpoint_id}".encode()


def value_name(ns: str, channel: str, version: str | float) -> bytes:
    name = f"b\0{ns}\0{checked('A channel', channel)}\0{checked('A channel version', str(version))}"
    return name.encode()


def parts(name: bytes) -> list[str]:
    """The parts of a name, its kind (`c`, `b`, `p`, `w`) first."""
    return name.decode().split(NUL)


class Envelope(NamedTuple):
    """A checkpoint as stored: what the scripts read of it, and the serialized rest."""

    parent: str
    run_id: str
    kind: str
    values: Sequence[bytes]
    nulls: Sequence[str]
    body: bytes

    def pack(self) -> bytes:
        head = RS.join((self.parent, self.run_id, self.kind))
        nulls = US.join(self.nulls)
        return b"\x1e".join((head.encode(), b"\x1f".join(self.values), nulls.encode(), self.body))

    @classmethod
    def unpack(cls, raw: bytes) -> "Envelope":
        parent, run_id, kind, values, nulls, body = raw.split(b"\x1e", 5)
        return cls(
            parent.decode(),
            run_id.decode(),
            kind.decode(),
            values.split(b"\x1f") if values else [],
            nulls.decode().split(US) if nulls else [],
            body,
        )
