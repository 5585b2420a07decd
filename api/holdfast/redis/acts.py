"""What is done to a request for approval, as its history, the audit trail and webhooks are told of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from holdfast.redis.audit import digest


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done to a request: `actor` is the pseudonym of who did it, `by` the name.

    `digest` is that of what was said (`audit.digest`), `said` what the history tells of it, as JSON;
    `details` is the digest of what else is kept of it (`details_of`); `tell` are the webhooks that are told.
    """

    kind: str
    actor: str = ""
    by: str = ""
    digest: str = ""
    said: str = ""
    details: str = ""
    tell: Collection[str] = ()


def dumped(value: Any) -> str:
    """JSON as a text, for JSON that holds it."""
    return orjson.dumps(value).decode()


# What is kept beside the words: of a request, whose it is and where it was asked; of a vote or a decision,
# when it was made and of which interrupt.
DETAILS = (
    "tenant", "owner", "run_id", "graph_id", "assistant_id", "created_at", "at", "interrupt_id",
)  # fmt: skip


def details_of(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What goes under the second digest of an entry: of a request's card, a vote or a decision."""
    return {name: kept[name] for name in DETAILS if name in kept}


def saying(
    kind: str,
    salt: str,
    said: Any,
    *,
    kept: Mapping[str, Any] | None = None,
    actor: str = "",
    by: str = "",
    tell: Collection[str] = (),
) -> Act:
    """An act with the digest of what was said by it, and of the details of what is `kept` of that."""
    details = digest(salt, details_of(kept)) if kept else ""
    return Act(kind, actor, by, digest(salt, said), dumped(said), details, tell)
