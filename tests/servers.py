"""Servers for tests: a Valkey, and Holdfast in this event loop or in processes of its own."""

import asyncio
import os
import signal
import socket
import sys
import uuid
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import uvicorn
from langgraph_sdk import Auth, get_client
from langgraph_sdk.client import LangGraphClient
from redis.asyncio import Redis
from redis.exceptions import RedisError

from holdfast.app import create_app
from holdfast.auth import DevAuthenticator, SignIn, open_sign_in
from holdfast.core.platform import Platform, open_platform
from holdfast.project import load_project
from holdfast.redis.embedded import embedded
from holdfast.routes.custom import Custom, open_app
from holdfast.settings import Settings
from holdfast.worker import Worker, running_worker
from tests.waiting import wait_until
from tests.zygote import Forked, Zygote, forked

SERVED = Path(__file__).parent / "served" / "langgraph.json"
ROOT = Path(__file__).parent.parent
ZYGOTE = Zygote()  # of this test run


@contextmanager
def valkey() -> Iterator[str]:
    with TemporaryDirectory(prefix="hf-", dir="/tmp") as folder, embedded(Path(folder)) as url:
        yield url


@dataclass
class Live:
    """Holdfast in this event loop, on a real socket."""

    url: str
    platform: Platform
    authenticator: DevAuthenticator
    sign_in: SignIn
    worker: Worker | None
    clients: list[LangGraphClient] = field(default_factory=list)

    def sdk(self, subject: str | None = None, *roles: str) -> LangGraphClient:
        """The official client, as the demo caller or as somebody else; closed with the server."""
        client = get_client(url=self.url, headers=self.headers(subject, *roles))
        self.clients.append(client)
        return client

    async def close_clients(self) -> None:
        while self.clients:
            await self.clients.pop().aclose()

    def http(self, subject: str | None = None, *roles: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=self.headers(subject, *roles), timeout=30)

    def headers(self, subject: str | None, *roles: str) -> dict[str, str]:
        if subject is None:
            return {}
        return {"Authorization": f"Bearer {self.authenticator.sign(subject, roles)}"}


@asynccontextmanager
async def live(
    redis_url: str,
    *,
    config: Path = SERVED,
    worker: bool = True,
    rules: Auth | None = None,
    **settings: object,
) -> AsyncIterator[Live]:
    """API and worker under a key prefix of their own; `rules` as if langgraph.json named them. Without a
    given prefix the keys go with the server: what scans the Valkey of all tests would take longer and
    longer."""
    own = {"prefix": f"t{uuid.uuid4().hex[:8]}", "lease_s": 1}
    chosen = Settings.model_validate({**own, **settings})
    project = load_project(config)
    if rules:
        project = replace(project, auth=rules)
    async with open_platform(chosen, project, redis_url) as platform:
        authenticator = await DevAuthenticator.open(chosen, platform.client, platform.keys)
        async with (
            open_sign_in(chosen, project, platform.client, platform.keys) as sign_in,
            open_app(project) as custom,
            listening(platform, sign_in, custom) as url,
            running_worker(platform) if worker else nullcontext() as working,
        ):
            running = Live(url, platform, authenticator, sign_in, working)
            yield running
            await running.close_clients()
    if "prefix" not in settings:
        await forget(redis_url, chosen.prefix)


async def forget(redis_url: str, prefix: str) -> None:
    with suppress(RedisError):  # a test may have taken it away
        async with Redis.from_url(redis_url, socket_timeout=2) as redis:
            async for key in redis.scan_iter(match=f"{prefix}:*", count=1000):
                await redis.unlink(key)


@asynccontextmanager
async def replicated(redis_url: str) -> AsyncIterator[tuple[Live, Live]]:
    """Two servers of one installation."""
    async with live(redis_url) as one, live(redis_url, prefix=one.platform.keys.prefix) as other:
        yield one, other


@asynccontextmanager
async def listening(platform: Platform, sign_in: SignIn, custom: Custom | None = None) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        # asyncio does so only for sockets that name their protocol: without it, each answer takes 40 ms.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app = create_app(platform, sign_in, custom)
        config = uvicorn.Config(
            app, log_config=None, lifespan="off", timeout_graceful_shutdown=1, proxy_headers=False
        )
        server = uvicorn.Server(config)
        server.capture_signals = unchanged  # type: ignore[method-assign]
        task = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def said(text: str) -> Any:
    """A graph's input: one message of a person."""
    return {"messages": [{"role": "user", "content": text}]}


@contextmanager
def unchanged() -> Iterator[None]:
    yield


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


@asynccontextmanager
async def holdfast(*args: str, **environment: str) -> AsyncIterator[Forked]:
    """The command in a process of its own, ended by SIGTERM, and by SIGKILL when that is not enough."""
    async with child_of(ZYGOTE, *args, **environment) as process:
        yield process


@asynccontextmanager
async def child_of(zygote: Zygote, *args: str, **environment: str) -> AsyncIterator[Forked]:
    process = await forked(zygote, args, {**clean_environment(), **environment})
    try:
        yield process
    finally:
        await end(process)


@asynccontextmanager
async def executed(*args: str, **environment: str) -> AsyncIterator[Process]:
    """The same from the start of a Python on, which takes seconds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "holdfast",
        *args,
        cwd=ROOT,
        env={**clean_environment(), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        await end(process)


def clean_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HOLDFAST_", "OPENAI_", "REDIS_URL", "SHOP_", "CHECKPOINTER"))
    }


async def end(process: Process | Forked, number: int = signal.SIGTERM) -> None:
    """Ends the process, and passes on what it said: pytest shows it when the test fails."""
    if process.returncode is None:
        process.send_signal(number)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 15)
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    sys.stdout.write((said or b"").decode(errors="replace"))  # nothing where a terminal was its output


async def wait_ready(url: str, timeout_s: float = 30) -> None:
    async with httpx.AsyncClient(base_url=url) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/ok")).status_code == 200
            except httpx.TransportError:
                return False

        await wait_until(answers, f"{url}/ok", timeout_s)
