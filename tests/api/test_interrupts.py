"""Plain interrupts: any graph's questions, answered by any JSON."""

import asyncio
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from tests.api.wire import Json, names, streamed
from tests.servers import Live

UNKNOWN = "f" * 32


def log(line: str) -> Json:
    return {"log": [line]}


def wonder(*questions: str) -> Json:
    return {"questions": list(questions)}


async def paused(sdk: LangGraphClient, graph: str = "ask", **values: Any) -> tuple[str, list[str]]:
    """A thread on which questions wait, and their ids."""
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, graph, input=values)
    return thread_id, await waiting(sdk, thread_id)


async def waiting(sdk: LangGraphClient, thread_id: str) -> list[str]:
    thread: Json = await sdk.threads.get(thread_id)
    return [one["id"] for interrupts in thread["interrupts"].values() for one in interrupts]


async def test_a_question_is_seen_in_values_thread_and_state(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    values: Json = await sdk.runs.wait(thread_id, "ask", input={})
    [interrupt] = values["__interrupt__"]
    assert interrupt == {"value": {"question": "go on?"}, "id": interrupt["id"], "response_schema": None}
    thread: Json = await sdk.threads.get(thread_id)
    state: Json = await sdk.threads.get_state(thread_id)
    shown = {"id": interrupt["id"], "value": {"question": "go on?"}}
    assert thread["status"] == "interrupted"
    assert list(thread["interrupts"].values()) == [[shown]]
    assert list(thread["interrupts"]) == [state["tasks"][0]["id"]]
    assert state["interrupts"] == state["tasks"][0]["interrupts"] == [shown]
    assert state["next"] == ["question"]
    [run] = await sdk.runs.list(thread_id)
    assert run["status"] == "success"  # a pause is not a failure


async def test_a_stream_ends_with_the_question(server: Live) -> None:
    async with server.http() as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        path = f"/threads/{thread_id}/runs/stream"
        events = await streamed(
            http, path, assistant_id="ask", input={"delay": 0}, stream_mode=["values", "updates", "tasks"]
        )
    assert names(events) == ["metadata", "values", "tasks", "updates", "values", "tasks"]
    _, _, start, update, values, result = (event.data for event in events)
    [interrupt] = update["__interrupt__"]
    assert values["__interrupt__"] == result["interrupts"] == [interrupt]
    assert (start["name"], result["result"], result["error"]) == ("question", {}, None)


@pytest.mark.parametrize("answer", ["yes", False, 0, "", [], {}, None, {"a": [1]}, "NUL \0"])
async def test_any_json_is_an_answer(server: Live, answer: Any) -> None:
    async with server.http() as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        run = f"/threads/{thread_id}/runs/wait"
        await http.post(run, json={"assistant_id": "ask", "input": {}})
        values = (await http.post(run, json={"assistant_id": "ask", "command": {"resume": answer}})).json()
    assert (values["answer"], values["log"]) == (answer, [f"did {answer}"])


async def test_an_answer_comes_with_an_update(server: Live) -> None:
    sdk = server.sdk()
    thread_id, [question] = await paused(sdk)
    command: Json = {"resume": {question: "yes"}, "update": log("noted")}
    values: Json = await sdk.runs.wait(thread_id, "ask", command=command)
    assert values["log"] == ["noted", "did yes"]


async def test_a_question_may_hold_any_object(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    asked: Json = await sdk.runs.wait(thread_id, "exact", input={})
    [interrupt] = asked["__interrupt__"]
    thread: Json = await sdk.threads.get(thread_id)
    [[shown]] = thread["interrupts"].values()
    assert interrupt["value"] == shown["value"]
    assert (shown["value"]["amount"], shown["value"]["from"]["content"]) == ("1.50", "hi")
    values: Json = await sdk.runs.wait(thread_id, "exact", command={"resume": "yes"})
    assert values["log"] == ["did yes"]


async def test_new_input_abandons_the_question(server: Live) -> None:
    sdk = server.sdk()
    thread_id, [old] = await paused(sdk)
    values: Json = await sdk.runs.wait(thread_id, "ask", input=log("new"))
    assert [one["id"] for one in values["__interrupt__"]] == await waiting(sdk, thread_id) != [old]
    again: Json = await sdk.runs.wait(thread_id, "ask", command={"resume": {old: "too late"}})
    assert again["log"] == ["new"]  # no node ran
    assert await waiting(sdk, thread_id) != [old]


@pytest.mark.parametrize("resume", ["yes", None, {UNKNOWN: "yes"}])
async def test_a_resume_of_nothing_ends_at_once_and_runs_no_node(server: Live, resume: Any) -> None:
    sdk = server.sdk()
    thread_id, _ = await paused(sdk)
    done: Json = await sdk.runs.wait(thread_id, "ask", command={"resume": "yes"})
    history = await sdk.threads.get_history(thread_id, limit=100)
    async with server.http() as http:
        body = {"assistant_id": "ask", "command": {"resume": resume}}
        response = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
    assert (response.status_code, response.json()) == (200, done)
    assert response.headers["x-run-status"] == "success"
    assert await sdk.threads.get_history(thread_id, limit=100) == history


async def test_a_resume_of_nothing_leaves_the_waiting_question(server: Live) -> None:
    sdk = server.sdk()
    thread_id, [question] = await paused(sdk)
    values: Json = await sdk.runs.wait(thread_id, "ask", command={"resume": {UNKNOWN: "yes"}})
    assert [one["id"] for one in values["__interrupt__"]] == [question]
    assert await waiting(sdk, thread_id) == [question]


@pytest.mark.parametrize("resume", ["yes", {UNKNOWN: "yes"}])
async def test_a_strict_resume_of_nothing_is_refused(server: Live, resume: Any) -> None:
    sdk = server.sdk()
    thread_id, _ = await paused(sdk)
    await sdk.runs.wait(thread_id, "ask", command={"resume": "yes"})
    async with server.http() as http:
        info = (await http.get("/info")).json()
        body = {"assistant_id": "ask", "command": {"resume": resume}, "strict_resume": True}
        response = await http.post(f"/threads/{thread_id}/runs", json=body)
    assert info["flags"]["strict_resume"] is True
    assert (response.status_code, response.json()["code"]) == (409, "no_such_interrupt")
    assert len(await sdk.runs.list(thread_id)) == 2


async def test_two_racing_answers_execute_once(
    server: Live, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    sdk = server.sdk()
    for _ in range(10):
        thread_id, [question] = await paused(sdk)
        resumes: list[Json] = ["one", {question: "two"}, {question: "three"}]
        ends = await asyncio.gather(
            *(sdk.runs.wait(thread_id, "ask", command={"resume": resume}) for resume in resumes)
        )
        values: Json = (await sdk.threads.get_state(thread_id))["values"]
        effects = [line for line in (tmp_path / "notes").read_text().splitlines() if thread_id in line]
        assert effects == [f"effect {thread_id} {values['answer']}"]
        assert all(end == values for end in ends), ends


@pytest.mark.parametrize("by_id", [False, True])
async def test_an_answer_given_twice_does_not_answer_the_next_question(server: Live, by_id: bool) -> None:
    sdk = server.sdk()
    thread_id, [first] = await paused(sdk, "twice")
    resume: Json = {first: "yes"} if by_id else "yes"
    await sdk.runs.create(thread_id, "twice", command={"resume": resume})
    values: Json = await sdk.runs.wait(thread_id, "twice", command={"resume": {first: "again"}})
    [second] = values["__interrupt__"]
    assert (values["answer"], values["log"]) == ("yes", [])
    assert await waiting(sdk, thread_id) == [second["id"]] != [first]


async def test_several_questions_are_all_in_the_answer(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    values: Json = await sdk.runs.wait(thread_id, "pair", input=wonder("a", "b"))
    assert values["questions"] == ["a", "b"]
    asked = {one["value"]["question"]: one["id"] for one in values["__interrupt__"]}
    assert set(asked) == {"a", "b"}
    half: Json = await sdk.runs.wait(thread_id, "pair", command={"resume": {asked["a"]: 1}})
    assert [one["id"] for one in half["__interrupt__"]] == await waiting(sdk, thread_id) == [asked["b"]]
    whole: Json = await sdk.runs.wait(thread_id, "pair", command={"resume": {asked["b"]: 2}})
    assert whole["answers"] == {"a": 1, "b": 2}
    assert "__interrupt__" not in whole


@pytest.mark.parametrize("resume", ["one for both", None])
async def test_a_bare_answer_to_several_questions_fails_and_loses_none(server: Live, resume: Any) -> None:
    sdk = server.sdk()
    thread_id, questions = await paused(sdk, "pair", questions=["a", "b"])
    async with server.http() as http:
        body = {"assistant_id": "pair", "command": {"resume": resume}}
        failed = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
    assert failed["__error__"]["error"] == "RuntimeError"
    assert await waiting(sdk, thread_id) == questions
    values: Json = await sdk.runs.wait(thread_id, "pair", command={"resume": dict.fromkeys(questions, "x")})
    assert values["answers"] == {"a": "x", "b": "x"}


async def test_stops_before_and_after_nodes_go_on_without_input(server: Live) -> None:
    sdk = server.sdk()
    for stop, done in (({"interrupt_before": ["second"]}, 1), ({"interrupt_after": "*"}, 1)):
        thread_id = (await sdk.threads.create())["thread_id"]
        values: Json = await sdk.runs.wait(thread_id, "steps", input={}, **stop)
        thread: Json = await sdk.threads.get(thread_id)
        assert (len(values["log"]), thread["status"], thread["interrupts"]) == (done, "interrupted", {})
        values = await sdk.runs.wait(thread_id, "steps")
        assert len(values["log"]) == 3


async def test_a_resume_may_make_the_thread_and_then_answers_nothing(server: Live) -> None:
    async with server.http() as http:
        path = "/threads/5d7a9a70-3c1f-4a6b-9c5b-7d8f2a6f3b11/runs/wait"
        body = {"assistant_id": "ask", "command": {"resume": 1}, "if_not_exists": "create"}
        response = await http.post(path, json=body)
        assert (response.status_code, response.json()) == (200, {})
        missing = await http.post(path.replace("5d7a", "6d7a"), json={**body, "if_not_exists": "reject"})
        assert missing.status_code == 404
