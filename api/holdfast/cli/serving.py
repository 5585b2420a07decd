"""The processes that listen: loaded by name, as a worker is to carry no web framework."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI

from holdfast import __version__
from holdfast.app import create_app
from holdfast.auth import check_address, open_sign_in
from holdfast.cli.monitoring import monitored
from holdfast.cli.processes import console, opened, required
from holdfast.cli.server import listen
from holdfast.core import pages
from holdfast.core.platform import Platform
from holdfast.errors import StartError
from holdfast.redis.checks import shown
from holdfast.redis.embedded import embedded
from holdfast.routes.custom import open_app
from holdfast.settings import Settings
from holdfast.worker import running_worker


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
