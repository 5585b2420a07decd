"""Runs: begun, waited for, answered, canceled, one after the other."""

import asyncio
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.contract.asking import Json, asked, contents, fresh, human, thread, until_status

FIELDS = {
    "run_id",
    "thread_id",
    "assistant_id",
    "metadata",
    "status",
    "kwargs",
    "multitask_strategy",
    "created_at",
}


async def test_a_run(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await thread(client)
    body = {"assistant_id": "echo", "input": human("hi"), "metadata": {"a": 1}}
    response = await http.post(f"/threads/{thread_id}/runs", json=body)
    run = response.json()
    assert response.status_code == 200
    assert run.keys() >= FIELDS
    assert (run["status"], run["metadata"]["a"], run["thread_id"]) == ("pending", 1, thread_id)
    assert response.headers["content-location"] == f"/threads/{thread_id}/runs/{run['run_id']}"
    values: Json = await client.runs.join(thread_id, run["run_id"])
    assert contents(values) == ["hi", "you said hi"]
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"


@pytest.mark.parametrize("graph", ["echo", "ask", "steps", "pair", "outer", "named"])
async def test_the_status_of_a_run_that_did_what_it_could(client: LangGraphClient, graph: str) -> None:
    thread_id = await thread(client)
    run = await client.runs.create(thread_id, graph, input={})
    await client.runs.join(thread_id, run["run_id"])
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"


@pytest.mark.parametrize("way", ["wait", "join"])
async def test_a_run_that_fails(client: LangGraphClient, http: httpx.AsyncClient, way: str) -> None:
    thread_id = await thread(client)
    if way == "wait":
        response = await http.post(
            f"/threads/{thread_id}/runs/wait", json={"assistant_id": "fail", "input": {}}
        )
    else:
        run = await client.runs.create(thread_id, "fail", input={})
        response = await http.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")
    assert response.status_code == 200
    assert response.json() == {"__error__": {"error": "ValueError", "message": "boom"}}
    [run] = await client.runs.list(thread_id)
    assert run["status"] == "error"


async def test_the_runs_of_a_thread(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    made = []
    for graph in ("echo", "fail", "echo"):
        run = await client.runs.create(thread_id, graph, input=human("x"))
        await client.runs.join(thread_id, run["run_id"])  # raises nothing for a failure
        made.append(run["run_id"])
    assert [run["run_id"] for run in await client.runs.list(thread_id)] == made[::-1]
    assert [run["run_id"] for run in await client.runs.list(thread_id, limit=1)] == [made[2]]
    assert [run["run_id"] for run in await client.runs.list(thread_id, limit=1, offset=1)] == [made[1]]
    assert [run["run_id"] for run in await client.runs.list(thread_id, status="error")] == [made[1]]
    [some] = await client.runs.list(thread_id, limit=1, select=["run_id", "status"])
    assert set(some) == {"run_id", "status"}


async def test_a_run_that_is_deleted(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    run = await client.runs.create(thread_id, "echo", input=human("x"))
    await client.runs.join(thread_id, run["run_id"])
    await client.runs.delete(thread_id, run["run_id"])
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run["run_id"])
    assert await client.runs.list(thread_id) == []


async def test_a_thread_that_is_made_by_its_first_run(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    thread_id = fresh()
    body: Json = {"assistant_id": "echo", "input": human("hi")}
    assert (await http.post(f"/threads/{thread_id}/runs", json=body)).status_code == 404
    body["if_not_exists"] = "create"
    assert (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).status_code == 200
    assert (await client.threads.get(thread_id))["status"] == "idle"


# answers


@pytest.mark.parametrize("resume", ["yes", 5, {"a": [1]}, ["x", "y"], "", False], ids=repr)
async def test_an_answer_of_any_kind(client: LangGraphClient, resume: Any) -> None:
    thread_id, _ = await asked(client)
    values: Json = await client.runs.wait(thread_id, "ask", command={"resume": resume})
    assert values["said"] == [f"answered {resume}"]
    assert "__interrupt__" not in values
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_an_answer_by_its_id(client: LangGraphClient) -> None:
    thread_id, [waiting] = await asked(client)
    values: Json = await client.runs.wait(thread_id, "ask", command={"resume": {waiting["id"]: "yes"}})
    assert values["said"] == ["answered yes"]


async def test_two_answers_at_once(client: LangGraphClient) -> None:
    thread_id, waiting = await asked(client, "pair")
    assert sorted(one["value"] for one in waiting) == ["left", "right"]
    answers = {one["id"]: one["value"].upper() for one in waiting}
    values: Json = await client.runs.wait(thread_id, "pair", command={"resume": answers})
    assert sorted(values["said"]) == ["left LEFT", "right RIGHT"]


async def test_one_answer_of_two(client: LangGraphClient) -> None:
    thread_id, waiting = await asked(client, "pair")
    values: Json = await client.runs.wait(thread_id, "pair", command={"resume": {waiting[0]["id"]: "first"}})
    assert [one["id"] for one in values["__interrupt__"]] == [waiting[1]["id"]]
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    values = await client.runs.wait(thread_id, "pair", command={"resume": {waiting[1]["id"]: "second"}})
    assert sorted(said.split()[1] for said in values["said"]) == ["first", "second"]


async def test_one_answer_to_two_questions(client: LangGraphClient) -> None:
    thread_id, _ = await asked(client, "pair")
    values: Json = await client.runs.wait(thread_id, "pair", command={"resume": "both"}, raise_error=False)
    assert "__error__" in values


async def test_an_update_and_an_answer(client: LangGraphClient) -> None:
    thread_id, _ = await asked(client)
    command: Json = {"resume": "yes", "update": {"topic": "changed"}}
    values: Json = await client.runs.wait(thread_id, "ask", command=command)
    assert (values["said"], values["topic"]) == (["answered yes"], "changed")


@pytest.mark.parametrize(("goto", "said"), [("two", ["two", "three"]), ("three", ["three"])])
async def test_a_run_that_goes_somewhere(client: LangGraphClient, goto: str, said: list[str]) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    values: Json = await client.runs.wait(thread_id, "steps", command={"goto": goto})
    assert values["said"] == ["one", "two", "three", *said]


# stops


@pytest.mark.parametrize("stops", [["two"], ["two", "three"], "*"], ids=str)
@pytest.mark.parametrize("when", ["interrupt_before", "interrupt_after"])
async def test_a_run_that_stops_at_a_node(client: LangGraphClient, when: str, stops: Any) -> None:
    thread_id = await thread(client)
    values: Json = await client.runs.wait(thread_id, "steps", input={"topic": "x"}, **{when: stops})
    first = "one" if stops == "*" else stops[0]
    reached = ["one", "two", "three"]
    done = reached[: reached.index(first) + (when == "interrupt_after")]
    assert values.get("said", []) == done
    found: Json = await client.threads.get(thread_id)
    assert (found["status"], found["interrupts"]) == ("interrupted", {})
    values = await client.runs.wait(thread_id, "steps", input=None)
    assert values["said"] == reached


async def test_a_run_from_an_earlier_place(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    history: Json = await client.threads.get_history(thread_id)
    early = history[1]["checkpoint"]["checkpoint_id"]  # before the last node
    values: Json = await client.runs.wait(thread_id, "steps", input=None, checkpoint_id=early)
    assert values["said"] == ["one", "two", "three"]
    assert len(await client.threads.get_history(thread_id, limit=20)) > len(history)


# what a run is told


async def test_a_config(client: LangGraphClient) -> None:
    config: Json = {"configurable": {"shop": "tea"}, "tags": ["b", "a"]}
    values: Json = await client.runs.wait(await thread(client), "named", input={}, config=config)
    assert (values["said"], values["topic"]) == (["tea"], "a,b")


async def test_a_context_is_what_may_be_configured(client: LangGraphClient) -> None:
    values: Json = await client.runs.wait(await thread(client), "named", input={}, context={"shop": "tea"})
    assert values["said"] == ["tea"]


async def test_a_limit_of_steps(client: LangGraphClient) -> None:
    config: Json = {"recursion_limit": 2}
    values: Json = await client.runs.wait(
        await thread(client), "steps", input={}, config=config, raise_error=False
    )
    assert values["__error__"]["error"] == "GraphRecursionError"


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_how_durable_a_run_is(client: LangGraphClient, durability: Any) -> None:
    thread_id = await thread(client)
    values: Json = await client.runs.wait(thread_id, "steps", input={"topic": "x"}, durability=durability)
    assert values["said"] == ["one", "two", "three"]
    assert len(await client.threads.get_history(thread_id)) == (1 if durability == "exit" else 5)


async def test_a_run_that_begins_later(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    run = await client.runs.create(thread_id, "echo", input=human("hi"), after_seconds=1)
    await asyncio.sleep(0.3)
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "pending"
    await until_status(client, thread_id, run["run_id"], "success")


# one at a time


async def running(client: LangGraphClient, seconds: str = "") -> tuple[str, Json]:
    thread_id = await thread(client)
    run = await client.runs.create(thread_id, "slow", input={"topic": seconds})
    await until_status(client, thread_id, run["run_id"], "running")
    return thread_id, run


async def test_a_second_run_that_is_rejected(client: LangGraphClient) -> None:
    thread_id, run = await running(client)
    with pytest.raises(ConflictError):
        await client.runs.create(thread_id, "echo", input=human("x"), multitask_strategy="reject")
    await client.runs.cancel(thread_id, run["run_id"], wait=True)


@pytest.mark.parametrize("strategy", [None, "enqueue"])
async def test_a_second_run_that_waits(client: LangGraphClient, strategy: Any) -> None:
    thread_id, run = await running(client, "0.5")
    chosen = {} if strategy is None else {"multitask_strategy": strategy}
    second = await client.runs.create(thread_id, "echo", input=human("x"), **chosen)
    assert second["status"] == "pending"
    await client.runs.join(thread_id, second["run_id"])
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"
    state: Json = await client.threads.get_state(thread_id)
    assert state["values"]["said"] == ["slept"]


async def test_a_second_run_that_interrupts(client: LangGraphClient) -> None:
    thread_id, run = await running(client)
    second = await client.runs.create(thread_id, "echo", input=human("x"), multitask_strategy="interrupt")
    await client.runs.join(thread_id, second["run_id"])
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"


async def test_a_second_run_that_rolls_back(client: LangGraphClient) -> None:
    thread_id, run = await running(client)
    second = await client.runs.create(thread_id, "echo", input=human("x"), multitask_strategy="rollback")
    await client.runs.join(thread_id, second["run_id"])
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run["run_id"])
    state: Json = await client.threads.get_state(thread_id)
    assert contents(state["values"]) == ["x", "you said x"]


# ends


@pytest.mark.parametrize("wait", [False, True])
async def test_a_run_that_is_canceled(client: LangGraphClient, wait: bool) -> None:
    thread_id, run = await running(client)
    await client.runs.cancel(thread_id, run["run_id"], wait=wait)
    await until_status(client, thread_id, run["run_id"], "interrupted")
    assert (await client.threads.get(thread_id))["status"] == "interrupted"


async def test_a_run_that_is_canceled_and_undone(client: LangGraphClient) -> None:
    thread_id, run = await running(client)
    await client.runs.cancel(thread_id, run["run_id"], wait=True, action="rollback")
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run["run_id"])


async def test_an_answer_to_what_was_not_asked(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "ask", input={}, interrupt_before=["ask"])
    await client.runs.wait(thread_id, "ask", command={"resume": "unasked"})
    state: Json = await client.threads.get_state(thread_id)
    assert (state["next"], state["values"].get("said", [])) == (["ask"], [])


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_an_answer_goes_with_the_run_that_is_canceled(client: LangGraphClient, action: Any) -> None:
    thread_id, _ = await asked(client, "pondering")
    run_id = ""
    async for part in client.runs.stream(
        thread_id, "pondering", command={"resume": "slow"}, stream_mode="custom"
    ):
        if part.event == "metadata":
            run_id = part.data["run_id"]
        else:
            await client.runs.cancel(thread_id, run_id, wait=True, action=action)
            break
    values: Json = await client.runs.wait(thread_id, "pondering", command={"resume": "quick"})
    assert values["said"] == ["answered quick"]


async def test_a_run_that_is_canceled_before_it_begins(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    run = await client.runs.create(thread_id, "echo", input=human("x"), after_seconds=60)
    await client.runs.cancel(thread_id, run["run_id"], wait=True)
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_a_run_that_has_ended_cannot_be_canceled(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    thread_id = await thread(client)
    run = await client.runs.create(thread_id, "echo", input=human("x"))
    await client.runs.join(thread_id, run["run_id"])
    assert (await http.post(f"/threads/{thread_id}/runs/{run['run_id']}/cancel")).status_code == 404


async def test_many_are_canceled_by_their_ids(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id, run = await running(client)
    waiting = await client.runs.create(thread_id, "echo", input=human("x"))
    ids = [run["run_id"], waiting["run_id"]]
    response = await http.post("/runs/cancel", json={"thread_id": thread_id, "run_ids": ids})
    assert response.status_code == 204
    for run_id in ids:
        await until_status(client, thread_id, run_id, "interrupted")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"thread_id": fresh(), "run_ids": [fresh()]}, 404),
        ({"thread_id": fresh(), "run_ids": [fresh()], "status": "all"}, 422),
        ({}, 422),
    ],
    ids=["none there", "both ways", "neither"],
)
async def test_many_that_cannot_be_canceled(http: httpx.AsyncClient, body: Json, status: int) -> None:
    assert (await http.post("/runs/cancel", json=body)).status_code == status


# without a thread


@pytest.mark.parametrize("graph", ["echo", "steps", "named"])
async def test_a_run_without_a_thread(client: LangGraphClient, graph: str) -> None:
    values: Json = await client.runs.wait(None, graph, input=human("hi"))
    assert values["messages"][0]["content"] == "hi"


async def test_a_run_without_a_thread_leaves_none(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    response = await http.post("/runs/wait", json={"assistant_id": "echo", "input": human("hi")})
    thread_id = response.headers["content-location"].split("/")[2]
    if response.headers["content-location"].startswith("/threads/"):
        with pytest.raises(NotFoundError):
            await client.threads.get(thread_id)


async def test_a_run_without_a_thread_that_keeps_it(client: LangGraphClient) -> None:
    run = await client.runs.create(None, "echo", input=human("hi"), on_completion="keep")
    thread_id = run["thread_id"]
    await until_status(client, thread_id, run["run_id"], "success")
    assert contents((await client.threads.get_state(thread_id))["values"]) == ["hi", "you said hi"]


async def test_an_answer_without_a_thread(http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "ask", "command": {"resume": "x"}}
    assert (await http.post("/runs/wait", json=body)).status_code == 400


async def test_several_at_once(client: LangGraphClient) -> None:
    runs = await client.runs.create_batch(
        [{"assistant_id": "echo", "input": human(text)} for text in ("a", "b")]  # type: ignore[typeddict-item]
    )
    assert [run["status"] for run in runs] == ["pending", "pending"]
    assert len({run["thread_id"] for run in runs}) == 2
