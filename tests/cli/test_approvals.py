"""`holdfast approvals`, command by command, against a real server."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from holdfast.cli.approval_views import HEADS, decide
from holdfast.cli.commands import app
from holdfast.client import ApprovalsClient
from holdfast.errors import StartError
from holdfast.settings import OF_CLIENTS, read_settings
from tests.api.trails import TWO_CHIEFS, ask
from tests.cli.conftest import Run
from tests.cli.test_operators import data, said_by
from tests.cli.test_start import dev
from tests.cli.test_threads import Shown
from tests.servers import Live, free_port

__all__ = ["data"]

Json = Any


async def say(server: Live, who: str, *words: str) -> str:
    """What `holdfast approvals ...` prints for a caller. Raises `StartError` for what is refused."""
    token = server.authenticator.sign(who, ("chief",))
    return await run(*words, HOLDFAST_URL=server.url, HOLDFAST_TOKEN=token)


async def run(*words: str, **environment: str) -> str:
    runner = CliRunner(env={"COLUMNS": "80", **environment})
    result = await asyncio.to_thread(runner.invoke, app, ["approvals", *words])
    if result.exception:
        raise result.exception
    return result.stdout


async def test_a_request_is_found_looked_at_and_decided(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id = await ask(
            ann, "one", reason="many rockets", expires_at="2099-01-02T03:04:05Z", **TWO_CHIEFS
        )
        approval_id = f"{thread_id}:{thread_id}-one"
        head, row = (await say(server, "bob", "ls", "--role", "chief")).splitlines()
        assert re.split(r"  +", head) == list(HEADS)
        assert re.split(r"  +", row) == [
            approval_id, "open", "Launch", "rockets 3", "chief", "0/2", "2099-01-02 03:04:05",
        ]  # fmt: skip
        shown = await say(server, "bob", "show", approval_id)
        assert shown.startswith("\nLaunch\n  rockets  3\n")
        for line in (
            f"approval {approval_id}",
            "  status    open",
            "  for       chief",
            "  policy    version 1, many rockets",
            "  due       2099-01-02 03:04:05",
        ):
            assert line in shown.splitlines()
        assert [line.split()[2:4] for line in shown.splitlines()[-2:]] == [
            ["requested", "ann"],
            ["viewed", "bob"],
        ]
        [revision] = re.findall(r"revision  (\d+)", shown)
        voted = await say(server, "bob", "approve", approval_id, "--revision", revision)
        assert voted == f"{approval_id}: open, 1/2 votes\n"
        with pytest.raises(StartError, match="Something has happened to this request since you read it"):
            await say(server, "carol", "approve", approval_id, "--revision", revision)
        decided = await say(server, "carol", "reject", approval_id, "--message", "no fuel")
        assert re.fullmatch(rf"{approval_id}: reject by carol, \S+ \S+\n", decided)
        with pytest.raises(StartError, match=r"^This request was decided by carol at \S+\.$"):
            await say(server, "dan", "approve", approval_id)
        assert len((await say(server, "bob", "ls")).splitlines()) == 1
        assert approval_id in await say(server, "bob", "ls", "--status", "decided")
        shown = await say(server, "bob", "show", approval_id)
        assert re.search(
            r"  vote      approve by bob, .*\n  vote      reject by carol, .*\n  decision  reject by ", shown
        )
        assert '"message":"no fuel"' in shown


async def test_json_for_programs(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id = await ask(ann, "one", "two", roles=["chief"])
        listed = orjson.loads(await say(server, "bob", "ls", "--json"))
        assert {one["thread_id"] for one in listed} == {thread_id}
        approval_id = listed[0]["approval_id"]
        shown = orjson.loads(await say(server, "bob", "show", approval_id, "--json"))
        assert shown["question"]["action_requests"][0]["args"] == {"count": "3"}
        done = orjson.loads(await say(server, "bob", "approve", approval_id, "--json"))
        assert (done["status"], done["decision"]["by"]) == ("decided", ["bob"])
        other = orjson.loads(await say(server, "bob", "reject", listed[1]["approval_id"], "--json"))
        assert other["decision"]["value"] == {"decisions": [{"type": "reject"}]}


async def test_ls_says_when_there_are_more(server: Live) -> None:
    async with server.http("ann") as ann:
        await ask(ann, "one", "two", "three", roles=["chief"])
        assert (await say(server, "bob", "ls", "--limit", "1")).splitlines()[
            -1
        ] == "(2 more: --limit shows them)"


async def test_words_of_a_request_are_no_markup_and_no_control(server: Live) -> None:
    async with server.http("ann") as ann:
        await ask(ann, "one", roles=["chief"], reason="\x1b[31m[bold]red[/bold]\nx")
        [listed] = orjson.loads(await say(server, "bob", "ls", "--json"))
        shown = await say(server, "bob", "show", listed["approval_id"])
        assert "  policy    version 1, [31m[bold]red[/bold] x\n" in shown


async def test_a_foreign_one_is_not_there(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id = await ask(ann, "one", roles=["boss"])
        for words in (("show",), ("approve",), ("reject",)):
            with pytest.raises(StartError, match=r"^Approval not found"):
                await say(server, "bob", *words, f"{thread_id}:{thread_id}-one")


async def test_an_answer_that_is_not_yet_on_disk_is_no_certain_one(server: Live) -> None:
    async with server.http("ann") as ann, ApprovalsClient(server.url, headers=server.headers("ann")) as asked:
        thread_id = await ask(ann, "one")
        detail = await asked.get(f"{thread_id}:{thread_id}-one")
    answers = httpx.MockTransport(
        lambda request: httpx.Response(
            200 if request.method == "GET" else 202, content=detail.model_dump_json()
        )
    )
    shown = Shown()
    async with ApprovalsClient("http://elsewhere", transport=answers) as late:
        await decide(detail.approval_id, {"type": "approve"}, None, False, late, shown.screen)
    assert shown.lines[1] == "It is accepted and not yet on disk: look again before you rely on it."


async def test_beside_a_dev_everybody_is_the_demo_caller(data: Path) -> None:
    async with dev(data) as (_, url):
        told = await said_by("approvals", "ls", "--url", url, beside={})
        assert told.split() == " ".join(HEADS).split()


async def test_a_key_or_a_token_says_who_calls(server: Live) -> None:
    async with server.http("ann") as ann:
        await ask(ann, "one", roles=["chief"])
        at = ("ls", "--url", server.url)
        key, _ = await server.sign_in.keys.create(subject="bob", tenant="default", roles=["chief"])
        try:
            for shown in (await run(*at, "--api-key", key), await run(*at, HOLDFAST_API_KEY=key)):
                assert len(shown.splitlines()) == 2
        finally:
            await server.sign_in.keys.revoke(key.split("_")[1])
        stranger = server.authenticator.sign("eve", ())
        for shown in (await run(*at, "--token", stranger), await run(*at, HOLDFAST_TOKEN=stranger)):
            assert len(shown.splitlines()) == 1
        with pytest.raises(StartError, match=r"does not let you in \(.*--api-key or HOLDFAST_API_KEY"):
            await run(*at, "--token", "x")
        with pytest.raises(StartError, match="The key or the token holds characters that none has"):
            await run(*at, "--token", "a\nb")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--url", f"http://127.0.0.1:{free_port()}"), "No server answers at http://127.0.0.1:"),
        (("--url", "somewhere"), "somewhere is not an address"),
        (("--api-key", "ключ"), "The key or the token holds characters that none has."),
    ],
)
def test_what_cannot_be_asked(refused: Run, restored: None, words: tuple[str, ...], sentence: str) -> None:
    assert refused("approvals", "ls", *words).startswith(sentence)


def test_what_says_where_a_server_is_keeps_no_server_from_starting() -> None:
    assert read_settings(dict.fromkeys(OF_CLIENTS, "x")) == read_settings({})
