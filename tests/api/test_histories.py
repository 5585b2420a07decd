"""Threads that begin with a history, copies of threads, and what is pruned of them."""

import asyncio
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError

from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live, said

SUPERSTEPS: list[Json] = [
    {"updates": [{"values": said("one"), "as_node": "__input__"}]},
    {"updates": [{"values": said("one"), "as_node": "__start__"}]},
    {"updates": [{"values": {"messages": [{"role": "ai", "content": "two"}]}, "as_node": "reply"}]},
]
ONE: Json = {"questions": ["one"]}
LOG: Json = {"log": ["x"]}
NOWHERE = "01a2288b-0000-7000-8000-000000000000"


def texts(values: Json) -> list[str]:
    return [message["content"] for message in values["messages"]]


async def checkpoints(sdk: LangGraphClient, thread_id: str) -> list[Json]:
    history: Json = await sdk.threads.get_history(thread_id, limit=100)
    return [(one["checkpoint_id"], one["values"], one["next"]) for one in history]


# made with a history


async def test_supersteps_make_a_history_that_runs_go_on_from(server: Live) -> None:
    sdk = server.sdk()
    thread: Json = await sdk.threads.create(graph_id="echo", supersteps=SUPERSTEPS)
    thread_id = thread["thread_id"]
    assert (texts(thread["values"]), thread["status"]) == (["one", "two"], "idle")
    history: Json = await sdk.threads.get_history(thread_id)
    assert [one["metadata"]["source"] for one in history] == ["update", "update", "input"]
    assert [one["next"] for one in history] == [[], ["reply"], ["__start__"]]
    values: Json = await sdk.runs.wait(thread_id, "echo", input=said("three"))
    assert texts(values) == ["one", "two", "three", "echo: three"]


async def test_a_superstep_may_hold_several_updates_and_commands(server: Live) -> None:
    sdk = server.sdk()
    steps: list[Json] = [
        {
            "updates": [
                {
                    "values": None,
                    "as_node": "__start__",
                    "command": {"update": [["log", ["a"]]], "goto": "second"},
                },
            ]
        },
        {
            "updates": [
                {"values": {"log": ["b"]}, "as_node": "first"},
                {"values": {"log": ["c"]}, "as_node": "second"},
            ]
        },
    ]
    thread: Json = await sdk.threads.create(graph_id="steps", supersteps=steps)
    assert (thread["values"]["log"], thread["status"]) == (["a", "b", "c"], "interrupted")
    state: Json = await sdk.threads.get_state(thread["thread_id"])
    assert sorted(state["next"]) == ["second", "third"]


async def test_a_history_that_cannot_be_made_leaves_no_thread(server: Live) -> None:
    ok: Json = {"values": {"log": ["x"]}, "as_node": "first"}
    cases: list[tuple[int, Json]] = [
        (400, {"supersteps": [{"updates": [ok]}]}),  # of which graph?
        (404, {"metadata": {"graph_id": "none"}, "supersteps": [{"updates": [ok]}]}),
        (400, {"metadata": {"graph_id": "steps"}, "supersteps": [{"updates": [{**ok, "as_node": "none"}]}]}),
        (
            400,
            {"metadata": {"graph_id": "steps"}, "supersteps": [{"updates": [{**ok, "values": {"log": 1}}]}]},
        ),
        (422, {"metadata": {"graph_id": "steps"}, "supersteps": [{"updates": []}]}),
        (422, {"metadata": {"graph_id": "steps"}, "supersteps": [{"updates": [{"values": {}}]}]}),
    ]
    async with server.http() as http:
        for status, body in cases:
            refused = await http.post("/threads", json={"thread_id": NOWHERE, **body})
            assert refusal(refused)[0] == status, refused.text
            assert (await http.get(f"/threads/{NOWHERE}")).status_code == 404


async def test_a_thread_that_is_there_keeps_its_history(server: Live) -> None:
    sdk = server.sdk()
    there = await sdk.threads.create(metadata={"n": 1})
    again: dict[str, Any] = {"thread_id": there["thread_id"], "graph_id": "echo", "supersteps": SUPERSTEPS}
    with pytest.raises(ConflictError):
        await sdk.threads.create(**again)
    same = await sdk.threads.create(**again, if_exists="do_nothing")
    assert (same["values"], same["metadata"]) == (None, {"n": 1})


# copied


async def test_a_copy_has_the_history_and_no_runs(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create(metadata={"topic": "tea"}))["thread_id"]
    for text in ("one", "two"):
        await sdk.runs.wait(thread_id, "echo", input=said(text))
    await sdk.threads.update(thread_id, metadata={"n": 1})
    thread, copied = await sdk.threads.get(thread_id), await copy(sdk, thread_id)
    assert copied["thread_id"] != thread_id
    assert copied["created_at"] > thread["created_at"]
    same = ("metadata", "status", "values", "interrupts")
    assert {key: copied[key] for key in same} == {key: thread[key] for key in same}  # type: ignore[literal-required]
    assert await checkpoints(sdk, copied["thread_id"]) == await checkpoints(sdk, thread_id)
    assert await sdk.runs.list(copied["thread_id"]) == []
    # From here on they are two.
    values: Json = await sdk.runs.wait(copied["thread_id"], "echo", input=said("three"))
    assert texts(values)[-2:] == ["three", "echo: three"]
    assert (await sdk.threads.get(thread_id))["values"] == thread["values"]
    await sdk.threads.delete(thread_id)
    assert (await sdk.threads.get(copied["thread_id"]))["values"] == values


async def copy(sdk: LangGraphClient, thread_id: str) -> Json:
    return await sdk.threads.copy(thread_id)


async def test_what_waits_on_a_thread_waits_on_its_copy(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "ask", input=LOG)
    copied = await copy(sdk, thread_id)
    assert (copied["status"], len(copied["interrupts"])) == ("interrupted", 1)
    for one in (copied["thread_id"], thread_id):
        values: Json = await sdk.runs.wait(one, "ask", command={"resume": one})
        assert values["log"] == ["x", f"did {one}"]


async def test_a_copied_request_is_an_approval_of_the_copy(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "approve", input=ONE)
    copied = await copy(sdk, thread_id)
    async with server.http() as http:
        waiting = (await http.get("/approvals", params={"thread_id": copied["thread_id"]})).json()
        assert [one["request_id"] for one in waiting] == [f"{thread_id}-one"]
        decided = await http.post(
            f"/approvals/{copied['thread_id']}:{thread_id}-one/decisions", json={"type": "approve"}
        )
        assert decided.status_code == 200, decided.text
        [own] = (await http.get("/approvals", params={"thread_id": thread_id})).json()
        assert own["status"] == "open"


async def test_a_copy_is_made_while_a_run_is_active(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "steps", input={})
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 30})
    copied = await copy(sdk, thread_id)
    assert copied["status"] == "idle"
    await sdk.runs.wait(copied["thread_id"], "echo", input=said("hi"))
    await sdk.runs.cancel(thread_id, run["run_id"], wait=True)


async def test_nothing_is_copied_of_a_thread_that_is_not_there(server: Live) -> None:
    async with server.http() as http:
        refused = await http.post(f"/threads/{NOWHERE}/copy")
        assert refusal(refused)[0] == 409
        assert refused.json()["code"] == "thread_not_found"


async def test_a_copy_belongs_to_whom_the_thread_belongs_to(server: Live) -> None:
    """Who works on other people's conversations gets none of their own by it."""
    ann, staff = server.sdk("ann"), server.sdk("op", "operator")
    thread_id = (await ann.threads.create())["thread_id"]
    await ann.runs.wait(thread_id, "whoami", input={})
    copied = await copy(staff, thread_id)
    values: Json = await staff.runs.wait(copied["thread_id"], "whoami", input={})
    assert values["user"]["langgraph_auth_user"]["identity"] == "ann"
    assert len(await ann.threads.search()) == 2


# pruned


async def test_threads_are_deleted_many_at_once(server: Live) -> None:
    sdk = server.sdk()
    made = [(await sdk.threads.create())["thread_id"] for _ in range(3)]
    asked = [*made[:2], made[0], NOWHERE]
    assert await sdk.threads.prune(asked) == {"pruned_count": 2}
    assert [one["thread_id"] for one in await sdk.threads.search()] == made[2:]
    assert await sdk.threads.prune(asked) == {"pruned_count": 0}
    assert await sdk.threads.prune([]) == {"pruned_count": 0}


async def test_all_but_the_latest_checkpoint_goes(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "twice", input=LOG)
    await sdk.runs.wait(thread_id, "twice", command={"resume": 1})
    thread: Json = await sdk.threads.get(thread_id)
    busy = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(busy, "steps", input={"delay": 30})
    pruned = await sdk.threads.prune([thread_id, busy, NOWHERE], strategy="keep_latest")
    assert pruned == {"pruned_count": 1}
    assert len(await checkpoints(sdk, thread_id)) == 1
    kept: Json = await sdk.threads.get(thread_id)
    assert (kept["values"], kept["interrupts"]) == (thread["values"], thread["interrupts"])
    values: Json = await sdk.runs.wait(thread_id, "twice", command={"resume": 2})
    assert values["log"] == ["x", "did 2"]
    await sdk.runs.cancel(busy, run["run_id"], wait=True)


async def test_what_cannot_be_pruned_is_refused_before_anything_goes(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        for body in ({}, {"thread_ids": [thread_id, "x"]}, {"thread_ids": [thread_id], "strategy": "x"}):
            assert refusal(await http.post("/threads/prune", json=body))[0] == 422
        assert (await http.get(f"/threads/{thread_id}")).status_code == 200


# what a search takes out, and how long a thread is kept


async def test_a_search_takes_single_values_out(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create(metadata={"topic": "tea", "a b": {"c": [1, 2]}}))["thread_id"]
    await sdk.runs.wait(thread_id, "echo", input=said("hi"))
    empty = (await sdk.threads.create())["thread_id"]
    paths = {
        "last": "values.messages[-1].content",
        "kind": "values.messages[0].type",
        "far": "values.messages[7].content",
        "none": "values.messages.content",
        "topic": "metadata.topic",
        "deep": "metadata.a b.c[1]",
        "waits": "interrupts",
    }
    found: list[Json] = await sdk.threads.search(
        ids=[thread_id, empty], sort_order="asc", select=["thread_id"], extract=paths
    )
    assert found == [
        {
            "thread_id": thread_id,
            "extracted": {
                "last": "echo: hi",
                "kind": "human",
                "far": None,
                "none": None,
                "topic": "tea",
                "deep": 2,
                "waits": {},
            },
        },
        {"thread_id": empty, "extracted": dict.fromkeys(paths)},
    ]
    [whole] = await sdk.threads.search(ids=[thread_id], extract={"n": "metadata.topic"})
    assert texts(whole["values"]) == ["hi", "echo: hi"]


async def test_only_paths_into_a_thread_are_taken(server: Live) -> None:
    async with server.http() as http:
        for paths in (
            {"a": "status"},
            {"a": ""},
            {"a": "values["},
            {"a": "values.messages[*]"},
            {"a b": "values"},
            {f"n{n}": "values" for n in range(11)},
        ):
            assert refusal(await http.post("/threads/search", json={"extract": paths}))[0] == 422, paths


async def test_how_long_a_thread_is_kept_is_told_and_changed(server: Live) -> None:
    sdk = server.sdk()
    thread: Json = await sdk.threads.create(ttl=60)
    assert "ttl" not in thread
    thread_id = thread["thread_id"]
    await sdk.runs.wait(thread_id, "echo", input=said("hi"))

    async def minutes_left() -> float:
        told: Json = await sdk.threads.get(thread_id, include=["ttl"])
        ttl = told["ttl"]
        redis, keys = server.platform.client.redis, server.platform.keys
        left_s = [await redis.ttl(key) for key in (keys.thread(thread_id), keys.checkpoints(thread_id))]
        assert max(left_s) - min(left_s) <= 1
        assert (ttl["strategy"], ttl["expires_at"] > told["updated_at"]) == ("delete", True)
        assert left_s[0] / 60 == pytest.approx(ttl["ttl_minutes"], abs=1)
        return float(ttl["ttl_minutes"])

    assert await minutes_left() == 60
    await sdk.threads.update(thread_id, metadata={}, ttl=10)
    assert await minutes_left() == 10
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 30})
    told: Json = await sdk.threads.get(thread_id, include=["ttl"])
    assert told["ttl"] == {"strategy": "delete", "ttl_minutes": 10, "expires_at": None}
    await sdk.threads.update(thread_id, metadata={}, ttl=30)  # it does not begin before the run has ended
    assert await server.platform.client.redis.ttl(server.platform.keys.thread(thread_id)) == -1
    await sdk.runs.cancel(thread_id, run["run_id"], wait=True)
    assert await minutes_left() == 30
    plain = (await sdk.threads.create())["thread_id"]
    assert "ttl" not in await sdk.threads.get(plain, include=["ttl"])


async def test_a_new_time_to_live_takes_nothing_that_waits_for_a_person(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "approve", input=ONE)
    await sdk.threads.update(thread_id, metadata={}, ttl=10)
    told: Json = await sdk.threads.get(thread_id, include=["ttl"])
    assert told["ttl"] == {"strategy": "delete", "ttl_minutes": 10, "expires_at": None}
    [waiting] = [one for of_task in told["interrupts"].values() for one in of_task]
    decided: Json = {"resume": {waiting["id"]: {"decisions": [{"type": "approve"}]}}}
    await sdk.runs.wait(thread_id, "approve", command=decided)
    left_s = await server.platform.client.redis.ttl(server.platform.keys.thread(thread_id))
    assert 0 < left_s <= 600


async def test_one_thread_is_copied_by_many(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create(graph_id="echo", supersteps=SUPERSTEPS))["thread_id"]
    made = await asyncio.gather(*(copy(sdk, thread_id) for _ in range(10)))
    assert len({one["thread_id"] for one in made}) == 10
    assert {tuple(texts(one["values"])) for one in made} == {("one", "two")}
