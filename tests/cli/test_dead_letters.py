"""`holdfast dead-letters`, command by command, against a real server."""

import re

import orjson
import pytest

from holdfast.cli.dead_letter_views import HEADS
from holdfast.errors import StartError
from tests.cli.asking import failed, given_up, say
from tests.servers import Live, live
from tests.waiting import wait_until
from tests.webhooks.receivers import Answer, reachable, receiving
from tests.webhooks.test_delivery import run, shelf


async def listed(server: Live, *words: str) -> list[list[str]]:
    head, *rows = (await say(server, "dead-letters", "ls", *words)).splitlines()
    assert re.split(r"  +", head) == list(HEADS)
    return [re.split(r"  +", row) for row in rows]


async def test_a_run_without_an_attempt_left_is_found_and_tried_again(server: Live) -> None:
    await failed(server)  # which is no dead letter: its graph has failed it, not its workers
    thread_id, run_id = await given_up(server)
    name = f"{thread_id}:{run_id}"
    [row] = await listed(server)
    assert (row[0], row[1], row[2]) == (name, "run", "echo")
    assert row[-1].startswith("poisoned: the run ended its worker 3 times")
    assert await listed(server, "--kind", "webhook") == []
    shown = await say(server, "dead-letters", "show", name)
    assert f"LETTER    {name}\n" in shown
    assert '"content": "hi"' in shown
    told = await say(server, "dead-letters", "retry", name)
    again = re.fullmatch(rf"{name}: goes on as {thread_id}:(\S+)\n", told)
    assert again
    await server.sdk("ann").runs.join(thread_id, again[1])
    assert (await server.sdk("ann").runs.get(thread_id, again[1]))["status"] == "success"
    assert await listed(server) == []


async def test_a_run_that_is_dropped_stays_on_its_thread(server: Live) -> None:
    thread_id, run_id = await given_up(server)
    name = f"{thread_id}:{run_id}"
    assert await say(server, "dead-letters", "drop", name) == f"{name}: is dropped\n"
    assert await listed(server) == []
    assert (await server.sdk("ann").runs.get(thread_id, run_id))["status"] == "error"
    for verb in ("show", "retry", "drop"):
        with pytest.raises(StartError, match=r"^There is no such dead letter\.$"):
            await say(server, "dead-letters", verb, name)


async def test_a_letter_that_did_not_arrive(redis_url: str) -> None:
    async with receiving() as receiver, live(redis_url, **reachable(receiver, webhook_attempts=1)) as server:
        receiver.always = Answer(500)
        made = await run(server, receiver.url)
        await run(server, receiver.url)
        other, letter = (one.letter for one in await shelf(server, 2))
        rows = await listed(server)
        assert {row[0] for row in rows} == {letter.id, other.id}
        [row] = [row for row in rows if row[0] == letter.id]
        assert (row[1:5], row[-1]) == (["webhook", "run.ended", "127.0.0.1", "1"], "answered 500")
        shown = orjson.loads(await say(server, "dead-letters", "show", other.id, "--json"))
        assert made["run_id"] in (shown["content"]["run_id"], letter.id.rpartition("-")[0])
        receiver.always = Answer()
        assert await say(server, "dead-letters", "retry", letter.id) == f"{letter.id}: is sent again\n"

        async def arrived() -> bool:
            return len(await listed(server)) == 1

        await wait_until(arrived, "the letter has arrived")
        assert await say(server, "dead-letters", "drop", other.id) == f"{other.id}: is dropped\n"
        assert await listed(server) == []
        assert len(receiver.got) == 3


async def test_only_staff_may(server: Live) -> None:
    for words in (("ls",), ("show", "x"), ("retry", "x"), ("drop", "x")):
        with pytest.raises(StartError, match=r"^This is for staff\.$"):
            await say(server, "dead-letters", *words, who="ann", roles=())
