"""What `holdfast runs` asks of a server, and how it is shown."""

from datetime import UTC, datetime, timedelta

from holdfast.cli.chat_screen import Screen
from holdfast.cli.operators import show, shown
from holdfast.cli.servers import Calls, write, write_page
from holdfast.errors import StartError
from holdfast.wire.common import canonical
from holdfast.wire.operations import RunStanding, RunsWanted
from holdfast.wire.stats import Timeline

HEADS = ("RUN", "STATUS", "GRAPH", "OWNER", "ATTEMPT", "AGE", "WORKER", "NODE", "WHY")
UNITS = (("d", 86_400), ("h", 3600), ("m", 60))


async def list_runs(status: RunsWanted, limit: int, json: bool, server: Calls, screen: Screen) -> None:
    runs, total = await server.page("/runs", list[RunStanding], status=status, limit=limit)
    write_page(screen, json, runs, total, HEADS, describe)


def describe(run: RunStanding) -> tuple[object, ...]:
    return (
        name(run),
        run.status,
        run.graph_id,
        run.owner,
        run.attempt,
        age(since(run)),
        run.worker or "",
        run.node or "",
        run.error.message if run.error else "",
    )


def name(run: RunStanding) -> str:
    return f"{run.thread_id}:{run.run_id}"


def since(run: RunStanding) -> timedelta:
    """How long it has been at work, or has waited; of one for later it is less than nothing."""
    ended = run.status not in ("pending", "running")
    return (run.updated_at if ended else datetime.now(UTC)) - (run.started_at or run.due_at)


def age(time: timedelta) -> str:
    seconds = time.total_seconds()
    if seconds < 0:
        return f"in {age(-time)}"
    for unit, size in UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f}{unit}"
    return f"{seconds:.1f}s"


def path(run: str) -> str:
    """Where a run is, by its name. Raises `StartError`."""
    thread_id, _, run_id = run.partition(":")
    try:
        return f"/threads/{canonical(thread_id)}/runs/{canonical(run_id)}"
    except ValueError:
        raise StartError(
            f"{run} names no run: `holdfast runs ls` shows them as <thread id>:<run id>."
        ) from None


async def show_run(run: str, json: bool, server: Calls, screen: Screen) -> None:
    found = await server.get(f"{path(run)}/standing", RunStanding)
    if json:
        write(screen, found)
        return
    show(screen, standing(found), f"run {name(found)}")
    timeline = await server.get(f"{path(run)}/timeline", Timeline)
    lines = [
        (f"{one.at_ms / 1000:.2f}s", one.kind, one.name, "" if one.ms is None else f"{one.ms} ms")
        for one in timeline.entries
    ]
    show(screen, lines, "what happened" if timeline.whole else "what happened, as far as its log is kept")


def standing(run: RunStanding) -> list[tuple[str, str]]:
    rows = [
        ("status", run.status),
        ("graph", f"{run.graph_id}, assistant {run.assistant_id}"),
        ("owner", run.owner),
        ("attempt", str(run.attempt)),
        ("made", shown(run.created_at)),
    ]
    rows += [("due", shown(run.due_at))] if run.due_at > run.created_at else []
    rows += [("started", shown(run.started_at))] if run.started_at else []
    rows += [("changed", shown(run.updated_at)), ("age", age(since(run)))]
    rows += [("worker", f"{run.worker}, heard of {run.silent_ms} ms ago")] if run.worker else []
    rows += [("node", run.node)] if run.node else []
    rows += [("goes on with", str(run.retries))] if run.retries else []
    return rows + ([("error", f"{run.error.error}: {run.error.message}")] if run.error else [])


async def cancel_run(run: str, rollback: bool, wait: bool, server: Calls, screen: Screen) -> None:
    action = "rollback" if rollback else "interrupt"
    await server.send("POST", f"{path(run)}/cancel", action=action, wait=str(wait).lower())
    screen.line(f"{run}: {'ended' if wait else 'is asked to end'}")


async def retry_run(run: str, json: bool, server: Calls, screen: Screen) -> None:
    made = await server.post(f"{path(run)}/retry", RunStanding)
    if json:
        write(screen, made)
        return
    screen.line(f"{name(made)}: {made.status}, goes on with {made.retries}")
