"""A target that is down, slow or elsewhere: tried again under one id, given up at last, no run affected."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from holdfast.core.webhooks import courier, letters
from holdfast.core.webhooks.courier import backoff, read_wait
from holdfast.core.webhooks.gates import PLACES
from holdfast.core.webhooks.letters import Shelved
from holdfast.redis import outbox
from tests.api.wire import Json
from tests.cli.test_operators import said_by
from tests.servers import SERVED, Live, end, free_port, holdfast, live, said
from tests.waiting import wait_until
from tests.webhooks.receivers import Answer, Receiver, reachable, receiving


@asynccontextmanager
async def served(redis_url: str, *receivers: Receiver, **settings: Any) -> AsyncIterator[Live]:
    async with live(redis_url, **reachable(*receivers, **settings)) as server:
        yield server


async def run(server: Live, url: str) -> Json:
    """One run that is told of, on a thread of its own; returns when it has ended."""
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    created = await sdk.runs.create(thread_id, "echo", input=said("hi"), webhook=url)
    await sdk.runs.join(thread_id, created["run_id"])
    return created


async def shelf(server: Live, count: int) -> list[Shelved]:
    """Waits until so many letters were given up and none is waiting."""

    async def given_up() -> bool:
        found = await letters.shelved(server.platform)
        return len(found) == count and all(one.filed.dead for one in found)

    await wait_until(given_up, f"{count} letters given up, none waiting")
    return await letters.shelved(server.platform)


async def test_every_one_of_a_hundred_ends_is_delivered_once(redis_url: str) -> None:
    async with receiving() as receiver, served(redis_url, receiver) as server:
        runs = await asyncio.gather(*(run(server, receiver.url) for _ in range(100)))
        await receiver.has(100)
        await shelf(server, 0)
        assert sorted(one.json["run_id"] for one in receiver.got) == sorted(one["run_id"] for one in runs)
        assert len(set(receiver.ids)) == 100


async def test_a_target_that_fails_is_asked_again_under_the_same_id(redis_url: str) -> None:
    async with receiving() as receiver, served(redis_url, receiver) as server:
        receiver.answers.extend([Answer(500), Answer(404), Answer(429), Answer(202)])
        await run(server, receiver.url)
        got = await receiver.has(4)
        await shelf(server, 0)
        assert len(got) == 4
        assert len(set(receiver.ids)) == 1
        assert len({one.json["run_id"] for one in got}) == 1
        assert got[0].json["webhook_sent_at"] < got[3].json["webhook_sent_at"]


async def test_a_target_that_was_down_gets_its_letter_when_it_is_back(redis_url: str) -> None:
    port = free_port()
    down = Receiver(url=f"http://127.0.0.1:{port}", port=port)
    async with served(redis_url, down, webhook_retry_s=0.3) as server:
        await run(server, down.url)
        [one] = await wait_for_error(server, "no connection, or no answer on it (ConnectError)")
        assert one.letter.attempt >= 1
        bound = await asyncio.start_server(
            lambda r, w: asyncio.ensure_future(down.serve(r, w)), "127.0.0.1", port
        )
        async with bound:
            await down.has(1)
        await shelf(server, 0)


async def wait_for_error(server: Live, error: str) -> list[Shelved]:
    async def failed() -> bool:
        found = await letters.shelved(server.platform)
        return bool(found) and all(one.letter.error == error for one in found)

    await wait_until(failed, f"a letter that failed: {error}")
    return await letters.shelved(server.platform)


async def test_a_redirect_is_not_followed(redis_url: str) -> None:
    async with receiving() as inner, receiving() as receiver:
        receiver.always = Answer(307, (f"Location: {inner.url}/latest/meta-data",))
        async with served(redis_url, receiver, inner, webhook_attempts=2) as server:
            await run(server, receiver.url)
            [dead] = await shelf(server, 1)
            assert (dead.letter.error, dead.letter.attempt) == ("answered 307", 2)
            assert len(receiver.got) == 2
            assert inner.connections == 0


async def test_attempts_end_and_what_was_given_up_is_kept(redis_url: str) -> None:
    few = {"webhook_attempts": 3, "webhook_retry_s": 0.02}
    async with receiving(Answer(503)) as receiver, served(redis_url, receiver, **few) as server:
        created = await run(server, receiver.url)
        [dead] = await shelf(server, 1)
        assert (dead.letter.error, dead.letter.attempt) == ("answered 503", 3)
        assert dead.letter.content["run"]["request"]["run_id"] == created["run_id"]
        assert len(receiver.got) == 3


async def test_gone_is_an_answer_for_good(redis_url: str) -> None:
    async with receiving(Answer(410)) as receiver, served(redis_url, receiver) as server:
        await run(server, receiver.url)
        [dead] = await shelf(server, 1)
        assert (dead.letter.error, len(receiver.got)) == ("answered 410", 1)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_target_says_when_it_wants_to_be_asked_again(redis_url: str, status: int) -> None:
    async with receiving() as receiver, served(redis_url, receiver, webhook_retry_s=0.01) as server:
        receiver.answers.append(Answer(status, ("Retry-After: 3",)))
        await run(server, receiver.url)
        first, second = await receiver.has(2)
        assert 3 <= second.at - first.at + 0.01 < 9


async def test_a_slow_target_holds_up_no_run_and_no_other_target(redis_url: str) -> None:
    async with receiving(Answer(after_s=60)) as slow, receiving() as quick:
        slow_url = slow.url.replace("127.0.0.1", "localhost")
        more = {
            "webhook_timeout_s": 30,
            "webhooks": (quick.url,),
            "webhook_allow": ("127.0.0.1", "localhost"),
        }
        async with served(redis_url, slow, quick, **more) as server:
            await asyncio.gather(*(run(server, slow_url) for _ in range(8 * PLACES)))

            async def clogged() -> bool:
                return len(slow.got) == PLACES

            await wait_until(clogged, "the slow target has all that it may have at once")
            begun = time.monotonic()
            await run(server, slow_url)
            assert time.monotonic() - begun < 5
            await quick.has(8 * PLACES + 1)
            assert len(slow.got) == PLACES


async def test_a_target_that_does_not_answer_is_given_up_on_in_time(redis_url: str) -> None:
    short = {"webhook_timeout_s": 0.2, "webhook_attempts": 2}
    async with receiving(Answer(after_s=60)) as slow, served(redis_url, slow, **short) as server:
        await run(server, slow.url)
        [dead] = await shelf(server, 1)
        assert (dead.letter.error, dead.letter.attempt) == ("no answer in 0.2 s", 2)


async def test_a_worker_that_is_killed_in_mid_delivery_is_stood_in_for(redis_url: str) -> None:
    async with receiving(Answer(after_s=60)) as receiver, served(redis_url, receiver, worker=False) as server:
        settings = {
            "REDIS_URL": redis_url,
            "HOLDFAST_PREFIX": server.platform.keys.prefix,
            "HOLDFAST_WEBHOOK_HTTP": "true",
            "HOLDFAST_WEBHOOK_PORTS": str(receiver.port),
            "HOLDFAST_WEBHOOK_ALLOW": "127.0.0.1",
            "HOLDFAST_WEBHOOK_TIMEOUT_S": "1",
        }
        async with holdfast("worker", "--config", str(SERVED), **settings) as first:
            created = await run(server, receiver.url)
            await receiver.has(1)
            await end(first, signal.SIGKILL)
        receiver.always = Answer()
        async with holdfast("worker", "--config", str(SERVED), **settings):
            await receiver.has(2, timeout_s=30)
            await shelf(server, 0)
        assert len(set(receiver.ids)) == 1
        assert receiver.got[1].json["run_id"] == created["run_id"]


async def test_a_worker_that_stops_leaves_its_letters_to_the_others(redis_url: str) -> None:
    async with receiving(Answer(after_s=60)) as receiver, served(redis_url, receiver, worker=False) as server:
        prefix = server.platform.keys.prefix
        async with served(redis_url, receiver, prefix=prefix, webhook_timeout_s=1):
            await run(server, receiver.url)
            await receiver.has(1)
        receiver.always = Answer()
        async with served(redis_url, receiver, prefix=prefix, webhook_timeout_s=1):
            await receiver.has(2)
            await shelf(server, 0)
        assert len(set(receiver.ids)) == 1


async def test_a_letter_that_kills_its_workers_is_given_up(redis_url: str) -> None:
    async with receiving() as receiver, served(redis_url, receiver, worker=False) as server:
        platform = server.platform
        await server.sdk().runs.create(None, "echo", input=said("hi"), webhook=receiver.url, after_seconds=60)
        await cancel_all(server)
        [one] = await letters.shelved(platform)
        for _ in range(platform.settings.webhook_attempts):
            assert await outbox.take(platform.client, platform.keys, one.letter.address, -1)
        async with served(redis_url, receiver, prefix=platform.keys.prefix):
            [dead] = await shelf(server, 1)
        assert dead.letter.error == "its worker ended each time"
        assert receiver.got == []


async def cancel_all(server: Live) -> None:
    sdk = server.sdk()
    for thread in await sdk.threads.search():
        for made in await sdk.runs.list(thread["thread_id"]):
            await sdk.runs.cancel(thread["thread_id"], made["run_id"])


async def test_two_workers_deliver_a_letter_once(redis_url: str) -> None:
    async with receiving(Answer(after_s=0.05)) as receiver, served(redis_url, receiver) as one:
        async with served(redis_url, receiver, prefix=one.platform.keys.prefix):
            await asyncio.gather(*(run(one, receiver.url) for _ in range(40)))
            await receiver.has(40)
            await shelf(one, 0)
        assert len(receiver.got) == len(set(receiver.ids)) == 40


async def test_no_proxy_of_the_environment_is_asked(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with served(redis_url, receiver) as server:
            run_id = (await asyncio.gather(run(server, receiver.url)))[0]["run_id"]
            [got] = await receiver.has(1)
        assert got.json["run_id"] == run_id
        assert proxy.connections == 0


async def test_cookies_of_a_target_are_not_kept(redis_url: str) -> None:
    async with receiving(Answer(200, ("Set-Cookie: a=b; Path=/",))) as receiver:
        async with served(redis_url, receiver) as server:
            for count in (1, 2):
                await run(server, receiver.url)
                await receiver.has(count)
        assert all("cookie" not in one.headers for one in receiver.got)
        assert receiver.connections == 2


async def test_log_lines_hold_neither_the_address_nor_what_is_sent(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "holdfast")
    caplog.set_level(logging.INFO)
    async with receiving(Answer(410)) as receiver, served(redis_url, receiver) as server:
        await server.sdk().runs.wait(
            None, "echo", input=said("canary"), webhook=f"{receiver.url}/path?token=canary"
        )
        await shelf(server, 1)
    [line] = [record for record in caplog.records if record.message == "a webhook was not reached"]
    assert vars(line).items() >= {"host": "127.0.0.1", "reason": "answered 410", "attempt": 1}.items()
    ours = [record for record in caplog.records if record.name.startswith(("holdfast", "httpx", "httpcore"))]
    assert not [record for record in ours if "canary" in str(vars(record)) or "/path" in str(vars(record))]


async def test_dead_letters_are_bounded_in_age_and_number(redis_url: str) -> None:
    async with receiving(Answer(410)) as receiver, served(redis_url, receiver) as server:
        client, keys = server.platform.client, server.platform.keys
        for count in range(1, 5):
            await run(server, receiver.url)
            await shelf(server, count)
        newest = [one.letter.id for one in await letters.shelved(server.platform)][1:]
        assert await outbox.prune(client, keys, 0, keep_s=60, most=3) == 1
        assert [one.letter.id for one in await letters.shelved(server.platform)] == newest
        assert await outbox.prune(client, keys, 0, keep_s=-5, most=3) == 3
        assert await client.redis.keys(f"{keys.prefix}:*letters*") == []


async def test_an_operator_lists_shows_and_replays(redis_url: str) -> None:
    async with receiving(Answer(410)) as receiver, served(redis_url, receiver) as server:
        words = ("--config", str(SERVED))
        beside = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": server.platform.keys.prefix}
        created = await run(server, f"{receiver.url}/hook?token=secret")
        [dead] = await shelf(server, 1)
        head, row = (await said_by("webhooks", "ls", "--dead", *words, beside=beside)).splitlines()
        assert head.split() == ["LETTER", "STATE", "EVENT", "HOST", "ATTEMPTS", "AT", "WHY"]
        assert row.split()[:5] == [dead.letter.id, "dead", "run.ended", "127.0.0.1", "1"]
        assert row.endswith("answered 410")
        shown = await said_by("webhooks", "show", dead.letter.id, *words, beside=beside)
        assert f'"run_id": "{created["run_id"]}"' in shown
        assert f"{receiver.url}/hook?token=secret" in shown
        receiver.always = Answer()
        await said_by("webhooks", "replay", dead.letter.id, *words, beside=beside)
        await receiver.has(2)
        await shelf(server, 0)
        assert len(set(receiver.ids)) == 1
        assert "There is no letter" in await said_by(
            "webhooks", "replay", dead.letter.id, *words, beside=beside, code=2
        )
        receiver.always = Answer(410)
        await asyncio.gather(run(server, receiver.url), run(server, receiver.url))
        await shelf(server, 2)
        receiver.always = Answer()
        assert "2 letters" in await said_by("webhooks", "replay", "--all", *words, beside=beside)
        await receiver.has(6)
        await shelf(server, 0)
        secret = (await said_by("webhooks", "secret", *words, beside=beside)).strip()
        kept = await server.platform.client.call("GET", server.platform.keys.secret("webhooks"))
        assert secret == kept.decode()


def test_waits_grow_fourfold_from_the_first_and_are_bounded() -> None:
    for attempt, seconds in ((1, 5), (2, 20), (4, 320), (7, 20_480), (20, 86_400)):
        waits = [backoff(attempt, 5) for _ in range(200)]
        assert 0.75 * seconds <= min(waits) <= max(waits) <= 1.25 * seconds
        assert len(set(waits)) > 100


def test_a_retry_after_is_read_in_both_forms() -> None:
    assert read_wait("120") == 120
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 88 < read_wait(at) <= 90
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=90), usegmt=True)
    assert [read_wait(text) for text in (None, "soon", "-5", "٣", past)] == [0] * 5
    assert read_wait("9" * 30) == courier.LONGEST_WAIT_S
