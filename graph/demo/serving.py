"""A server of the demo: on a loopback port and in a thread of its own, so that a busy or closing host loop
never silences it."""

import asyncio
import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, ClassVar, Self

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

THREADS = "demo-"
START_TIMEOUT_S = 10
GRACE_S = 2
_LINGER_NOT = struct.pack("ii", 1, 0)


class Loopback:
    """Use it as an async context manager, or `start` it and let it die with the process. Attributes and
    methods are safe to use from any thread."""

    kind: ClassVar[str]

    def __init__(self, *, port: int = 0) -> None:
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def make_app(self) -> ASGIApp:
        raise NotImplementedError

    def wind_up(self) -> None:
        """End what waits; runs on the server's loop when it closes."""

    def start(self) -> Self:
        """Listen; returns when `url` answers. Raises OSError when the port is taken."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self.make_app(),
            lifespan="off",
            log_config=None,
            log_level=None,
            http="h11",
            ws="none",
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = server = _Server(config)
        name = f"{THREADS}{self.kind}"
        self._thread = threading.Thread(target=server.serve_on, args=[listener], name=name, daemon=True)
        self._thread.start()
        server.wait_ready()
        return self

    def close(self) -> None:
        """End streams that wait, stop listening, and wait for the thread to end."""
        # A fork inherits these objects, but not the thread.
        if self._server is not None and self._thread is not None and self._thread.is_alive():
            self.on_loop(self.wind_up)
            self._server.should_exit = True
            self._thread.join()
        self._server = self._thread = None

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def on_loop(self, action: Callable[..., None], *args: Any) -> None:
        """Run it on the server's loop and wait until it has run."""
        self._running().run_on_loop(action, *args)

    def hang_up(self, scope: Scope) -> None:
        """Reset the connection that this request came in on."""
        for transport in self._running().transports(scope):
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            transport.abort()

    def write(self, scope: Scope, answer: bytes) -> None:
        """Send bytes on the connection that this request came in on, whatever they are."""
        for transport in self._running().transports(scope):
            transport.write(answer)

    def _running(self) -> "_Server":
        if self._server is None:
            raise RuntimeError(f"the demo's {self.kind} is not started")
        return self._server


class _Server(uvicorn.Server):
    """uvicorn off the main thread, where it leaves the host's signal handlers alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve_on(self, listener: socket.socket) -> None:
        with _quiet(), contextlib.closing(listener):
            self.run(sockets=[listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._ready.set()

    def wait_ready(self) -> asyncio.AbstractEventLoop:
        if not self._ready.wait(START_TIMEOUT_S) or self._loop is None:
            raise RuntimeError("a server of the demo did not start")
        return self._loop

    def run_on_loop(self, action: Callable[..., None], *args: Any) -> None:
        async def run() -> None:
            action(*args)

        asyncio.run_coroutine_threadsafe(run(), self.wait_ready()).result(START_TIMEOUT_S)

    def transports(self, scope: Scope) -> list[asyncio.Transport]:
        return [
            connection.transport
            for connection in list(self.server_state.connections)
            if isinstance(connection, H11Protocol) and connection.client == scope["client"]
        ]


class _OnlyWarnings(logging.Filter):
    """The host's own uvicorn logs to the same loggers: its readers hear of these only when they fail."""

    def filter(self, record: logging.LogRecord) -> bool:
        thread = record.threadName or ""
        return not thread.startswith(THREADS) or record.levelno >= logging.WARNING


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger("uvicorn.error"), logging.getLogger("uvicorn.access")]
    only_warnings = _OnlyWarnings()
    for logger in loggers:
        logger.addFilter(only_warnings)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(only_warnings)
