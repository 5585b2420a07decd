"""A task is told from the first event of the run that a message became, however soon that has ended."""

from collections.abc import Awaitable, Callable
from typing import Any

from holdfast.auth import TENANT
from holdfast.core import assistants, threads
from holdfast.core.a2a import sending, subscribing, tasks
from holdfast.core.a2a.messages import Json
from holdfast.core.a2a.sending import Sent
from holdfast.redis.records import Caller
from tests.a2a.agents import heard, reply, states
from tests.servers import Live
from tests.waiting import wait_until

ANN = Caller("ann", TENANT)
Send = Callable[[], Awaitable[Sent]]


async def send_on(server: Live, graph: str, words: str, task: Json | None = None) -> tuple[str, Send]:
    """The thread of a message, and what sends it."""
    platform = server.platform
    assistant: Any = assistants.own_of_graph(platform, assistants.read_name(platform, graph))
    named = {"taskId": task["id"]} if task else {}
    message = {"messageId": words, "role": "ROLE_USER", "parts": [{"text": words}], **named}
    planned = await sending.plan(platform, ANN, assistant, message)
    return planned.thread_id, lambda: sending.send(platform, ANN, assistant, planned)


async def told(server: Live, graph: str, words: str, task: Json | None = None) -> list[Json]:
    """What is told of a message to whoever comes when all that it led to is over."""
    platform = server.platform
    thread_id, make = await send_on(server, graph, words, task)

    async def send() -> Sent:
        sent = await make()

        async def over() -> bool:
            found = await tasks.read(platform, ANN, sent.thread_id, sent.first)
            return found.state in tasks.SETTLED

        await wait_until(over, "the run is over")
        return sent

    follower = await subscribing.follow(platform, ANN, thread_id, send)
    try:
        return [{"task": await follower.snapshot()}, *[one async for one in follower.updates()]]
    finally:
        await follower.close()


async def test_a_run_that_is_over_is_told_word_by_word(server: Live) -> None:
    stream = await told(server, "recite", "10")
    assert states(stream) == ["working", "working", "completed"]
    assert reply(stream[0]["task"]) == ""
    assert heard(stream) == " ".join(f"word{number}" for number in range(10))
    assert len([one for one in stream if "artifactUpdate" in one]) > 10


async def test_an_answer_is_told_from_where_it_went_on(server: Live) -> None:
    asking = await told(server, "ask", "hi")
    assert states(asking) == ["working", "working", "input_required"]
    stream = await told(server, "ask", "by all means", asking[0]["task"])
    assert states(stream) == ["working", "working", "completed"]
    assert [one["parts"][0]["text"] for one in stream[0]["task"]["history"]] == ["hi", "by all means"]


async def test_a_task_whose_thread_is_deleted_has_failed(server: Live) -> None:
    thread_id, send = await send_on(server, "recite", "1000")
    follower = await subscribing.follow(server.platform, ANN, thread_id, send)
    try:
        updates = follower.updates()
        stream = [await anext(updates)]
        await threads.delete(server.platform, ANN, thread_id)
        stream += [one async for one in updates]
    finally:
        await follower.close()
    assert states(stream)[-1] == "failed"
