"""The audit trail, checked: what was tampered with is found and named, and nothing else is."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest

from holdfast.core import erasure
from holdfast.core.audit import tell, verify
from holdfast.core.erasure import Person
from holdfast.core.trail import Head
from holdfast.redis import audit
from tests.api.trails import (
    APPROVE,
    EDIT,
    REJECT,
    TWO_CHIEFS,
    Change,
    Row,
    Story,
    act,
    ask,
    ask_on,
    by_the_clock,
    carried_out,
    checked,
    decide,
    forged,
    found,
    history,
    path,
    rewrite,
    rows,
    told_story,
)
from tests.servers import live
from tests.waiting import wait_until

LINK = "its link does not follow from its text and the link before: one of them was changed"


@pytest.fixture
async def story(redis_url: str) -> AsyncIterator[Story]:
    async with told_story(redis_url) as told:
        yield told


def altered(index: int, change: Callable[[Row], Row]) -> Change:
    return lambda trail: [change(row) if place == index else row for place, row in enumerate(trail)]


def claimed_to_released(row: Row) -> Row:
    return row._replace(text=row.text.replace('"claimed"', '"released"'))


def relinked(trail: list[Row]) -> list[Row]:
    """The third entry says something else, with a link to match."""
    text = claimed_to_released(trail[2]).text
    return altered(2, lambda row: Row(row.id, text, audit.link(trail[1].link, text)))(trail)


def swapped(trail: list[Row]) -> list[Row]:
    third, fourth = trail[2:4]
    third, fourth = fourth._replace(id=third.id), third._replace(id=fourth.id)
    return [*trail[:2], third, fourth, *trail[4:]]


IN_THE_TRAIL: dict[str, tuple[Change, list[str]]] = {
    "a text": (altered(2, claimed_to_released), [f"entry 3: {LINK}"]),
    "a text and its link": (relinked, [f"entry 4: {LINK}"]),
    "a link": (
        altered(2, lambda row: row._replace(link="0" * 64)),
        [f"entry 3: {LINK}", f"entry 4: {LINK}"],
    ),
    "no JSON": (altered(2, lambda row: row._replace(text="{")), ["entry 3: its text is nothing"]),
    "other JSON": (altered(2, lambda row: row._replace(text="[3]")), ["entry 3: its text is nothing"]),
    "the first is gone": (lambda trail: trail[1:], ["entry 1: missing"]),
    "two in the middle are gone": (lambda trail: trail[:2] + trail[4:], ["entries 3 to 4: missing"]),
    "one put in": (
        lambda trail: [*trail[:3], trail[2]._replace(id="3-1"), *trail[3:]],
        ["entry 3-1: was put in"],
    ),
    "two in another order": (
        swapped,
        ["entry 3: its text is that of entry 4", "entry 4: its text is that of entry 3"],
    ),
    "an order that was forged": (lambda trail: forged(swapped(trail)), ["tell different things"]),
    "a text and all links after it": (
        lambda trail: forged(altered(2, claimed_to_released)(trail)),
        ["its history and entry 3 tell different things"],
    ),
    "another who did it": (
        lambda trail: forged(
            altered(3, lambda row: row._replace(text=row.text.replace(actor(row), actor(trail[5]))))(trail)
        ),
        ["its history names another than entry 4 (voted)", "the vote is by another than entry 4"],
    ),
    "the last is gone without a trace": (
        lambda trail: trail[:-1],
        ["that the trail does not know"],
    ),
    "one in the middle is gone without a trace": (
        lambda trail: forged(trail[:2] + trail[3:]),
        ["its history and entry 3 tell different things"],
    ),
    "one put in without a trace": (
        lambda trail: forged([*trail, trail[2]]),
        ["its history lacks what entry 8 (claimed) tells"],
    ),
    "nothing is left": (lambda trail: [], ["the trail knows nothing of it"]),
}


def actor(row: Row) -> str:
    name: str = orjson.loads(row.text)["actor"]
    assert len(name) == 32
    return name


@pytest.mark.parametrize("how", IN_THE_TRAIL)
async def test_what_was_done_to_the_trail_is_found(story: Story, how: str) -> None:
    change, expected = IN_THE_TRAIL[how]
    await rewrite(story.server, change)
    told = await found(story.server)
    assert [one for one in expected if not any(one in line for line in told)] == [], told


async def test_the_last_entry_was_deleted(story: Story) -> None:
    *_, last = await rows(story.server)
    await story.call("XDEL", story.server.platform.keys.audit(0), last.id)
    assert "lane 0, entry 7: missing at the end" in await found(story.server)
    async for entry in audit.entries(story.server.platform.client, story.server.platform.keys, 0):
        await story.call("XDEL", story.server.platform.keys.audit(0), entry.id)
    assert "lane 0, entries 1 to 7: missing at the end" in await found(story.server)


# who it was


async def test_another_name_is_found(story: Story) -> None:
    keys = story.server.platform.keys
    people = await audit.people(story.server.platform.client, keys, 0)
    [bob] = [name for name, person in people.items() if person.subject == "bob"]
    kept = await story.call("HGET", keys.people(0), bob)
    for forged_one in (kept.replace(b"bob", b"eve"), b"{", b'{"tenant":1,"subject":"bob","salt":""}', b"[]"):
        await story.call("HSET", keys.people(0), bob, forged_one)
        changed = f"lane 0, pseudonym {bob}: the name that is kept of who this is was changed"
        assert await found(story.server) == [changed]
        assert "eve" not in {row["subject"] async for row in tell(story.server.platform)}
    await story.call("HDEL", keys.people(0), bob)
    [told] = await found(story.server)
    assert told.startswith(f"lane 0, pseudonym {bob}: who this is was taken away")
    await story.call("HSET", keys.people(0), bob, kept)
    await story.call("HSET", keys.pseudonyms(0), people[bob].who, "0" * 32)
    assert sorted(line.split(":")[0] for line in await found(story.server)) == sorted(
        [f"lane 0, pseudonym {bob}", f"lane 0, pseudonym {'0' * 32}"]
    )


async def test_an_erased_person_leaves_a_trail_that_is_right_and_names_nobody(story: Story) -> None:
    before = await rows(story.server)
    await erasure.erase(story.server.platform, Person("bob", "default"))
    report = await checked(story.server)
    assert (report.findings, report.unchecked) == ([], [])
    assert await rows(story.server) == before
    told = [row async for row in tell(story.server.platform)]
    assert "bob" not in orjson.dumps(told).decode()
    assert {(row["kind"], row["subject"]) for row in told[:6]} == {
        ("requested", "ann"), ("claimed", None), ("voted", None), ("viewed", "carol"), ("decided", "carol"),
    }  # fmt: skip
    async with story.server.http("bob", "chief") as bob:  # comes back, as somebody new
        await act(bob, story.thread_id, "two", "claim")
    told = [row async for row in tell(story.server.platform)]
    assert (told[-1]["subject"], told[-1]["actor"] in {row["actor"] for row in told[:-1]}) == ("bob", False)
    assert await found(story.server) == []


async def test_an_erased_owner_takes_the_requests_along(story: Story) -> None:
    await erasure.erase(story.server.platform, Person("ann", "default"))
    report = await checked(story.server)
    assert (report.findings, report.unchecked, report.requests, report.gone) == ([], [], 2, 2)
    assert [row["kind"] async for row in tell(story.server.platform)][-1] == "deleted"


async def test_what_an_erasure_took_out_of_a_question_is_said_to_be_unknown(redis_url: str) -> None:
    async with live(redis_url) as server, server.http("ann") as ann:
        thread_id = await ask(ann, "one", owner="bob")
        await erasure.erase(server.platform, Person("bob", "default"))
        report = await checked(server)
        assert report.findings == []
        [unchecked] = map(str, report.unchecked)
        assert unchecked.startswith(
            f"lane 0, request {thread_id}-one of thread {thread_id}: its question named"
        )


# what is right


async def test_all_that_may_become_of_a_request_is_right(redis_url: str) -> None:
    async with (
        live(redis_url) as server,
        server.http("ann") as ann,
        server.http("bob", "chief") as bob,
        server.http("carol", "chief") as carol,
    ):
        claims = await ask(ann, "one", **TWO_CHIEFS)
        await act(bob, claims, "one", "claim")
        await act(bob, claims, "one", "release")
        await bob.get(path(claims, "one"))
        voided = await ask(ann, "one", **TWO_CHIEFS)
        await decide(bob, voided, "one", APPROVE)
        await decide(carol, voided, "one", EDIT)
        assert await found(server) == []
        await decide(bob, voided, "one", APPROVE)
        await carried_out(server, voided, "one")
        refused = await ask(ann, "one", **TWO_CHIEFS)
        await decide(bob, refused, "one", APPROVE)
        await decide(carol, refused, "one", REJECT)
        await carried_out(server, refused, "one")
        assert await found(server) == []
        past = "2020-01-01T00:00:00Z"
        expired = await ask(ann, "one", roles=["chief"], expires_at=past)
        await by_the_clock(server, expired, "one", "expired")
        await carried_out(server, expired, "one")
        escalated = await ask(ann, "one", roles=["chief"], expires_at=past, on_expiry={"escalate": ["boss"]})
        await by_the_clock(server, escalated, "one", "escalated")
        assert await found(server) == []
        withdrawn = await ask(ann, "one", "two", graph="desk")
        await decide(ann, withdrawn, "one", APPROVE)
        await carried_out(server, withdrawn, "one")
        await ask_on(ann, withdrawn, "three", graph="desk")
        superseded = await ask(ann, "old", graph="desk")
        await ask_on(ann, superseded, "new", graph="desk", supersedes=f"{superseded}-old")
        reminded = await ask(ann, "one", remind_at=past)
        await by_the_clock(server, reminded, "one", "reminded")
        report = await checked(server)
        assert (report.findings, report.unchecked, report.gone) == ([], [], 0)
        kinds = {row["kind"] async for row in tell(server.platform)}
        assert kinds >= {
            "requested", "viewed", "claimed", "released", "voted", "decided", "carried_out", "expired",
            "escalated", "withdrawn", "superseded", "reminded",
        }  # fmt: skip
        for thread_id in (claims, voided, escalated):
            await ann.delete(f"/threads/{thread_id}")
        for _ in range(2):  # the same thread and request once more
            await ann.post("/threads", json={"thread_id": voided})
            await ask_on(ann, voided, "one")
            await decide(ann, voided, "one", APPROVE)
            await carried_out(server, voided, "one")
            report = await checked(server)
            assert (report.findings, report.gone) == ([], 2)
            await ann.delete(f"/threads/{voided}")
        assert await found(server) == []


async def test_a_decision_that_is_taken_back_is_right(redis_url: str) -> None:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    async with live(redis_url, prefix=prefix) as busy, busy.http("ann") as ann:
        thread_id = await ask(ann, "one")
    # No worker is left: the run that is to carry the decision out waits, and is canceled.
    async with live(redis_url, worker=False, prefix=prefix) as server, server.http("ann") as ann:
        await decide(ann, thread_id, "one", APPROVE)
        [run, *_] = (await ann.get(f"/threads/{thread_id}/runs")).json()
        await ann.post(f"/threads/{thread_id}/runs/{run['run_id']}/cancel")
        shown = (await ann.get(path(thread_id, "one"))).json()
        assert [line["kind"] for line in shown["history"]][-2:] == ["reopened", "viewed"]
        assert await found(server) == []
        await decide(ann, thread_id, "one", REJECT)
        assert await found(server) == []


INSISTING = """
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from tests.served.served_graphs import Talk, approval

async def insist(state, config):
    named = config["configurable"]["thread_id"] + "-one"
    answers = {str(count): {"decision": interrupt(approval(named, version=count))} for count in range(2)}
    return {"answers": answers}

graph = StateGraph(Talk).add_node(insist).add_edge(START, "insist").compile()
"""


async def test_a_request_that_is_asked_once_more_is_right(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "insisting_graphs.py").write_text(INSISTING)
    config = tmp_path / "langgraph.json"
    config.write_bytes(orjson.dumps({"graphs": {"insist": "./insisting_graphs.py:graph"}}))
    async with live(redis_url, config=config) as server, server.http("ann") as ann:
        thread_id = await ask(ann, "one", graph="insist")

        async def waits_again() -> bool:
            return [line["kind"] for line in await history(server, thread_id, "one")].count("requested") == 2

        await decide(ann, thread_id, "one", APPROVE)
        await wait_until(waits_again, "it is asked once more")
        assert await found(server) == []
        await decide(ann, thread_id, "one", REJECT)
        await carried_out(server, thread_id, "one")
        report = await checked(server)
        assert (report.findings, report.unchecked) == ([], [])


async def test_nothing_is_wrong_while_servers_go_on(redis_url: str) -> None:
    async with live(redis_url) as server, server.http("ann") as ann:

        async def work() -> None:
            for _ in range(8):
                thread_id = await ask(ann, "one", "two")
                await act(ann, thread_id, "one", "claim")
                await decide(ann, thread_id, "one", APPROVE)
                await decide(ann, thread_id, "two", REJECT)
                await ann.delete(f"/threads/{thread_id}")

        workers = [asyncio.create_task(work()) for _ in range(3)]
        rounds = 0
        while not all(one.done() for one in workers):
            assert await found(server) == []
            rounds += 1
        await asyncio.gather(*workers)
        assert rounds > 5


# lanes and heads


async def test_each_lane_has_a_trail_of_its_own(redis_url: str) -> None:
    async with live(redis_url, lanes=2) as server, server.http("ann") as ann:
        keys, threads = server.platform.keys, dict[int, str]()
        while len(threads) < 2:
            thread_id = await ask(ann, "one")
            threads[keys.lane(thread_id)] = thread_id
        report = await checked(server)
        assert report.findings == []
        assert [(head.lane, head.seq > 0) for head in report.heads] == [(0, True), (1, True)]
        assert report.entries == sum(head.seq for head in report.heads)
        await rewrite(server, altered(0, lambda row: row._replace(link="0" * 64)), lane=1)
        told = await found(server)
        assert f"lane 1, entry 1: {LINK}" in told
        assert [line for line in told if not line.startswith("lane 1")] == []


async def test_a_head_that_was_noted_tells_of_a_trail_that_was_written_anew(story: Story) -> None:
    server = story.server
    noted = (await checked(server)).heads
    async with server.http("bob", "chief") as bob:
        await act(bob, story.thread_id, "two", "claim")
    assert (await verify(server.platform, noted)).findings == []
    assert (await verify(server.platform, [Head(0, 0, "")])).findings == []
    await rewrite(server, lambda trail: forged(altered(0, later)(trail)))
    [wrong] = [one for one in (await verify(server.platform, noted)).findings if one.where == "entry 7"]
    assert wrong.what == "was another one when its head was noted"
    await rewrite(server, lambda trail: trail[:3])
    told = [str(one) for one in (await verify(server.platform, noted)).findings]
    assert told[0] == "lane 0, entry 7: missing: it was there when its head was noted"
    assert (
        str((await verify(server.platform, [Head(1, 3, "")])).findings[-1])
        == "lane 1, head: there is no such lane"
    )


def later(row: Row) -> Row:
    return row._replace(text=row.text.replace('"at":"1', '"at":"2'))
