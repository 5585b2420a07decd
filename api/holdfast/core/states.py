"""A graph's state, in the form of the wire."""

from typing import Any

from langgraph.types import Interrupt, PregelTask, StateSnapshot

from holdfast.errors import words
from holdfast.events import describe_config, encode_interrupt


def describe_interrupt(interrupt: Interrupt) -> dict[str, Any]:
    """An interrupt of a state or a thread: its schema is named only where there is one."""
    encoded = encode_interrupt(interrupt)
    if encoded["response_schema"] is None:
        del encoded["response_schema"]
    return encoded


def describe_task(task: PregelTask) -> dict[str, Any]:
    checkpoint = state = None
    if isinstance(task.state, StateSnapshot):
        state = describe_state(task.state)
    elif task.state:
        configurable = task.state.get("configurable", {})
        checkpoint = {
            "thread_id": configurable.get("thread_id"),
            "checkpoint_ns": configurable.get("checkpoint_ns", ""),
        }
    return {
        "id": task.id,
        "name": task.name,
        "path": task.path,
        "error": None if task.error is None else words(task.error, repr),
        "interrupts": [describe_interrupt(interrupt) for interrupt in task.interrupts],
        "checkpoint": checkpoint,
        "state": state,
        "result": task.result,
    }


def describe_state(snapshot: StateSnapshot) -> dict[str, Any]:
    checkpoint = describe_config(dict(snapshot.config))
    parent = describe_config(dict(snapshot.parent_config or {}))
    metadata = {
        key: value for key, value in dict(snapshot.metadata or {}).items() if not key.startswith("__")
    }
    thread = {"thread_id": checkpoint["thread_id"]} if checkpoint else {}  # the saver's keys say it
    return {
        "values": snapshot.values,
        "next": snapshot.next,
        "tasks": [describe_task(task) for task in snapshot.tasks],
        "metadata": metadata | thread if snapshot.metadata is not None else None,
        "created_at": snapshot.created_at,
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [describe_interrupt(interrupt) for interrupt in snapshot.interrupts],
        "checkpoint_id": checkpoint and checkpoint["checkpoint_id"],
        "parent_checkpoint_id": parent and parent["checkpoint_id"],
    }


EMPTY_STATE: dict[str, Any] = {
    "values": {},
    "next": [],
    "tasks": [],
    "metadata": None,
    "created_at": None,
    "checkpoint": None,
    "parent_checkpoint": None,
    "interrupts": [],
    "checkpoint_id": None,
    "parent_checkpoint_id": None,
}
