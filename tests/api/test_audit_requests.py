"""Requests for approval held against the audit trail: what was changed on their thread is found and named."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from copy import copy
from typing import Any

import orjson
import pytest

from holdfast.core import kept
from holdfast.core.audited import judge
from holdfast.core.trail import Chain, read_names
from holdfast.redis import approvals as stored
from tests.api.trails import EDIT, REJECT, Story, found, rows, told_story


@pytest.fixture
async def story(redis_url: str) -> AsyncIterator[Story]:
    async with told_story(redis_url) as told:
        yield told


Place = tuple[str | int, ...]
Tamper = Callable[[Story], Awaitable[None]]
ON_THE_THREAD: dict[str, tuple[Tamper, dict[str, list[str]]]] = {}


def tampering(name: str, *what: str) -> Callable[[Tamper], Tamper]:
    def add(tamper: Tamper) -> Tamper:
        ON_THE_THREAD[tamper.__name__] = (tamper, {name: list(what)})
        return tamper

    return add


@tampering("two", "its question is not that of entry {first} (requested)")
async def another_question(story: Story) -> None:
    question = await story.get("two", ":question")
    question["action_requests"][0]["args"]["count"] = "1"
    await story.put("two", ":question", question)


@tampering("two", "its card says another title, facts than its question")
async def other_figures_on_the_card(story: Story) -> None:
    card = await story.get("two")
    await story.put("two", "", {**card, "title": "Land", "facts": []})


@tampering("two", "its card says another roles, deciders than its question")
async def easier_rules(story: Story) -> None:
    await story.put("two", "", {**await story.get("two"), "deciders": 1, "roles": ["owner"]})


@tampering("two", "its card names another as who asked than entry {first}")
async def another_who_asked(story: Story) -> None:
    await story.put("two", "", {**await story.get("two"), "requester": "eve"})


@tampering(
    "two",
    "its question is not that of entry {first} (requested)",
    "what its card says of its owner, its run or its time is not that of entry {first} (requested)",
)
async def another_salt(story: Story) -> None:
    await story.put("two", "", {**await story.get("two"), "salt": "0" * 32})


@tampering(
    "two", "what its card says of its owner, its run or its time is not that of entry {first} (requested)"
)
async def another_owner(story: Story) -> None:
    await story.put("two", "", {**await story.get("two"), "owner": "eve"})


@tampering("one", "what its history says is not that of entry 7 (carried_out)")
async def another_outcome(story: Story) -> None:
    failed = {**await story.get("one", ":outcome"), "status": "error"}
    await story.put("one", ":outcome", failed)
    await edit_history(story, 5, lambda line: {**line, "said": failed})


@tampering("two", "is for others to decide than its policy and the trail say")
async def other_roles(story: Story) -> None:
    await story.put("two", ":roles", ["owner"])


@tampering("two", "is decided, but by entry {first} it is open", "is decided, without a decision")
async def no_longer_open(story: Story) -> None:
    await story.put("two", ":status", "decided")


@tampering("two", "has a vote that the trail does not know")
async def a_vote_that_nobody_cast(story: Story) -> None:
    await story.put("two", ":votes", await story.get("one", ":votes"))


@tampering("two", "what is kept of it is nothing that the server writes")
async def garbage(story: Story) -> None:
    await story.put("two", ":votes", "{")


@tampering("two", "what is kept of it is nothing that the server writes")
async def no_status(story: Story) -> None:
    await story.call("HDEL", story.approvals, story.id("two") + ":status")


@tampering("two", "waits, says entry {first}, but is not kept any more")
async def nothing_of_it(story: Story) -> None:
    fields = await story.call("HKEYS", story.approvals)
    own = [name for name in fields if name.decode().startswith(story.id("two"))]
    await story.call("HDEL", story.approvals, *own)


@tampering("two", "its thread holds a decision that was not made")
async def a_decision_that_nobody_made(story: Story) -> None:
    decision = orjson.dumps(await story.get("one", ":decision"))
    await story.call("HSET", story.thread, f"decision:{story.id('two')}", decision)


@tampering("one", "its thread holds another decision than was made")
async def another_decision_for_the_graph(story: Story) -> None:
    decision = {**await story.get("one", ":decision"), "value": {"decisions": [REJECT]}}
    await story.call("HSET", story.thread, f"decision:{story.id('one')}", orjson.dumps(decision))


@tampering(
    "one",
    "its decision is not the one that was made",
    "its thread holds another decision than was made",
)
async def another_decision(story: Story) -> None:
    decision = await story.get("one", ":decision")
    await story.put("one", ":decision", {**decision, "value": {"decisions": [REJECT]}})


@tampering(
    "one",
    "its decision is not the one that was made",
    "its thread holds another decision than was made",
)
async def other_deciders(story: Story) -> None:
    decision = await story.get("one", ":decision")
    await story.put("one", ":decision", {**decision, "by": ["ann", "carol"]})


@tampering(
    "one",
    "its decision is about something else than its question",
    "its thread holds another decision than was made",
)
async def a_decision_about_something_else(story: Story) -> None:
    decision = await story.get("one", ":decision")
    await story.put("one", ":decision", {**decision, "asked": []})


@tampering("one", "is decided, without a decision")
async def no_decision(story: Story) -> None:
    await story.call("HDEL", story.approvals, story.id("one") + ":decision")
    await story.call(
        "HDEL", story.server.platform.keys.thread(story.thread_id), f"decision:{story.id('one')}"
    )


@tampering(
    "one",
    "the vote is not that of entry 4 (voted)",
    "the vote of entry 4 is said to be another than it is",
    "its decision is not the one that was made",
)
async def another_vote(story: Story) -> None:
    first, second = await story.get("one", ":votes")
    await story.put("one", ":votes", [{**first, "decisions": [EDIT]}, second])


@tampering("one", "the vote is by another than entry 4 says", "its decision is not the one that was made")
async def a_vote_of_another(story: Story) -> None:
    first, second = await story.get("one", ":votes")
    await story.put("one", ":votes", [{**first, "by": "dan"}, second])


@tampering("one", "lacks the vote of entry 4", "its decision is not the one that was made")
async def a_vote_less(story: Story) -> None:
    await story.put("one", ":votes", (await story.get("one", ":votes"))[1:])


@tampering("one", "what its history says is not that of entry 6 (decided)")
async def another_past(story: Story) -> None:
    await edit_history(story, 4, lambda line: {**line, "said": {"decisions": [REJECT]}})


@tampering("one", "its history names another than entry 3 (claimed)")
async def another_name_in_the_past(story: Story) -> None:
    await edit_history(story, 1, lambda line: {**line, "by": "eve"})


@tampering("one", "its history and entry 4 tell different things")
async def another_time(story: Story) -> None:
    await edit_history(story, 2, lambda line: {**line, "at": line["at"] - 1})


@tampering("two", "its history lacks what entry {first} (requested) tells")
async def no_history(story: Story) -> None:
    await story.call("HDEL", story.approvals, story.id("two") + ":history")


async def edit_history(story: Story, index: int, change: Callable[[Any], Any]) -> None:
    lines = (await story.call("HGET", story.approvals, story.id("one") + ":history")).split(b"\n")
    lines[index] = orjson.dumps(change(orjson.loads(lines[index])))
    await story.put("one", ":history", b"\n".join(lines))


@pytest.mark.parametrize("how", ON_THE_THREAD)
async def test_what_was_done_to_a_request_is_found(story: Story, how: str) -> None:
    tamper, expected = ON_THE_THREAD[how]
    texts = [orjson.loads(row.text) for row in await rows(story.server)]
    firsts = {
        name: next(one["seq"] for one in texts if one["request"] == story.id(name)) for name in expected
    }
    await tamper(story)
    told = [
        story.about(name, what.format(first=firsts[name])) for name in expected for what in expected[name]
    ]
    assert sorted(await found(story.server)) == sorted(told)


async def test_each_single_thing_that_is_kept_of_a_request_is_held_against_the_trail(story: Story) -> None:
    platform, request = story.server.platform, (story.thread_id, story.id("one"))
    chain = Chain(0)
    await chain.read(platform)
    names = await read_names(platform, 0)
    raw, deeds = await kept.read_raw(platform, request), chain.deeds[request]
    assert judge(raw, deeds, names) == []
    for place, (suffix, value) in enumerate(zip((*kept.FIELDS, "on the thread"), raw, strict=True)):
        for where, changed in changes_of(suffix, value):
            assert judge((*raw[:place], changed, *raw[place + 1 :]), deeds, names), (suffix, where)


def changes_of(suffix: str, value: bytes | None) -> Iterator[tuple[Place, bytes]]:
    """A field with one thing in it changed, in each way."""
    match suffix:
        case ":status":
            yield (), b"expired"
        case ":roles":
            yield (), b'["boss"]'
        case ":history":
            lines = (value or b"").split(b"\n")
            for index, line in enumerate(lines):
                for where, other in others(orjson.loads(line)):
                    changed = [*lines[:index], orjson.dumps(other), *lines[index + 1 :]]
                    yield (index, *where), b"\n".join(changed)
        case _:
            yield from ((where, orjson.dumps(other)) for where, other in others(orjson.loads(value or b"")))


def others(value: Any) -> Iterator[tuple[Place, Any]]:
    """Values that differ in one leaf, each with where that is."""
    match value:
        case dict() | list():
            for key in value if isinstance(value, dict) else range(len(value)):
                for where, other in others(value[key]):
                    changed = copy(value)
                    changed[key] = other
                    yield (key, *where), changed
        case bool():
            yield (), not value
        case int():
            yield (), value + 1
        case None:
            yield (), "x"
        case str():
            yield (), f"{value}x"


async def test_a_request_that_was_put_in_is_found(story: Story) -> None:
    for suffix in stored.FIELDS:
        value = await story.call("HGET", story.approvals, story.id("one") + suffix)
        if value is not None:
            await story.put("three", suffix, value)
    assert await found(story.server) == [story.about("three", "is kept, and the trail knows nothing of it")]
