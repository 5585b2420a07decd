"""The demo model as a server: a thread of its own, so that a busy or closing host loop never silences it."""

import asyncio
import atexit
import contextlib
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from graph.demo.app import create_app
from graph.demo.script import Script
from graph.demo.stage import Stage

THREAD = "demo-model"
START_TIMEOUT_S = 10
GRACE_S = 2
_LINGER_NOT = struct.pack("ii", 1, 0)


class DemoModel:
    """An OpenAI-compatible model on a loopback port: `ChatOpenAI(base_url=model.base_url, api_key="demo")`.

    Without a script it only understands and answers. With one (an empty `Script()` will do) tests can direct
    it, here and over `/demo/...`, and every request is kept. Use it as an async context manager, or `start`
    it and let it die with the process. Attributes and methods are safe to use from any thread.
    """

    def __init__(self, script: Script | None = None, *, port: int = 0) -> None:
        self._stage = Stage(script)
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen; returns when `base_url` answers. Raises OSError when the port is taken."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            create_app(self._stage, lambda scope: server.hang_up(scope)),
            lifespan="off",
            log_config=None,
            log_level=None,
            http="h11",
            ws="none",
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = server = _Server(config)
        self._thread = threading.Thread(target=server.serve_on, args=[listener], name=THREAD, daemon=True)
        self._thread.start()
        server.wait_ready()
        return self

    def close(self) -> None:
        """End streams that wait, stop listening, and wait for the thread to end."""
        # A fork inherits these objects, but not the thread.
        if self._server is not None and self._thread is not None and self._thread.is_alive():
            self._on_its_loop(self._stage.close)
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

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests so far, oldest first: `{"path": "/v1/chat/completions", "body": {...}}`."""
        return list(self._stage.requests)

    @property
    def held(self) -> int:
        """How many streams wait to be released."""
        return self._stage.held

    def play(self, script: Script) -> None:
        """Play this script from its beginning and forget the requests so far."""
        self._on_its_loop(self._stage.requests.clear)
        self._on_its_loop(self._stage.play, script)

    def release(self) -> None:
        """Let held streams go on, and later ones of the same script pass."""
        self._on_its_loop(self._stage.release)

    def _on_its_loop(self, action: Callable[..., None], *args: Any) -> None:
        if self._server is None:
            raise RuntimeError("the demo model is not started")
        self._server.run_on_loop(action, *args)


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
            raise RuntimeError("the demo model did not start")
        return self._loop

    def run_on_loop(self, action: Callable[..., None], *args: Any) -> None:
        """Run it on the server's loop and wait until it has run."""

        async def run() -> None:
            action(*args)

        asyncio.run_coroutine_threadsafe(run(), self.wait_ready()).result(START_TIMEOUT_S)

    def hang_up(self, scope: Scope) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol) and connection.client == scope["client"]:
                connection.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT
                )
                connection.transport.abort()


class _OnlyWarnings(logging.Filter):
    """The host's own uvicorn logs to the same loggers: its readers hear of this one only when it fails."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != THREAD or record.levelno >= logging.WARNING


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


_models: dict[int, DemoModel] = {}
_starting = threading.Lock()


async def demo_base_url() -> str:
    """The URL of this process's demo model, started on the first call; it ends with the process."""
    model = _models.get(os.getpid())
    if model is None:
        model = await asyncio.to_thread(_start_for_process)
    return model.base_url


def _start_for_process() -> DemoModel:
    with _starting:
        # Keyed by process: a fork inherits the entry, but not the thread behind it.
        model = _models.get(os.getpid())
        if model is None:
            model = _models[os.getpid()] = DemoModel().start()
            atexit.register(model.close)
        return model
