"""What a run has from its assistant, and what becomes of runs and crons when that is changed or deleted."""

import uuid
from typing import Any

import pytest
from httpx import HTTPStatusError
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError

from holdfast.core import ticks
from tests.api.ticking import TICK_MS, YEARLY, record
from tests.api.wire import Json
from tests.servers import Live

VOICE: Json = {"model": "small", "tone": "warm"}


@pytest.fixture
def sdk(server: Live) -> LangGraphClient:
    return server.sdk("ann")


async def make(sdk: LangGraphClient, graph_id: str = "voiced", **more: Any) -> str:
    return (await sdk.assistants.create(graph_id, **more))["assistant_id"]


async def asked(sdk: LangGraphClient, assistant_id: str) -> str:
    """A thread on which a run of the assistant waits for an answer."""
    thread_id = (await sdk.threads.create())["thread_id"]
    values: Json = await sdk.runs.wait(thread_id, assistant_id, input={})
    assert "__interrupt__" in values, values
    return thread_id


async def answer(server: Live, sdk: LangGraphClient, thread_id: str) -> None:
    """Answers, by its id, what waits on a thread."""
    [waiting] = (await sdk.threads.get_state(thread_id))["interrupts"]
    said = {"namespace": [], "interrupt_id": waiting["id"], "response": "yes"}
    async with server.http("ann") as http:
        body = {"id": 1, "method": "input.respond", "params": said}
        reply = (await http.post(f"/threads/{thread_id}/commands", json=body)).json()
    assert reply["type"] == "success", reply


async def told(sdk: LangGraphClient, thread_id: str, run_id: str) -> Json:
    """What a run's graph has seen, once it has ended."""
    values: Json = await sdk.runs.join(thread_id, run_id)
    return values["told"]


def model_of(seen: Json) -> tuple[str, str]:
    return seen["context"]["model"], seen["configurable"]["model"]


async def test_a_run_has_the_graph_config_context_and_metadata_of_its_assistant(sdk: LangGraphClient) -> None:
    config: Json = {"tags": ["a"], "recursion_limit": 9, "configurable": {**VOICE, "other": 1}}
    assistant_id = await make(sdk, config=config, metadata={"team": "blue", "place": "sea"})
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, assistant_id, input={})
    assert run["assistant_id"] == assistant_id
    of = {"graph_id": "voiced", "assistant_id": assistant_id}
    assert run["metadata"] == {"team": "blue", "place": "sea", **of}
    assert run["kwargs"]["context"] == config["configurable"]  # type: ignore[typeddict-item]
    assert await told(sdk, thread_id, run["run_id"]) == {
        "context": VOICE,  # of what is configured, the schema takes what it has a field for
        "configurable": {**VOICE, "other": 1},
        "metadata": {"team": "blue", "place": "sea", "assistant_id": assistant_id},
        "tags": ["a"],
        "recursion_limit": 9,
    }
    thread = await sdk.threads.get(thread_id)
    assert thread["metadata"] == of


async def test_what_a_run_asks_for_goes_before_what_its_assistant_says(sdk: LangGraphClient) -> None:
    config: Json = {"tags": ["a"], "recursion_limit": 9, "metadata": {"team": "red"}}
    assistant_id = await make(sdk, config=config, context=VOICE, metadata={"team": "blue", "place": "sea"})
    own: Json = {"tags": ["b"], "recursion_limit": 5, "configurable": {"model": "big"}}
    ways: list[Json] = [
        {"config": own, "metadata": {"place": "land"}},
        {"context": {"model": "big"}, "config": {"tags": ["b"], "recursion_limit": 5}},
    ]
    for way in ways:
        seen: Json = await sdk.runs.wait(None, assistant_id, input={}, **way)
        told = seen["told"]
        assert told["context"] == {"model": "big", "tone": "warm"}
        assert told["configurable"] == {"model": "big", "tone": "warm", "other": None}
        assert (told["tags"], told["recursion_limit"]) == (["b"], 5)
        assert told["metadata"]["team"] == "blue", "the assistant's own goes before that of its config"
        assert told["metadata"]["place"] == way.get("metadata", {}).get("place", "sea")


async def test_config_and_context_are_mirrors_also_without_an_assistant_of_ones_own(
    sdk: LangGraphClient,
) -> None:
    for way in ({"config": {"configurable": VOICE}}, {"context": VOICE}):
        seen: Json = await sdk.runs.wait(None, "voiced", input={}, **way)
        assert seen["told"]["context"] == VOICE
        assert seen["told"]["configurable"] == {**VOICE, "other": None}
    other: Json = {"configurable": {"other": 1}}
    seen = await sdk.runs.wait(None, "voiced", input={}, config=other)
    assert seen["told"]["context"] is None, "nothing in it is of the schema"


async def test_a_run_in_line_stays_what_it_was_asked_for_as(sdk: LangGraphClient) -> None:
    changed, deleted = [await make(sdk, context=VOICE) for _ in range(2)]
    waiting = []
    for assistant_id in (changed, deleted):
        thread_id = (await sdk.threads.create())["thread_id"]
        run = await sdk.runs.create(thread_id, assistant_id, input={}, after_seconds=2)
        waiting.append((thread_id, run["run_id"]))
    await sdk.assistants.update(changed, context={"model": "big"}, graph_id="echo")
    await sdk.assistants.delete(deleted)
    for thread_id, run_id in waiting:
        assert model_of(await told(sdk, thread_id, run_id)) == ("small", "small")
    assert (await sdk.runs.get(*waiting[1]))["assistant_id"] == deleted
    with pytest.raises(NotFoundError):
        await sdk.runs.create(waiting[1][0], deleted, input={})


async def test_who_tries_again_gets_the_run_also_when_its_assistant_has_gone(
    server: Live, sdk: LangGraphClient
) -> None:
    assistant_id = await make(sdk, context=VOICE)
    body = {"assistant_id": assistant_id, "input": {}, "on_completion": "keep"}
    key = {"Idempotency-Key": "mine"}
    async with server.http("ann") as http:
        first = await http.post("/runs", json=body, headers=key)
        await sdk.assistants.delete(assistant_id)
        again = await http.post("/runs", json=body, headers=key)
    assert first.json()["run_id"] == again.json()["run_id"]


async def test_a_resume_that_names_an_assistant_has_it_as_it_is_now(sdk: LangGraphClient) -> None:
    assistant_id = await make(sdk, "voiced_ask", context=VOICE)
    one, two = [await asked(sdk, assistant_id) for _ in range(2)]
    await sdk.assistants.update(assistant_id, context={"model": "big"})
    values: Json = await sdk.runs.wait(one, assistant_id, command={"resume": "yes"})
    assert model_of(values["told"]) == ("big", "big")
    await sdk.assistants.delete(assistant_id)
    with pytest.raises(HTTPStatusError, match="404"):
        await sdk.runs.wait(two, assistant_id, command={"resume": "yes"})
    assert (await sdk.threads.get(two))["status"] == "interrupted", "the question still waits"
    values = await sdk.runs.wait(two, "voiced_ask", command={"resume": "yes"}, context={"model": "mine"})
    assert model_of(values["told"]) == ("mine", "mine")


@pytest.mark.parametrize("deleted", [False, True], ids=["changed", "deleted"])
async def test_an_answer_by_its_id_goes_on_with_what_was_asked_with(
    server: Live, sdk: LangGraphClient, deleted: bool
) -> None:
    assistant_id = await make(sdk, "voiced_ask", context=VOICE, config={"tags": ["a"]})
    thread_id = await asked(sdk, assistant_id)
    await change(sdk, assistant_id, deleted=deleted)
    await answer(server, sdk, thread_id)
    await check_as_it_was(sdk, thread_id, assistant_id)


@pytest.mark.parametrize("deleted", [False, True], ids=["changed", "deleted"])
async def test_a_decision_goes_on_with_what_was_asked_with(
    server: Live, sdk: LangGraphClient, deleted: bool
) -> None:
    assistant_id = await make(sdk, "voiced_approve", context=VOICE, config={"tags": ["a"]})
    thread_id = await asked(sdk, assistant_id)
    await change(sdk, assistant_id, deleted=deleted)
    async with server.http("ann") as http:
        path = f"/approvals/{thread_id}:{thread_id}-one/decisions"
        assert (await http.post(path, json={"type": "approve"})).status_code == 200
    await check_as_it_was(sdk, thread_id, assistant_id)


async def change(sdk: LangGraphClient, assistant_id: str, *, deleted: bool) -> None:
    if deleted:
        await sdk.assistants.delete(assistant_id)
    else:
        await sdk.assistants.update(assistant_id, context={"model": "big"}, graph_id="echo")


async def check_as_it_was(sdk: LangGraphClient, thread_id: str, assistant_id: str) -> None:
    [run, _] = await sdk.runs.list(thread_id)
    seen = await told(sdk, thread_id, run["run_id"])
    assert (*model_of(seen), seen["tags"]) == ("small", "small", ["a"])
    assert (await sdk.runs.get(thread_id, run["run_id"]))["assistant_id"] == assistant_id


async def test_a_run_that_began_at_a_checkpoint_is_answered_where_it_has_come_to(
    server: Live, sdk: LangGraphClient
) -> None:
    assistant_id = await make(sdk, "voiced_ask", context=VOICE)
    thread_id = await asked(sdk, assistant_id)
    at = (await sdk.threads.get_history(thread_id))[-1]["checkpoint"]
    forked: Json = await sdk.runs.wait(thread_id, assistant_id, input=None, checkpoint=at)
    assert "__interrupt__" in forked
    await answer(server, sdk, thread_id)
    run = (await sdk.runs.list(thread_id, limit=1))[0]
    assert model_of(await told(sdk, thread_id, run["run_id"])) == ("small", "small")


# deleted


async def test_an_assistant_is_deleted(sdk: LangGraphClient) -> None:
    assistant_id = await make(sdk)
    thread_id = (await sdk.threads.create())["thread_id"]
    run: Json = await sdk.runs.wait(thread_id, assistant_id, input={}, context=VOICE)
    assert "told" in run
    await sdk.assistants.delete(assistant_id)
    for attempt in (sdk.assistants.get, sdk.assistants.delete, sdk.assistants.get_versions):
        with pytest.raises(NotFoundError):
            await attempt(assistant_id)
    assert (await sdk.threads.get(thread_id))["metadata"]["assistant_id"] == assistant_id  # type: ignore[index]
    assert [one["assistant_id"] for one in await sdk.runs.list(thread_id)] == [assistant_id]
    again: Json = await sdk.assistants.create("voiced", assistant_id=assistant_id)
    assert again["version"] == 1


async def test_its_threads_go_with_it_when_that_is_asked_for(server: Live, sdk: LangGraphClient) -> None:
    assistant_id, other = await make(sdk), await make(sdk)
    bob = server.sdk("bob")
    used = [(await who.threads.create())["thread_id"] for who in (sdk, sdk, bob)]
    for thread_id, by in ((used[0], assistant_id), (used[1], other)):
        await sdk.runs.wait(thread_id, by, input={}, context=VOICE)
    await bob.threads.update(used[2], metadata={"assistant_id": assistant_id})
    await sdk.assistants.delete(assistant_id, delete_threads=True)
    with pytest.raises(NotFoundError):
        await sdk.threads.get(used[0])
    assert await sdk.threads.get(used[1])
    assert await bob.threads.get(used[2]), "what somebody else calls so is not the caller's to delete"


async def test_its_crons_go_with_it(server: Live, sdk: LangGraphClient) -> None:
    assistant_id = await make(sdk)
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.crons.create(assistant_id, schedule=YEARLY)
    await sdk.crons.create_for_thread(thread_id, assistant_id, schedule=YEARLY)
    await server.sdk("chief", "operator").crons.create(assistant_id, schedule=YEARLY)
    kept: Json = await sdk.crons.create("voiced", schedule=YEARLY)
    with pytest.raises(NotFoundError):
        await sdk.crons.create(str(uuid.uuid4()), schedule=YEARLY)
    assert await sdk.crons.count(assistant_id=assistant_id) == 2
    await sdk.assistants.delete(assistant_id)
    left = await server.sdk().crons.search()
    assert [one["cron_id"] for one in left] == [kept["cron_id"]]


async def test_each_tick_of_a_cron_has_its_assistant_as_it_is_then(
    server: Live, sdk: LangGraphClient
) -> None:
    assistant_id = await make(sdk, context=VOICE)
    thread_id = (await sdk.threads.create())["thread_id"]
    cron = await sdk.crons.create_for_thread(thread_id, assistant_id, schedule=YEARLY, input={})
    await sdk.assistants.update(assistant_id, context={"model": "big"})
    found = await record(server, cron)
    assert await ticks.start_run(server.platform, found, TICK_MS)
    seen = await told(sdk, thread_id, ticks.id_of_tick(found, TICK_MS, "run"))
    assert model_of(seen) == ("big", "big")
