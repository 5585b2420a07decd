"""What was asked for: as a run's record keeps it, and as the project's rules are asked about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from structlog.contextvars import get_contextvars
from uuid_utils.compat import uuid7

from holdfast.core import threads
from holdfast.core.assistants import BOTH
from holdfast.core.platform import Platform
from holdfast.errors import BadRequest, ThreadExists
from holdfast.limits import check_metadata
from holdfast.redis import lua
from holdfast.redis.assistants import AssistantRecord, Content
from holdfast.redis.lua import Place
from holdfast.redis.records import THREAD_METADATA, Caller
from holdfast.telemetry.tracing import traceparent
from holdfast.wire.runs import RunCreateStateless
from holdfast.wire.threads import ThreadCreate

# What the project's rules see of a run that is to be made.
ADMITTED = ("run_id", "thread_id", "assistant_id", "metadata", "multitask_strategy", "kwargs")


def own_metadata(asked: RunCreateStateless) -> dict[str, Any]:
    """What is asked for: a thread that the run makes has it too. Raises `Invalid` where it is too much."""
    config = asked.config.metadata if asked.config else None
    own = {**(config or {}), **(asked.metadata or {})}
    check_metadata(own)
    return own


def new_request(
    thread_id: str, asked: RunCreateStateless, assistant: AssistantRecord, caller: Caller
) -> dict[str, Any]:
    """What is kept of a request for as long as its run: also what the assistant was when it was made."""
    now, wanted = datetime.now(UTC), kwargs(asked, assistant.content)
    return {
        "run_id": str(uuid7()),
        "thread_id": thread_id,
        "graph_id": assistant.content.graph_id,
        "assistant_id": assistant.assistant_id,
        "metadata": own_metadata(asked),
        "assistant_metadata": {**assistant.content.config.get("metadata", {}), **assistant.metadata},
        "multitask_strategy": getattr(asked, "multitask_strategy", "enqueue"),
        "created_at": now.isoformat(),
        "due_at": (now + timedelta(seconds=asked.after_seconds or 0)).isoformat(),
        "caller": caller.subject,
        "roles": list(caller.roles),
        "may_hold": caller.may_hold,
        "user": dict(caller.user),
        "http_request_id": get_contextvars().get("request_id"),
        "kwargs": wanted,
        **({"traceparent": asking} if (asking := traceparent.get()) else {}),
    }


def kwargs(asked: RunCreateStateless, content: Content) -> dict[str, Any]:
    """What is to be done, in the form of a Run's `kwargs`: what the client asked for goes before what the
    assistant says."""
    base, own = content.config, asked.config.model_dump(exclude_none=True) if asked.config else {}
    if own.get("configurable") and asked.context:
        raise BadRequest(BOTH)
    given = own.get("configurable") or asked.context or {}
    context = {**content.context, **base.get("configurable", {}), **given}
    config = {
        **base,
        **own,
        "configurable": {**context, **place(asked)},
        "metadata": {**base.get("metadata", {}), **own.get("metadata", {})},
    }
    return {
        "input": asked.input,
        "command": asked.command.model_dump(exclude_unset=True) if asked.command else None,
        "config": config,
        "context": context,
        "stream_mode": asked.stream_mode,
        "stream_subgraphs": asked.stream_subgraphs,
        "interrupt_before": asked.interrupt_before,
        "interrupt_after": asked.interrupt_after,
        "resumable": asked.stream_resumable,
        "on_completion": asked.on_completion,
        "durability": asked.effective_durability,
        **({"webhook": asked.webhook} if asked.webhook else {}),
    }


def place(asked: RunCreateStateless) -> dict[str, Any]:
    """The checkpoint at which the run begins, where one is named."""
    found: dict[str, Any] = {}
    checkpoint_id = getattr(asked, "checkpoint_id", None)
    if checkpoint := getattr(asked, "checkpoint", None):
        checkpoint_id = checkpoint_id or checkpoint.checkpoint_id
        found["checkpoint_ns"] = checkpoint.checkpoint_ns
        if checkpoint.checkpoint_map:
            found["checkpoint_map"] = checkpoint.checkpoint_map
    if checkpoint_id:
        found["checkpoint_id"] = checkpoint_id
    return found


async def admit(
    platform: Platform,
    caller: Caller,
    request: dict[str, Any],
    *,
    after_s: float = 0,
    create_thread: bool = False,
) -> Caller:
    """Asks the project's rules, which may change the `metadata` and `kwargs` of the request.

    Where they decide, a thread that is to be made is made here: so it carries what they have stamped.
    """
    value = {
        **{name: request[name] for name in ADMITTED},
        "status": "pending",
        "prevent_insert_if_inflight": request["multitask_strategy"] == "reject",
        "if_not_exists": "create" if create_thread else "reject",
        "after_seconds": after_s,
    }
    caller = await platform.rules.admit(caller, "threads", "create_run", value)
    if caller.conditions is None:
        return caller
    request |= {"metadata": value["metadata"] or {}, "kwargs": value["kwargs"]}
    thread_id = request["thread_id"]
    if not create_thread:
        return caller.on(await threads.find(platform, caller, thread_id))
    new = ThreadCreate(thread_id=thread_id, metadata=request["metadata"], if_exists="do_nothing")
    try:
        return caller.on(await threads.create(platform, caller, new))
    except ThreadExists:  # somebody else's
        raise threads.missing(thread_id) from None


async def put_in_line(platform: Platform, submission: lua.Submission) -> Place:
    """Raises as `lua.submit` does. The request then has the thread's metadata, as the run's record does."""
    place, metadata = await lua.submit(platform.client, platform.keys, submission)
    submission.request[THREAD_METADATA] = metadata
    for ballot in submission.ballots:
        if ballot.decision:
            platform.recorder.decided(ballot.kind)
    return place


def about(thread_id: str, run_id: str, **more: Any) -> dict[str, Any]:
    """A run as the project's rules are asked about it."""
    return {"thread_id": thread_id, "run_id": run_id, **more}
