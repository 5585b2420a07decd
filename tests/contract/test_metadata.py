"""What is said of assistants, threads and runs, and where it is found again."""

from langgraph_sdk.client import LangGraphClient

from tests.contract.asking import Json, fresh, thread


async def runs_metadata(client: LangGraphClient, thread_id: str) -> Json:
    [run] = await client.runs.list(thread_id, limit=1)
    return run["metadata"]


async def test_who_has_the_last_word(client: LangGraphClient) -> None:
    """The assistant, the thread, the run's config and the run itself, each over the ones before it."""
    order = ("assistant", "thread", "config", "run")
    said = {who: dict.fromkeys(order[place:], who) for place, who in enumerate(order)}
    made = await client.assistants.create("echo", metadata=said["assistant"])
    thread_id = await thread(client, metadata=said["thread"])
    config: Json = {"metadata": said["config"]}
    begun = await client.runs.create(
        thread_id, made["assistant_id"], input={}, metadata=said["run"], config=config
    )
    await client.runs.join(thread_id, begun["run_id"])
    of_all = {"assistant_id": made["assistant_id"], "graph_id": "echo"}
    last = {"assistant": "assistant", "thread": "thread", "config": "config", "run": "run"}
    assert begun["metadata"] == await runs_metadata(client, thread_id) == last | of_all


async def test_a_threads_metadata_is_in_its_checkpoints(client: LangGraphClient) -> None:
    thread_id = await thread(client, metadata={"shop": 7, "list": [], "name": "Ω"})
    await client.runs.wait(thread_id, "echo", input={})
    found: Json = await client.threads.get_history(thread_id, metadata={"shop": 7, "name": "Ω"})
    assert [state["metadata"]["step"] for state in found] == [1, 0, -1]
    assert {state["metadata"]["thread_id"] for state in found} == {thread_id}
    assert len(await client.threads.get_history(thread_id, metadata={"thread_id": thread_id})) == 3
    assert await client.threads.get_history(thread_id, metadata={"shop": 8}) == []
    assert (await runs_metadata(client, thread_id))["list"] == []


async def test_what_is_said_of_a_thread_later(client: LangGraphClient) -> None:
    thread_id = await thread(client, metadata={"shop": 7})
    await client.runs.wait(thread_id, "echo", input={})
    await client.threads.update(thread_id, metadata={"shop": 8})
    assert (await runs_metadata(client, thread_id))["shop"] == 7
    await client.runs.wait(thread_id, "echo", input={})
    assert (await runs_metadata(client, thread_id))["shop"] == 8


async def test_a_thread_that_a_run_makes_has_its_metadata(client: LangGraphClient) -> None:
    made = await client.assistants.create("echo", metadata={"of": "the assistant"})
    thread_id, mark = fresh(), fresh()
    for more in ({"mark": mark}, {"second": 2}):
        await client.runs.wait(
            thread_id, made["assistant_id"], input={}, metadata=more, if_not_exists="create"
        )
    [found] = await client.threads.search(metadata={"mark": mark})
    of_all = {"assistant_id": made["assistant_id"], "graph_id": "echo"}
    assert (found["thread_id"], found["metadata"]) == (thread_id, {"mark": mark} | of_all)


async def test_a_stateless_run_that_keeps_its_thread(client: LangGraphClient) -> None:
    mark = fresh()
    run = await client.runs.create(
        None, "echo", input={}, metadata={"mark": mark}, config={"tags": ["a"]}, on_completion="keep"
    )
    [found] = await client.threads.search(metadata={"mark": mark})
    assert found["thread_id"] == run["thread_id"]


async def test_a_thread_shows_how_its_runs_were_configured(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    first: Json = {"tags": ["one"], "recursion_limit": 9}
    second: Json = {"tags": ["two"], "configurable": {"shop": "b"}}
    for config in (first, second):
        await client.runs.wait(thread_id, "named", input={}, config=config)
    shown: Json = (await client.threads.get(thread_id))["config"]  # type: ignore[typeddict-item]
    assert shown == {"configurable": {}, "tags": ["two"], "recursion_limit": 9}
    values: Json = await client.runs.wait(thread_id, "named", input={})
    assert values["topic"] == "", "shown, and of no effect on later runs"


async def test_a_state_that_is_written_says_its_graph(client: LangGraphClient) -> None:
    thread_id = await thread(client, metadata={"graph_id": "steps"})
    await client.threads.update_state(thread_id, {"topic": "x"}, as_node="one")
    metadata: Json = (await client.threads.get_state(thread_id))["metadata"]
    assert (metadata["graph_id"], metadata["thread_id"], metadata["source"]) == (
        "steps",
        thread_id,
        "update",
    )
