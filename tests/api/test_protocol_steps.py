"""Channels `checkpoints` and `tasks` of protocol v3: what holds each state, and what works on it."""

from tests.api.protocols import Json, new_id, start, watching
from tests.api.wire import names, read_stream
from tests.servers import Live, said


async def checkpoints_of(server: Live, thread_id: str) -> list[Json]:
    """The envelopes of a thread's checkpoints, the oldest first."""
    history: Json = await server.sdk().threads.get_history(thread_id, limit=100)
    return [
        {
            "id": one["checkpoint_id"],
            **({"parent_id": one["parent_checkpoint_id"]} if one["parent_checkpoint_id"] else {}),
            "step": one["metadata"]["step"],
            "source": one["metadata"]["source"],
        }
        for one in reversed(history)
    ]


async def test_each_state_comes_with_its_checkpoint(server: Live) -> None:
    """As the official clients pair them: to edit a message is to go on from the checkpoint before it."""
    thread_id = new_id()
    channels = ["checkpoints", "values", "lifecycle"]
    async with server.http() as http, watching(http, thread_id, channels=channels) as watch:
        await start(http, thread_id, "ask", {"log": ["x"]})
        await watch.until_phases("running", "interrupted")
        methods = [frame["method"] for frame in watch.frames if frame["method"] != "lifecycle"]
        told = watch.of("checkpoints")
        kept = await checkpoints_of(server, thread_id)
        assert told == kept[-len(told) :]
        assert methods[:2] == ["checkpoints", "values"]
        written = await http.post(f"/threads/{thread_id}/state", json={"values": {"log": ["y"]}})
        await watch.until(lambda: len(watch.of("checkpoints")) == len(told) + 1, "that of the new state")
        assert watch.of("checkpoints")[-1]["id"] == written.json()["checkpoint_id"]
        assert watch.of("checkpoints")[-1]["source"] == "update"
        # Without the values, and where a snapshot stands in for the log, it is the same one.
        async with watching(http, thread_id, channels=["checkpoints"]) as alone:
            await alone.until_count(len(watch.of("checkpoints")))
            assert alone.of("checkpoints") == watch.of("checkpoints")
            assert alone.seqs == [one["seq"] for one in watch.frames if one["method"] == "checkpoints"]
        await server.platform.client.redis.delete(server.platform.keys.events(thread_id))
        async with watching(http, thread_id, channels=channels) as late:
            await late.until_count(2)
            assert late.of("checkpoints") == watch.of("checkpoints")[-1:]


async def test_tasks_are_told_when_they_begin_and_have_ended(server: Live) -> None:
    thread_id = new_id()
    async with server.http() as http, watching(http, thread_id, channels=["tasks", "lifecycle"]) as watch:
        await start(http, thread_id, "nested", said("hi"))
        await watch.until_phases("running", "completed")
        told = [
            (frame["params"]["namespace"], frame["params"]["data"])
            for frame in watch.frames
            if frame["method"] == "tasks"
        ]
        began = [(namespace, task) for namespace, task in told if "triggers" in task]
        ended = {task["id"]: (namespace, task) for namespace, task in told if "triggers" not in task}
        assert [(len(namespace), task["name"]) for namespace, task in began] == [
            (0, "first"),
            (0, "child"),
            (1, "speak"),
        ]
        for namespace, task in began:
            place, result = ended[task["id"]]
            assert (place, result["error"], result["interrupts"]) == (namespace, None, [])
        first, child, speak = (ended[task["id"]][1]["result"] for _, task in began)
        assert first == {"log": ["step 0"]}
        assert speak["messages"][0]["content"] == child["messages"][-1]["content"] == "one two three"


async def test_a_task_that_waits_or_fails_says_so(server: Live) -> None:
    async with server.http() as http:
        for graph, phases, field in (
            ("ask", ("running", "interrupted"), "interrupts"),
            ("fail", ("running", "failed"), "error"),
        ):
            thread_id = new_id()
            async with watching(http, thread_id, channels=["tasks", "lifecycle"]) as watch:
                await start(http, thread_id, graph, {})
                await watch.until_phases(*phases)
                assert watch.of("tasks")[-1][field], watch.of("tasks")
                assert watch.of("tasks")[-1]["result"] is None


async def test_the_classic_wire_is_told_nothing_of_it(server: Live) -> None:
    thread_id = new_id()
    async with server.http() as http, watching(http, thread_id, channels=["lifecycle"]) as watch:
        reply = await start(http, thread_id, "echo", said("hi"))
        await watch.until_phases("running", "completed")
        path = f"/threads/{thread_id}/runs/{reply['result']['run_id']}/stream"
        told = read_stream((await http.get(path, headers={"Last-Event-ID": "-1"})).text)
    assert set(names(told)) == {"metadata", "values", "updates", "messages"}
