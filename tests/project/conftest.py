import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.nginx import running_nginx

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@dataclass
class Replica:
    """A server that tells what reached it, and on /stream speaks its second event only when told to."""

    name: str
    speak_on: asyncio.Event = field(default_factory=asyncio.Event)
    requests: int = 0
    connections: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._answer_one(await reader.readuntil(b"\r\n\r\n"), writer)
        writer.close()

    async def _answer_one(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        request, *lines = head.decode().strip().split("\r\n")
        path = request.split()[1]
        if path == "/stream":
            writer.write(STREAM_HEAD + _chunk(b"data: 1\n\n"))
            await self.speak_on.wait()
            writer.write(_chunk(b"data: 2\n\n") + _chunk(b""))
        elif path == "/die":
            raise ConnectionResetError
        else:
            headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
            body = json.dumps({"replica": self.name, "path": path, "headers": headers}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@dataclass
class Front:
    """A running nginx and the replicas behind it."""

    client: httpx.AsyncClient
    http_url: str
    replicas: list[Replica]
    servers: list[asyncio.Server]


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with contextlib.AsyncExitStack() as stack:
        replicas = [Replica("api1"), Replica("api2")]
        servers = [await asyncio.start_server(replica.answer, "127.0.0.1", 0) for replica in replicas]
        for server in servers:
            stack.callback(server.close)
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        nginx = stack.enter_context(running_nginx(tmp_path, ports))
        client = httpx.AsyncClient(base_url=nginx.https_url, verify=nginx.trust, timeout=10)
        yield Front(await stack.enter_async_context(client), nginx.http_url, replicas, servers)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
