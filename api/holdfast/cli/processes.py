"""The processes: what each is made of, from start to stop."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from dotenv import dotenv_values
from fastapi import FastAPI
from rich.console import Console

from holdfast import __version__
from holdfast.app import create_app
from holdfast.auth import DevAuthenticator, check_address
from holdfast.core.platform import Platform, open_platform
from holdfast.errors import StartError
from holdfast.project import env_file, load_project, read_project
from holdfast.redis.checks import check_installation, check_server, check_url, shown
from holdfast.redis.client import connect
from holdfast.redis.embedded import embedded
from holdfast.redis.keys import Keys
from holdfast.settings import Settings, read_settings
from holdfast.telemetry import configure_logging
from holdfast.worker import running_worker

# A stream that does not end by itself is cut after this, and its client goes on elsewhere.
CLOSE_TIMEOUT_S = 5

console = Console(stderr=True, highlight=False)


def prepare(config: Path) -> Settings:
    """Settings, logging and the project's environment. Raises `StartError`."""
    env = read_project(config).get("env")
    file = env_file(config)
    given = env if isinstance(env, dict) else dotenv_values(file) if file else {}
    for name, value in given.items():
        if value is not None:
            os.environ.setdefault(name, str(value))
    settings = read_settings()
    configure_logging(settings.log_format)
    return settings


def run(process: Callable[..., Coroutine[Any, Any, None]], config: Path, *args: Any) -> None:
    settings = prepare(config)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(process(settings, config, *args))


async def dev(settings: Settings, config: Path, host: str, port: int) -> None:
    check_address(settings, host)
    with listening(host, port) as bound:
        async with AsyncExitStack() as stack:
            url = settings.redis_url or stack.enter_context(embedded(settings.data))
            platform, server = await stack.enter_async_context(opened(settings, config, url))
            where = shown(url) if settings.redis_url else f"embedded, data in {settings.data}"
            await stack.enter_async_context(running_worker(platform))
            app = await build(platform)
            announce(bound, platform, redis=f"{server}, {where}", runs="in this process")
            await listen(app, bound)


async def serve(settings: Settings, config: Path, host: str, port: int) -> None:
    check_address(settings, host)
    with listening(host, port) as bound:
        async with opened(settings, config, required(settings)) as (platform, server):
            app = await build(platform)
            redis = f"{server}, {shown(platform.redis_url)}"
            announce(bound, platform, redis=redis, runs="by `holdfast worker`")
            await listen(app, bound)


async def work(settings: Settings, config: Path) -> None:
    async with opened(settings, config, required(settings)) as (platform, server):
        stopping = asyncio.Event()
        on_signals(lambda _signal: stopping.set())
        async with running_worker(platform) as worker:
            console.print(f"Holdfast {__version__} worker [bold]{worker.name}[/] on {server}")
            await stopping.wait()


def required(settings: Settings) -> str:
    if settings.redis_url is None:
        raise StartError(
            "REDIS_URL is not set: name the Redis server, as in REDIS_URL=redis://127.0.0.1:6379."
        )
    return settings.redis_url


@asynccontextmanager
async def opened(settings: Settings, config: Path, url: str) -> AsyncIterator[tuple[Platform, str]]:
    """The platform on a server that was checked, and the server's name."""
    check_url(url)
    async with connect(url) as client:
        server = await check_server(client, url, allow_eviction=settings.allow_eviction)
        await check_installation(client, Keys(settings.prefix, settings.lanes))
    project = load_project(config)
    async with open_platform(settings, project, url) as platform:
        # Loaded for good: searching it for garbage makes full collections slow, and the exit last a second.
        gc.freeze()
        yield platform, server


async def build(platform: Platform) -> FastAPI:
    authenticator = await DevAuthenticator.open(platform.settings, platform.client, platform.keys)
    return create_app(platform, authenticator)


def listening(host: str, port: int) -> socket.socket:
    """A socket on the address, before anything else is started. Raises `StartError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as error:
        bound.close()
        raise StartError(
            f"Port {port} on {host} cannot be used ({error.strerror}): stop what runs there, or choose "
            "another with --port."
        ) from error
    return bound


class Server(uvicorn.Server):
    """uvicorn, told of signals by us: it would take them from the worker in the same process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def listen(app: FastAPI, bound: socket.socket) -> None:
    """Serves until a signal comes."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=CLOSE_TIMEOUT_S,
        server_header=False,
    )
    server = Server(config)
    on_signals(lambda number: server.handle_exit(number, None))
    await server.serve(sockets=[bound])


def on_signals(told: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told, number)


def announce(bound: socket.socket, platform: Platform, *, redis: str, runs: str) -> None:
    host, port, *_ = bound.getsockname()
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    graphs = ", ".join(platform.project.graphs)
    console.print(
        f"[bold]Holdfast {__version__}[/]\n"
        f"  API     {url}  (reference: {url}/openapi.json)\n"
        f"  graphs  {graphs}\n"
        f"  Redis   {redis}\n"
        f"  runs    {runs}\n"
        f"  try     holdfast chat --url {url}",
        soft_wrap=True,
    )
