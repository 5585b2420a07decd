"""`python -m tests.upgrades.record`: records an installation of this version, for later ones to go on with.

It is run once, when a version is released; what it has written is never written anew.
"""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from redis.asyncio import Redis

from holdfast import __version__
from tests.servers import free_port, said, valkey
from tests.upgrades.dumps import FOLDER, KEYS, Json, dump
from tests.upgrades.living import PREFIX, SHOP, Living, living
from tests.waiting import wait_until

CHIEFS: Json = {"roles": ["chief"]}
YEARLY: Json = {"assistant_id": "echo", "schedule": "0 0 1 1 *", "input": said("happy new year")}
REFUND = "I want a refund of 100 yuan for order 12346"
YES: Json = {"type": "approve"}
YEAR_S = 31_536_000


async def record(folder: Path) -> None:
    with valkey() as url, TemporaryDirectory() as data:
        # The dead letter's address leads nowhere, and is tried once.
        nowhere = f"http://127.0.0.1:{free_port()}/hook"
        webhooks = {"HOLDFAST_WEBHOOK_HTTP": "true", "HOLDFAST_WEBHOOK_ALLOW": "127.0.0.0/8"}
        webhooks |= {"HOLDFAST_WEBHOOK_PORTS": nowhere.split(":")[2].split("/")[0]}
        webhooks |= {"HOLDFAST_WEBHOOK_ATTEMPTS": "1"}
        async with living(url, Path(data), **webhooks) as server:
            made = await live_a_life(server, nowhere)
        async with living(url, Path(data), "serve") as server:  # no worker takes it up
            made["queued"] = await server.thread()
            await server.put_in_line(made["queued"], "echo", input=said("queued"))
            await server.put_in_line(made["queued"], "echo", input=said("behind it"))
        async with Redis.from_url(url) as redis:
            lines = [orjson.dumps(line) async for line in dump(redis, PREFIX)]
        await asyncio.to_thread(write, folder, lines, made, Path(data) / "shop.db")


async def live_a_life(server: Living, nowhere: str) -> Json:
    """Something of every kind, by its name."""
    made: Json = {"idle": await server.thread(note="kept")}
    for text in ("hello", "again"):
        await server.run(made["idle"], "echo", input=said(text))
    made["asking"] = await server.thread()
    await server.run(made["asking"], "ask", input=said("hi"))
    made["one"], made["two"] = await server.thread(), await server.thread()
    await server.run(made["one"], "approve", input={"questions": ["one"], "policy": CHIEFS})
    two = {"questions": ["two"], "policy": {**CHIEFS, "deciders": 2}}
    await server.run(made["two"], "approve", input=two)
    await server.ask("eve", "POST", f"/approvals/{made['two']}:{made['two']}-two/decisions", json=YES)
    made["decided"] = await server.thread()
    await server.run(made["decided"], "approve", input={"questions": ["done"], "policy": CHIEFS})
    await server.ask(
        "eve", "POST", f"/approvals/{made['decided']}:{made['decided']}-done/decisions", json=YES
    )
    made["held"] = await server.thread()
    await server.run(made["held"], "echo", input=said("a person, please"))
    await server.ask("kim", "PUT", f"/threads/{made['held']}/hold")
    made["failed"] = await server.thread()
    failed = await server.put_in_line(made["failed"], "stumbling", input=said("hi"))
    await server.ask("ann", "GET", f"/threads/{made['failed']}/runs/{failed}/join")
    made["failed_run"] = failed
    made["later"] = await server.thread()
    made["later_run"] = await server.put_in_line(
        made["later"], "echo", input=said("later"), after_seconds=YEAR_S
    )
    made["refund"] = await server.thread("demo")  # a customer of the demo shop
    values = await server.run(made["refund"], "support", who="demo", input=said(REFUND))
    made["refund_question"] = values["__interrupt__"][0]["id"]
    made["cron"] = (await server.ask("ann", "POST", "/runs/crons", json=YEARLY))["cron_id"]
    assistant: Json = {"graph_id": "echo", "name": "kept", "context": {"color": "red"}}
    made["assistant"] = (await server.ask("ann", "POST", "/assistants", json=assistant))["assistant_id"]
    changed = {"context": {"color": "blue"}}
    await server.ask("ann", "PATCH", f"/assistants/{made['assistant']}", json=changed)
    item = {"namespace": ["notes"], "key": "one", "value": {"text": "kept"}}
    await server.ask("ann", "PUT", "/store/items", json=item)
    made["told"] = await server.thread()
    await server.run(made["told"], "echo", input=said("tell it"), webhook=nowhere)

    async def given_up() -> bool:
        return bool(await server.ask("kim", "GET", "/dead-letters?kind=webhook"))

    await wait_until(given_up, "the letter is given up")
    [letter] = await server.ask("kim", "GET", "/dead-letters?kind=webhook")
    return {**made, "letter": letter["id"]}


def write(folder: Path, lines: list[bytes], made: Json, shop: Path) -> None:
    folder.mkdir(parents=True)  # a version that was recorded stays as it is
    (folder / KEYS).write_bytes(b"\n".join([*lines, b""]))
    (folder / "made.json").write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n")
    with closing(sqlite3.connect(shop)) as database:
        (folder / SHOP).write_text("\n".join([*database.iterdump(), ""]))


if __name__ == "__main__":
    asyncio.run(record(FOLDER / (sys.argv[1] if len(sys.argv) > 1 else __version__)))
