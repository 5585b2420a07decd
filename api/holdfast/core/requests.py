"""What was asked for: as a run's record keeps it, and as the project's rules are asked about it."""

from typing import Any

from holdfast.core import threads
from holdfast.core.platform import Platform
from holdfast.errors import BadRequest, ThreadExists
from holdfast.redis.records import Caller
from holdfast.wire.runs import RunCreateStateless
from holdfast.wire.threads import ThreadCreate

# What the project's rules see of a run that is to be made.
ADMITTED = ("run_id", "thread_id", "assistant_id", "metadata", "multitask_strategy", "kwargs")


def kwargs(asked: RunCreateStateless) -> dict[str, Any]:
    """What the client asked for, in the form of a Run's `kwargs`."""
    config = asked.config.model_dump(exclude_none=True) if asked.config else {}
    if config.get("configurable") and asked.context:
        raise BadRequest("Send either config.configurable or context: the one is a mirror of the other.")
    configurable = dict(config.get("configurable") or asked.context or {})
    checkpoint_id = getattr(asked, "checkpoint_id", None)
    if checkpoint := getattr(asked, "checkpoint", None):
        checkpoint_id = checkpoint_id or checkpoint.checkpoint_id
        configurable["checkpoint_ns"] = checkpoint.checkpoint_ns
    if checkpoint_id:
        configurable["checkpoint_id"] = checkpoint_id
    config["configurable"] = configurable
    config["metadata"] = config.get("metadata") or {}
    return {
        "input": asked.input,
        "command": asked.command.model_dump(exclude_unset=True) if asked.command else None,
        "config": config,
        "context": asked.context or {},
        "stream_mode": asked.stream_mode,
        "stream_subgraphs": asked.stream_subgraphs,
        "interrupt_before": asked.interrupt_before,
        "interrupt_after": asked.interrupt_after,
        "resumable": asked.stream_resumable,
        "on_completion": asked.on_completion,
        "durability": asked.effective_durability,
    }


async def admit(
    platform: Platform,
    caller: Caller,
    request: dict[str, Any],
    asked: RunCreateStateless,
    *,
    create_thread: bool,
) -> Caller:
    """Asks the project's rules, which may change the `metadata` and `kwargs` of the request.

    Where they decide, a thread that is to be made is made here: so it carries what they have stamped.
    """
    value = {
        **{name: request[name] for name in ADMITTED},
        "status": "pending",
        "prevent_insert_if_inflight": request["multitask_strategy"] == "reject",
        "if_not_exists": "create" if create_thread else "reject",
        "after_seconds": asked.after_seconds or 0,
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


def about(thread_id: str, run_id: str, **more: Any) -> dict[str, Any]:
    """A run as the project's rules are asked about it."""
    return {"thread_id": thread_id, "run_id": run_id, **more}
