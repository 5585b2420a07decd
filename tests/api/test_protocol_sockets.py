"""Protocol v3 over a WebSocket: the official client by it, and frames by hand."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from holdfast.redis.records import CONFIG
from tests.api.protocols import CHANNELS, Json, Watch, command, finished, new_id, start, watching
from tests.servers import Live, live, said
from tests.waiting import wait_until


class Line:
    """A connection, what came over it, and the replies by their commands' ids."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.watch = Watch()
        self.replies: dict[Any, Json] = {}
        self._last = 0

    async def read(self) -> None:
        async for text in self.socket:
            came = orjson.loads(text)
            if came["type"] == "event":
                self.watch.frames.append(came)
            else:
                self.replies[came["id"]] = came

    async def ask(self, method: str, **params: Any) -> Json:
        self._last += 1
        number = self._last
        await self.socket.send(orjson.dumps({"id": number, "method": method, "params": params}).decode())
        return await self.reply(number)

    async def reply(self, number: Any) -> Json:
        async def came() -> bool:
            return number in self.replies

        await wait_until(came, f"the reply to command {number}")
        return self.replies.pop(number)

    async def subscribe(self, **asked: Any) -> str:
        reply = await self.ask("subscription.subscribe", **{"channels": CHANNELS, **asked})
        assert reply["type"] == "success", reply
        name: str = reply["result"]["subscription_id"]
        return name


def address(server: Live, thread_id: str) -> str:
    return f"{server.url.replace('http', 'ws')}/threads/{thread_id}/stream/events"


@asynccontextmanager
async def line(
    server: Live, thread_id: str, subject: str | None = None, **headers: str
) -> AsyncIterator[Line]:
    given = {**server.headers(subject), **headers}
    async with connect(address(server, thread_id), additional_headers=given) as socket:
        opened = Line(socket)
        reading = asyncio.create_task(opened.read())
        try:
            yield opened
        finally:
            await socket.close()
            await asyncio.wait([reading])


async def refusal_of(server: Live, thread_id: str, **headers: str) -> tuple[int, Json]:
    with pytest.raises(InvalidStatus) as refused:
        await connect(address(server, thread_id), additional_headers=headers)
    response = refused.value.response
    return response.status_code, orjson.loads(response.body)


# the official client


async def is_interrupted(thread: Any) -> None:
    async def reached() -> bool:
        return len(thread.interrupts) == 1

    await wait_until(reached, "an interrupt at the client")


async def test_a_conversation_by_the_official_client(server: Live) -> None:
    async with server.sdk().threads.stream(assistant_id="ask", transport="websocket") as thread:
        await thread.run.start(input={})
        await is_interrupted(thread)
        await thread.run.respond("yes")
        values: Json = await thread.output.with_timeout(10)
    assert values["log"] == ["did yes"]


async def test_words_values_and_updates_by_the_official_client(server: Live) -> None:
    async with server.sdk().threads.stream(assistant_id="modes", transport="websocket") as thread:
        await thread.run.start(input=said("hi"))
        async with asyncio.timeout(10):
            items = [one async for one in thread.interleave_projections(["values", "messages", "updates"])]
            text = [await item.text for channel, item in items if channel == "messages"]
    assert text == ["one two three"]
    assert [item["node"] for channel, item in items if channel == "updates"] == ["speak", "first"]


# by hand


async def test_the_frames_are_those_of_the_other_way(server: Live) -> None:
    thread_id = new_id()
    async with server.http() as http, watching(http, thread_id) as watch, line(server, thread_id) as one:
        await one.subscribe()
        reply = await one.ask("run.start", assistant_id="nested", input=said("hi"))
        assert set(reply["result"]) == {"run_id"}
        assert reply["meta"] == {"applied_through_seq": 0}
        await watch.until_phases("running", "completed")
        await one.watch.until_phases("running", "completed")
        assert one.watch.frames == watch.frames
        # Whoever comes later gets the same, from where it says.
        async with line(server, thread_id) as late:
            await late.subscribe(since=watch.seqs[2])
            await late.watch.until_count(len(watch.frames) - 3)
            assert late.watch.frames == watch.frames[3:]


async def test_each_subscription_has_channels_and_an_end_of_its_own(server: Live) -> None:
    thread_id = new_id()
    async with line(server, thread_id) as one:
        whole = await one.subscribe(channels=["lifecycle", "custom:nothing"])
        await one.subscribe(channels=["values"], namespaces=[[]], depth=0)
        assert (await one.ask("subscription.reconnect", subscriptions=[whole]))["result"] == {
            "restored": True
        }
        await one.ask("run.start", assistant_id="steps", input={})
        await one.watch.until_phases("running", "completed")
        assert (await one.ask("subscription.unsubscribe", subscription_id=whole))["result"] == {}
        gone = await one.ask("subscription.unsubscribe", subscription_id=whole)
        assert gone["error"] == "no_such_subscription"
        assert (await one.ask("subscription.reconnect", subscriptions=[whole]))["result"] == {
            "restored": False
        }
        await one.ask("run.start", assistant_id="steps", input={})
        await one.watch.until(lambda: len(one.watch.of("values")[-1]["log"]) == 6, "the values of the second")
        assert one.watch.phases == ["running", "completed"]
        assert {frame["method"] for frame in one.watch.frames} == {"lifecycle", "values"}


async def test_what_cannot_be_done_is_said_in_the_reply(server: Live) -> None:
    async with line(server, new_id()) as one:
        for sent, number in (("{", None), ("[]", None), ('{"id": "x"}', "x"), ('{"id": 5}', 5)):
            await one.socket.send(sent)
            assert (await one.reply(number))["error"] == "invalid_argument"
        await one.socket.send("[" * 5000)
        assert (await one.reply(None))["type"] == "error"
        for method, params, code in (
            ("subscription.subscribe", {"channels": []}, "invalid_argument"),
            ("subscription.subscribe", {"channels": ["none"]}, "invalid_argument"),
            ("subscription.subscribe", {"channels": ["values"], "since_event_id": "x"}, "bad_request"),
            ("subscription.unsubscribe", {}, "invalid_argument"),
            ("run.start", {}, "invalid_argument"),
            ("no.such", {}, "unknown_command"),
            ("input.respond", {"interrupt_id": "x", "response": 1}, "thread_not_found"),
        ):
            given: dict[str, Any] = dict(params)
            assert (await one.ask(method, **given))["error"] == code, method
        await one.subscribe()


async def test_a_state_of_any_kind_is_told_as_the_other_way_tells_it(server: Live) -> None:
    async with server.http() as http:
        thread_id, _ = await finished(http, "echo", said("hi"))
        async with line(server, thread_id) as one:
            told = await one.ask("state.get")
        assert told["result"] == (await command(http, thread_id, "state.get"))["result"]
    assert [message["content"] for message in told["result"]["values"]["messages"]] == ["hi", "echo: hi"]


async def test_a_command_that_nobody_has_foreseen_to_fail_fails_alone(
    server: Live, caplog: pytest.LogCaptureFixture
) -> None:
    thread_id = new_id()
    async with server.http() as http, line(server, thread_id) as one:
        await one.subscribe()
        await start(http, thread_id, "echo", said("hi"))
        await one.watch.until_phases("running", "completed")
        async with spoiled(server, thread_id):
            for method in ("state.get", "subscription.subscribe"):
                refused = await one.ask(method, channels=["values"])
                assert (refused["type"], refused["error"]) == ("error", "unknown_error")
        assert [record.message for record in caplog.records if record.exc_info] == ["a command failed"] * 2
        await start(http, thread_id, "echo", said("hi again"))
        await one.watch.until_phases("running", "completed", "running", "completed")


async def test_a_subscription_that_breaks_off_sends_its_client_to_come_again(
    server: Live, caplog: pytest.LogCaptureFixture
) -> None:
    thread_id = new_id()
    asked = {"id": 1, "method": "subscription.subscribe", "params": {"channels": ["values"]}}
    async with server.http() as http, connect(address(server, thread_id)) as one:
        await one.send(orjson.dumps(asked).decode())
        assert orjson.loads(await one.recv())["type"] == "success"
        await http.post("/threads", json={"thread_id": thread_id})
        async with spoiled(server, thread_id):
            await http.post(f"/threads/{thread_id}/runs", json={"assistant_id": "steps", "input": {}})
            await one.wait_closed()
    assert one.close_code == 1011
    assert [record.message for record in caplog.records if record.exc_info] == ["a connection broke off"]


@asynccontextmanager
async def spoiled(server: Live, thread_id: str) -> AsyncIterator[None]:
    """A record that Redis reads and Python does not, for as long as this lasts."""
    client, keys = server.platform.client, server.platform.keys
    await client.call("HSET", keys.thread(thread_id), CONFIG + "bad", "NaN")
    yield
    await client.call("HDEL", keys.thread(thread_id), CONFIG + "bad")


async def test_only_a_uuid_names_a_thread(server: Live) -> None:
    status, told = await refusal_of(server, "x")
    assert (status, told["detail"]) == (422, "Invalid thread ID: must be a UUID")


async def test_a_thread_of_somebody_else_is_as_silent_as_none(server: Live) -> None:
    thread_id, own = new_id(), new_id()
    async with (
        server.http("ann") as ann,
        line(server, thread_id, "ann") as hers,
        line(server, thread_id, "bob") as his,
    ):
        await hers.subscribe()
        await his.subscribe()
        await start(ann, thread_id, "echo", said("hi"))
        await hers.watch.until_phases("running", "completed")
        refused = await his.ask("run.start", assistant_id="echo", input=said("hi"))
        assert refused["error"] == "thread_not_found"
        assert his.watch.frames == []
        async with line(server, own, "bob") as of_bob:
            await of_bob.subscribe()
            assert (await of_bob.ask("run.start", assistant_id="echo", input={}))["type"] == "success"


async def test_connections_count_as_streams_and_commands_as_requests(redis_url: str) -> None:
    bounds: dict[str, Any] = {"max_streams_of_caller": 1, "rate_of_caller": 1, "burst_of_caller": 4}
    async with live(redis_url, worker=False, **bounds) as server:
        async with line(server, new_id(), "ann") as one:
            status, told = await refusal_of(server, new_id(), **server.headers("ann"))
            assert (status, told["code"]) == (429, "too_many_streams")
            codes = [(await one.ask("no.such")).get("error") for _ in range(4)]
            assert "rate_limited" in codes

        await is_freed(server)


async def is_freed(server: Live) -> None:
    """Waits until the only stream that a caller may have is there to be had again."""

    async def freed() -> bool:
        try:
            async with line(server, new_id(), "ann"):
                return True
        except InvalidStatus:
            return False

    await wait_until(freed, "the connection does not count any more")


async def test_a_client_that_does_not_read_is_cut(redis_url: str) -> None:
    thread_id = new_id()
    bounds: dict[str, Any] = {"max_streams_of_caller": 1, "send_timeout_s": 0.5}
    async with live(redis_url, **bounds) as server, server.http("ann") as ann:
        headers = server.headers("ann")
        deaf = await connect(
            address(server, thread_id), additional_headers=headers, max_queue=1, max_size=None
        )
        asked = {"id": 1, "method": "subscription.subscribe", "params": {"channels": ["values"]}}
        await deaf.send(orjson.dumps(asked).decode())
        for _ in range(4):  # more than the kernel keeps of it
            words = secrets.token_hex(500_000)  # which no compression makes small
            run: Json = {"assistant_id": "echo", "input": said(words), "if_not_exists": "create"}
            assert (await ann.post(f"/threads/{thread_id}/runs/wait", json=run)).status_code == 200
        await is_freed(server)
        deaf.transport.abort()


async def test_a_frame_that_is_too_large_ends_the_connection(redis_url: str) -> None:
    small = live(redis_url, worker=False, max_body_bytes=2000)
    async with small as server, line(server, new_id()) as one:
        await one.socket.send("x" * 2001)
        await one.socket.wait_closed()
        assert one.socket.close_code == 1009


async def test_pages_of_other_origins_are_turned_away_where_they_may_not_call(redis_url: str) -> None:
    async with live(redis_url, worker=False, cors_origins=["https://shop.example"]) as server:
        for origin in ("https://shop.example", server.url):
            async with line(server, new_id(), Origin=origin) as one:
                await one.subscribe()
        status, told = await refusal_of(server, new_id(), Origin="https://evil.example")
        assert (status, told["code"]) == (403, "forbidden")


async def test_a_server_that_stops_sends_its_clients_elsewhere(redis_url: str) -> None:
    thread_id = new_id()
    async with live(redis_url) as first:
        prefix = first.platform.keys.prefix
        async with live(redis_url, prefix=prefix, worker=False) as second:
            one = await connect(address(second, thread_id))
        await one.wait_closed()
        assert one.close_code == 1012
