"""What Redis keeps of a thread and of a run, read back into values."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

DECISION = "decision:"  # one field for each decided request
FOLLOWED = "protocol"  # set once a reader of protocol v3 has come: workers log what such readers need
METADATA = "m:"  # one field of the thread's hash for each top-level key, so that a merge is one HSET


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: `subject` within `tenant`; only settings and policies give `roles` a meaning."""

    subject: str
    tenant: str
    roles: tuple[str, ...] = ()
    staff: bool = False

    @property
    def owner_filter(self) -> str:
        """The owner whose threads the caller may use; '' stands for everybody in the tenant."""
        return "" if self.staff else self.subject

    def may_use(self, thread: "ThreadRecord") -> bool:
        return thread.tenant == self.tenant and (self.staff or thread.owner == self.subject)


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
    interrupts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    error: dict[str, str] | None = None
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    hold: dict[str, Any] | None = None
    ttl_minutes: float | None = None
    started: bool = False
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


RUN_FIELDS = ("", ":status", ":updated_at", ":attempt", ":error")


def run_fields(run_id: str) -> list[str]:
    return [run_id + suffix for suffix in RUN_FIELDS]


def timestamp_us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def moment(timestamp: bytes) -> datetime:
    return datetime.fromtimestamp(int(timestamp) / 1_000_000, UTC)


def metadata_fields(metadata: dict[str, Any]) -> list[bytes | str]:
    flat: list[bytes | str] = []
    for key, value in metadata.items():
        flat += (METADATA + key, orjson.dumps(value))
    return flat


def family(stored: dict[bytes, bytes], prefix: str) -> dict[str, Any]:
    """The fields that begin with a prefix, under the rest of their names, read as JSON."""
    return {
        name[len(prefix) :].decode(): orjson.loads(value)
        for name, value in stored.items()
        if name.startswith(prefix.encode())
    }


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
        decisions=family(stored, DECISION),
        hold=orjson.loads(stored[b"hold"]) if stored.get(b"hold") else None,
        interrupts=orjson.loads(stored.get(b"interrupts") or b"{}"),
        error=orjson.loads(stored[b"error"]) if stored.get(b"error") else None,
        ttl_minutes=float(ttl) if ttl else None,
        started=b"interrupts" in stored,
        followed=FOLLOWED.encode() in stored,
        epoch=int(stored.get(b"epoch", 0)),
        seq=int(stored.get(b"seq", 0)),
    )


def read_run(thread_id: str, run_id: str, values: list[bytes | None]) -> RunRecord | None:
    """`values` are those of `run_fields(run_id)`; None when there is no such run."""
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
