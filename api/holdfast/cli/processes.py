"""The processes: what each is made of, from start to stop."""

import asyncio
import gc
import logging
import os
import resource
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvloop
from dotenv import dotenv_values
from fastapi import FastAPI
from rich.console import Console

from holdfast import __version__
from holdfast.app import create_app
from holdfast.auth import check_address, open_sign_in
from holdfast.cli.monitoring import monitored
from holdfast.cli.server import listen, on_signals
from holdfast.core import pages
from holdfast.core.health import Health
from holdfast.core.platform import Platform, open_platform
from holdfast.errors import StartError
from holdfast.project import env_file, load_project, read_project
from holdfast.redis import thread_index
from holdfast.redis.checks import check_installation, check_server, check_url, shown
from holdfast.redis.client import cancel, connect
from holdfast.redis.embedded import embedded
from holdfast.redis.keys import Keys
from holdfast.routes.custom import open_app
from holdfast.settings import Settings, read_settings
from holdfast.telemetry import configure_logging, guarded, log_loop_error, log_requests
from holdfast.worker import running_worker

# What still runs so long after the work of a process (a node that ignores its cancel, a thread) is left.
LEAVE_TIMEOUT_S = 1.0

THREADS = "holdfast-thread"

logger = logging.getLogger(__name__)
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
    configure_logging(settings.log_format, settings.log_errors)
    log_requests(settings.access_log == "on")
    return settings


def run(process: Callable[..., Coroutine[Any, Any, None]], config: Path, *args: Any) -> None:
    settings = prepare(config)
    with guarded(settings.log_errors), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(log_loop_error)
        executor = ThreadPoolExecutor(thread_name_prefix=THREADS)
        runner.get_loop().set_default_executor(executor)
        runner.run(process(settings, config, *args))
        executor.shutdown(wait=False)
        if not runner.run(left_alone()):
            logger.warning("something does not end: the process leaves it behind")
            logging.shutdown()
            os._exit(0)


async def left_alone() -> bool:
    """Ends what the process has left behind; False when something does not end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LEAVE_TIMEOUT_S
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in tasks:
            task.cancel("the process is ending")
        await asyncio.wait(tasks, timeout=0.1)
        if loop.time() > deadline:
            return False
    while any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        if loop.time() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


async def dev(settings: Settings, config: Path, host: str, port: int) -> None:
    check_address(settings, host)
    with listening(host, port) as bound:
        async with AsyncExitStack() as stack:
            url = settings.redis_url or stack.enter_context(embedded(settings.data))
            platform, server = await stack.enter_async_context(opened(settings, config, url))
            where = shown(url) if settings.redis_url else f"embedded, data in {settings.data}"
            worker = await stack.enter_async_context(running_worker(platform))
            app = await stack.enter_async_context(build(platform))
            app.state.health.watch_worker(worker.working)
            await stack.enter_async_context(monitored(platform, app.state.health))
            announce(bound, platform, redis=f"{server}, {where}", runs="in this process")
            await listen(app, bound, settings.grace_s, settings.send_timeout_s, notice_s=0)


async def serve(settings: Settings, config: Path, host: str, port: int) -> None:
    check_address(settings, host)
    with listening(host, port) as bound:
        async with (
            opened(settings, config, required(settings)) as (platform, server),
            build(platform) as app,
            monitored(platform, app.state.health),
        ):
            redis = f"{server}, {shown(platform.redis_url)}"
            announce(bound, platform, redis=redis, runs="by `holdfast worker`")
            await listen(app, bound, settings.grace_s, settings.send_timeout_s)


async def work(settings: Settings, config: Path) -> None:
    """A signal ends a worker at its work, and breaks off one that is still starting: Redis may be away."""
    started, stopping = asyncio.Event(), asyncio.Event()
    on_signals(lambda _signal: stopping.set())
    working = asyncio.create_task(at_work(settings, config, started, stopping), name="worker process")
    told = asyncio.create_task(stopping.wait(), name="signals")
    await asyncio.wait([working, told], return_when=asyncio.FIRST_COMPLETED)
    if not started.is_set():
        await cancel(working, reason="told to stop")
    told.cancel("the worker has ended")
    with suppress(asyncio.CancelledError):
        await working


async def at_work(settings: Settings, config: Path, started: asyncio.Event, stopping: asyncio.Event) -> None:
    async with opened(settings, config, required(settings)) as (platform, server):
        health = Health(platform, stopping.is_set)
        async with monitored(platform, health), running_worker(platform) as worker:
            health.watch_worker(worker.working)
            started.set()
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
        keys = Keys(settings.prefix, settings.lanes)
        await check_installation(client, keys)
        await thread_index.build(client, keys)
    project = load_project(config)
    async with open_platform(settings, project, url) as platform:
        # Loaded for good: searching it for garbage makes full collections slow, and the exit last a second.
        gc.freeze()
        yield platform, server


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[FastAPI]:
    settings, project = platform.settings, platform.project
    if not project.http.disable_ui:
        await asyncio.to_thread(pages.files)  # now: the first visitor would hold up all streams
    async with (
        open_sign_in(settings, project, platform.client, platform.keys) as sign_in,
        open_app(project) as custom,
    ):
        yield create_app(platform, sign_in, custom)


def listening(host: str, port: int) -> socket.socket:
    """A socket on the address, before anything else is started. Raises `StartError`."""
    allow_open_files()
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


def allow_open_files() -> None:
    """Takes as many as this user may have: each caller is one, and the soft limit is often 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # macOS names a limit that it does not take
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def announce(bound: socket.socket, platform: Platform, *, redis: str, runs: str) -> None:
    host, port, *_ = bound.getsockname()
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    graphs = ", ".join(platform.project.graphs)
    console.print(
        f"[bold]Holdfast {__version__}[/]\n"
        f"  API     {url}  (reference: {url}/ui/reference)\n"
        f"  graphs  {graphs}\n"
        f"  Redis   {redis}\n"
        f"  runs    {runs}\n"
        f"  try     {url} in a browser, or holdfast chat --url {url}",
        soft_wrap=True,
    )
