"""What `holdfast threads` shows."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from holdfast.cli.chat_screen import Screen
from holdfast.cli.operators import confirm, show, show_counts, shown
from holdfast.core import approvals, chat, erasure, inspection, storage, threads
from holdfast.core.platform import Platform
from holdfast.core.replay import complete
from holdfast.events import dump
from holdfast.redis.records import RunRecord, ThreadRecord
from holdfast.redis.stream import START, Stored, parse_place

HEADS = ("THREAD", "STATUS", "OWNER", "GRAPH", "RUNS", "CHANGED")


async def list_threads(
    tenant: str, owner: str, status: str | None, limit: int, platform: Platform, screen: Screen
) -> None:
    found = await inspection.newest(platform, tenant, owner=owner, status=status, limit=limit)
    counts = await inspection.count_runs(platform, [thread.thread_id for thread in found])
    rows = [
        (one.thread_id, one.status, one.owner, one.graph_id or "", count, shown(one.updated_at))
        for one, count in zip(found, counts, strict=True)
    ]
    show(screen, [HEADS, *rows])


async def show_thread(thread_id: str, messages: int, platform: Platform, screen: Screen) -> None:
    thread = await inspection.get(platform, thread_id)
    show(screen, await describe(platform, thread), f"thread {thread.thread_id}")
    runs = await inspection.runs(platform, thread.thread_id)
    show(screen, [describe_run(run) for run in runs], f"runs ({len(runs)})")
    waiting = approvals.pending(thread)
    show(
        screen,
        [(chat.approval_id(one), title_of(chat.display(one))) for one in waiting],
        f"waiting ({len(waiting)})",
    )
    for line in await last_messages(platform, thread, messages) if messages else ():
        screen.line(line)


async def describe(platform: Platform, thread: ThreadRecord) -> list[tuple[str, str]]:
    left_s = await inspection.expires_in_s(platform, thread.thread_id)
    expires = "never" if left_s is None else shown(datetime.now(UTC) + timedelta(seconds=left_s))
    rows = [
        ("status", thread.status),
        ("owner", f"{thread.owner}, tenant {thread.tenant}"),
        ("graph", thread.graph_id or ""),
        ("made", shown(thread.created_at)),
        ("changed", shown(thread.updated_at)),
        ("expires", expires),
        ("metadata", dump(thread.metadata).decode()),
    ]
    rows += [("error", dump(thread.error).decode())] if thread.error else []
    rows += [("hold", dump(thread.hold).decode())] if thread.hold else []
    decided = ((name, f"by {', '.join(one['by'])} at {one['at']}") for name, one in thread.decisions.items())
    return rows + [("decided", f"{name} {how}") for name, how in decided]


def describe_run(run: RunRecord) -> tuple[object, ...]:
    return (run.run_id, run.status, f"attempt {run.attempt}", shown(run.created_at), run.error)


def title_of(display: Any) -> str:
    titled = isinstance(display, dict) and isinstance(display.get("title"), str)
    return display["title"] if titled else dump(display).decode()


async def last_messages(platform: Platform, thread: ThreadRecord, count: int) -> list[str]:
    try:
        values = orjson.loads(dump(await threads.values(platform, thread) or {}))
    except Exception as error:  # the graph's own types and reducers read it
        return [f"the state cannot be read: {type(error).__name__}"]
    messages = values.get("messages") if isinstance(values, dict) else None
    told = [one for one in messages or () if isinstance(one, dict)]
    lines = [f"  {one.get('type')}: {chat.text_of(one) or calls_of(one)}" for one in told[-count:]]
    return [f"messages ({len(told)})", *lines]


def calls_of(message: dict[str, Any]) -> str:
    calls = message.get("tool_calls") or ()
    return " ".join(f"{call['name']}({dump(call['args']).decode()})" for call in calls)


async def tail_thread(thread_id: str, lines: int, once: bool, platform: Platform, screen: Screen) -> None:
    thread = await inspection.get(platform, thread_id)
    client, events = platform.client, platform.keys.events(thread.thread_id)
    async with platform.hub.follow(thread.thread_id) as reader:
        rows = await client.call("XREVRANGE", events, "+", "-", "COUNT", lines + 1)
        places = [parse_place(row[0]) for row in rows]
        if once and not places[:lines]:
            return
        after = places[lines] if len(places) > lines else START
        async for batch in platform.hub.events(thread.thread_id, reader, after):
            for stored in await complete(platform, thread.thread_id, batch):
                show_event(screen, stored)
            if once and batch[-1].place >= places[0]:
                return


def show_event(screen: Screen, stored: Stored) -> None:
    event = stored.event
    at = datetime.fromtimestamp(event.at_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    line = f"{stored.id:>8} {at} {event.run_id[-8:]} {event.name} {event.data.decode()}"
    if sys.stdout.isatty():
        screen.card(line)
    else:
        screen.line(line)


async def show_size(thread_id: str, platform: Platform, screen: Screen) -> None:
    thread = await inspection.get(platform, thread_id)
    found = await storage.weigh(platform, thread.thread_id)
    tables = [(table, f"{size:,}") for table, size in found["tables"].items() if size]
    show(screen, tables, f"{found['bytes']:,} bytes in Redis")
    if "channels" not in found:
        screen.line(f"{found['checkpointer']} keeps the checkpoints: they are not counted.")
        return
    show(screen, list(map(describe_channel, found["channels"].items())), "in the checkpoints, by channel")
    checkpoints = found["checkpoints"]
    screen.line(f"{checkpoints['count']} checkpoints are {checkpoints['bytes']:,} bytes of their own.")
    screen.line("Items of lists are stored once; any other value anew in each of its versions.")


def describe_channel(channel: tuple[str, dict[str, int]]) -> tuple[str, ...]:
    name, size = channel
    counts = (f"{size[kind]} {kind}" for kind in ("versions", "elements", "writes"))
    return (name, f"{size['bytes']:,}", *counts)


async def erase_thread(thread_id: str, yes: bool, platform: Platform, screen: Screen) -> None:
    thread = await inspection.get(platform, thread_id)
    confirm(f"Erase thread {thread.thread_id} of {thread.owner}?", yes=yes)
    show_counts(screen, await erasure.erase_thread(platform, thread), "erased")
