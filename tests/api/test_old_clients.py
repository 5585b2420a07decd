"""Streams for clients that speak HTTP/1.0, keep no connection, or ask for the head only."""

import asyncio
from http.client import HTTPConnection
from typing import Any

import httpx
import orjson
import pytest

from tests.api.wire import Sent, names, new_thread, read_stream
from tests.servers import Live, said
from tests.waiting import wait_until

ASKED = {"assistant_id": "echo", "input": said("hi"), "stream_resumable": True}


class OldConnection(HTTPConnection):
    _http_vsn, _http_vsn_str = 10, "HTTP/1.0"


def ask(
    kind: type[HTTPConnection], url: str, method: str, path: str, body: Any, headers: dict[str, str]
) -> tuple[int, str, bool]:
    """Status and text of an answer, and whether the server has closed the connection after it."""
    connection = kind(url.removeprefix("http://"), timeout=10)
    content = None if body is None else orjson.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    text, closed = answer.read().decode(), connection.sock is None or connection.sock.recv(1) == b""
    connection.close()
    return answer.status, text, closed


async def ended_run(http: httpx.AsyncClient) -> tuple[str, list[Sent]]:
    """The path of its stream, and what is on it."""
    reply = await http.post(f"/threads/{await new_thread(http)}/runs/stream", json=ASKED)
    return reply.headers["location"], read_stream(reply.text)


OLD = pytest.mark.parametrize(
    ("kind", "headers"),
    [
        (OldConnection, {}),
        (OldConnection, {"Connection": "keep-alive"}),
        (HTTPConnection, {"Connection": "close"}),
    ],
    ids=["HTTP/1.0", "HTTP/1.0 keep-alive", "HTTP/1.1 close"],
)


@OLD
async def test_a_replay(server: Live, kind: type[HTTPConnection], headers: dict[str, str]) -> None:
    async with server.http() as http:
        path, events = await ended_run(http)
    told = {**headers, "Last-Event-ID": "-1"}
    status, text, closed = await asyncio.to_thread(ask, kind, server.url, "GET", path, None, told)
    assert (status, read_stream(text), closed) == (200, events, True)


@OLD
async def test_a_run(server: Live, kind: type[HTTPConnection], headers: dict[str, str]) -> None:
    async with server.http() as http:
        path = f"/threads/{await new_thread(http)}/runs/stream"
    status, text, closed = await asyncio.to_thread(ask, kind, server.url, "POST", path, ASKED, headers)
    assert (status, names(read_stream(text)), closed) == (200, ["metadata", "values", "values"], True)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/threads/{thread}/runs/{run}/stream", "GET"),
        ("/threads/{thread}/stream/events", "POST"),
        ("/runs/stream", "POST"),
        ("/chat/stream", "POST"),
    ],
)
async def test_the_head_of_a_stream_is_refused_at_once(server: Live, path: str, allowed: str) -> None:
    def ask_twice(path: str) -> tuple[int, str | None, bytes, int]:
        """The same connection takes another request: no body came with the head."""
        connection = HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        connection.request("HEAD", path)
        answer = connection.getresponse()
        told = answer.status, answer.headers["Allow"], answer.read()
        connection.request("GET", "/ok")
        status = connection.getresponse().status
        connection.close()
        return *told, status

    async with server.http() as http:
        run, _ = await ended_run(http)
    _, _, thread_id, _, run_id, _ = run.split("/")
    asked = await asyncio.to_thread(ask_twice, path.format(thread=thread_id, run=run_id))
    assert asked == (405, allowed, b"", 200)


async def test_a_thread_is_followed_until_an_old_client_leaves(server: Live) -> None:
    async with server.http() as http:
        run, _ = await ended_run(http)
    thread_id = run.split("/")[2]
    events = server.platform.keys.events(thread_id)

    async def followers() -> int:
        [(_, count)] = await server.platform.client.redis.pubsub_shardnumsub(events)
        return count

    body = b'{"channels":["values"]}'
    reader, writer = await asyncio.open_connection(*server.url.removeprefix("http://").split(":"))
    head = f"POST /threads/{thread_id}/stream/events HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    try:
        async with asyncio.timeout(10):
            while b'"content":"echo: hi"' not in await reader.readline():
                pass
        assert await followers() == 1
    finally:
        writer.close()

    async def left() -> bool:
        return not await followers()

    await wait_until(left, "nobody follows the thread")
