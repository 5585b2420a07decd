import asyncio
import contextlib
import json
import re
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.gates import ROOT
from tests.programs import need_program

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
    nginx = need_program("nginx", package="nginx")
    make_secrets(tmp_path / "secrets")
    async with contextlib.AsyncExitStack() as stack:
        replicas = [Replica("api1"), Replica("api2")]
        servers = [await asyncio.start_server(replica.answer, "127.0.0.1", 0) for replica in replicas]
        for server in servers:
            stack.callback(server.close)
        http, https = _free_port(), _free_port()
        configuration = tmp_path / "nginx.conf"
        configuration.write_text(_on_this_machine(tmp_path, http, https, servers))
        command = (str(nginx), "-p", str(tmp_path), "-c", str(configuration))
        await asyncio.to_thread(_call, *command)  # comes back when the ports are open
        stack.callback(_call, *command, "-s", "stop")
        trust = ssl.create_default_context(cafile=tmp_path / "secrets" / "tls_certificate")
        client = httpx.AsyncClient(base_url=f"https://localhost:{https}", verify=trust, timeout=10)
        yield Front(await stack.enter_async_context(client), f"http://localhost:{http}", replicas, servers)


def make_secrets(folder: Path) -> None:
    need_program("openssl", package="openssl")
    _call("sh", str(ROOT / "deploy" / "make-secrets.sh"), str(folder))


def _on_this_machine(folder: Path, http: int, https: int, servers: list[asyncio.Server]) -> str:
    """Rewrite the addresses and folders of deploy/nginx.conf, and nothing else of it."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for number, server in enumerate(servers, 1):
        text = text.replace(f"api{number}:8123", f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{http};")
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{https} ssl")
    text = text.replace("/run/secrets/", f"{folder}/secrets/").replace(
        "/tmp/nginx.pid", f"{folder}/nginx.pid"
    )
    text = re.sub("error_log .*;", f"error_log {folder}/error.log warn;", text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    return text.replace("http {\n", "http {\n" + paths)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
