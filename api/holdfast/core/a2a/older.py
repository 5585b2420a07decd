"""A task in the terms of protocol 0.3, as the official package tells it, which no worker loads."""

from collections.abc import Mapping
from typing import Any

from holdfast.core.a2a.messages import Json

VERSION = "0.3"


def task(told: Mapping[str, Any]) -> Json:
    return {
        **told,
        "kind": "task",
        "status": status(told["status"]),
        "artifacts": [{**one, "parts": parts(one)} for one in told.get("artifacts", ())],
        "history": [message(one) for one in told.get("history", ())],
    }


def status(told: Mapping[str, Any]) -> Json:
    said = {"message": message(told["message"])} if "message" in told else {}
    return {**told, "state": word(told["state"], "TASK_STATE_"), **said}


def message(told: Mapping[str, Any]) -> Json:
    return {**told, "kind": "message", "role": word(told["role"], "ROLE_"), "parts": parts(told)}


def parts(told: Mapping[str, Any]) -> list[Json]:
    return [part(one) for one in told["parts"]]


def part(told: Mapping[str, Any]) -> Json:
    """Text, or data: an object, in 0.3."""
    if "text" in told:
        return {"kind": "text", "text": told["text"]}
    if isinstance(told["data"], dict):
        return {"kind": "data", "data": told["data"]}
    return {"kind": "data", "data": {"value": told["data"]}, "metadata": {"data_part_compat": True}}


def word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", "-")
