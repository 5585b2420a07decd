"""Long conversations and large values, through the wire."""

from langchain_core.messages import AIMessage, HumanMessage

from tests.api.wire import Json, new_thread, refusal
from tests.checkpoint.samples import put
from tests.servers import Live, said

TURNS = 1_000
KEPT_EVERY = (
    20  # the turns that are put with their messages: what a thread holds does not depend on how it came
)
LARGE = "x" * 8_000_000


async def grown(server: Live) -> str:
    """A thread with a checkpoint a turn, whose newest state holds the messages of all of them."""
    sdk = server.sdk()
    thread_id: str = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "echo", input=said("turn 0"))
    saver = server.platform.checkpointer
    found = await saver.aget_tuple({"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}})
    assert found is not None
    config, values = found.config, dict(found.checkpoint["channel_values"])
    version = str(found.checkpoint["channel_versions"]["messages"])
    for turn in range(1, TURNS):
        values["messages"] = [
            *values["messages"],
            HumanMessage(f"turn {turn}", id=f"h{turn}"),
            AIMessage(f"echo: turn {turn}", id=f"a{turn}"),
        ]
        if turn % KEPT_EVERY == 0 or turn == TURNS - 1:
            version = saver.get_next_version(version, None)
            config = await put(saver, config, values, version=version, step=turn)
        else:
            config = await put(saver, config, {}, step=turn)
    return thread_id


async def test_a_thread_of_a_thousand_turns_loads_streams_lists_and_is_weighed(server: Live) -> None:
    sdk, thread_id = server.sdk(), await grown(server)
    state: Json = await sdk.threads.get_state(thread_id)
    assert len(state["values"]["messages"]) == 2 * TURNS

    streamed: list[Json] = [
        part
        async for part in sdk.runs.stream(thread_id, "echo", input=said("one more"), stream_mode="values")
    ]
    last = streamed[-1].data["messages"]
    assert (len(last), last[-1]["content"]) == (2 * TURNS + 2, "echo: one more")
    assert not [part for part in streamed if part.event == "error"]

    listed, before = 0, None
    while page := await sdk.threads.get_history(thread_id, limit=200, before=before):
        listed += len(page)
        before = page[-1]["checkpoint"]
    assert listed >= TURNS
    async with server.http() as http:
        weight = (await http.get(f"/threads/{thread_id}/storage")).json()
    messages = weight["channels"]["messages"]
    assert weight["checkpoints"]["count"] == listed
    assert 2 * TURNS <= messages["elements"] <= 2.2 * TURNS, "each message once, and the rows that name them"
    assert weight["bytes"] < 3_000_000


async def test_a_value_of_eight_megabytes_comes_back_from_a_run_and_from_an_update(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    sent: list[Json] = [
        part async for part in sdk.runs.stream(thread_id, "echo", input={**said("hi"), "answer": LARGE})
    ]
    assert [part.data["answer"] == LARGE for part in sent if part.event == "values"] == [True, True]
    await sdk.threads.update_state(thread_id, {"answers": {"large": LARGE}})
    state: Json = await sdk.threads.get_state(thread_id)
    assert state["values"]["answer"] == state["values"]["answers"]["large"] == LARGE


async def test_a_value_that_is_too_large_is_refused_before_anything_is_stored(server: Live) -> None:
    sdk = server.sdk()
    async with server.http() as http:
        thread_id = await new_thread(http)
        await sdk.runs.wait(thread_id, "steps", input={"delay": 0})
        before: list[Json] = [await sdk.threads.get_state(thread_id), await sdk.runs.list(thread_id)]
        for path, body in (
            (f"/threads/{thread_id}/state", {"values": {"answer": LARGE * 2}}),
            (f"/threads/{thread_id}/runs/wait", {"assistant_id": "steps", "input": {"answer": LARGE * 2}}),
        ):
            status, sentence = refusal(await http.post(path, json=body))
            assert (status, "8388608 bytes" in sentence) == (413, True)
        assert [await sdk.threads.get_state(thread_id), await sdk.runs.list(thread_id)] == before
