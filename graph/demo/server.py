"""The demo model as a server."""

import asyncio
import atexit
import os
import threading
from typing import Any

from starlette.types import ASGIApp

from graph.demo.app import create_app
from graph.demo.script import Script
from graph.demo.serving import Loopback
from graph.demo.stage import Stage


class DemoModel(Loopback):
    """An OpenAI-compatible model on a loopback port: `ChatOpenAI(base_url=model.base_url, api_key="demo")`.

    Without a script it only understands and answers. With one (an empty `Script()` will do) tests can direct
    it, here and over `/demo/...`, and every request is kept.
    """

    kind = "model"

    def __init__(self, script: Script | None = None, *, port: int = 0) -> None:
        super().__init__(port=port)
        self._stage = Stage(script)

    def make_app(self) -> ASGIApp:
        return create_app(self._stage, self.hang_up)

    def wind_up(self) -> None:
        self._stage.close()

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
        self.on_loop(self._stage.requests.clear)
        self.on_loop(self._stage.play, script)

    def release(self) -> None:
        """Let held streams go on, and later ones of the same script pass."""
        self.on_loop(self._stage.release)


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
