"""A2A with the official client: messages become tasks, which ask, are followed, and are cancelled."""

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from tests.a2a.agents import Agent, Json, agent, data, heard, reply, state, states, text
from tests.api.approving import decide
from tests.api.wire import new_thread
from tests.servers import Live

WORDS = " ".join(f"word{number}" for number in range(60))


@pytest.fixture
async def approver(server: Live) -> AsyncIterator[Agent]:
    """Ann's agent, at an assistant that asks before it acts; she may decide herself."""
    async with agent(server.url, "approve", server.headers("ann")) as opened:
        yield opened


async def begun(http: httpx.AsyncClient, graph: str, **asked: Json) -> Json:
    """A task that began as a run of another door."""
    thread_id = await new_thread(http)
    said = {"messages": [{"role": "user", "content": "please"}], **asked}
    body = {"assistant_id": graph, "input": said}
    answer = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
    run_id = answer.headers["content-location"].rpartition("/")[2]
    return {"id": f"{thread_id}:{run_id}", "contextId": thread_id}


def question(task: Json) -> Json:
    """What a task asks, as data."""
    [_, asked] = task["status"]["message"]["parts"]
    return asked["data"]["interrupts"]


async def test_a_message_becomes_a_task_with_the_reply(server: Live) -> None:
    async with agent(server.url, "echo") as other:
        task = await other.send(text("hi"), data({"order": 7}))
        assert state(task) == "completed"
        assert reply(task) == 'echo: hi\n\n{"order":7}'
        assert [part.get("text") for part in task["history"][0]["parts"]] == ["hi", None]
        thread_id, _, run_id = task["id"].partition(":")
        assert task["contextId"] == thread_id
        assert (await server.sdk().runs.get(thread_id, run_id))["status"] == "success"
        assert await other.get(task) == task
        assert "history" not in await other.get(task, history=0)
        again = await other.send(text("more"), context=task["contextId"])
        assert again["contextId"] == task["contextId"]
        assert again["id"] != task["id"]
        listed = await other.search(contextId=thread_id, includeArtifacts=True, pageSize=1)
        assert [one["id"] for one in listed["tasks"]] == [again["id"]]
        listed = await other.search(pageToken=listed["nextPageToken"], status="TASK_STATE_COMPLETED")
        assert [one["id"] for one in listed["tasks"]] == [task["id"]]


async def test_a_context_may_have_a_name_of_the_callers_own(server: Live) -> None:
    async with (
        agent(server.url, "echo", server.headers("ann")) as ann,
        agent(server.url, "echo", server.headers("bob")) as bob,
    ):
        first, second = [await ann.send(text("hi"), context="mine") for _ in range(2)]
        assert first["contextId"] == second["contextId"] == "mine"
        assert first["id"].partition(":")[0] == second["id"].partition(":")[0]
        again = await ann.send(text("hi"), context="mine")
        assert len((await ann.search(contextId="mine"))["tasks"]) == 3
        assert await ann.get(again) == again
        other = await bob.send(text("hi"), context="mine")
        assert other["id"].partition(":")[0] != first["id"].partition(":")[0]


async def test_the_same_message_twice_is_one_task(server: Live) -> None:
    named = str(uuid.uuid4())
    async with agent(server.url, "echo") as other:
        first = await other.send(text("hi"), message_id=named)
        assert (await other.send(text("hi"), message_id=named))["id"] == first["id"]
        assert (await other.send(text("ho"), message_id=named))["id"] != first["id"]


async def test_a_graph_is_told_how_many_agents_a_message_has_come_through(server: Live) -> None:
    async with agent(server.url, "whoami") as other:
        task = await other.send(text("hi"), metadata={"holdfast_hops": 2})
        values: Json = (await server.sdk().threads.get_state(task["contextId"]))["values"]
        assert values["user"]["holdfast_hops"] == 2


async def test_words_come_as_they_are_said(server: Live) -> None:
    async with agent(server.url, "recite", streaming=True) as other:
        stream = [one async for one in other.stream(text("60"))]
    assert states(stream)[-1] == "completed"
    assert "task" in stream[0]
    assert heard(stream) == WORDS
    pieces = [one["artifactUpdate"] for one in stream if "artifactUpdate" in one]
    assert len(pieces) > 30
    assert pieces[-1]["lastChunk"]
    async with agent(server.url, "modes", streaming=True) as other:
        stream = [one async for one in other.stream(text("hi"))]
    assert heard(stream[:-2]) == heard(stream) == "one two three", "the pieces by themselves too"


async def test_what_is_asked_waits_for_the_owners_word(approver: Agent) -> None:
    task = await approver.send(text("please"))
    assert state(task) == "input_required"
    assert task["status"]["message"]["parts"][0]["text"] == "Launch\nrockets: 3"
    [asked] = question(task)
    assert asked["value"]["policy"]["roles"] == ["owner", "chief"]
    done = await approver.send(text("Yes."), task=task["id"])
    assert (done["id"], state(done)) == (task["id"], "completed")
    assert [one["parts"][0]["text"] for one in done["history"]] == ["please", "Yes."]
    with pytest.raises(UnsupportedOperationError, match="has ended"):
        await approver.send(text("and now?"), task=task["id"])


async def test_an_answer_may_be_data_by_the_id_of_the_question(server: Live, approver: Agent) -> None:
    task = await approver.send(text("please"))
    [asked] = question(task)
    with pytest.raises(InvalidParamsError, match="not a decision"):
        await approver.send(data({"type": "launch"}), task=task["id"])
    edited = {"type": "edit", "edited_action": {"name": "launch", "args": {"count": "2"}}}
    sent = {"message_id": str(uuid.uuid4()), "task": task["id"]}
    done = await approver.send(data({asked["id"]: edited}), **sent)
    assert state(done) == "completed"
    values: Json = (await server.sdk("ann").threads.get_state(task["contextId"]))["values"]
    assert values["answers"]["one"]["decision"]["decisions"] == [edited]
    assert await approver.send(data({asked["id"]: edited}), **sent) == done, "sent again"


async def test_what_is_no_answer_goes_to_the_graph(server: Live) -> None:
    """`desk` asks again for what is undecided, so that people may go on talking meanwhile."""
    async with server.http("ann") as http, agent(server.url, "desk", server.headers("ann")) as ann:
        task = await begun(http, "desk", questions=["one"])
        talked = await ann.send(text("yes, but when?"), task=task["id"])
        assert (state(talked), talked["id"]) == ("input_required", task["id"])
        other = await ann.send(text("something else"), context=task["contextId"])
        assert other["id"] != task["id"]
        assert (state(other), state(await ann.get(task))) == ("completed", "input_required")
        assert state(await ann.send(text("确认"), task=task["id"])) == "completed"


async def test_a_plain_question_takes_any_answer(server: Live) -> None:
    async with agent(server.url, "ask") as other:
        task = await other.send(text("hi"))
        assert question(task)[0]["value"] == {"question": "go on?"}
        assert state(await other.send(text("by all means"), task=task["id"])) == "completed"
        values: Json = (await server.sdk().threads.get_state(task["contextId"]))["values"]
        assert values["answer"] == "by all means"


async def test_who_may_not_decide_is_not_taken_at_his_word(server: Live) -> None:
    async with server.http("ann") as http, agent(server.url, "approve", server.headers("ann")) as ann:
        task = await begun(http, "approve", policy={"roles": ["chief"]})
        assert state(await ann.get(task)) == "input_required"
        with pytest.raises(UnsupportedOperationError, match="for chief to decide"):
            await ann.send(data({"type": "approve"}), task=task["id"])
        with pytest.raises(TaskNotCancelableError, match="for chief to decide"):
            await ann.cancel(task)
        assert state(await ann.get(task)) == "input_required"


async def test_a_decision_at_the_desk_goes_on_with_the_task(server: Live, approver: Agent) -> None:
    """Who has subscribed while it waited is told, whoever decides."""
    task = await approver.send(text("please"))
    name = f"{task['contextId']}:{question(task)[0]['id']}"
    async with (
        agent(server.url, "approve", server.headers("ann"), streaming=True) as ann,
        server.http("eve", "chief") as eve,
    ):
        stream = ann.subscribe(task)
        assert state(await anext(stream)) == "input_required"
        assert (await decide(eve, name, {"type": "approve"})).status_code == 200
        assert states([one async for one in stream]) == ["working", "completed"]
        with pytest.raises(UnsupportedOperationError, match="has ended"):
            await anext(ann.subscribe(task))


async def test_another_replica_goes_on_with_the_stream(twins: tuple[Live, Live]) -> None:
    one, other = twins
    async with (
        agent(one.url, "recite", streaming=True) as here,
        agent(other.url, "recite", streaming=True) as there,
    ):
        stream = here.stream(text("60"))
        task = (await anext(stream))["task"]
        async for update in stream:
            if "artifactUpdate" in update:
                break
        resumed = [update async for update in there.subscribe(task)]
        assert state(resumed[0]) == "working"
        assert reply(resumed[0]["task"]).startswith("word0"), "what was said before"
        assert heard(resumed) == WORDS
        assert states(resumed)[-1] == "completed"
        await stream.aclose()


async def test_a_task_is_cancelled_while_it_works_and_while_it_asks(server: Live, approver: Agent) -> None:
    async with agent(server.url, "recite") as other:
        task = await other.send(text("3000"), returnImmediately=True)
        assert state(task) in ("submitted", "working")
        assert state(await other.cancel(task)) == "canceled"
        with pytest.raises(TaskNotCancelableError):
            await other.cancel(task)
    async with agent(server.url, "ask") as other:
        task = await other.send(text("hi"))
        assert state(await other.cancel(task)) == "canceled"
        assert (await server.sdk().threads.get(task["contextId"]))["status"] == "idle"
        left: Json = (await server.sdk().threads.get_state(task["contextId"]))["values"]
        assert left["log"] == [], "what would have come after the question did not"
    asking = await approver.send(text("please"))
    assert state(await approver.cancel(asking)) == "canceled"
    values: Json = (await server.sdk("ann").threads.get_state(asking["contextId"]))["values"]
    assert values["answers"]["one"]["decision"]["decisions"][0]["type"] == "reject"


async def test_a_task_that_fails_says_so_and_not_why(server: Live) -> None:
    async with agent(server.url, "fail") as other:
        task = await other.send(text("hi"))
        assert state(task) == "failed"
        [part] = task["status"]["message"]["parts"]
        assert "boom" not in part["text"]


async def test_what_is_not_there_is_not_found(server: Live, approver: Agent) -> None:
    """Nor is a task of somebody else, or of another assistant."""
    task = await approver.send(text("please"))
    async with (
        agent(server.url, "approve", server.headers("bob")) as bob,
        agent(server.url, "echo", server.headers("ann")) as elsewhere,
    ):
        for who, asked in (
            (bob, task),
            (elsewhere, task),
            (bob, {"id": f"{uuid.uuid4()}:{uuid.uuid4()}"}),
            (bob, {"id": "x"}),
        ):
            for attempt in (who.get(asked), who.cancel(asked), who.send(text("yes"), task=asked["id"])):
                with pytest.raises(TaskNotFoundError, match=r"^There is no such task\.$"):
                    await attempt
    assert state(await approver.get(task)) == "input_required"


async def test_what_is_not_taken_is_refused(server: Live) -> None:
    async with agent(server.url, "echo") as other:
        with pytest.raises(ContentTypeNotSupportedError):
            await other.send({"url": "https://example.com/a.png", "mediaType": "image/png"})
        with pytest.raises(InvalidParamsError, match="256"):
            await other.send(text("hi"), context="mine" * 100)
        with pytest.raises(InvalidParamsError, match="says nothing"):
            await other.send(text(" "))
        with pytest.raises(InvalidParamsError):
            await other.search(pageSize=1000)
