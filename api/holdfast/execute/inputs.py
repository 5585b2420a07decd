"""Between the record of a run and LangGraph: what a graph is given besides its input, what its state says."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot
from pydantic import BaseModel

from holdfast.events import dump, encode_interrupt
from holdfast.redis.claims import Claim
from holdfast.redis.records import Hold, run_metadata
from holdfast.wire.approvals import policy_of
from holdfast.wire.common import CheckpointAddress

logger = logging.getLogger(__name__)

LONGEST_ROLE = 255

Answers = Mapping[str, Mapping[str, Any]]  # decisions {value, by, at} by request id


def run_config(claim: Claim) -> RunnableConfig:
    """The graph's config: what the client asked for, and what only the server may say."""
    request = claim.request
    asked = request["kwargs"].get("config") or {}
    metadata = {
        **run_metadata(request),
        "run_id": claim.run_id,
        "thread_id": claim.thread_id,
        "run_attempt": claim.attempt,
    }
    config: RunnableConfig = {
        "configurable": {**(asked.get("configurable") or {}), **stamps(claim)},
        "metadata": {**(asked.get("metadata") or {}), **metadata},
        "tags": list(asked.get("tags") or []),
    }
    if asked.get("recursion_limit"):
        config["recursion_limit"] = asked["recursion_limit"]
    return config


def read_context(schema: Any, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """What of a run's context the graph's schema has a field for: what is in `configurable` is in it too."""
    if is_dataclass(schema):
        names = {field.name for field in fields(schema) if field.init}
    elif isinstance(schema, type) and issubclass(schema, BaseModel) and not takes_all(schema):
        names = {*schema.model_fields, *(str(one.alias) for one in schema.model_fields.values())}
    else:
        return dict(given) or None
    return {name: value for name, value in given.items() if name in names} or None


def takes_all(schema: type[BaseModel]) -> bool:
    return schema.model_config.get("extra") == "allow"


def stamps(claim: Claim) -> dict[str, Any]:
    """What only the server may say."""
    request, user = claim.request, identity(claim)
    own = {
        "run_id": claim.run_id,
        "thread_id": claim.thread_id,
        "graph_id": request["graph_id"],
        "assistant_id": request["assistant_id"],
        "langgraph_auth_user": user,
        "langgraph_auth_user_id": claim.owner,
        "langgraph_auth_permissions": list(user.get("permissions") or ()),
        "holdfast_decision": None,
    }
    if "cron_id" in request:
        own["cron_id"] = request["cron_id"]
    of_others = {
        "holdfast_hops": request.get("hops"),
        "holdfast_hold": held(claim),
        "holdfast_speaker": speaker(claim),
        "holdfast_handback": asdict(claim.handback) if claim.handback else None,
    }
    return own | {name: told for name, told in of_others.items() if told}


def held(claim: Claim) -> dict[str, Any] | None:
    """That a person is asked for, or has the thread."""
    hold = claim.hold
    return {"role": hold.role, "by": hold.by, "since": hold.since} if hold else None


def speaker(claim: Claim) -> dict[str, Any] | None:
    """Who speaks in the run where it is not the owner: somebody who has the thread, or might take it."""
    request = claim.request
    subject, holds = request["caller"], claim.hold is not None and claim.hold.by == request["caller"]
    if subject == claim.owner or not (holds or request.get("may_hold")):
        return None
    name = (request.get("user") or {}).get("display_name")
    return {"subject": subject, "roles": list(request["roles"]), "name": name or subject}


def identity(claim: Claim) -> dict[str, Any]:
    """Whose conversation it is: the thread's owner, also when somebody else has answered."""
    own = claim.request["caller"] == claim.owner
    return {
        **((claim.request.get("user") or {}) if own else {}),
        "identity": claim.owner,
        "tenant": claim.tenant,
        "roles": list(claim.request["roles"]) if own else [],
        "is_authenticated": True,
    }


def is_fork(config: RunnableConfig) -> bool:
    """Whether the run begins at a checkpoint that it names."""
    return "checkpoint_id" in config["configurable"]


def newest(config: RunnableConfig) -> RunnableConfig:
    """The same config at the thread's newest checkpoint."""
    if not is_fork(config):
        return config
    configurable = {
        key: value
        for key, value in config["configurable"].items()
        if key not in CheckpointAddress.model_fields
    }
    return {**config, "configurable": configurable}


def outermost(config: RunnableConfig) -> RunnableConfig:
    """Where in the history of the graph itself a run begins, if it names a checkpoint of a subgraph."""
    configurable = config["configurable"]
    if not configurable.get("checkpoint_ns"):
        return config
    at = (configurable.get("checkpoint_map") or {}).get("")
    head = newest(config)
    return {**head, "configurable": {**head["configurable"], "checkpoint_id": at}} if at else head


def read_hold(written: Any) -> Hold | None:
    """That a graph asks for a person, by `{"holdfast_hold": {"role": ...}}` among what it writes."""
    asked = written.get("holdfast_hold") if isinstance(written, dict) else None
    if asked is None:
        return None
    role = asked.get("role") if isinstance(asked, dict) else None
    if not isinstance(role, str) or not role.isprintable() or not 0 < len(role) <= LONGEST_ROLE:
        logger.warning("a graph asks for a person, and names no role: it is passed over")
        return None
    return Hold(role, None, datetime.now(UTC).isoformat())


def read_request_id(value: Any) -> str | None:
    """The id of the request that an interrupt asks about, if it does."""
    request_id = (policy_of(value) or {}).get("request_id")
    return request_id if isinstance(request_id, str) and request_id else None


def asks_the_same(value: Mapping[str, Any], decision: Mapping[str, Any]) -> bool:
    """Whether a question is still the one that was decided: a yes to one figure is no yes to another."""
    return bool(orjson.loads(dump(value.get("action_requests"))) == decision.get("asked"))


def asks_approval(interrupts: Mapping[str, list[dict[str, Any]]]) -> bool:
    return any(read_request_id(one["value"]) for of_task in interrupts.values() for one in of_task)


def read_interrupts(snapshot: StateSnapshot) -> dict[str, list[dict[str, Any]]]:
    """What waits, by task, in the form of a thread's `interrupts`."""
    waiting = {
        task.id: [encode_interrupt(interrupt) for interrupt in task.interrupts]
        for task in snapshot.tasks
        if task.interrupts
    }
    found: dict[str, list[dict[str, Any]]] = orjson.loads(dump(waiting))  # a question may hold any object
    return found


def read_values(snapshot: StateSnapshot) -> Any:
    """The values as a stream shows them: with what waits on them."""
    if not snapshot.interrupts or not isinstance(snapshot.values, dict):
        return snapshot.values
    return {**snapshot.values, "__interrupt__": snapshot.interrupts}
