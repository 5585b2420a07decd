"""Runs that begin at an older checkpoint."""

from typing import Any

from tests.servers import Live, said


async def test_a_fork_pauses_on_its_own_branch(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "ask", input=said("first"))
    await sdk.runs.wait(thread_id, "ask", command={"resume": "yes"})
    history = await sdk.threads.get_history(thread_id, limit=20)
    asked = next(state for state in history if state["next"] == ["question"])
    values: Any = await sdk.runs.wait(thread_id, "ask", checkpoint_id=asked["checkpoint"]["checkpoint_id"])
    [interrupt] = values["__interrupt__"]
    thread = await sdk.threads.get(thread_id)
    assert thread["status"] == "interrupted"
    assert [one["id"] for [one] in thread["interrupts"].values()] == [interrupt["id"]]
    values = await sdk.runs.wait(thread_id, "ask", command={"resume": {interrupt["id"]: "no"}})
    assert values["log"] == ["did no"]
    assert values["answer"] == "no"
    # The branch that was left is as it was.
    old: Any = await sdk.threads.get_state(thread_id, checkpoint_id=history[0]["checkpoint"]["checkpoint_id"])
    assert old["values"]["log"] == ["did yes"]


async def test_a_fork_ends_in_its_own_values(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "echo", input=said("one"))
    first = (await sdk.threads.get_state(thread_id))["checkpoint"]
    await sdk.runs.wait(thread_id, "echo", input=said("two"))
    values: Any = await sdk.runs.wait(thread_id, "echo", input=said("three"), checkpoint=first)
    spoken = [message["content"] for message in values["messages"]]
    assert spoken == ["one", "echo: one", "three", "echo: three"]
    state: Any = await sdk.threads.get_state(thread_id)
    assert [message["content"] for message in state["values"]["messages"]] == spoken
