"""Protocol v3 as the official client drives it, and the support agent by it."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.protocols import Json, answer, new_id, start, told_text, watching
from tests.servers import Live, free_port, holdfast, said, wait_ready
from tests.waiting import wait_until


async def is_interrupted(thread: Any, count: int = 1) -> None:
    async def reached() -> bool:
        return len(thread.interrupts) == count

    await wait_until(reached, f"{count} interrupts at the client")


async def test_a_conversation_with_a_question(server: Live) -> None:
    async with server.sdk().threads.stream(assistant_id="ask") as thread:
        await thread.run.start(input={})
        await is_interrupted(thread)
        assert thread.interrupts[0]["value"] == {"question": "go on?"}
        await thread.run.respond("yes")
        values: Json = await thread.output.with_timeout(10)
    assert values["log"] == ["did yes"]
    assert thread.interrupts == []


async def test_one_of_several_questions(server: Live) -> None:
    async with server.sdk().threads.stream(assistant_id="pair") as thread:
        await thread.run.start(input={"questions": ["a", "b"]})
        await is_interrupted(thread, 2)
        ids = {one["value"]["question"]: one["interrupt_id"] for one in thread.interrupts}
        await thread.run.respond("both", interrupt_id=ids["a"])
        await is_interrupted(thread, 3)  # it is told again of the one that still waits
        await thread.run.respond("both", interrupt_id=ids["b"])
        values: Json = await thread.output.with_timeout(10)
    assert values["answers"] == {"a": "both", "b": "both"}


async def test_words_values_and_updates(server: Live) -> None:
    async with server.sdk().threads.stream(assistant_id="modes") as thread:
        await thread.run.start(input=said("hi"))
        async with asyncio.timeout(10):
            items = [one async for one in thread.interleave_projections(["values", "messages", "updates"])]
            text = [await item.text for channel, item in items if channel == "messages"]
    assert text == ["one two three"]
    assert [item["node"] for channel, item in items if channel == "updates"] == ["speak", "first"]
    assert [item for channel, item in items if channel == "values"][-1]["log"] == ["step 0"]


async def test_graphs_inside(server: Live) -> None:
    async with server.sdk().threads.stream(assistant_id="nested") as thread:
        await thread.run.start(input=said("hi"))
        async with asyncio.timeout(10):
            inner = [child async for child in thread.subgraphs]
            spoken = [message async for message in inner[0].messages]
            texts = [await message.text for message in spoken]
    assert [(child.graph_name, child.status) for child in inner] == [("child", "completed")]
    assert texts == ["one two three"]


async def test_a_failure_reaches_the_caller(server: Live) -> None:
    async with server.sdk().threads.stream(assistant_id="fail") as thread:
        await thread.run.start(input={})
        with pytest.raises(RuntimeError, match="boom"):
            await thread.output.with_timeout(10)


async def test_a_command_that_is_refused_reaches_the_caller(server: Live) -> None:
    async with server.sdk().threads.stream(assistant_id="nobody") as thread:
        with pytest.raises(RuntimeError, match="nobody"):
            await thread.run.start(input={})


async def test_a_thread_is_taken_up_where_it_waits(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            await start(http, thread_id, "ask", {})
            await watch.until_phases("running", "interrupted")
    await server.platform.client.redis.delete(server.platform.keys.events(thread_id))
    async with server.sdk().threads.stream(thread_id, assistant_id="ask") as thread:
        await is_interrupted(thread)
        await thread.run.respond("late")
        values: Json = await thread.output.with_timeout(10)
    assert values["log"] == ["did late"]


@pytest.fixture
async def agent(redis_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port()
    environment = {
        "REDIS_URL": redis_url,
        "HOLDFAST_PREFIX": f"t{uuid.uuid4().hex[:8]}",
        "HOLDFAST_DATA": str(tmp_path),
    }
    async with holdfast("dev", "--port", str(port), **environment):
        url = f"http://127.0.0.1:{port}"
        await wait_ready(url)
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            yield http


async def test_the_support_agent(agent: httpx.AsyncClient) -> None:
    """By hand, as a page would: the words, the tool calls, the approval, the outcome."""
    thread_id = new_id()
    async with watching(agent, thread_id) as watch:
        await start(agent, thread_id, "support", said("I want to return order #12345"))
        await watch.until(lambda: watch.phases[-1:] == ["completed"], "an offer")
        assert "iPhone 16" in told_text(watch.of("messages"))
        calls = [
            data["content"]["name"]
            for data in watch.of("messages")
            if data["event"] == "content-block-finish" and data["content"]["type"] == "tool_call"
        ]
        assert calls
        used = {data["tool_name"] for data in watch.of("tools") if data["event"] == "tool-started"}
        assert used <= set(calls)
        await start(agent, thread_id, "support", said("Yes, please refund it"))
        await watch.until(lambda: watch.phases[-1:] == ["interrupted"], "a question")
        question = watch.of("input.requested")[-1]
        assert question["payload"]["action_requests"]
        reply = await answer(agent, thread_id, question["interrupt_id"], {"decisions": [{"type": "approve"}]})
        assert reply["type"] == "success", reply
        await watch.until(lambda: watch.phases[-1:] == ["completed"], "the outcome")
        runs = (await agent.get(f"/threads/{thread_id}/runs")).json()
        path = f"/threads/{thread_id}/runs/{runs[-1]['run_id']}/timeline"
        happened = [(one["kind"], one["name"]) for one in (await agent.get(path)).json()["entries"]]
        assert {("node", "model"), ("node", "tools"), ("message", "model")} <= set(happened)
        assert {("tool", name) for name in used} <= set(happened)
        assert used
    assert watch.of("values")[-1]["messages"][-1]["type"] == "ai"
    assert watch.seqs == sorted(set(watch.seqs))
