"""What is done to a thread's state from outside its runs, as readers of protocol v3 see it."""

import asyncio

import httpx
import pytest

from tests.api.protocols import Json, Watch, command, finished, new_id, start, watching
from tests.api.wire import has_logged, new_thread
from tests.servers import Live, said


async def write(http: httpx.AsyncClient, thread_id: str, **body: Json) -> None:
    response = await http.post(f"/threads/{thread_id}/state", json=body)
    assert response.status_code == 200, response.text


async def state_of(http: httpx.AsyncClient, thread_id: str) -> Json:
    return (await http.get(f"/threads/{thread_id}/state")).json()


async def same_for_all(http: httpx.AsyncClient, thread_id: str, watch: Watch) -> None:
    """A reader that comes later, and one that goes on from each frame, get the same."""
    async with watching(http, thread_id) as later:
        await later.until_count(len(watch.frames))
    assert later.frames == watch.frames
    for number, seq in enumerate(watch.seqs[:-1], 1):
        async with watching(http, thread_id, since=seq) as resumed:
            await resumed.until_count(len(watch.frames) - number)
        assert resumed.frames == watch.frames[number:]


# written by hand


async def test_a_state_written_by_hand_is_seen_at_once(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "steps", {})
        async with watching(http, thread_id) as watch:
            await watch.until_count(len(before.frames))
            await write(http, thread_id, values={"log": ["by hand"]})
            await watch.until_count(len(before.frames) + 1)
        [frame] = watch.frames[len(before.frames) :]
        assert (frame["method"], frame["params"]["namespace"]) == ("values", [])
        assert frame["params"]["data"] == (await state_of(http, thread_id))["values"]
        assert frame["params"]["data"]["log"][-1] == "by hand"
        await same_for_all(http, thread_id, watch)


async def test_a_question_that_is_written_over_waits_no_more(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "ask", {})
        async with watching(http, thread_id, since=before.seqs[-1]) as watch:
            await write(http, thread_id, values={"answer": "by hand"}, as_node="question")
            await watch.until_phases("interrupted")
            await write(http, thread_id, values={"log": ["by hand"]}, as_node="effect")
            await watch.until_phases("interrupted", "completed")
            thread = (await http.get(f"/threads/{thread_id}")).json()
        assert [frame["method"] for frame in watch.frames] == ["values", "lifecycle"] * 2
        assert [values.get("answer") for values in watch.of("values")] == ["by hand"] * 2
        assert (thread["status"], thread["interrupts"]) == ("idle", {})
        async with watching(http, thread_id) as later:
            await later.until_phases("running", "interrupted", "interrupted", "completed")
        assert later.frames == before.frames + watch.frames


async def test_a_question_of_a_graph_inside_waits_on(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "inner", {})
        [task] = (await state_of(http, thread_id))["tasks"]
        async with watching(http, thread_id, since=before.seqs[-1]) as watch:
            await write(http, thread_id, values={"log": ["inside"]}, checkpoint=task["checkpoint"])
            await watch.until_phases("interrupted")
            thread = (await http.get(f"/threads/{thread_id}")).json()
        assert [frame["method"] for frame in watch.frames] == ["values", "input.requested", "lifecycle"]
        told = [one["interrupt_id"] for one in watch.of("input.requested")]
        assert told == [one["id"] for several in thread["interrupts"].values() for one in several]


async def test_a_thread_that_never_ran_begins_with_a_state(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http, metadata={"graph_id": "steps"})
        async with watching(http, thread_id) as watch:
            await write(http, thread_id, values={"log": ["by hand"]}, as_node="third")
            await watch.until_count(1)
        assert watch.of("values")[0]["log"] == ["by hand"]
        await same_for_all(http, thread_id, watch)


async def test_a_state_outlives_the_log_that_told_it(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "steps", {})
        await write(http, thread_id, values={"log": ["by hand"]})
        await server.platform.client.redis.delete(server.platform.keys.events(thread_id))
        async with watching(http, thread_id, since=before.seqs[-1]) as watch:
            await watch.until_count(2)
        assert [frame["method"] for frame in watch.frames] == ["gap", "values"]
        assert watch.of("values")[0]["log"][-1] == "by hand"


@pytest.mark.parametrize("refused", [{"as_node": "nobody"}, {"values": "no mapping"}])
async def test_a_state_that_is_refused_is_not_told(server: Live, refused: Json) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "steps", {})
        body = {"values": {"log": ["x"]}, **refused}
        response = await http.post(f"/threads/{thread_id}/state", json=body)
        assert 400 <= response.status_code < 500
        await write(http, thread_id, values={"log": ["by hand"]})
        async with watching(http, thread_id, since=before.seqs[-1]) as watch:
            await watch.until_count(1)
        assert watch.seqs == [before.seqs[-1] + 1000]


async def test_a_busy_thread_refuses_a_state_and_tells_nothing(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            await start(http, thread_id, "steps", {"delay": 0.2})
            await watch.until(lambda: watch.of("updates"), "the first step")
            response = await http.post(f"/threads/{thread_id}/state", json={"values": {"log": ["x"]}})
            assert response.status_code == 409
            await watch.until_phases("running", "completed")
        assert watch.of("values")[-1]["log"] == ["step 0", "step 1", "step 2"]


async def test_states_written_at_once_end_with_the_one_that_is_left(twins: tuple[Live, Live]) -> None:
    one, other = twins
    async with one.http() as here, other.http() as there:
        thread_id, before = await finished(here, "steps", {})
        async with watching(there, thread_id, since=before.seqs[-1]) as watch:
            await asyncio.gather(
                *(
                    write(http, thread_id, values={"log": [f"{n}"]})
                    for n in range(20)
                    for http in (here, there)
                )
            )
            await watch.until_count(40)
        assert watch.of("values")[-1] == (await state_of(here, thread_id))["values"]
        assert len(watch.frames) == 40


async def test_a_state_written_as_a_run_begins_hides_no_question(twins: tuple[Live, Live]) -> None:
    one, other = twins
    async with one.http() as here, other.http() as there:
        for _ in range(20):
            thread_id = await new_thread(here, metadata={"graph_id": "ask"})
            run, _ = await asyncio.gather(
                here.post(f"/threads/{thread_id}/runs", json={"assistant_id": "ask", "input": {}}),
                there.post(
                    f"/threads/{thread_id}/state", json={"values": {"log": ["x"]}, "as_node": "effect"}
                ),
            )
            await here.get(f"/threads/{thread_id}/runs/{run.json()['run_id']}/join")
            thread, state = (await here.get(f"/threads/{thread_id}")).json(), await state_of(here, thread_id)
            assert thread["status"] == "interrupted"
            assert [one for several in thread["interrupts"].values() for one in several] == state[
                "interrupts"
            ]


# taken back


async def rolled_back(http: httpx.AsyncClient, thread_id: str, run_id: str) -> None:
    path = f"/threads/{thread_id}/runs/{run_id}/cancel?action=rollback&wait=1"
    assert (await http.post(path)).status_code == 200


async def test_a_rollback_shows_the_state_as_it_is_then(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "steps", {})
        async with watching(http, thread_id, since=before.seqs[-1]) as watch:
            reply = await start(http, thread_id, "steps", {"delay": 0.3})
            await has_logged(server.sdk(), thread_id, 4)
            await rolled_back(http, thread_id, reply["result"]["run_id"])
            await watch.until_phases("running", "interrupted")
        assert [frame["method"] for frame in watch.frames[-2:]] == ["values", "lifecycle"]
        assert len(watch.of("values")[-2]["log"]) > 3, "the run had shown more"
        assert watch.of("values")[-1] == before.of("values")[-1]
        assert watch.of("values")[-1] == (await state_of(http, thread_id))["values"]
        async with watching(http, thread_id, since=before.seqs[-1]) as later:
            await later.until_phases("running", "interrupted")
        assert later.frames[-2:] == watch.frames[-2:], "whatever is left of what the run had shown"


async def test_a_rollback_brings_a_question_back(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "slow_ask", {"delay": 0})
        async with watching(http, thread_id, since=before.seqs[-1]) as watch:
            reply = await start(http, thread_id, "slow_ask", {"delay": 0.5})
            await watch.until(lambda: watch.of("values"), "the new input")
            await rolled_back(http, thread_id, reply["result"]["run_id"])
            await watch.until_phases("running", "interrupted")
            assert watch.of("input.requested") == before.of("input.requested")
            assert "__interrupt__" not in watch.of("values")[-1]


async def test_the_next_run_takes_the_last_one_back(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "steps", {})
        async with watching(http, thread_id, since=before.seqs[-1]) as watch:
            await start(http, thread_id, "steps", {"delay": 0.3})
            await has_logged(server.sdk(), thread_id, 4)
            await command(
                http,
                thread_id,
                "run.start",
                assistant_id="echo",
                input=said("hi"),
                multitask_strategy="rollback",
            )
            await watch.until_phases("running", "interrupted", "running", "completed")
        values = watch.of("values")
        assert before.of("values")[-1] in values
        assert values[-1]["log"] == before.of("values")[-1]["log"]


async def test_a_run_that_never_began_has_nothing_to_take_back(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            await start(http, thread_id, "steps", {"delay": 0.2})
            second = (await start(http, thread_id, "echo", said("hi")))["result"]["run_id"]
            await rolled_back(http, thread_id, second)
            await watch.until_phases("running", "completed")
        assert [len(values["log"]) for values in watch.of("values")] == [0, 1, 2, 3]


async def test_who_waits_for_a_run_that_is_rolled_back_gets_the_state_as_it_is_then(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "steps", {})
        body = {"assistant_id": "steps", "input": {"delay": 0.3}}
        waiting = asyncio.create_task(http.post(f"/threads/{thread_id}/runs/wait", json=body))
        await has_logged(server.sdk(), thread_id, 4)
        run = (await http.get(f"/threads/{thread_id}/runs")).json()[0]
        await rolled_back(http, thread_id, run["run_id"])
        assert (await waiting).json() == before.of("values")[-1]
