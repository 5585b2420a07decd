"""Commands of protocol v3 that look: the tree of a run's graphs, a thread's states; and the fork from one."""

from typing import Any

from tests.api.protocols import Json, command, finished, new_id, start, watching
from tests.api.test_protocol_sockets import line
from tests.servers import Live, said


def node(name: str, status: str, *namespace: str, **more: Any) -> Json:
    return {"namespace": list(namespace), "status": status, "graph_name": name, **more}


async def test_the_graphs_of_a_run_form_a_tree(server: Live) -> None:
    async with server.http() as http:
        thread_id, watch = await finished(http, "nested", said("hi"))
        [namespace] = {tuple(one["params"]["namespace"]) for one in watch.frames} - {()}
        tree = (await command(http, thread_id, "agent.getTree"))["result"]["tree"]
        inner = node("child", "completed", *namespace)
        assert tree == node("nested", "completed", children=[inner])
        [run] = (await http.get(f"/threads/{thread_id}/runs")).json()
        named = await command(http, thread_id, "agent.getTree", run_id=run["run_id"])
        assert named["result"]["tree"] == tree
        await server.platform.client.redis.delete(server.platform.keys.events(thread_id))
        later = await command(http, thread_id, "agent.getTree")
        assert later["result"]["tree"] == node("nested", "completed")


async def test_the_tree_of_a_run_at_work_that_waits_or_failed(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            await start(http, thread_id, "inner", {})
            await watch.until_phases("running", "interrupted")
            tree = (await command(http, thread_id, "agent.getTree"))["result"]["tree"]
            assert (tree["status"], tree["children"][0]["status"]) == ("interrupted", "interrupted")
        thread_id, _ = await finished(http, "fail", {})
        assert (await command(http, thread_id, "agent.getTree"))["result"]["tree"] == node("fail", "failed")
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            reply = await start(http, thread_id, "steps", {"delay": 30})
            await watch.until_phases("running")
            waiting = await start(http, thread_id, "steps", {})
            tree = (await command(http, thread_id, "agent.getTree"))["result"]["tree"]
            assert tree == node("steps", "running")
            run_id = waiting["result"]["run_id"]
            behind = await command(http, thread_id, "agent.getTree", run_id=run_id)
            assert behind["result"]["tree"] == node("steps", "started")
            for one in (run_id, reply["result"]["run_id"]):
                await http.post(f"/threads/{thread_id}/runs/{one}/cancel")


async def test_a_state_is_read_whole_or_in_part(server: Live) -> None:
    async with server.http() as http:
        thread_id, _ = await finished(http, "echo", said("hi"))
        state = (await http.get(f"/threads/{thread_id}/state")).json()
        whole = (await command(http, thread_id, "state.get", namespace=[]))["result"]
        assert whole["values"] == state["values"]
        assert whole["checkpoint"] == {"id": state["checkpoint_id"], "ns": ""}
        part = await command(http, thread_id, "state.get", namespace=[], keys=["messages", "none"])
        assert part["result"]["values"] == {"messages": state["values"]["messages"]}


async def test_checkpoints_are_listed_and_gone_on_from(server: Live) -> None:
    async with server.http() as http:
        thread_id, _ = await finished(http, "steps", {})
        listed = (await command(http, thread_id, "state.listCheckpoints", limit=3))["result"]["checkpoints"]
        assert [one["step"] for one in listed] == [3, 2, 1]
        assert listed[0]["timestamp"] > listed[1]["timestamp"]
        more = await command(http, thread_id, "state.listCheckpoints", limit=1, before=listed[1]["id"])
        assert more["result"]["checkpoints"] == listed[2:]
        async with watching(http, thread_id) as watch:
            forked = await command(http, thread_id, "state.fork", checkpoint_id=listed[2]["id"])
            assert set(forked["result"]) == {"run_id", "thread_id"}
            await watch.until_phases("running", "completed", "running", "completed")
        assert watch.of("values")[-1]["log"] == ["step 0", "step 1", "step 2"]
        assert len([one for one in watch.of("updates") if one["node"] == "third"]) == 2


async def test_what_is_not_there_is_said_in_the_reply(server: Live) -> None:
    async with server.http() as http:
        made = (await http.post("/threads", json={"metadata": {"graph_id": "steps"}})).json()["thread_id"]
        thread_id, _ = await finished(http, "steps", {})
        cases: list[tuple[str, str, Json, str]] = [
            (made, "agent.getTree", {}, "no_such_run"),
            (thread_id, "agent.getTree", {"run_id": new_id()}, "no_such_run"),
            (thread_id, "agent.getTree", {"run_id": "x"}, "invalid_argument"),
            (thread_id, "state.get", {"namespace": ["none"]}, "no_such_namespace"),
            (thread_id, "state.get", {"namespace": "none"}, "invalid_argument"),
            (thread_id, "state.listCheckpoints", {"limit": 0}, "invalid_argument"),
            (thread_id, "state.fork", {"checkpoint_id": new_id()}, "no_such_checkpoint"),
            (thread_id, "state.fork", {}, "invalid_argument"),
            (thread_id, "subscription.subscribe", {"channels": ["values"]}, "not_supported"),
        ]
        cases += [
            (new_id(), name, params, "thread_not_found")
            for name, params in (
                ("agent.getTree", {}),
                ("state.get", {}),
                ("state.listCheckpoints", {}),
                ("state.fork", {"checkpoint_id": new_id()}),
            )
        ]
        for where, name, params, code in cases:
            reply = await command(http, where, name, **params)
            assert reply.get("error") == code, (name, params, reply)


async def test_they_are_asked_over_a_websocket_too(server: Live) -> None:
    async with server.http() as http:
        thread_id, _ = await finished(http, "steps", {})
    async with line(server, thread_id) as one:
        reply = await one.ask("agent.getTree")
        assert reply["result"]["tree"] == node("steps", "completed")
