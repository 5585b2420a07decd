"""`holdfast audit`, as an operator and the programs of an operator see it."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
import pytest

from holdfast.cli import audit_views
from holdfast.cli.audit_views import Format
from tests.api.trails import Story, act, ask, rewrite, told_story
from tests.cli.conftest import Run
from tests.cli.test_operators import said_by
from tests.cli.test_start import CONFIG
from tests.cli.test_start_refused import FINE
from tests.cli.test_threads import Shown
from tests.servers import live

Json = Any


@pytest.fixture
async def story(redis_url: str) -> AsyncIterator[Story]:
    async with told_story(redis_url) as told:
        yield told


async def test_verify_ends_with_what_a_script_needs(story: Story, redis_url: str) -> None:
    beside = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": story.server.platform.keys.prefix}
    words = ("audit", "verify", "--config", CONFIG)
    summary, head = (await said_by(*words, beside=beside)).splitlines()
    assert summary == "7 entries, 2 requests: all as it was written"
    assert head.startswith("head 0:7:")
    noted = head.removeprefix("head ")
    assert await said_by(*words, "--head", noted, beside=beside) == f"{summary}\n{head}\n"
    await rewrite(story.server, lambda trail: trail[:2])
    told = (await said_by(*words, "--head", noted, "--head", "0:1:", beside=beside, code=1)).splitlines()
    assert "lane 0, entry 7: missing: it was there when its head was noted" in told
    assert "lane 0, entry 1: was another one when its head was noted" in told
    assert told[-2] == f"2 entries, 2 requests: wrong: {len(told) - 2}"


@pytest.mark.parametrize("head", ["", "0", "0:1", "x:1:abc", "0:-1:abc", "0:01:abc", "0:1:abc:2", "0:²:a"])
def test_what_is_no_head(refused: Run, restored: None, head: str) -> None:
    told = refused("audit", "verify", "--config", FINE, "--head", head)
    assert told == f"{head!r} is no head of a trail: one is LANE:SEQ:LINK, as `verify` prints it."


async def exported(
    story: Story,
    capsys: pytest.CaptureFixture[str],
    format: Format,
    since: datetime | None = None,
    tenant: str | None = None,
) -> str:
    await audit_views.export(format, since, tenant, story.server.platform, Shown().screen)
    return capsys.readouterr().out


async def test_an_export_can_be_checked_without_us(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (await exported(story, capsys, "jsonl")).splitlines()
    link = ""
    for seq, line in enumerate(map(orjson.loads, lines), 1):
        assert tuple(line) == audit_views.COLUMNS
        link = sha256((link + line["text"]).encode()).hexdigest()
        assert (line["lane"], line["seq"], line["link"]) == (0, seq, link)
        said = orjson.loads(line["text"])
        assert (line["digest"], line["details"]) == (said["digest"], said.get("details", ""))
    done = [(line["kind"], line["subject"]) for line in map(orjson.loads, lines)]
    assert done == [
        ("requested", "ann"), ("requested", "ann"), ("claimed", "bob"), ("voted", "bob"), ("viewed", "carol"),
        ("decided", "carol"), ("carried_out", None),
    ]  # fmt: skip


async def test_an_export_says_what_the_run_came_to_while_that_can_be_proved(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    async def told() -> tuple[str | None, str | None]:
        lines = map(orjson.loads, (await exported(story, capsys, "jsonl")).splitlines())
        [line] = [line for line in lines if line["kind"] == "carried_out"]
        return line["run_id"], line["status"]

    outcome = await story.get("one", ":outcome")
    assert await told() == (outcome["run_id"], "success")
    kept = await story.call("HGET", story.approvals, story.id("one") + ":history")
    for forged in (kept.replace(b'"success"', b'"error"'), b"{\n" + kept):
        await story.put("one", ":history", forged)
        assert await told() == (None, None)
    async with story.server.http("ann") as ann:
        await ann.delete(f"/threads/{story.thread_id}")
    assert await told() == (None, None)


async def test_an_export_as_a_table(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    async with story.server.http("=1+1", "chief") as formula:
        await act(formula, story.thread_id, "two", "claim")
    text = await exported(story, capsys, "csv")
    head, *table = csv.reader(io.StringIO(text))
    assert tuple(head) == audit_views.COLUMNS
    assert len(table) == 8
    last = dict(zip(head, table[-1], strict=True))
    assert (last["seq"], last["kind"], last["subject"]) == ("8", "claimed", "'=1+1")
    assert abs(datetime.fromisoformat(last["at"]) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_an_export_of_a_part(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    assert await exported(story, capsys, "jsonl", now + timedelta(hours=1)) == ""
    naive = (now - timedelta(hours=1)).replace(tzinfo=None)
    assert len((await exported(story, capsys, "jsonl", naive)).splitlines()) == 7
    assert len((await exported(story, capsys, "jsonl", None, "default")).splitlines()) == 7
    assert await exported(story, capsys, "jsonl", None, "north") == ""


async def test_what_cannot_be_read_is_exported_as_it_is(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    await rewrite(story.server, lambda trail: [*trail[:1], trail[1]._replace(text="{"), *trail[2:]])
    lines = (await exported(story, capsys, "jsonl", None, "north")).splitlines()
    [line] = map(orjson.loads, lines)
    assert (line["seq"], line["text"]) == (None, "{")


async def test_what_an_erasure_made_unknown_is_said_and_is_not_wrong(redis_url: str) -> None:
    async with live(redis_url) as server, server.http("ann") as ann:
        thread_id = await ask(ann, "one", owner="bob")
        beside = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": server.platform.keys.prefix}
        await said_by("erase", "bob", "--yes", "--config", CONFIG, beside=beside)
        told, summary, _ = (await said_by("audit", "verify", "--config", CONFIG, beside=beside)).splitlines()
        assert told.startswith(f"not checked: lane 0, request {thread_id}-one of thread {thread_id}: ")
        assert summary == "1 entries, 1 requests: all as it was written"
