"""Protocol v3 by hand: commands, and the frames of what they cause."""

from typing import Any

import httpx
import pytest

from tests.api.protocols import Json, Watch, answer, command, finished, new_id, start, told_text, watching
from tests.api.wire import has_status, new_thread
from tests.servers import Live, said

# what is told


async def test_a_stream_that_was_open_before_its_thread_shows_the_first_run(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            reply = await start(http, thread_id, "modes", said("hi"))
            await watch.until_phases("running", "completed")
        runs = (await http.get(f"/threads/{thread_id}/runs")).json()
    assert reply["result"] == {"run_id": runs[0]["run_id"]}
    assert reply["meta"] == {"applied_through_seq": 0}
    assert told_text(watch.of("messages")) == "one two three"
    assert watch.of("custom") == [{"payload": {"progress": 1}}]
    assert [update["node"] for update in watch.of("updates")] == ["speak", "first"]
    assert watch.of("updates")[1]["values"] == {"log": ["step 0"]}
    assert watch.of("values")[-1]["log"] == ["step 0"]
    assert watch.of("lifecycle")[0] == {"event": "running", "graph_name": "modes"}
    assert watch.seqs == sorted(set(watch.seqs))
    assert len(set(watch.ids)) == len(watch.ids)


async def test_only_the_channels_asked_for_are_sent(server: Live) -> None:
    async with server.http() as http:
        thread_id, all_of_it = await finished(http, "modes", said("hi"))
        for channel in ("values", "messages", "updates", "custom", "lifecycle"):
            async with watching(http, thread_id, channels=[channel]) as watch:
                expected = [frame for frame in all_of_it.frames if frame["method"] == channel]
                await watch.until_count(len(expected))
            assert watch.frames == expected


@pytest.mark.parametrize(
    ("asked", "depths"),
    [
        ({}, {0, 1}),
        ({"namespaces": [[]], "depth": 0}, {0}),
        ({"namespaces": [["child"]]}, {1}),
        ({"namespaces": [[], ["child"]], "depth": 0}, {0, 1}),
        ({"depth": 0}, {0}),
    ],
)
async def test_namespaces_and_depth(server: Live, asked: Json, depths: set[int]) -> None:
    async with server.http() as http:
        thread_id, all_of_it = await finished(http, "nested", said("hi"))
        expected = [f for f in all_of_it.frames if len(f["params"]["namespace"]) in depths]
        async with watching(http, thread_id, **asked) as watch:
            await watch.until_count(len(expected))
    assert watch.frames == expected
    assert {len(frame["params"]["namespace"]) for frame in watch.frames} == depths


async def test_a_graph_inside_has_a_life_of_its_own(server: Live) -> None:
    async with server.http() as http:
        _, watch = await finished(http, "nested", said("hi"))
    inner = [data for data in watch.of("lifecycle") if data["graph_name"] == "child"]
    assert [data["event"] for data in inner] == ["started", "completed"]
    assert inner[0]["namespace"] == [f"child:{inner[0]['trigger_call_id']}"]


async def test_a_failure_says_why(server: Live) -> None:
    async with server.http() as http:
        _, watch = await finished(http, "fail", {})
    assert watch.of("lifecycle")[-1] == {"event": "failed", "graph_name": "fail", "error": "boom"}


async def test_a_cancelled_run_is_interrupted(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            run_id = (await start(http, thread_id, "steps", {"delay": 0.5}))["result"]["run_id"]
            await watch.until(lambda: watch.of("updates"), "the first step")
            assert (await http.post(f"/threads/{thread_id}/runs/{run_id}/cancel")).status_code == 202
            await watch.until_phases("running", "interrupted")
    assert watch.of("input.requested") == []


async def test_a_stop_before_a_node_is_an_interruption(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            await command(
                http, thread_id, "run.start", assistant_id="steps", input={}, interrupt_before=["second"]
            )
            await watch.until_phases("running", "interrupted")


# answers


async def asked(http: httpx.AsyncClient, watch: Watch, thread_id: str, graph: str = "ask") -> str:
    await start(http, thread_id, graph, {})
    await watch.until_phases("running", "interrupted")
    interrupt_id: str = watch.of("input.requested")[0]["interrupt_id"]
    return interrupt_id


async def test_a_question_is_asked_and_answered(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            interrupt_id = await asked(http, watch, thread_id)
            [question] = watch.of("input.requested")
            assert question["payload"] == question["value"] == {"question": "go on?"}
            assert watch.frames[-2]["method"] == "input.requested"
            assert not [values for values in watch.of("values") if "__interrupt__" in values]
            seen = watch.seqs[-1]
            reply = await answer(http, thread_id, interrupt_id, "yes")
            await watch.until_phases("running", "interrupted", "running", "completed")
        assert reply == {"type": "success", "id": 7, "result": {}, "meta": {"applied_through_seq": seen}}
        assert watch.of("values")[-1]["log"] == ["did yes"]


@pytest.mark.parametrize("graph", ["ask", "approve"])
async def test_a_second_answer_comes_too_late(server: Live, graph: str) -> None:
    given = {"ask": "yes", "approve": {"decisions": [{"type": "approve"}]}}[graph]
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            interrupt_id = await asked(http, watch, thread_id, graph)
            first, second = (
                await answer(http, thread_id, interrupt_id, given),
                await answer(http, thread_id, interrupt_id, given),
            )
            await watch.until_phases("running", "interrupted", "running", "completed")
            third = await answer(http, thread_id, interrupt_id, given)
        assert first["type"] == "success"
        assert [reply["error"] for reply in (second, third)] == ["no_such_interrupt"] * 2
        assert len((await http.get(f"/threads/{thread_id}/runs")).json()) == 2


async def test_several_questions_are_answered_one_by_one_or_at_once(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            await start(http, thread_id, "pair", {"questions": ["a", "b", "c"]})
            await watch.until_phases("running", "interrupted")
            ids = {q["payload"]["question"]: q["interrupt_id"] for q in watch.of("input.requested")}
            await answer(http, thread_id, ids["a"], 1)
            await watch.until_phases("running", "interrupted", "running", "interrupted")
            assert [q["interrupt_id"] for q in watch.of("input.requested")[3:]] == [ids["b"], ids["c"]]
            both = [{"interrupt_id": ids[name], "namespace": [], "response": name} for name in "bc"]
            assert (await command(http, thread_id, "input.respond", responses=both))["type"] == "success"
            await watch.until(lambda: watch.phases[-1] == "completed", "the end")
        assert watch.of("values")[-1]["answers"] == {"a": 1, "b": "b", "c": "c"}


async def test_an_answer_given_elsewhere_shows_at_once(server: Live) -> None:
    sdk = server.sdk()
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            interrupt_id = await asked(http, watch, thread_id)
            await sdk.runs.wait(thread_id, "ask", command={"resume": "by the classic wire"})
            await watch.until_phases("running", "interrupted", "running", "completed")
            assert (await answer(http, thread_id, interrupt_id, 1))["error"] == "no_such_interrupt"
    assert watch.of("values")[-1]["log"] == ["did by the classic wire"]


async def test_a_malformed_answer_leaves_the_question(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            interrupt_id = await asked(http, watch, thread_id, "approve")
            reply = await answer(http, thread_id, interrupt_id, {"decisions": [{"type": "maybe"}]})
            assert (reply["error"], reply["type"]) == ("invalid", "error")
            good = await answer(http, thread_id, interrupt_id, {"decisions": [{"type": "approve"}]})
            assert good["type"] == "success"


# runs of the classic wire


async def test_a_followed_thread_logs_everything_whatever_a_run_was_asked_for(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        async with watching(http, thread_id) as watch:
            body = {"assistant_id": "modes", "input": said("hi"), "stream_mode": "values"}
            response = await http.post(f"/threads/{thread_id}/runs/stream", json=body)
            await watch.until_phases("running", "completed")
    assert told_text(watch.of("messages")) == "one two three"
    assert watch.of("custom") == [{"payload": {"progress": 1}}]
    assert [update["node"] for update in watch.of("updates")] == ["speak", "first"]
    sent = [line for line in response.text.splitlines() if line.startswith("event: ")]
    assert set(sent) == {"event: metadata", "event: values"}  # the client that asked for values gets values


async def test_a_thread_that_a_command_made_is_followed_from_then_on(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        reply = await start(http, thread_id, "echo", said("hi"))
        await has_status(server.sdk(), thread_id, reply["result"]["run_id"], "success")
        await server.sdk().runs.wait(thread_id, "modes", input=said("again"))
        async with watching(http, thread_id) as watch:
            await watch.until_phases("running", "completed", "running", "completed")
    assert told_text(watch.of("messages")) == "echo: hione two three"


async def test_runs_in_line_that_are_dropped_end_nothing(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            await start(http, thread_id, "steps", {"delay": 0.2})
            second = (await start(http, thread_id, "echo", said("hi")))["result"]["run_id"]
            assert (await http.post(f"/threads/{thread_id}/runs/{second}/cancel")).status_code == 202
            await watch.until_phases("running", "completed")
        assert watch.of("values")[-1]["log"] == ["step 0", "step 1", "step 2"]


# who may see what


async def test_a_foreign_thread_is_as_silent_as_a_missing_one(server: Live) -> None:
    thread_id = new_id()
    async with server.http("eve") as eve, server.http("ann") as ann:
        async with watching(eve, thread_id) as before, watching(ann, thread_id) as own:
            await start(ann, thread_id, "ask", {})
            await own.until_phases("running", "interrupted")
            async with watching(eve, thread_id) as after, watching(eve, new_id()) as missing:
                interrupt_id = own.of("input.requested")[0]["interrupt_id"]
                stolen = await answer(eve, thread_id, interrupt_id, "mine")
                await answer(ann, thread_id, interrupt_id, "yes")
                await own.until_phases("running", "interrupted", "running", "completed")
            assert before.frames == after.frames == missing.frames == []
        absent = new_id()
        none = await answer(eve, absent, interrupt_id, "mine")
        assert stolen == {**none, "message": none["message"].replace(absent, thread_id)}
        assert (await command(eve, thread_id, "run.start", assistant_id="echo"))["type"] == "error"
        await ann.delete(f"/threads/{thread_id}")


async def test_a_thread_that_somebody_else_makes_again_is_silent(server: Live) -> None:
    async with server.http("eve") as eve, server.http("ann") as ann:
        thread_id = new_id()
        assert (await eve.post("/threads", json={"thread_id": thread_id})).status_code == 200
        async with watching(eve, thread_id) as stolen, watching(ann, thread_id) as own:
            assert (await eve.delete(f"/threads/{thread_id}")).status_code == 204
            await start(ann, thread_id, "echo", said("a secret"))
            await own.until_phases("running", "completed")
            await start(ann, thread_id, "echo", said("another"))
            await own.until_phases("running", "completed", "running", "completed")
            assert (await ann.delete(f"/threads/{thread_id}")).status_code == 204
            await start(eve, thread_id, "echo", said("mine again"))
            await stolen.until_phases("running", "completed")
        messages = [message["content"] for values in stolen.of("values") for message in values["messages"]]
        assert set(messages) == {"mine again", "echo: mine again"}
        await eve.delete(f"/threads/{thread_id}")


# what is malformed

TAKEN = {"interrupt_id": "0" * 32, "response": 1}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nope", {}, "unknown_command"),
        ("input.inject", {}, "unknown_command"),
        ("run.start", {}, "invalid_argument"),
        ("run.start", [], "invalid_argument"),
        ("run.start", {"assistant_id": "echo", "config": 5}, "invalid_argument"),
        ("run.start", {"assistant_id": "zzz"}, "invalid"),
        ("input.respond", {}, "invalid_argument"),
        ("input.respond", {"responses": []}, "invalid_argument"),
        ("input.respond", {"responses": [TAKEN, {**TAKEN, "response": 2}]}, "invalid_argument"),
        ("input.respond", TAKEN, "thread_not_found"),
    ],
)
async def test_a_command_that_cannot_be_carried_out(
    server: Live, method: str, params: Any, code: str
) -> None:
    async with server.http() as http:
        body = {"id": 3, "method": method, "params": params}
        response = await http.post(f"/threads/{new_id()}/commands", json=body)
    reply = response.json()
    assert (response.status_code, reply["type"], reply["id"], reply["error"]) == (200, "error", 3, code)
    assert reply["message"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("[]", None),
        ("{}", None),
        ('{"id": 1}', 1),
        ('{"id": "x", "method": "run.start"}', "x"),
        ('{"id": 1, "method": 5}', 1),
        ('{"id": true, "method": "run.start"}', True),
    ],
)
async def test_what_is_no_command(server: Live, body: str, named: Any) -> None:
    async with server.http() as http:
        response = await http.post(f"/threads/{new_id()}/commands", content=body)
    reply = response.json()
    assert (response.status_code, reply["type"], reply["error"]) == (400, "error", "invalid_argument")
    assert reply["id"] is named or reply["id"] == named


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"channels": []},
        {"channels": "values"},
        {"channels": ["zzz"]},
        {"channels": ["custom:"]},
        {"channels": ["values"], "since": "5"},
        {"channels": ["values"], "since": -1},
        {"channels": ["values"], "since": 2**60},
        {"channels": ["values"], "depth": -1},
        {"channels": ["values"], "namespaces": "child"},
        {"channels": ["values"], "since_event_id": "zz"},
    ],
)
async def test_what_is_no_request_for_a_stream(server: Live, body: Json) -> None:
    async with server.http() as http:
        response = await http.post(f"/threads/{new_id()}/stream/events", json=body)
    assert response.status_code == 400
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize("path", ["commands", "stream/events"])
async def test_broken_json(server: Live, path: str) -> None:
    async with server.http() as http:
        response = await http.post(f"/threads/{new_id()}/{path}", content="{")
    assert (response.status_code, response.json()["detail"]) == (400, "Invalid JSON body")
