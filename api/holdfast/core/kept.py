"""Requests for approval as they are kept, read as an operator checks them."""

from collections import defaultdict
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict

from holdfast.core.platform import Platform
from holdfast.core.trail import Deed, Request
from holdfast.redis import traces
from holdfast.redis.audit import digest
from holdfast.redis.records import DECISION
from holdfast.wire.approvals import ApprovalStatus

Raw = tuple[bytes | None, ...]


class Line(BaseModel):
    """Of a request's history."""

    at: int
    kind: str
    by: str
    said: Any = None


class Outcome(NamedTuple):
    """What the run came to that carried a decision out, where that is known."""

    run_id: str | None = None
    status: str | None = None


class Vote(BaseModel):
    by: str
    at: str
    type: str
    decisions: list[dict[str, Any]]


class Decision(BaseModel):
    by: list[str]
    at: str
    interrupt_id: str
    value: dict[str, list[dict[str, Any]]]
    asked: Any = None


class Card(BaseModel):
    model_config = ConfigDict(extra="allow")

    salt: str
    tenant: str
    requester: str
    on_expiry: Any

    @property
    def escalates_to(self) -> list[str] | None:
        return self.on_expiry.get("escalate") if isinstance(self.on_expiry, dict) else None


class Kept(BaseModel):
    """A request. `outcome` is that of the run that carried its decision out, `carried` the decision that its
    thread holds."""

    card: Card
    status: ApprovalStatus
    votes: list[Vote]
    decision: Decision | None
    roles: list[str] | None
    question: dict[str, Any]
    history: list[Line]
    outcome: Any
    carried: Decision | None


STATUS_FIELD = ":status"
FIELDS = ("", STATUS_FIELD, ":votes", ":decision", ":roles", ":question", ":history", ":outcome")


async def find_kept(platform: Platform) -> dict[int, list[Request]]:
    """All requests by lane. Looks at all keys that the server has."""
    client, keys = platform.client, platform.keys
    found: dict[int, list[Request]] = defaultdict(list)
    async for key in traces.scan(client, keys.every("approvals")):
        thread_id = key.rpartition(":")[2]
        fields = (name.decode() for name in await client.call("HKEYS", key))
        names = [name.removesuffix(STATUS_FIELD) for name in fields if name.endswith(STATUS_FIELD)]
        found[keys.lane(thread_id)] += [(thread_id, name) for name in names]
    return found


async def read_raw(platform: Platform, request: Request) -> Raw:
    """The request as it stands in Redis, and the decision that its thread holds."""
    thread_id, request_id = request
    client, keys = platform.client, platform.keys
    fields = [request_id + suffix for suffix in FIELDS]
    kept = client.call("HMGET", keys.approvals(thread_id), *fields)
    carried = client.call("HGET", keys.thread(thread_id), DECISION + request_id)
    return (*await kept, await carried)


async def read_outcome(platform: Platform, deed: Deed) -> Outcome:
    """The run that an entry is about, as long as its request is kept and says what the digest is of."""
    if deed.kind != "carried_out" or not deed.digest:
        return Outcome()
    key, fields = platform.keys.approvals(deed.thread), (deed.request, f"{deed.request}:history")
    card, history = await platform.client.call("HMGET", key, *fields)
    with suppress(ValueError):
        salt = Card.model_validate_json(card or b"").salt
        for line in map(orjson.loads, (history or b"").splitlines()):
            said = Line.model_validate(line).said
            if digest(salt, said) == deed.digest:
                return Outcome(**said)
    return Outcome()


def is_gone(raw: Raw) -> bool:
    return not any(raw[: len(FIELDS)])


def read_kept(raw: Raw) -> Kept:
    """Raises ValueError for what the server never writes."""
    card, status, votes, decision, roles, question, history, outcome, carried = (
        value or b"" for value in raw
    )
    return Kept.model_validate(
        {
            "card": orjson.loads(card),
            "status": status.decode(),
            "votes": orjson.loads(votes or b"[]"),
            "decision": orjson.loads(decision or b"null"),
            "roles": orjson.loads(roles or b"null"),
            "question": orjson.loads(question),
            "history": [orjson.loads(line) for line in history.splitlines()],
            "outcome": orjson.loads(outcome or b"null"),
            "carried": orjson.loads(carried or b"null"),
        }
    )
