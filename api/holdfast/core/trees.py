"""The graphs of a run, one inside the other, and how each of them stands: made of the run's log."""

from typing import Any

from holdfast.core import runs
from holdfast.core.batches import active_runs
from holdfast.core.frames import Rendering
from holdfast.core.platform import Platform
from holdfast.errors import NotFound, RunNotFound
from holdfast.redis.records import Caller, RunRecord
from holdfast.redis.stream import START

Node = dict[str, Any]
Path = tuple[str, ...]

# How a run stands of which the log holds nothing.
STANDING = {"pending": "started", "running": "running", "success": "completed", "interrupted": "interrupted"}


class NoSuchRun(NotFound):
    """No such run on this thread."""

    code = "no_such_run"


async def read(platform: Platform, caller: Caller, thread_id: str, run_id: str | None) -> Node:
    """The tree of a run; without an id, of the one that is at work or was the last. Raises `NoSuchRun`."""
    record = await find(platform, caller, thread_id, run_id)
    root: Node = {
        "namespace": [],
        "status": STANDING.get(record.status, "failed"),
        "graph_name": record.request["graph_id"],
    }
    nodes: dict[Path, Node] = {(): root}
    rendering = Rendering()
    async for page in platform.hub.pages(thread_id, START):
        for event in (stored.event for stored in page):
            told = rendering.frames(event)
            if event.run_id == record.run_id:
                for frame in told:
                    if frame.method == "lifecycle":
                        note(nodes, tuple(frame.namespace), frame.data)
    return root


async def find(platform: Platform, caller: Caller, thread_id: str, run_id: str | None) -> RunRecord:
    try:
        if run_id:
            return await runs.get(platform, caller, thread_id, run_id)
        newest, _ = await runs.list_runs(platform, caller, thread_id, limit=1, offset=0, status=None)
        if waiting := await active_runs(platform, thread_id):
            return await runs.get(platform, caller, thread_id, waiting[-1])
        return newest[0]
    except (RunNotFound, IndexError):
        raise NoSuchRun from None


def note(nodes: dict[Path, Node], path: Path, lifecycle: dict[str, Any]) -> None:
    """A graph is heard of after the one that it is in."""
    node = nodes.get(path)
    if node is None:
        node = nodes[path] = {"namespace": list(path), "graph_name": lifecycle.get("graph_name", "")}
        nodes[path[:-1]].setdefault("children", []).append(node)
    node["status"] = lifecycle["event"]
