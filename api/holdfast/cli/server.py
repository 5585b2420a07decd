"""The HTTP server of a process, and the order in which it stops."""

import asyncio
import math
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from holdfast.cli.processes import on_signals

# Between "not ready" and the end of listening: a load balancer that asks for `/readyz` learns of it first.
NOTICE_S = 1.0
CUT_S = 0.05
CLOSE = (b"connection", b"close")
LOOK_EVERY = 10  # ticks of 0.1 s
RESET = struct.pack("ii", 1, 0)

# What is kept of an answer beyond the buffers of the kernel, of one client that does not take it, about.
KEPT_BYTES = 16 * 1024


class Protocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=KEPT_BYTES)


class Server(uvicorn.Server):
    """uvicorn, told of signals by us: it would take them from the worker in the same process.

    It stops in this order: it says that it is not ready, listens no more, cuts the streams, lets all other
    requests end, and gives up on those that take longer than the grace time.
    """

    def __init__(self, app: FastAPI, grace_s: float, send_timeout_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                log_config=None,
                access_log=False,
                # Who is calling may hang on the address of the connection: no header may change it.
                proxy_headers=False,
                lifespan="off",
                timeout_graceful_shutdown=math.ceil(grace_s),
                server_header=False,
                # A frame is written once to each of many clients that are mostly idle, as in a stream of SSE.
                ws_per_message_deflate=False,
            )
        )
        self._app = app
        self._deaf = Deaf(send_timeout_s)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self, notice_s: float) -> None:
        """Called once more, it waits for nobody."""
        if self._app.state.stopping:
            self.force_exit = True
        self._app.state.stopping = True
        # Kept connections end with their next answer, so that no request is on its way when they are closed.
        self.config.encoded_headers.append(CLOSE)
        self.server_state.default_headers.append(CLOSE)
        asyncio.get_running_loop().call_later(notice_s, self._end)

    def _end(self) -> None:
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if counter % LOOK_EVERY == 0:
            self._deaf.cut([connection.transport for connection in self.server_state.connections])
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.closing.set()
        cutting = asyncio.create_task(self._cut_streams())
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel("the server has stopped")

    async def _cut_streams(self) -> None:
        """Cuts every answer that is under way: after what was written of it, and without an end.

        A clean end would look like the end of the run. One that was cut is taken up again elsewhere.
        """
        while True:
            for connection in list(self.server_state.connections):
                cycle = getattr(connection, "cycle", None)
                if cycle and cycle.response_started and not cycle.response_complete:
                    connection.transport.close()
            await asyncio.sleep(CUT_S)


class Deaf:
    """Ends connections that are to be closed and whose clients take nothing.

    To close one does not do: that waits, without end, until its client has taken what is on its way.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: dict[Any, tuple[int, float]] = {}  # bytes on their way, and since when none was taken

    def cut(self, transports: list[Any]) -> None:
        now, before = time.monotonic(), self._waiting
        self._waiting = {}
        for transport in transports:
            if size := transport.get_write_buffer_size():
                had, since = before.get(transport, (size, now))
                self._waiting[transport] = size, now if size < had else since
        for transport, (_, since) in self._waiting.items():
            if transport.is_closing() and now - since > self._timeout_s:
                reset(transport)


def reset(transport: Any) -> None:
    """Ends a connection so that the kernel, too, drops what it has still to send."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


async def listen(
    app: FastAPI, bound: socket.socket, grace_s: float, send_timeout_s: float, notice_s: float = NOTICE_S
) -> None:
    """Serves until a signal comes. Ctrl-C is a person's, who has not to wait for a load balancer."""
    server = Server(app, grace_s, send_timeout_s)
    on_signals(lambda number: server.stop(notice_s if number == signal.SIGTERM else 0))
    await server.serve(sockets=[bound])
