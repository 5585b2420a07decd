"""The HTTP server of a process, and the order in which it stops."""

import asyncio
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

# Between "not ready" and the end of listening: a load balancer that asks for `/readyz` learns of it first.
NOTICE_S = 1.0
CUT_S = 0.05
# A connection that is closed stays until its client has taken what was written, or takes nothing for so long.
LINGER_S = 30.0
CLOSE = (b"connection", b"close")


class Server(uvicorn.Server):
    """uvicorn, told of signals by us: it would take them from the worker in the same process.

    It stops in this order: it says that it is not ready, listens no more, cuts the streams, lets all other
    requests end, and gives up on those that take longer than the grace time.
    """

    def __init__(self, app: FastAPI, grace_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                # Who is calling may hang on the address of the connection: no header may change it.
                proxy_headers=False,
                lifespan="off",
                timeout_graceful_shutdown=math.ceil(grace_s),
                server_header=False,
            )
        )
        self._app = app
        self._lingering: dict[object, int] = {}
        self._looked_at = 0.0

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
        now = asyncio.get_running_loop().time()
        if now - self._looked_at > LINGER_S:
            self._looked_at = now
            self._abort_lingering()
        return await super().on_tick(counter)

    def _abort_lingering(self) -> None:
        found: dict[object, int] = {}
        for connection in list(self.server_state.connections):
            transport = connection.transport
            if transport.is_closing():
                found[connection] = left = transport.get_write_buffer_size()
                if self._lingering.get(connection) == left:
                    transport.abort()
        self._lingering = found

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


async def listen(app: FastAPI, bound: socket.socket, grace_s: float, notice_s: float = NOTICE_S) -> None:
    """Serves until a signal comes. Ctrl-C is a person's, who has not to wait for a load balancer."""
    server = Server(app, grace_s)
    on_signals(lambda number: server.stop(notice_s if number == signal.SIGTERM else 0))
    await server.serve(sockets=[bound])


def on_signals(told: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told, number)
