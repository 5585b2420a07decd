"""A process from start to stop, and what the worker is made of."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from rich.console import Console

from holdfast import __version__
from holdfast.cli.loading import loading
from holdfast.cli.loops import Loop
from holdfast.cli.monitoring import monitored
from holdfast.core.health import Health
from holdfast.core.platform import Platform, open_platform
from holdfast.errors import StartError
from holdfast.project import env_file, load_project, read_project
from holdfast.redis import thread_index
from holdfast.redis.checks import check_installation, check_server, check_url
from holdfast.redis.client import cancel, connect
from holdfast.redis.keys import Keys
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
    with guarded(settings.log_errors), asyncio.Runner(loop_factory=Loop) as runner:
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


def on_signals(told: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told, number)


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
    with loading():
        project = load_project(config)
    async with open_platform(settings, project, url) as platform:
        yield platform, server
