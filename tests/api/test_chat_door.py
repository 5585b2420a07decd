"""The short door over plain HTTP, as curl would use it."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.core.chat import TAKEN, Account, find_session
from holdfast.events import Event, dump
from holdfast.redis.records import Caller
from tests.api.chat_graphs import gates
from tests.api.chats import OWN, SERVED, Answer, Door, finished, frames, opened, post, streamed
from tests.servers import Live, live


@pytest.fixture
def door(redis_url: str, tmp_path: Path) -> Door:
    return partial(opened, redis_url, tmp_path)


# sessions


async def test_a_message_is_answered_in_a_session_that_goes_on(server: Live) -> None:
    async with server.http() as http:
        first = await post(http, message="hi")
        assert first == {"reply": "echo: hi", "session_id": first["session_id"]}
        second = await post(http, message="there", session_id=first["session_id"])
        assert second == {"reply": "echo: there", "session_id": first["session_id"]}
        assert (await post(http, message="hi"))["session_id"] != first["session_id"]
        assert await messages_of(http) == {2: 1, 4: 1}


async def messages_of(http: httpx.AsyncClient) -> dict[int, int]:
    """How many threads have how many messages."""
    counts: dict[int, int] = {}
    for thread in (await http.post("/threads/search", json={"limit": 100})).json():
        length = len(thread["values"]["messages"])
        counts[length] = counts.get(length, 0) + 1
    return counts


@pytest.mark.parametrize("session_id", ["ann", "客服 1/2?#", "x" * 256, "0", "\u2028\n\x00", "🙂"])
async def test_any_string_names_a_session(server: Live, session_id: str) -> None:
    async with server.http() as http:
        for number in (2, 4):
            answer = await post(http, message="hi", session_id=session_id)
            assert answer == {"reply": "echo: hi", "session_id": session_id}
            assert await messages_of(http) == {number: 1}


async def test_two_callers_never_share_a_session(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob") as bob:
        for http in (ann, bob):
            await post(http, message="hi", session_id="same")
            assert await messages_of(http) == {2: 1}


def test_no_two_callers_and_sessions_read_the_same(shared: Live) -> None:
    named = [
        (Caller("a", "t"), "bc"),
        (Caller("ab", "t"), "c"),
        (Caller("a", "t1"), "bc"),
        (Caller("1a", "t"), "bc"),
    ]
    named += [(Caller("a1:b", "t"), "c"), (Caller("a", "t"), "b1:c"), (Caller("a", "t1:b"), "c")]
    threads = {find_session(shared.platform, caller, name).thread_id for caller, name in named}
    assert len(threads) == len(named)


@pytest.mark.parametrize("roles", [(), ("operator",)])
async def test_nobody_is_led_onto_a_thread_of_somebody_else(server: Live, roles: tuple[str, ...]) -> None:
    thread_id = find_session(server.platform, Caller("ann", "default"), "ann").thread_id
    async with server.http("bob") as bob, server.http("ann", *roles) as ann:
        assert (await bob.post("/threads", json={"thread_id": thread_id})).status_code == 200
        response = await ann.post("/chat", json={"message": "hi", "session_id": "ann"})
        assert (response.status_code, response.json()["detail"]) == (409, TAKEN)
        assert (await bob.get(f"/threads/{thread_id}")).json()["values"] is None


@pytest.mark.parametrize(
    ("config", "ttl_s"), [({}, 86_400), ({"checkpointer": {"ttl": {"default_ttl": 10}}}, 600)]
)
async def test_a_session_lives_a_day_unless_the_project_says_otherwise(
    door: Door, config: Answer, ttl_s: int
) -> None:
    async with door(f"{SERVED}:echo", **config) as server, server.http() as http:
        await post(http, message="hi", session_id="ann")
        [thread] = (await http.post("/threads/search", json={})).json()
        key = server.platform.keys.thread(thread["thread_id"])
        assert ttl_s - 60 < await server.platform.client.redis.ttl(key) <= ttl_s


# streams


async def test_words_arrive_while_the_run_is_still_going(door: Door) -> None:
    async with door(f"{OWN}:halting") as server, server.http() as http:
        body = {"message": "wait at words", "session_id": "ann"}
        async with http.stream("POST", "/chat/stream", json=body) as response:
            arriving = frames(response.aiter_lines())
            assert await anext(arriving) == {"type": "delta", "content": "one"}
            assert await run_status(http, response) == "running"
            gates["words"].set()
            rest = [frame async for frame in arriving]
        assert rest == [
            {"type": "delta", "content": " two"},
            {"type": "delta", "content": " three"},
            {"type": "done", "content": "one two three", "session_id": "ann"},
        ]


async def run_status(http: httpx.AsyncClient, response: httpx.Response) -> str:
    run = await http.get(response.headers["content-location"])
    return str(run.json()["status"])


async def test_a_stream_is_parted_by_line_feeds(server: Live) -> None:
    async with server.http() as http:
        text = (await http.post("/chat/stream", json={"message": "a\n\nb", "session_id": "ann"})).text
        parts = [
            json.loads(part.removeprefix("data: ")) for part in text.split("\n\n") if part.startswith("data")
        ]
        assert [part["content"] for part in parts] == ["echo: a\n\nb"] * 2


async def test_tools_are_silent_and_whole_messages_are_heard(door: Door) -> None:
    async with door(f"{OWN}:looking") as server, server.http() as http:
        *deltas, done = await streamed(http, message="hi", session_id="ann")
        assert [delta["content"] for delta in deltas] == [
            "Let me see.",
            "\n\nI have looked.",
            "\n\nAll is well.",
        ]
        assert done == {"type": "done", "content": "I have looked.\n\nAll is well.", "session_id": "ann"}
        assert (await post(http, message="hi"))["reply"] == done["content"]


def test_what_a_dead_worker_had_said_is_no_part_of_the_reply() -> None:
    account = Account()

    def heard(mode: str, data: Any) -> str:
        return account.take(Event("run", mode, "", 0, dump(data)))

    told = {"type": "ai", "id": "told", "content": "It is done."}
    assert heard("messages", [told, {}]) == "It is done."
    assert heard("messages", [{"type": "AIMessageChunk", "id": "lost", "content": "Any"}, {}]) == "\n\nAny"
    assert heard("messages", [told, {}]) == ""  # the next attempt says it again, under the same id
    said = {"type": "ai", "id": "said", "content": "Anything else?"}
    assert heard("messages", [{**said, "type": "AIMessageChunk"}, {}]) == "\n\nAnything else?"
    heard("values", {"messages": [told, said]})
    assert account.reply == "It is done.\n\nAnything else?"


# tasks


async def test_a_task_is_found_on_any_replica(redis_url: str, server: Live) -> None:
    prefix = server.platform.settings.prefix
    async with (
        live(redis_url, prefix=prefix, worker=False) as other,
        server.http() as http,
        other.http() as elsewhere,
    ):
        submitted = await post(elsewhere, "/chat/async", message="hi", session_id="ann")
        assert list(submitted) == ["task_id"]
        done = {"status": "done", "reply": "echo: hi", "session_id": "ann"}
        assert await finished(http, submitted["task_id"]) == done
        assert await finished(elsewhere, submitted["task_id"]) == done


async def test_a_message_waits_behind_the_run_before_it(door: Door) -> None:
    async with door(f"{OWN}:halting") as server, server.http() as http:
        tasks = [
            (await post(http, "/chat/async", message="wait at line", session_id="ann"))["task_id"]
            for _ in range(2)
        ]
        for task in tasks:
            state = (await http.get(f"/chat/result/{task}")).json()
            assert state == {"status": "running", "session_id": "ann"}
        gates["line"].set()
        for task in reversed(tasks):
            assert (await finished(http, task))["reply"] == "one two three"
        [thread] = (await http.post("/threads/search", json={})).json()
        kinds = [message["type"] for message in thread["values"]["messages"]]
        assert kinds == ["human", "ai", "human", "ai"]


async def test_a_result_outlives_the_events_and_later_messages(door: Door) -> None:
    async with door(f"{OWN}:looking") as server, server.http() as http:
        tasks = [
            (await post(http, "/chat/async", message="hi", session_id="ann"))["task_id"] for _ in range(2)
        ]
        before = [await finished(http, task) for task in tasks]
        [thread] = (await http.post("/threads/search", json={})).json()
        await server.platform.client.redis.delete(server.platform.keys.events(thread["thread_id"]))
        assert [await finished(http, task) for task in tasks] == before
        assert before[0]["reply"] == "I have looked.\n\nAll is well."


async def test_a_foreign_task_reads_like_a_missing_one(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob") as bob, server.http("eve", "operator") as staff:
        task = (await post(ann, "/chat/async", message="hi"))["task_id"]
        await finished(ann, task)
        foreign = await bob.get(f"/chat/result/{task}")
        assert (await staff.get(f"/chat/result/{task}")).content == foreign.content
        for missing in (
            f"{task[:-5]}AAAAA",
            "A" * 43,
            task + "=",
            task[:-1],
            "nonsense",
            "%E5%AE%A2",
            "a" * 5000,
        ):
            response = await ann.get(f"/chat/result/{missing}")
            assert (response.status_code, response.content) == (200, foreign.content), missing
        assert foreign.json() == {"status": "not_found"}


# failures


@pytest.mark.parametrize(
    ("graph", "words"), [(f"{SERVED}:fail", "went wrong"), (f"{OWN}:circling", "more steps")]
)
async def test_a_failed_run_is_a_plain_sentence(door: Door, graph: str, words: str) -> None:
    async with door(graph) as server, server.http() as http:
        answer = await post(http, message="hi", session_id="ann")
        assert list(answer) == ["error", "session_id"]
        assert words in answer["error"]
        done = (await streamed(http, message="hi", session_id="ann"))[-1]
        assert (done["type"], done["error"], done["session_id"]) == ("done", answer["error"], "ann")
        task = (await post(http, "/chat/async", message="hi", session_id="ann"))["task_id"]
        failed = {"status": "error", "error": answer["error"], "session_id": "ann"}
        assert await finished(http, task) == failed
        [thread] = (await http.post("/threads/search", json={})).json()
        await server.platform.client.redis.delete(server.platform.keys.events(thread["thread_id"]))
        assert await finished(http, task) == failed


async def test_a_stopped_run_says_so(door: Door) -> None:
    async with door(f"{OWN}:halting") as server, server.http() as http:
        body = {"message": "wait at stop", "session_id": "ann"}
        async with http.stream("POST", "/chat/stream", json=body) as response:
            arriving = frames(response.aiter_lines())
            await anext(arriving)
            await http.post(f"{response.headers['content-location']}/cancel")
            [done] = [frame async for frame in arriving]
        assert "stopped" in done["error"]


BAD = [
    ({}, "Send either `message` or `resume`."),
    ({"message": "hi", "resume": True, "session_id": "a"}, "Send either `message` or `resume`."),
    ({"message": None, "resume": None}, "Send either `message` or `resume`."),
    ({"message": ""}, "`message` must not be empty."),
    ({"message": " \n"}, "`message` must not be empty."),
    ({"message": 5}, "message: Input should be a valid string"),
    ({"message": "x" * 32_769}, "message: String should have at most 32768 characters"),
    ({"message": "hi", "session_id": "x" * 257}, "session_id: String should have at most 256 characters"),
    ({"message": "hi", "session_id": 7}, "session_id: Input should be a valid string"),
    ({"resume": {"type": "approve"}}, "`resume` needs the `session_id` in which something waits."),
    ([], "Input should be a valid dictionary or object to extract fields from"),
    ("hi", "Input should be a valid dictionary or object to extract fields from"),
]


@pytest.mark.parametrize("path", ["/chat", "/chat/stream", "/chat/async"])
async def test_bad_input_is_refused_in_a_sentence(server: Live, path: str) -> None:
    async with server.http() as http:
        for body, detail in BAD:
            response = await http.post(path, json=body)
            assert (response.status_code, response.json()["detail"]) == (422, detail), body
        assert (await http.post(path, content=b'{"message": "\\ud800"}')).status_code == 422
        assert (await http.post("/threads/search", json={})).json() == []


async def test_a_graph_without_messages_says_so(door: Door) -> None:
    async with door(f"{OWN}:counting") as server, server.http() as http:
        for body in ({"message": "hi"}, {"resume": 1, "session_id": "a"}):
            response = await http.post("/chat", json=body)
            assert response.status_code == 422
            assert response.json()["detail"] == "Graph 'first' cannot chat: its state has no `messages`."


async def test_a_reply_is_waited_for_by_many_at_once(server: Live) -> None:
    async with server.http() as http:
        answers = await asyncio.gather(*(post(http, message=str(n), session_id="ann") for n in range(8)))
        assert [answer["reply"] for answer in answers] == [f"echo: {n}" for n in range(8)]
