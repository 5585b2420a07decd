"""What happened in a run, and when: of its log, and without what was said."""

import uuid
from itertools import pairwise
from typing import Any

import httpx

from tests.api.approving import ask
from tests.api.protocols import watching
from tests.api.wire import Json, new_thread, refusal, streamed
from tests.servers import Live, live, said

MODES = ["updates", "messages-tuple"]


async def run(http: httpx.AsyncClient, graph: str, **given: Any) -> Json:
    """The timeline of a run that streams all that a timeline is made of."""
    thread_id = await new_thread(http)
    body = {"assistant_id": graph, "input": {**said("hi"), **given}, "stream_mode": MODES}
    await streamed(http, f"/threads/{thread_id}/runs/stream", **body)
    return await last(http, thread_id)


async def last(http: httpx.AsyncClient, thread_id: str) -> Json:
    [newest, *_] = (await http.get(f"/threads/{thread_id}/runs")).json()
    answer = await http.get(f"/threads/{thread_id}/runs/{newest['run_id']}/timeline")
    assert answer.status_code == 200, answer.text
    return answer.json()


def kinds(told: Json) -> list[tuple[str, str]]:
    return [(one["kind"], one["name"]) for one in told["entries"]]


def only(told: Json, kind: str) -> list[Json]:
    return [one for one in told["entries"] if one["kind"] == kind]


async def test_nodes_follow_each_other_and_take_their_time(server: Live) -> None:
    async with server.http("ann") as ann:
        told = await run(ann, "steps", delay=0.2)
    assert kinds(told) == [("attempt", "1"), ("node", "first"), ("node", "second"), ("node", "third")]
    assert (told["status"], told["graph_id"], told["whole"]) == ("success", "steps", True)
    [attempt], nodes = only(told, "attempt"), only(told, "node")
    for one, following in pairwise(nodes):
        assert one["ms"] >= 200
        assert one["at_ms"] + one["ms"] <= following["at_ms"] + 5
    assert attempt["at_ms"] + attempt["ms"] == told["ms"] >= 600


async def test_messages_say_how_many_pieces_and_tokens_they_have_and_no_word(server: Live) -> None:
    async with server.http("ann") as ann:
        told = await run(ann, "thoughts")
    messages = only(told, "message")
    assert messages, told
    assert all(one["chunks"] >= 1 and one["output_tokens"] for one in messages), messages
    assert told["first_token_ms"] == min(one["at_ms"] for one in messages)
    assert set().union(*map(set, told["entries"])) <= {
        *("kind", "name", "namespace", "at_ms", "ms"),
        *("chunks", "input_tokens", "output_tokens"),
    }


async def test_a_graph_inside_of_a_graph_has_its_nodes_too(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id = await new_thread(ann)
        body = {"assistant_id": "nested", "input": said("hi"), "stream_mode": MODES, "stream_subgraphs": True}
        await streamed(ann, f"/threads/{thread_id}/runs/stream", **body)
        told = await last(ann, thread_id)
    [inner] = [one for one in only(told, "node") if one["name"] == "speak"]
    assert [part.partition(":")[0] for part in inner["namespace"]] == ["child"]
    assert ("node", "child") in kinds(told)


async def test_what_stops_a_run_is_told_by_its_title(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id, _ = await ask(ann, "one", "two")
        told = await last(ann, thread_id)
    assert [one["name"] for one in only(told, "interrupt")] == ["Launch", "Launch"]
    assert only(told, "interrupt")[0]["at_ms"] == told["ms"]


async def test_a_failure_and_the_wish_for_a_person(server: Live) -> None:
    async with server.http("ann") as ann:
        assert ("error", "ValueError") in kinds(await run(ann, "fail"))
        assert ("hold", "helper") in kinds(await run(ann, "calling"))


async def test_a_run_that_a_page_follows_needs_no_mode_to_be_asked_for(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id = await new_thread(ann)
        async with watching(ann, thread_id):
            body = {"assistant_id": "steps", "input": said("hi")}
            await ann.post(f"/threads/{thread_id}/runs/wait", json=body)
        assert [one["name"] for one in only(await last(ann, thread_id), "node")] == [
            "first",
            "second",
            "third",
        ]


async def test_where_the_log_has_gone_little_is_left(redis_url: str) -> None:
    async with live(redis_url) as server, server.http("ann") as ann:
        told = await run(ann, "steps")
        thread_id = told["thread_id"]
        await server.platform.client.call("DEL", server.platform.keys.events(thread_id))
        left = await last(ann, thread_id)
    assert (left["whole"], left["entries"], left["status"]) == (False, [], "success")
    assert abs(left["ms"] - told["ms"]) <= 50


async def test_it_is_for_those_who_may_read_the_thread(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob") as bob, server.http("eve", "operator") as eve:
        told = await run(ann, "steps")
        path = f"/threads/{told['thread_id']}/runs/{told['run_id']}/timeline"
        assert (await eve.get(path)).json() == told
        assert refusal(await bob.get(path))[0] == 404
        missing = f"/threads/{told['thread_id']}/runs/{uuid.uuid4()}/timeline"
        assert refusal(await ann.get(missing))[0] == 404
