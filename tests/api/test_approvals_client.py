"""The Python client for approvals, against a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import pytest

from holdfast import client as clients
from holdfast.client import (
    GAP,
    ApprovalEvent,
    ApprovalsClient,
    ApprovalsError,
    Decided,
    Frame,
    Page,
    frames,
)
from holdfast.wire.approvals import ApprovalDetail, ApprovalShown
from tests.api.trails import TWO_CHIEFS, ask
from tests.faults.proxy import Proxy, proxied
from tests.servers import Live, free_port, live


def client_of(server: Live, subject: str, *roles: str, url: str = "") -> ApprovalsClient:
    return ApprovalsClient(url or server.url, headers=server.headers(subject, *roles))


async def test_what_is_looked_at_is_typed(server: Live) -> None:
    async with server.http("ann") as ann, client_of(server, "bob", "chief") as bob:
        thread_id = await ask(ann, "one", "two", roles=["chief"])
        page = await bob.list(role="chief", thread_id=thread_id, limit=1)
        assert isinstance(page, Page)
        assert (len(page), page.total) == (1, 2)
        [one] = page
        assert isinstance(one, ApprovalShown)
        assert (one.status, one.actions, one.requester) == ("open", ["launch"], "ann")
        assert [found.approval_id for found in await bob.list(offset=1)] != [one.approval_id]
        detail = await bob.get(one.approval_id)
        assert isinstance(detail, ApprovalDetail)
        assert detail.question["display"]["title"] == "Launch"
        assert [line.kind for line in detail.history] == ["requested", "viewed"]
        assert (await bob.list(status="decided")).total == 0


async def test_every_answer(server: Live) -> None:
    async with server.http("ann") as ann, client_of(server, "bob", "chief") as bob:
        thread_id = await ask(ann, "a", "b", "c", "d", roles=["chief"])
        a, b, c, d = sorted(await bob.list(), key=lambda one: one.request_id)
        claimed = await bob.claim(a, seconds=60)
        assert claimed.claim
        assert claimed.claim.by == "bob"
        assert (await bob.release(claimed.approval_id)).claim is None
        approved = await bob.approve(a.approval_id)
        assert approved.on_disk
        assert approved.approval.decision
        assert approved.approval.decision.value == {"decisions": [{"type": "approve"}]}
        no = (await bob.reject(b, "too many")).approval.decision
        assert no
        assert no.value == {"decisions": [{"type": "reject", "message": "too many"}]}
        less = (await bob.edit(c, {"count": "2"})).approval.decision
        assert less
        assert less.value["decisions"][0]["edited_action"] == {"name": "launch", "args": {"count": "2"}}
        plain = (await bob.decide(d.approval_id, [{"type": "reject"}])).approval.decision
        assert plain
        assert (plain.value, plain.by) == ({"decisions": [{"type": "reject"}]}, ["bob"])
        assert (await bob.list(thread_id=thread_id)).total == 0


async def test_a_vote_leaves_it_waiting(server: Live) -> None:
    async with server.http("ann") as ann, client_of(server, "bob", "chief") as bob:
        await ask(ann, "one", **TWO_CHIEFS)
        [one] = await bob.list()
        voted = (await bob.approve(one)).approval
        assert (voted.status, voted.decision, [vote.by for vote in voted.votes]) == ("open", None, ["bob"])


async def test_an_answer_that_is_not_yet_on_disk_is_told_apart(server: Live) -> None:
    async with server.http("ann") as ann, client_of(server, "bob", "chief") as bob:
        await ask(ann, "one", roles=["chief"])
        [one] = await bob.list()
    answers = httpx.MockTransport(lambda _: httpx.Response(202, content=one.model_dump_json()))
    async with ApprovalsClient("http://elsewhere", transport=answers) as late:
        assert await late.approve(one) == Decided(one, on_disk=False)


async def test_what_was_looked_at_is_what_is_decided(server: Live) -> None:
    async with server.http("ann") as ann, client_of(server, "bob", "chief") as bob:
        await ask(ann, "one", roles=["chief"])
        [seen] = await bob.list()
        now = await bob.claim(seen)
        for stale in (bob.approve(seen), bob.decide(seen.approval_id, [], revision=seen.revision)):
            with pytest.raises(ApprovalsError) as refused:
                await stale
            assert (refused.value.status, refused.value.code) == (409, "conflict")
            assert refused.value.approval == now
        assert (await bob.approve(now)).approval.status == "decided"


async def test_what_is_refused_says_why_and_how_it_stands(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        client_of(server, "bob", "chief") as bob,
        client_of(server, "carol", "chief") as carol,
        client_of(server, "eve") as eve,
    ):
        await ask(ann, "one", roles=["chief"])
        [one] = await bob.list()
        decided = (await bob.approve(one)).approval
        with pytest.raises(ApprovalsError, match="decided by bob at") as late:
            await carol.reject(one.approval_id)
        assert (late.value.status, late.value.code) == (409, "no_such_interrupt")
        assert late.value.approval
        assert late.value.approval.decision == decided.decision
        for approval_id in (one.approval_id, "nonsense", "../threads", "a/b?c#d"):
            with pytest.raises(ApprovalsError) as foreign:
                await eve.get(approval_id)
            assert (foreign.value.status, foreign.value.approval) == (404, None)
        with pytest.raises(ApprovalsError) as malformed:
            await bob.decide(one, [{"type": "maybe"}])
        assert malformed.value.status == 409


async def test_several_actions_are_not_edited_by_guess(server: Live) -> None:
    async with server.http("ann") as ann, client_of(server, "bob", "chief") as bob:
        await ask(ann, "one", roles=["chief"])
        [one] = await bob.list()
        with pytest.raises(ValueError, match="several actions"):
            await bob.edit(one.model_copy(update={"actions": ["launch", "land"]}), {})


async def test_what_answers_is_something_else(server: Live) -> None:
    async with ApprovalsClient(f"{server.url}/ui", headers=server.headers("ann")) as lost:
        with pytest.raises(ApprovalsError) as refused:
            await lost.list()
        assert refused.value.status == 404
    answers = httpx.MockTransport(lambda _: httpx.Response(200, html="<p>hello</p>"))
    async with ApprovalsClient("http://elsewhere", transport=answers) as lost:
        with pytest.raises(ApprovalsError, match="no Holdfast"):
            await lost.list()
    away = httpx.MockTransport(lambda _: httpx.Response(502, html="<p>bad gateway</p>"))
    async with ApprovalsClient("http://elsewhere", transport=away) as lost:
        with pytest.raises(ApprovalsError, match=r"http://elsewhere/approvals.* answers 502"):
            await lost.list()


async def test_a_key_and_a_token_say_who_calls(redis_url: str) -> None:
    async with live(redis_url) as server, server.http("ann") as ann:
        await ask(ann, "one", roles=["chief"])
        key, _ = await server.sign_in.keys.create(subject="bob", tenant="default", roles=["chief"])
        async with ApprovalsClient(server.url, api_key=key) as bob:
            [one] = await bob.list()
            assert (await bob.claim(one)).claim
        async with ApprovalsClient(server.url, token=server.authenticator.sign("eve", ())) as eve:
            assert (await eve.list()).total == 0
        async with ApprovalsClient(server.url, token="nonsense") as nobody:
            with pytest.raises(ApprovalsError) as refused:
                await nobody.list()
            assert refused.value.status == 401


# streams


async def next_of(events: AsyncIterator[ApprovalEvent]) -> ApprovalEvent:
    return await asyncio.wait_for(anext(events), 20)


async def test_a_stream_tells_what_happens(server: Live) -> None:
    async with server.http("ann") as ann, client_of(server, "bob", "chief") as bob:
        async with aclosing(bob.stream()) as events:
            assert await next_of(events) == ApprovalEvent(GAP, None)
            thread_id = await ask(ann, "one", roles=["chief"])
            asked = await next_of(events)
            assert (asked.type, asked.approval_id) == ("requested", f"{thread_id}:{thread_id}-one")
            assert asked.approval
            assert asked.approval.title == "Launch"
            await bob.claim(asked.approval)
            assert (await next_of(events)).type == "claimed"
        await bob.release(asked.approval_id)
        async with aclosing(bob.stream(asked.id)) as events:
            assert [(await next_of(events)).type for _ in range(2)] == ["claimed", "released"]
        keys = server.platform.keys
        log = keys.events(keys.feed(keys.lane(thread_id), "default"))
        await server.platform.client.call("XTRIM", log, "MAXLEN", 1)
        async with aclosing(bob.stream(asked.id)) as events:
            assert [(await next_of(events)).type for _ in range(2)] == [GAP, "released"]


@pytest.fixture
async def line(server: Live) -> AsyncIterator[Proxy]:
    """What lies between a client and the server."""
    host, port = server.url.removeprefix("http://").split(":")
    async with proxied(lambda: asyncio.open_connection(host, int(port))) as proxy:
        yield proxy


async def test_a_stream_that_is_cut_goes_on_where_it_was(server: Live, line: Proxy) -> None:
    async with (
        server.http("ann") as ann,
        client_of(server, "bob", "chief") as bob,
        client_of(server, "eve", "operator", url=f"http://127.0.0.1:{line.port}") as watching,
        aclosing(watching.stream()) as events,
    ):
        assert (await next_of(events)).type == GAP
        line.cut()  # before anything was seen: what came meanwhile is not known
        assert (await next_of(events)).type == GAP
        thread_id = await ask(ann, "one", roles=["chief"])
        first = await next_of(events)
        assert first.type == "requested"
        for _ in range(3):
            line.refusing = True
            line.cut()
            assert first.approval
            await bob.claim(first.approval_id)
            await bob.release(first.approval_id)
            waiting = asyncio.ensure_future(next_of(events))
            await asyncio.wait([waiting], timeout=0.3)
            assert not waiting.done()
            line.refusing = False
            assert (await waiting).type == "claimed"
            assert (await next_of(events)).type == "released"
        await ann.delete(f"/threads/{thread_id}")
        gone = await next_of(events)
        assert (gone.type, gone.approval_id, gone.approval) == ("deleted", first.approval_id, None)


async def test_a_line_that_has_died_without_a_word_is_noticed(
    server: Live, line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "SILENCE_S", 1.0)
    async with (
        server.http("ann") as ann,
        client_of(server, "bob", "chief", url=f"http://127.0.0.1:{line.port}") as watching,
        aclosing(watching.stream()) as events,
    ):
        assert (await next_of(events)).type == GAP
        await ask(ann, "one", roles=["chief"])
        assert (await next_of(events)).type == "requested"
        for link in line.links:
            link.dead = True
        await ask(ann, "two", roles=["chief"])
        assert (await next_of(events)).type == "requested"


async def test_a_stream_that_cannot_be_opened_says_why(server: Live) -> None:
    async with client_of(server, "bob", url=f"http://127.0.0.1:{free_port()}") as nowhere:
        with pytest.raises(httpx.ConnectError):
            await next_of(nowhere.stream())
    async with client_of(server, "bob") as bob:
        with pytest.raises(ApprovalsError, match="Last-Event-ID") as refused:
            await next_of(bob.stream("x"))
        assert refused.value.status == 400


async def test_a_stream_outlives_a_server_that_is_away_but_not_a_refusal() -> None:
    answers = iter([200, 503, 200, 401])

    def answer(_: httpx.Request) -> httpx.Response:
        status = next(answers)
        return httpx.Response(status, json={"detail": "no", "code": "x"} if status > 200 else None)

    async with ApprovalsClient("http://elsewhere", transport=httpx.MockTransport(answer)) as client:
        events = client.stream()
        assert [(await next_of(events)).type for _ in range(2)] == [GAP, GAP]
        with pytest.raises(ApprovalsError) as refused:
            await next_of(events)
        assert refused.value.status == 401


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_frames_are_read_however_they_are_cut(size: int) -> None:
    body = (
        ': hello\r\nevent: a\r\ndata: {"é":"\u2028\x85"}\r\nid: 1.0\r\n\r\n'
        ": heartbeat\r\nevent: b\ndata: 1\ndata: 2\n\nevent: none\n\n"
        "data:x\nretry: 5\n\nevent: cut\ndata: off"
    ).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    found = [frame async for frame in frames(chunks())]
    assert found == [
        Frame("a", '{"é":"\u2028\x85"}', "1.0"),
        Frame("b", "1\n2", None),
        Frame("message", "x", None),
    ]
