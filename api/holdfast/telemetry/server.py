"""A small HTTP server on a thread of its own, which answers also while the event loop is blocked."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from holdfast.errors import StartError

logger = logging.getLogger(__name__)

JSON = "application/json"
CLIENT_S = 5.0  # that a client may take for its request, or for the answer
POLL_S = 0.25  # until it notices that it is to end


class Page(NamedTuple):
    body: bytes
    status: int = 200
    media_type: str = JSON


# What a path leads to, for the media types that a client accepts.
Pages = Mapping[str, Callable[[str], Page]]

NOT_FOUND = Page(b'{"detail":"Not Found"}', 404)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pages = pages
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Not as the original, which asks for the host's name and may wait long for an answer."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.warning("a probe was not answered", exc_info=True)


class Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = CLIENT_S
    server_version = "holdfast"
    sys_version = ""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        """Sends the head, and returns the body."""
        page = self.server.pages.get(self.path.partition("?")[0])
        body, status, media_type = page(self.headers.get("Accept", "")) if page else NOT_FOUND
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        return body

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a probe comes every few seconds."""


@asynccontextmanager
async def serving(host: str, port: int, pages: Pages) -> AsyncIterator[None]:
    """Raises `StartError` when the port cannot be used."""
    try:
        server = Server(host, port, pages)
    except OSError as error:
        raise StartError(
            f"Port {port} on {host} cannot be used ({error.strerror}): stop what runs there, or choose "
            "another with HOLDFAST_METRICS_PORT."
        ) from error
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
