"""Threads: made, read, changed, found, counted and deleted."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError

from holdfast.redis.sweep import sweep
from tests.api.wire import Json, new_thread, refusal
from tests.conftest import leaked
from tests.servers import Live, said
from tests.waiting import wait_until

LOG: Json = {"log": ["x"]}
NEW = {"thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "status", "config", "values"}


async def test_a_new_thread_has_nothing_yet(server: Live) -> None:
    async with server.http() as http:
        response = await http.post("/threads", json={})
        thread = response.json()
        assert response.status_code == 200
        assert set(thread) == NEW  # neither error nor interrupts before the first run
        assert UUID(thread["thread_id"]).version == 7
        assert (thread["status"], thread["values"], thread["metadata"]) == ("idle", None, {})
        assert (await http.get(f"/threads/{thread['thread_id']}")).json() == thread


async def test_a_thread_that_has_run_shows_how_it_went(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create(metadata={"topic": "tea"}))["thread_id"]
    await sdk.runs.wait(thread_id, "echo", input=said("hi"))
    thread: Json = await sdk.threads.get(thread_id)
    assert set(thread) == NEW | {"error", "interrupts"}
    assert (thread["status"], thread["error"], thread["interrupts"]) == ("idle", None, {})
    assert [message["content"] for message in thread["values"]["messages"]] == ["hi", "echo: hi"]
    assert thread["metadata"]["topic"] == "tea"
    assert thread["metadata"]["graph_id"] == "echo"
    assert thread["state_updated_at"] > thread["created_at"]


async def test_a_failed_run_shows_on_the_thread_until_the_next(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "fail", input={}, raise_error=False)
    thread: Json = await sdk.threads.get(thread_id)
    assert (thread["status"], thread["error"]) == ("error", {"error": "ValueError", "message": "boom"})
    assert thread["values"]["log"] == ["step 0"]
    await sdk.runs.wait(thread_id, "echo", input=said("hi"))
    thread = await sdk.threads.get(thread_id)
    assert (thread["status"], thread["error"]) == ("idle", None)


async def test_a_thread_is_made_under_an_id_of_the_client(server: Live) -> None:
    sdk = server.sdk()
    wanted = "7D9F3C1E-5A2B-4F6D-8E9A-0B1C2D3E4F50"
    thread = await sdk.threads.create(thread_id=wanted, metadata={"n": 1})
    assert thread["thread_id"] == wanted.lower()
    with pytest.raises(ConflictError):
        await sdk.threads.create(thread_id=wanted)
    same = await sdk.threads.create(thread_id=wanted.lower(), if_exists="do_nothing", metadata={"n": 2})
    assert (same["metadata"], same["created_at"]) == ({"n": 1}, thread["created_at"])
    assert (await sdk.threads.get(wanted))["thread_id"] == wanted.lower()


async def test_one_of_many_makes_a_thread(server: Live) -> None:
    async with server.http() as http:
        body = {"thread_id": "7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"}
        made = await asyncio.gather(*(http.post("/threads", json=body) for _ in range(10)))
    assert sorted(response.status_code for response in made) == [200] + [409] * 9


async def test_a_patch_merges_the_first_level(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http, metadata={"a": {"x": 1}, "b": 1, "": "empty", "decision:x": 1})
        path = f"/threads/{thread_id}"
        before = (await http.get(path)).json()
        patched = (await http.patch(path, json={"metadata": {"a": {"y": 2}, "c": None}})).json()
        assert patched["metadata"] == {"a": {"y": 2}, "b": 1, "c": None, "": "empty", "decision:x": 1}
        assert patched["updated_at"] > before["updated_at"]
        assert patched["created_at"] == before["created_at"]
        quiet = await http.patch(path, json={"metadata": {"b": 2}}, headers={"Prefer": "return=minimal"})
        assert (quiet.status_code, quiet.content) == (204, b"")
        assert (await http.get(path)).json()["metadata"]["b"] == 2


async def test_a_deleted_thread_is_gone_with_all_that_was_its(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "echo", input=said("hi"))
    await sdk.runs.join(thread_id, run["run_id"])
    async with server.http() as http:
        assert (await http.delete(f"/threads/{thread_id}")).status_code == 204
        for path in ("", "/state", "/history", "/runs", f"/runs/{run['run_id']}"):
            assert refusal(await http.get(f"/threads/{thread_id}{path}"))[0] == 404
        assert refusal(await http.delete(f"/threads/{thread_id}"))[0] == 404
    again = await sdk.threads.create(thread_id=thread_id)
    assert again["values"] is None
    assert await sdk.runs.list(thread_id) == []


async def test_threads_are_found_by_what_they_are(server: Live) -> None:
    sdk = server.sdk()
    tea = (await sdk.threads.create(metadata={"topic": "tea", "tags": ["a", "b"], "by": {"n": 1, "m": 2}}))[
        "thread_id"
    ]
    done = (await sdk.threads.create(metadata={"topic": "done"}))["thread_id"]
    await sdk.runs.wait(done, "echo", input=said("hi"))
    asked = (await sdk.threads.create(metadata={"topic": "tea"}))["thread_id"]
    await sdk.runs.wait(asked, "ask", input=LOG)
    failed = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(failed, "fail", input={}, raise_error=False)
    wanted: list[tuple[Json, list[str]]] = [
        ({}, [failed, asked, done, tea]),  # the newest first
        ({"metadata": {"topic": "tea"}}, [asked, tea]),
        ({"metadata": {"by": {"n": 1}}}, [tea]),
        ({"metadata": {"tags": ["b"]}}, [tea]),
        ({"metadata": {"by": {"n": 1, "x": 1}}}, []),
        ({"metadata": {"graph_id": "ask"}}, [asked]),
        ({"metadata": {"topic": "t*"}}, []),
        ({"status": "idle"}, [done, tea]),
        ({"status": "interrupted"}, [asked]),
        ({"status": "error"}, [failed]),
        ({"status": "busy"}, []),
        ({"values": {"messages": [{"content": "echo: hi"}]}}, [done]),  # as JSON has them
        ({"values": {"log": ["x"]}}, [asked]),  # also while others have no values at all
        ({"ids": [tea, done, tea]}, [done, tea]),
        ({"ids": [tea], "status": "error"}, []),
        ({"sort_order": "asc"}, [tea, done, asked, failed]),
        ({"sort_by": "updated_at", "sort_order": "asc", "ids": [tea, done]}, [tea, done]),
        ({"sort_by": "thread_id"}, [failed, asked, done, tea]),
    ]
    for query, threads in wanted:
        found = await sdk.threads.search(**query)
        assert [thread["thread_id"] for thread in found] == threads, query
        if not query.keys() & {"ids", "sort_by", "sort_order"}:
            assert await sdk.threads.count(**query) == len(threads)
    [picked] = await sdk.threads.search(ids=[asked], select=["thread_id", "values", "status"])
    assert set(picked) == {"thread_id", "values", "status"}


async def test_pages_tell_how_many_there_are_and_where_the_next_begins(server: Live) -> None:
    async with server.http() as http:
        threads = [await new_thread(http, metadata={"n": n}) for n in range(5)]
        pages: list[tuple[int, int, str | None]] = [
            (2, 0, "2"),
            (2, 2, "4"),
            (2, 4, None),
            (5, 0, None),
            (2, 9, None),
        ]
        for limit, offset, following in pages:
            response = await http.post("/threads/search", json={"limit": limit, "offset": offset})
            found = [thread["thread_id"] for thread in response.json()]
            assert found == threads[::-1][offset : offset + limit]
            assert response.headers["x-pagination-total"] == "5"
            assert response.headers.get("x-pagination-next") == following


async def test_a_browser_may_read_what_it_needs(server: Live) -> None:
    origin = {"Origin": "https://shop.example"}
    async with server.http() as http:
        asked = {
            **origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key",
        }
        allowed = await http.options("/threads", headers=asked)
        made = await http.post("/threads", json={}, headers=origin)
        missing = await http.get("/threads/zz", headers=origin)
    assert allowed.status_code == 200
    assert "x-api-key" in allowed.headers["access-control-allow-headers"].lower()
    for response in (made, missing):
        assert response.headers["access-control-allow-origin"] == "*"
        exposed = response.headers["access-control-expose-headers"].lower()
        for name in ("location", "content-location", "x-pagination-total", "x-pagination-next"):
            assert name in exposed.replace(" ", "").split(",")


async def test_a_time_to_live_ends_a_thread_and_all_its_keys(server: Live) -> None:
    sdk = server.sdk()
    thread: Json = await sdk.threads.create(ttl=10)
    thread_id = thread["thread_id"]
    await sdk.runs.wait(thread_id, "echo", input=said("hi"))
    redis, keys = server.platform.client.redis, server.platform.keys
    kept = [key async for key in redis.scan_iter(match=f"{keys.prefix}:*{thread_id}*")]
    lives = [await redis.ttl(key) for key in kept]
    assert len(kept) >= 4
    assert all(0 < life <= 600 for life in lives), dict(zip(kept, lives, strict=True))


async def test_what_expired_is_not_found_any_more(server: Live) -> None:
    sdk = server.sdk()
    thread: Any = await sdk.threads.create()
    await server.platform.client.call("DEL", server.platform.keys.thread(thread["thread_id"]))
    for caller in (sdk, server.sdk("demo")):  # staff, and the owner: each has an index of its own
        assert await caller.threads.search() == []
    with pytest.raises(NotFoundError):
        await sdk.threads.get(thread["thread_id"])
    platform = server.platform

    async def swept() -> bool:
        for lane in range(platform.keys.lanes):
            async for _ in sweep(platform.client, platform.keys, lane):
                pass
        return not await leaked(server)

    await wait_until(swept, "the sweep takes off what no list knew the end of")
