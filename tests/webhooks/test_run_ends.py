"""What the webhook of a run is told when the run ends, however it ends."""

import hashlib
import hmac
import uuid
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.core.webhooks import events
from holdfast.redis import outbox
from holdfast.settings import WebhookEvent, read_secret
from tests.api.wire import Json, has_status, new_thread
from tests.servers import Live, live, said
from tests.waiting import wait_until
from tests.webhooks.receivers import Answer, Receiver, reachable, receiving

NEW = "whsec_" + b64encode(b"n" * 32).decode()
OLD = "whsec_" + b64encode(b"o" * 24).decode()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def served(redis_url: str, receiver: Receiver) -> AsyncIterator[Live]:
    async with live(redis_url, **reachable(receiver, webhook_secrets=(NEW, OLD))) as server:
        yield server
        await settled(server)


async def settled(server: Live) -> None:
    """Waits until nothing is to be delivered any more, and finds that nothing is kept of it."""
    client, keys = server.platform.client, server.platform.keys

    async def empty() -> bool:
        return not await client.redis.keys(f"{keys.prefix}:*letters*")

    await wait_until(empty, "every letter has been delivered")
    assert not await client.redis.keys(f"{keys.prefix}:*outbox*")


async def told(receiver: Receiver, count: int = 1) -> Json:
    *_, last = await receiver.has(count)
    return last.json


async def test_a_run_that_ended_well(served: Live, receiver: Receiver) -> None:
    sdk = served.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    hook = f"{receiver.url}/hook?token=secret"
    run: Json = await sdk.runs.create(
        thread_id, "echo", input=said("hi"), metadata={"tag": "one"}, webhook=hook
    )
    body = await told(receiver)
    [got] = receiver.got
    assert got.path == "/hook?token=secret"
    assert got.headers["content-type"] == "application/json"
    row: Json = await sdk.runs.get(thread_id, run["run_id"])
    assert {key: body[key] for key in row} == row
    assert row["kwargs"]["webhook"] == hook
    assert body["status"] == "success"
    assert body["type"] == "run.ended"
    assert body["tenant"] == "default"
    assert [one["content"] for one in body["values"]["messages"]] == ["hi", "echo: hi"]
    assert body["interrupts"] == []
    assert "error" not in body
    times = [
        datetime.fromisoformat(body[key])
        for key in ("created_at", "run_started_at", "run_ended_at", "webhook_sent_at")
    ]
    assert times == sorted(times)


async def test_the_signature_is_that_of_standard_webhooks(served: Live, receiver: Receiver) -> None:
    """Computed here by the specification's own words, for both secrets of a rotation."""
    await served.sdk().runs.create(None, "echo", input=said("hi"), webhook=receiver.url)
    [got] = await receiver.has(1)
    id, timestamp = got.headers["webhook-id"], got.headers["webhook-timestamp"]
    assert abs(int(timestamp) - got.at) < 5
    assert "." not in id
    signed = id.encode() + b"." + timestamp.encode() + b"." + got.body
    expected = [
        "v1," + b64encode(hmac.new(b64decode(secret[6:]), signed, hashlib.sha256).digest()).decode()
        for secret in (NEW, OLD)
    ]
    assert got.headers["webhook-signature"].split(" ") == expected


def test_a_secret_is_read_with_and_without_its_prefix() -> None:
    assert read_secret(NEW) == read_secret(NEW.removeprefix("whsec_")) == b"n" * 32


async def test_without_secrets_an_installation_signs_with_one_of_its_own(
    redis_url: str, receiver: Receiver
) -> None:
    async with live(redis_url, **reachable(receiver)) as server:
        await server.sdk().runs.create(None, "echo", input=said("hi"), webhook=receiver.url)
        [got] = await receiver.has(1)
        platform = server.platform
        kept = (await platform.client.call("GET", platform.keys.secret("webhooks"))).decode()
        signed = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
        digest = hmac.new(b64decode(kept[6:]), signed, hashlib.sha256).digest()
        assert got.headers["webhook-signature"] == "v1," + b64encode(digest).decode()


async def test_a_paused_run_brings_what_waits(served: Live, receiver: Receiver) -> None:
    sdk = served.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "ask", input=said("hi"), webhook=receiver.url)
    body = await told(receiver)
    state: Json = await sdk.threads.get_state(thread_id)
    assert body["status"] == "success"
    [waiting] = body["interrupts"]
    assert (waiting["id"], waiting["value"]) == (state["interrupts"][0]["id"], {"question": "go on?"})
    assert body["values"]["messages"][0]["content"] == "hi"
    await sdk.runs.wait(thread_id, "ask", command={"resume": "yes"}, webhook=receiver.url)
    body = await told(receiver, 2)
    assert body["interrupts"] == []
    assert body["values"]["answer"] == "yes"


async def test_a_run_that_failed(served: Live, receiver: Receiver) -> None:
    sdk = served.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.create(thread_id, "fail", input=said("hi"), webhook=receiver.url)
    body = await told(receiver)
    run: Json = (await sdk.runs.list(thread_id))[0]
    assert body["status"] == run["status"] == "error"
    assert set(body["error"]) == {"error", "message"}
    assert body["values"]["messages"][0]["content"] == "hi"


async def test_a_run_that_was_canceled_at_work(served: Live, receiver: Receiver) -> None:
    sdk = served.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 30}, webhook=receiver.url)
    await has_status(sdk, thread_id, run["run_id"], "running")
    await sdk.runs.cancel(thread_id, run["run_id"], wait=True)
    body = await told(receiver)
    assert (body["run_id"], body["status"]) == (run["run_id"], "interrupted")


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_that_never_began(served: Live, receiver: Receiver, action: Any) -> None:
    sdk = served.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "echo", input=said("hi"), after_seconds=3600, webhook=receiver.url)
    await sdk.runs.cancel(thread_id, run["run_id"], action=action)
    body = await told(receiver)
    assert (body["run_id"], body["status"]) == (run["run_id"], "interrupted")
    assert body["run_started_at"] is None
    assert body["values"] is None
    assert body["kwargs"]["input"] == said("hi")


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_runs_that_gave_way_to_another(served: Live, receiver: Receiver, strategy: Any) -> None:
    sdk = served.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    running = await sdk.runs.create(thread_id, "steps", input={"delay": 30}, webhook=receiver.url)
    await has_status(sdk, thread_id, running["run_id"], "running")
    waiting = await sdk.runs.create(thread_id, "echo", input=said("hi"), webhook=receiver.url)
    await sdk.runs.wait(thread_id, "echo", input=said("now"), multitask_strategy=strategy)
    ended = {one.json["run_id"]: one.json["status"] for one in await receiver.has(2)}
    assert ended == {running["run_id"]: "interrupted", waiting["run_id"]: "interrupted"}


async def test_a_stateless_run_is_told_of_after_its_thread_has_gone(served: Live, receiver: Receiver) -> None:
    sdk = served.sdk()
    await sdk.runs.wait(None, "echo", input=said("hi"), webhook=receiver.url)
    body = await told(receiver)
    assert [one["content"] for one in body["values"]["messages"]] == ["hi", "echo: hi"]
    keys, client = served.platform.keys, served.platform.client
    assert not await client.call("EXISTS", keys.thread(body["thread_id"]))


async def test_a_run_of_protocol_v3_has_a_webhook_too(served: Live, receiver: Receiver) -> None:
    async with served.http() as http:
        params = {"assistant_id": "echo", "input": said("hi"), "webhook": receiver.url}
        command = {"id": 1, "method": "run.start", "params": params}
        response = await http.post(f"/threads/{uuid.uuid4()}/commands", json=command)
    body = await told(receiver)
    assert body["run_id"] == response.json()["result"]["run_id"]


async def test_standing_webhooks_are_told_of_what_they_want(redis_url: str) -> None:
    async with receiving() as all_of_it, receiving() as runs, receiving() as approvals:
        hooks = (all_of_it.url, f"{runs.url}/x run.ended", f"{approvals.url} approval.*")
        settings = reachable(all_of_it, runs, approvals, webhooks=hooks)
        async with live(redis_url, **settings) as server:
            sdk = server.sdk()
            await sdk.runs.wait(None, "echo", input=said("hi"))
            await sdk.runs.wait(None, "echo", input=said("own too"), webhook=f"{runs.url}/own")
            got = await runs.has(3)
            assert sorted(one.path for one in got) == ["/own", "/x", "/x"]
            assert len(await all_of_it.has(2)) == 2
            assert len({one.id for one in (*got, *all_of_it.got)}) == 5
            await settled(server)
            assert approvals.got == []


async def test_other_events_of_a_thread_are_told_to_who_wants_them(redis_url: str) -> None:
    async with receiving() as runs, receiving() as approvals:
        hooks = (f"{runs.url} run.ended", f"{approvals.url} approval.decided")
        settings = reachable(runs, approvals, webhooks=hooks, redact="emails")
        async with live(redis_url, **settings) as server, server.http() as http:
            thread_id = await new_thread(http)
            happened: tuple[WebhookEvent, ...] = ("approval.requested", "approval.decided")
            for event in happened:
                await events.post(server.platform, event, thread_id, {"by": ["ann@example.com"], "n": 1})
            [got] = await approvals.has(1)
            await settled(server)
            assert runs.got == []
        body = got.json
        assert (body["type"], body["tenant"]) == ("approval.decided", "default")
        assert body["data"] == {"by": ["[email]"], "n": 1}
        assert body["timestamp"] <= body["webhook_sent_at"]


async def test_what_is_redacted_on_streams_is_redacted_for_webhooks(
    redis_url: str, receiver: Receiver
) -> None:
    async with live(redis_url, **reachable(receiver, redact="cards,emails")) as server:
        words = said("4111 1111 1111 1111, ann@example.com")
        await server.sdk().runs.wait(
            None, "echo", input=words, metadata={"who": "ann@example.com"}, webhook=receiver.url
        )
        [got] = await receiver.has(1)
    assert b"4111" not in got.body
    assert b"ann@example" not in got.body
    assert got.json["kwargs"]["input"]["messages"][0]["content"] == "[card], [email]"


async def test_a_deleted_thread_takes_its_letters_with_it(redis_url: str, receiver: Receiver) -> None:
    receiver.always = Answer(500)
    async with live(redis_url, **reachable(receiver, webhook_retry_s=3600)) as server, server.http() as http:
        thread_id = await new_thread(http)
        await server.sdk().runs.wait(thread_id, "echo", input=said("hi"), webhook=receiver.url)
        await receiver.has(1)
        client, keys = server.platform.client, server.platform.keys

        async def put_back() -> bool:
            [one] = await outbox.filed(client, keys, 0)
            return one.at > datetime.now(UTC) + timedelta(seconds=1800)

        await wait_until(put_back, "the letter waits for its next attempt")
        await http.delete(f"/threads/{thread_id}")
        assert await client.call("EXISTS", keys.outbox(0), keys.dead(0), keys.letters(thread_id)) == 0
