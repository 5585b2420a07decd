"""What Redis keeps of a thread and of a run, read back into values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any, NamedTuple, Protocol

import orjson

DECISION = "decision:"  # one field for each decided request
FOLLOWED = "protocol"  # set once a reader of protocol v3 has come: workers log what such readers need
SCOPES = ("read", "write")  # what a credential may allow
METADATA = "m:"  # one field of the thread's hash for each top-level key, so that a merge is one HSET
CONFIG = "config:"  # likewise, of what runs have asked for
THREAD_METADATA = "thread_metadata"  # in a run's request: as it was when the run was put in line


class Condition(NamedTuple):
    """What a thing's metadata must say: `field` is `value`, or holds all of it where `contains` is set."""

    field: str
    value: Any
    contains: bool = False

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        found = metadata.get(self.field)
        if not self.contains:
            return self.field in metadata and same(found, self.value)
        wanted = self.value if isinstance(self.value, list) else [self.value]
        return isinstance(found, list) and all(any(same(one, item) for one in found) for item in wanted)


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def contains(whole: Any, part: Any) -> bool:
    """Whether `whole` has all that `part` has, as `jsonb @>` does."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contains(whole[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(contains(one, item) for one in whole) for item in part)
    return same(whole, part)


class Owned(Protocol):
    """What belongs to somebody: a thread, a cron."""

    @property
    def owner(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: `subject` within `tenant`; only settings and policies give `roles` a meaning.

    `scopes` are what the credential allows, `user` is what the project's own sign-in told of the caller.
    `may_hold` says that the roles let the caller take threads over.
    Once the project's rules were asked, `conditions` say which things of the tenant may be used; while they
    are None it is the caller's own, and for staff all of the tenant. `within` is the owner of the one thing
    that was found to be usable.
    """

    subject: str
    tenant: str
    roles: tuple[str, ...] = ()
    staff: bool = False
    scopes: frozenset[str] = frozenset(SCOPES)
    user: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[Condition, ...] | None = None
    within: str | None = None
    may_hold: bool = False

    @property
    def digest(self) -> str:
        """Tells callers apart where their names must not be read."""
        return sha1("\0".join((self.tenant, self.subject)).encode(), usedforsecurity=False).hexdigest()

    @property
    def owner_filter(self) -> str:
        """The owner whose threads the caller may use; '' stands for everybody in the tenant."""
        if self.within is not None:
            return self.within
        return "" if self.staff or self.conditions is not None else self.subject

    def may_use(self, thing: Owned) -> bool:
        """Whether a thing is within reach; the scripts say the same of all but `conditions`."""
        return (
            thing.tenant == self.tenant
            and self.owner_filter in ("", thing.owner)
            and self.meets(thing.metadata)
        )

    def meets(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a thing of that metadata is among those that the project's rules allow."""
        return all(one.holds(metadata) for one in self.conditions or ())

    def on(self, thread: "ThreadRecord") -> "Caller":
        """The caller at work on a thread that was found to be usable, for scripts to check again."""
        return replace(self, conditions=(), within=thread.owner)


@dataclass(frozen=True, slots=True)
class Hold:
    """A person is asked for, or has the thread: `by`, since then; None while nobody has it.

    `role` is whom it is for; `asked_by` is who asked, and None where it was the graph, or nobody.
    """

    role: str
    by: str | None
    since: str
    asked_by: str | None = None

    def encode(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def decode(cls, stored: bytes) -> "Hold":
        """Raises `ValueError`, `KeyError` and `TypeError` for what is none."""
        told = orjson.loads(stored)
        return cls(told["role"], told["by"], told["since"], told.get("asked_by"))


def tell_hold(hold: Hold | None, **more: Any) -> bytes:
    """The data of the event that tells who has a thread; `write.lua` reads the first part of it."""
    return orjson.dumps({"hold": hold, **more})


@dataclass(frozen=True, slots=True)
class Handback:
    """A person has handed the thread back to its graph, and may have left a note for it."""

    by: str
    note: str | None
    at: str


@dataclass(frozen=True, slots=True)
class ThreadRecord:
    thread_id: str
    owner: str
    tenant: str
    status: str
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime
    metadata: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    interrupts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    error: dict[str, str] | None = None
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    hold: Hold | None = None
    rated: str = ""  # as it was counted, see `rate.lua`
    hold_known: bool = False  # to readers of the log, also when nobody has the thread any more
    ttl_minutes: float | None = None  # as `lifetimes` has it
    started: bool = False
    delayed: int = 0  # runs that are not yet in line
    followed: bool = False
    epoch: int = 0
    seq: int = 0

    @property
    def graph_id(self) -> str | None:
        graph_id = self.metadata.get("graph_id")
        return graph_id if isinstance(graph_id, str) else None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run: `request` is what was asked (see `wire.runs`), the rest how it went."""

    run_id: str
    thread_id: str
    request: dict[str, Any]
    status: str
    created_at: datetime
    updated_at: datetime
    attempt: int
    error: str

    @property
    def active(self) -> bool:
        return self.status in ("pending", "running")


def run_metadata(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's metadata is: the assistant's, over it the thread's, over both what was asked for."""
    return {
        **request.get("assistant_metadata", {}),
        **request.get(THREAD_METADATA, {}),
        **request["metadata"],
        "graph_id": request["graph_id"],
        "assistant_id": request["assistant_id"],
    }


RUN_FIELDS = ("", ":status", ":updated_at", ":attempt", ":error")


def run_fields(run_id: str) -> list[str]:
    return [run_id + suffix for suffix in RUN_FIELDS]


def timestamp_us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def moment(timestamp: bytes) -> datetime:
    return datetime.fromtimestamp(int(timestamp) / 1_000_000, UTC)


def metadata_fields(metadata: Mapping[str, Any]) -> list[bytes | str]:
    return fields_under(METADATA, metadata)


def config_fields(config: Mapping[str, Any]) -> list[bytes | str]:
    return fields_under(CONFIG, config)


def fields_under(prefix: str, values: Mapping[str, Any]) -> list[bytes | str]:
    """The reverse of `family`."""
    flat: list[bytes | str] = []
    for key, value in values.items():
        flat += (prefix + key, orjson.dumps(value))
    return flat


def family(stored: dict[bytes, bytes], prefix: str) -> dict[str, Any]:
    """The fields that begin with a prefix, under the rest of their names, read as JSON."""
    return {
        name[len(prefix) :].decode(): orjson.loads(value)
        for name, value in stored.items()
        if name.startswith(prefix.encode())
    }


def fields_of(flat: Sequence[bytes] | None) -> dict[bytes, bytes]:
    """What a script returns of a hash, field and value in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=True)) if flat else {}


def read_thread(thread_id: str, stored: dict[bytes, bytes]) -> ThreadRecord:
    ttl = stored.get(b"ttl")
    return ThreadRecord(
        thread_id=thread_id,
        owner=stored[b"owner"].decode(),
        tenant=stored[b"tenant"].decode(),
        status=stored[b"status"].decode(),
        created_at=moment(stored[b"created_at"]),
        updated_at=moment(stored[b"updated_at"]),
        state_updated_at=moment(stored[b"state_updated_at"]),
        metadata=family(stored, METADATA),
        config=family(stored, CONFIG),
        decisions=family(stored, DECISION),
        hold=Hold.decode(stored[b"hold"]) if stored.get(b"hold") else None,
        rated=stored.get(b"rated", b"").decode(),
        hold_known=b"hold" in stored,
        interrupts=orjson.loads(stored.get(b"interrupts") or b"{}"),
        error=orjson.loads(stored[b"error"]) if stored.get(b"error") else None,
        ttl_minutes=float(ttl) if ttl else None,
        started=b"interrupts" in stored,
        delayed=int(stored.get(b"delayed", 0)),
        followed=FOLLOWED.encode() in stored,
        epoch=int(stored.get(b"epoch", 0)),
        seq=int(stored.get(b"seq", 0)),
    )


def read_run(thread_id: str, run_id: str, values: list[bytes | None]) -> RunRecord | None:
    """`values` are those of `run_fields(run_id)`; None when there is no such run."""
    if not values:
        return None
    request, status, updated_at, attempt, error = values
    if request is None or status is None or updated_at is None:
        return None
    asked = orjson.loads(request)
    return RunRecord(
        run_id=run_id,
        thread_id=thread_id,
        request=asked,
        status=status.decode(),
        created_at=datetime.fromisoformat(asked["created_at"]),
        updated_at=moment(updated_at),
        attempt=int(attempt or 0),
        error=(error or b"").decode(),
    )
