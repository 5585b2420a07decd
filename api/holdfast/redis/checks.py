"""What is asked of a server before anything is kept on it."""

import asyncio
import logging
from functools import partial
from urllib.parse import urlsplit

from redis.connection import parse_url
from redis.exceptions import AuthenticationError, RedisError

from holdfast.errors import StartError, Unavailable
from holdfast.redis.client import Client, insist, unavailable
from holdfast.redis.keys import Keys

logger = logging.getLogger(__name__)

OLDEST = (7, 0)
READY_TIMEOUT_S = 1.0
WRITABLE_TIMEOUT_S = 30.0


def shown(url: str) -> str:
    """Where the URL leads: without user and password, and without options, which may be a password too."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] if parts.scheme != "unix" else ""
    return f"{parts.scheme}://{host}{parts.path}"


def check_url(url: str) -> None:
    """Raises `StartError`, which does not repeat the URL: it may hold a password."""
    try:
        parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise StartError(
            "REDIS_URL is not an address: write it as redis://host:6379, rediss://host:6379 or unix:///path."
        ) from error
    parts = urlsplit(url)
    if parts.netloc and "@" not in parts.netloc and "@" in url:
        # The password ended the host's part too early: the rest of it would count as path or options.
        raise StartError("The password in REDIS_URL holds a / or ? or #: write it as %2F, %3F or %23.")


async def check_server(client: Client, url: str, *, allow_eviction: bool) -> str:
    """The server's name and version. Raises `StartError` when it cannot be trusted with state."""
    try:
        info = await client.redis.info()
    except AuthenticationError as error:
        raise StartError(f"Redis at {shown(url)} refuses the password: correct REDIS_URL.") from error
    except (RedisError, OSError, Unavailable) as error:
        raise StartError(
            f"Redis at {shown(url)} cannot be reached: start it, or correct REDIS_URL."
        ) from error
    name, version = version_of(info)
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise StartError(f"{name} {version} is too old: Holdfast needs Redis 7.0, Valkey 7.2 or newer.")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and not allow_eviction:
        raise StartError(
            f"{name} may evict what it keeps (maxmemory-policy {policy}): set it to noeviction, or allow "
            "it with HOLDFAST_ALLOW_EVICTION=true."
        )
    if not info.get("aof_enabled"):
        logger.warning("Redis keeps nothing over a restart: set appendonly yes", extra={"server": shown(url)})
    return f"{name} {version}"


async def name_server(client: Client) -> str:
    """The server's name and version. Raises `Unavailable`."""
    try:
        return " ".join(version_of(await client.redis.info("server")))
    except (RedisError, OSError) as error:
        raise unavailable(error) from error


def version_of(info: dict[str, object]) -> tuple[str, str]:
    if "valkey_version" in info:  # its redis_version is the one it is compatible with
        return "Valkey", str(info["valkey_version"])
    return "Redis", str(info["redis_version"])


async def check_installation(client: Client, keys: Keys) -> None:
    """Every process must agree on the number of lanes: it says where a thread is kept."""
    try:
        async with asyncio.timeout(WRITABLE_TIMEOUT_S):  # a server that starts with us has to load its data
            await insist(partial(client.call, "HSETNX", keys.installation(), "lanes", keys.lanes))
    except TimeoutError as error:
        raise StartError(
            "Redis takes no writes: see that it has loaded its data, has memory left and is no replica."
        ) from error
    lanes = int(await client.call("HGET", keys.installation(), "lanes"))
    if lanes != keys.lanes:
        raise StartError(
            f"This installation has {lanes} lanes, not {keys.lanes}: set HOLDFAST_LANES={lanes}, or choose "
            "another HOLDFAST_PREFIX for a new one."
        )


async def check_ready(client: Client, keys: Keys) -> None:
    """Raises `Unavailable` when Redis would not take new work now: a PING would say nothing of that."""
    written = client.call("HSETNX", keys.installation(), "lanes", keys.lanes)
    try:
        await asyncio.wait_for(written, READY_TIMEOUT_S)
    except TimeoutError as error:
        raise unavailable(error) from error
