"""A person erased: nothing in Redis knows them or a word of what they said, and others lose nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.errors import NotFoundError

from holdfast.core import erasure, threads
from holdfast.core.erasure import EVERYTHING
from holdfast.redis.records import Caller
from holdfast.redis.stats import today
from holdfast.redis.stream import START
from holdfast.redis.traces import NOBODY
from holdfast.worker import Worker
from tests.api.visitors import Visitor, live_a_life
from tests.api.wire import Json, has_logged, has_status, new_thread, refusal
from tests.scanning import forms
from tests.servers import SERVED, Live, live, said
from tests.waiting import wait_until

HOOKED = SERVED.with_name("hooked.json")
TRACES = ("thread", "runs", "events", "checkpoints", ":cron:", ":crons:", ":assistant", "store-items")


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SERVED_PEOPLE", str(tmp_path))
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    return tmp_path


@pytest.fixture
async def served(redis_url: str, people: Path) -> AsyncIterator[Live]:
    async with live(redis_url, config=HOOKED, admin_roles=("eraser",), lanes=3) as server:
        yield server


async def erase(server: Live, subject: str, *roles: str) -> Any:
    async with server.http("chief", *(roles or ("eraser",))) as http:
        return await http.post("/subjects/erase", json={"subject": subject})


async def test_nothing_in_redis_knows_an_erased_person(served: Live, people: Path) -> None:
    visitor, other = Visitor(served), Visitor(served, name="olga")
    thread_id = await live_a_life(visitor, people)
    await live_a_life(other, people)
    places = " ".join(await visitor.traces())
    kinds = (
        "key ",
        "thread",
        "runs",
        "events",
        "checkpoints",
        ":cron:",
        ":crons:",
        ":assistant",
        "store-items",
    )
    for place in kinds:
        assert place in places, f"the scan sees what is in {place}"
    async with served.http("chief", "operator") as staff:
        helped = {"assistant_id": "echo", "input": said("let me see")}
        key = {"Idempotency-Key": "chief's"}
        run = await staff.post(f"/threads/{thread_id}/runs/wait", json=helped, headers=key)
        assert run.status_code == 200
        assert (await staff.post(f"/threads/{thread_id}/copy")).status_code == 200  # the visitor's, too
    before = await other.traces()
    response = await erase(served, visitor.name)
    assert response.status_code == 200
    assert response.json()["project"] == {"people": 1}
    removed = response.json()["platform"]
    counted = {"api_keys": 1, "crons": 4, "assistants": 1, "items": 1, "threads": 5, "runs": 7}
    counted["idempotency_keys"] = 4
    assert counted.items() <= removed.items()
    assert min(removed["checkpoints"], removed["events"]) >= 9
    assert await visitor.traces() == []
    assert await other.traces() == before
    assert not (people / visitor.name).exists()
    assert (await erase(served, visitor.name)).json() == {"platform": {}, "project": {}}


async def test_no_key_is_left_of_an_erased_person(redis_url: str, people: Path) -> None:
    async with live(redis_url, config=HOOKED) as server:
        visitor, client = Visitor(server), server.platform.client
        await live_a_life(visitor, people)
        await erasure.erase(server.platform, visitor.person)

        async def only_lasting() -> bool:
            keys = server.platform.keys
            found = {key.decode() async for key in client.redis.scan_iter(match=f"{keys.prefix}:*")}
            feed = keys.feed(0, visitor.person.tenant)
            lasting = {keys.installation(), keys.secret("dev"), keys.ready(0), *keys.lasting(0)}
            kinds = ("thread", "thread-updates", "failed", "given-up", "closed-approvals")
            swept = {keys.sweep(0, kind) for kind in kinds}
            figures = keys.stats(0, visitor.person.tenant, today())  # they name nobody
            return found <= {*lasting, *swept, keys.disk(0), figures, keys.thread(feed), keys.events(feed)}

        await wait_until(only_lasting, "only what never expires is left")
        assert await client.call("XLEN", server.platform.keys.ready(0)) == 0


async def test_others_keep_their_decisions_without_the_name(served: Live, people: Path) -> None:
    ann, staff = Visitor(served, name="ann"), Visitor(served, "chief", "operator")
    thread_id = await live_a_life(ann, people)
    sdk, owner = served.sdk(staff.name, *staff.roles), served.sdk(ann.name)
    interrupt_id = await staff.approve(thread_id)
    await owner.threads.copy(thread_id)  # which names who decided there, too
    await sdk.threads.update(thread_id, metadata={"owner": staff.name, "by the way": "kept"})
    before: Json = await owner.threads.get_state(thread_id)
    places = " ".join(await staff.traces())
    for place in ("thread", "runs", "checkpoints"):
        assert f":{place}:{thread_id}" in places
    removed = (await erase(served, staff.name)).json()["platform"]
    assert removed["names"] >= 4
    assert await staff.traces() == []
    after: Json = await owner.threads.get_state(thread_id)
    [answer] = after["values"]["answers"].values()
    assert answer == {**next(iter(before["values"]["answers"].values())), "by": [NOBODY]}
    thread: Json = await owner.threads.get(thread_id)
    assert thread["metadata"] | {"owner": NOBODY, "by the way": "kept"} == thread["metadata"]
    with_history: Json = await owner.threads.get_history(thread_id)
    assert len(with_history) >= 2
    async with served.http(ann.name) as http:
        late = {"assistant_id": "approve", "command": {"resume": {interrupt_id: {"type": "approve"}}}}
        status, sentence = refusal(await http.post(f"/threads/{thread_id}/runs/wait", json=late))
    assert status == 409
    assert sentence.startswith(f"This request was decided by {NOBODY} at ")


async def test_a_name_is_no_part_of_another_and_no_other_word(served: Live, people: Path) -> None:
    """Names as short as numbers: what else reads like them stays."""
    owner, thread_id = served.sdk("ann"), ""
    thread_id = (await owner.threads.create(metadata={"amount": "1", "by": "12"}))["thread_id"]
    asked: Json = {"questions": ["1"]}
    await owner.runs.wait(thread_id, "approve", input=asked)
    one = Visitor(served, "chief", "operator")
    one.name = "1"
    await one.approve(thread_id)
    before: Json = await owner.threads.get_state(thread_id)
    await erase(served, "1")
    after: Json = await owner.threads.get_state(thread_id)
    assert before["values"]["answers"]["1"]["by"] == ["1"]
    assert after["values"]["answers"]["1"].pop("by") == [NOBODY]
    before["values"]["answers"]["1"].pop("by")
    assert after["values"] == before["values"]
    thread: Json = await owner.threads.get(thread_id)
    assert (thread["metadata"]["amount"], thread["metadata"]["by"]) == ("1", "12")
    assert (await owner.runs.list(thread_id))[0]["status"] == "success"


async def test_a_thread_of_another_that_is_busy_is_left_for_the_next_time(served: Live, people: Path) -> None:
    ann, staff = Visitor(served, name="ann"), Visitor(served, "chief", "operator")
    thread_id = await live_a_life(ann, people)
    owner = served.sdk(ann.name)
    await staff.approve(thread_id)
    run = await owner.runs.create(thread_id, "steps", input={"delay": 30})
    await has_status(owner, thread_id, run["run_id"], "running")
    before = await staff.traces()
    assert (await erase(served, staff.name)).json()["platform"] == {"busy_threads": 1, "pseudonyms": 1}
    on_the_thread = {place for place in before if ":people" not in place and ":pseudonyms" not in place}
    assert on_the_thread <= set(await staff.traces())
    assert (await owner.runs.get(thread_id, run["run_id"]))["status"] == "running"
    await owner.runs.cancel(thread_id, run["run_id"], wait=True)
    assert "busy_threads" not in (await erase(served, staff.name)).json()["platform"]
    assert await staff.traces() == []


async def test_what_runs_is_ended_first(served: Live, people: Path) -> None:
    visitor = Visitor(served)
    sdk = served.sdk(visitor.name)
    thread_id = (await sdk.threads.create())["thread_id"]
    running = await sdk.runs.create(thread_id, "steps", input={"delay": 0.3, **said(visitor.words)})
    for _ in range(20):
        await sdk.runs.create(thread_id, "steps", input={"delay": 0, **said(visitor.words)})
    await has_logged(sdk, thread_id, 1)
    async with following(served, thread_id) as begun:
        assert (await erase(served, visitor.name)).json()["platform"]["runs"] == 21
        assert begun == {running["run_id"]}, "those behind it were not begun"
    assert await visitor.traces() == []
    with pytest.raises(NotFoundError):
        await sdk.runs.get(thread_id, running["run_id"])
    notes = (people / "notes").read_text().splitlines()
    assert notes in (["step 0"], ["step 0", "step 1"])
    assert served.worker is not None
    assert not served.worker._attempts, "its worker has let go"


@asynccontextmanager
async def following(server: Live, thread_id: str) -> AsyncIterator[set[str]]:
    """The runs that begin on a thread, gathered from its log as it is written."""
    begun: set[str] = set()

    async def gather() -> None:
        async with server.platform.hub.follow(thread_id) as reader:
            async for batch in server.platform.hub.events(thread_id, reader, START):
                begun.update(one.event.run_id for one in batch if one.event.mode == "metadata")

    async def followed() -> bool:
        return bool(begun)

    task = asyncio.create_task(gather())
    await wait_until(followed, "the log is followed")
    yield begun
    task.cancel()


async def test_a_run_that_ends_for_nobody_is_waited_for_in_vain(redis_url: str, people: Path) -> None:
    async with live(redis_url, config=HOOKED, worker=False, grace_s=0.3) as server:
        visitor = Visitor(server)
        sdk = server.sdk(visitor.name)
        thread_id = (await sdk.threads.create())["thread_id"]
        run = await sdk.runs.create(thread_id, "steps", input={"delay": 30, **said(visitor.words)})
        async with deaf_worker(server):
            await has_status(sdk, thread_id, run["run_id"], "running")
            await asyncio.wait_for(erasure.erase(server.platform, visitor.person), 5)
            assert await visitor.traces() == []
        assert await visitor.traces() == [], "what it wrote afterward was refused"


async def test_a_run_that_takes_its_time_to_end_is_waited_for(redis_url: str, people: Path) -> None:
    async with live(redis_url, config=HOOKED, worker=False) as server:
        visitor, platform = Visitor(server), server.platform
        sdk = server.sdk(visitor.name)
        thread_id = (await sdk.threads.create())["thread_id"]
        run = await sdk.runs.create(thread_id, "steps", input={"delay": 30, **said(visitor.words)})
        async with deaf_worker(server) as worker:
            await has_status(sdk, thread_id, run["run_id"], "running")
            erasing = asyncio.create_task(erasure.erase(platform, visitor.person))

            async def told() -> bool:
                field = f"{run['run_id']}:cancel"
                return bool(await platform.client.call("HGET", platform.keys.runs(thread_id), field))

            await wait_until(told, "the run is to end")
            assert (await asyncio.wait({erasing}, timeout=0.2))[1] == {erasing}
            assert await sdk.runs.list(thread_id)
            [attempt] = worker._attempts.values()
            attempt.cancel("interrupt")
            assert (await erasing).platform["runs"] == 1
        assert await visitor.traces() == []


@asynccontextmanager
async def deaf_worker(server: Live) -> AsyncIterator[Worker]:
    """A worker that hears of no cancel."""
    platform = server.platform
    async with live(
        platform.redis_url, config=HOOKED, prefix=platform.keys.prefix, lease_s=60, grace_s=0.3
    ) as deaf:
        assert deaf.worker is not None
        deaf.worker._tell = lambda *_: None  # type: ignore[method-assign]
        deaf.worker._hear_cancel = lambda *_: None  # type: ignore[method-assign]
        yield deaf.worker


@pytest.mark.parametrize("done", range(len(EVERYTHING) + 1))
async def test_an_erasure_that_broke_off_is_finished_by_the_next(
    served: Live, people: Path, done: int
) -> None:
    ann, staff = Visitor(served, name="ann"), Visitor(served, "chief", "operator")
    thread_id = await live_a_life(ann, people)
    await live_a_life(staff, people)
    await staff.approve(thread_id)
    for part in EVERYTHING[:done]:
        await part(served.platform, staff.person)
    assert (people / staff.name).exists()
    await erasure.erase(served.platform, staff.person)
    assert await staff.traces() == []
    assert not (people / staff.name).exists()


async def test_a_hook_that_fails_is_told_and_done_again(served: Live, people: Path) -> None:
    visitor = Visitor(served)
    await live_a_life(visitor, people)
    (people / "broken").touch()
    response = await erase(served, visitor.name)
    status, sentence = refusal(response)
    assert (status, response.headers["retry-after"]) == (503, "1")
    assert "(ValueError): erase again" in sentence
    assert visitor.name not in sentence
    assert await visitor.traces() == []
    (people / "broken").unlink()
    assert (await erase(served, visitor.name)).json() == {"platform": {}, "project": {"people": 1}}


async def test_only_admins_may_erase_and_only_in_their_tenant(served: Live, people: Path) -> None:
    visitor = Visitor(served)
    await live_a_life(visitor, people)
    before = await visitor.traces()
    for roles in (("operator",), ("chief",), ("erasers",)):
        assert refusal(await erase(served, visitor.name, *roles)) == (
            403,
            "Only the roles of HOLDFAST_ADMIN_ROLES may erase a person.",
        )
    async with served.http(visitor.name) as http:
        assert refusal(await http.post("/subjects/erase", json={"subject": visitor.name}))[0] == 403
        for wrong in ({}, {"subject": ""}, {"subject": 5}, {"subject": "x" * 201}):
            assert refusal(await http.post("/subjects/erase", json=wrong))[0] == 422
        elsewhere = served.authenticator.sign("chief", ["eraser"], tenant="another")
        http.headers["Authorization"] = f"Bearer {elsewhere}"
        assert (await http.post("/subjects/erase", json={"subject": visitor.name})).status_code == 200
    assert await visitor.traces() == before


async def test_without_admin_roles_nobody_may_erase(server: Live) -> None:
    for roles in (("operator",), ("operator", "admin")):
        assert refusal(await erase(server, "ann", *roles))[0] == 403


async def test_log_lines_count_and_name_nobody(
    served: Live, people: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    visitor = Visitor(served)
    await live_a_life(visitor, people)
    caplog.clear()
    (people / "broken").touch()
    await erase(served, visitor.name)
    lines = [str(vars(record)) for record in caplog.records if record.name.startswith("holdfast")]
    assert any("a person was erased" in line and "'threads': 4" in line for line in lines)
    assert any("the project's erase hook failed" in line for line in lines)
    for form in forms(visitor.name) | forms(visitor.words):
        assert not any(form.decode() in line for line in lines)


async def test_an_id_that_another_has_taken_since_is_left_alone(served: Live, people: Path) -> None:
    ann, bob = Visitor(served, name="ann"), Visitor(served, name="bob")
    client, keys = served.platform.client, served.platform.keys
    thread_id = (await served.sdk(ann.name).threads.create())["thread_id"]
    await client.call("DEL", keys.thread(thread_id))  # it expires
    await served.sdk(bob.name).threads.create(thread_id=thread_id)
    assert (await erase(served, ann.name)).json()["platform"] == {}
    assert await ann.traces() == []
    assert (await served.sdk(bob.name).threads.get(thread_id))["thread_id"] == thread_id


async def test_one_thread_is_erased_and_its_owner_stays(served: Live, people: Path) -> None:
    visitor = Visitor(served)
    thread_id = await live_a_life(visitor, people)
    platform = served.platform
    thread = await threads.find(platform, Caller(*visitor.person), thread_id)
    removed = await erasure.erase_thread(platform, thread)
    assert (removed["threads"], removed["runs"]) == (1, 1)
    assert await served.sdk(visitor.name).crons.count() == 3
    async with served.http(visitor.name) as http:
        assert refusal(await http.get(f"/threads/{thread_id}"))[0] == 404
        assert await new_thread(http)
    assert len(await served.sdk(visitor.name).threads.search()) == 4
