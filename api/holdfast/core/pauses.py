"""Whose pause an answer ends: the assistant as the run was given it that paused.

The assistant itself may be another by now, or gone. A question is answered with what it was asked with.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from holdfast.core import assistants
from holdfast.core.platform import Platform
from holdfast.redis.approvals import Approval
from holdfast.redis.assistants import AssistantRecord
from holdfast.redis.records import ThreadRecord
from holdfast.wire.common import CheckpointAddress


async def asked_by(platform: Platform, approval: Approval) -> AssistantRecord:
    """Raises `AssistantNotFound` when the graph is not served any more."""
    card = approval.card
    return await given_to(platform, approval.thread_id, card["run_id"], card["graph_id"])


async def paused_by(platform: Platform, thread: ThreadRecord) -> AssistantRecord:
    """That of the last run of a thread at rest that has begun. Raises `AssistantNotFound`."""
    run_id = await last_begun(platform, thread.thread_id)
    return await given_to(platform, thread.thread_id, run_id, thread.graph_id or "")


async def last_begun(platform: Platform, thread_id: str) -> str:
    client, keys = platform.client, platform.keys
    ids = [one.decode() for one in await client.call("ZREVRANGE", keys.run_order(thread_id), 0, -1)]
    if not ids:
        return ""
    attempts = await client.call("HMGET", keys.runs(thread_id), *(f"{run_id}:attempt" for run_id in ids))
    return next((run_id for run_id, attempt in zip(ids, attempts, strict=True) if attempt), "")


async def task_of(platform: Platform, thread_id: str, asked_in: str) -> str:
    """The run that began what an answer goes on with; `asked_in` is the one that asked, "" the last begun."""
    run_id = asked_in or await last_begun(platform, thread_id)
    stored = await platform.client.call("HGET", platform.keys.runs(thread_id), run_id)
    return first_of(run_id, orjson.loads(stored)) if stored else run_id


async def last_decided(platform: Platform, thread_id: str) -> str:
    """The request that was decided last; "" where something else was answered after it, or nothing was."""
    client, keys = platform.client, platform.keys
    for run_id in await client.call("ZREVRANGE", keys.run_order(thread_id), 0, -1):
        stored = await client.call("HGET", keys.runs(thread_id), run_id)
        request = orjson.loads(stored) if stored else {}
        if decided := request.get("decisions"):
            return str([*decided][-1])
        if request.get("resume"):
            return ""
    return ""


def first_of(run_id: str, request: Mapping[str, Any]) -> str:
    return str(request.get("task") or run_id)


async def given_to(platform: Platform, thread_id: str, run_id: str, graph_id: str) -> AssistantRecord:
    """The graph by itself where the run is not known any more."""
    graph = assistants.of_graph(platform, platform.project.graph(graph_id))
    stored = await platform.client.call("HGET", platform.keys.runs(thread_id), run_id)
    if stored is None:
        return graph
    request: dict[str, Any] = orjson.loads(stored)
    asked = request["kwargs"]
    configurable = {
        name: value
        for name, value in asked["config"]["configurable"].items()
        if name not in CheckpointAddress.model_fields  # where that run began is not where this one does
    }
    config = {**asked["config"], "configurable": configurable}
    content = replace(graph.content, config=config, context=asked["context"])
    return replace(graph, assistant_id=request["assistant_id"], content=content)
