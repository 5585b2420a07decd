"""Between the record of a run and LangGraph: what a graph is given besides its input, what its state says."""

from collections.abc import Mapping
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.types import Send, StateSnapshot

from holdfast.events import dump, encode_interrupt
from holdfast.redis.claims import Claim

Answers = Mapping[str, Mapping[str, Any]]  # decisions {value, by, at} by request id


def run_config(claim: Claim) -> RunnableConfig:
    """The graph's config: what the client asked for, and what only the server may say."""
    request = claim.request
    asked = request["kwargs"].get("config") or {}
    user = identity(claim)
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
    if claim.hold:
        own["holdfast_hold"] = claim.hold
    metadata = {
        "graph_id": request["graph_id"],
        "assistant_id": request["assistant_id"],
        **request["metadata"],
        "run_id": claim.run_id,
        "thread_id": claim.thread_id,
        "run_attempt": claim.attempt,
    }
    config: RunnableConfig = {
        "configurable": {**(asked.get("configurable") or {}), **own},
        "metadata": {**(asked.get("metadata") or {}), **metadata},
        "tags": list(asked.get("tags") or []),
    }
    if asked.get("recursion_limit"):
        config["recursion_limit"] = asked["recursion_limit"]
    return config


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
    configurable = {key: value for key, value in config["configurable"].items() if key != "checkpoint_id"}
    return {**config, "configurable": configurable}


def read_goto(goto: Any) -> Any:
    """`command.goto` as LangGraph takes it; a Send comes as {node, input}."""
    if goto is None:
        return ()
    if isinstance(goto, list):
        return [read_goto(one) for one in goto]
    return Send(goto["node"], goto.get("input")) if isinstance(goto, dict) else goto


def read_request_id(value: Any) -> str | None:
    """The id of the request that an interrupt asks about, when its payload carries a policy."""
    policy = value.get("policy") if isinstance(value, dict) else None
    request_id = policy.get("request_id") if isinstance(policy, dict) else None
    return request_id if isinstance(request_id, str) and request_id else None


def asks_the_same(value: Mapping[str, Any], decision: Mapping[str, Any]) -> bool:
    """Whether a question is still the one that was decided: a yes to one figure is no yes to another."""
    return bool(orjson.loads(dump(value.get("action_requests"))) == decision.get("asked"))


def taken_back(snapshot: StateSnapshot, decisions: Answers) -> dict[str, bool]:
    """Decisions that a cancelled run has not carried out, for `Outcome.waiting`: they may be made again."""
    asked = (read_request_id(interrupt.value) for interrupt in snapshot.interrupts)
    return {request_id: True for request_id in asked if request_id and request_id in decisions}


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
