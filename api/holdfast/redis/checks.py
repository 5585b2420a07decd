"""What is asked of a server before anything is kept on it."""

import asyncio
import logging
import time
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from redis.exceptions import AuthenticationError, RedisError

from holdfast.errors import StartError, Unavailable
from holdfast.redis import migrations
from holdfast.redis.addresses import CLUSTER, parse_address
from holdfast.redis.client import Client, insist, unavailable
from holdfast.redis.keys import Keys

logger = logging.getLogger(__name__)

Info = dict[str, Any]  # what a server says of itself

OLDEST = (7, 0)
KEEPS = "noeviction"
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
        parse_address(url)
    except ValueError as error:
        raise StartError(
            "REDIS_URL is not an address: write it as redis://host:6379, rediss://host:6379 or unix:///path, "
            "redis+sentinel://host,host/service or redis+cluster://host,host."
        ) from error
    parts = urlsplit(url)
    if parts.netloc and "@" not in parts.netloc and "@" in url:
        # The password ended the host's part too early: the rest of it would count as path or options.
        raise StartError("The password in REDIS_URL holds a / or ? or #: write it as %2F, %3F or %23.")


async def check_server(client: Client, url: str, *, allow_eviction: bool) -> str:
    """The server's name and version. Raises `StartError` when it cannot be trusted with state."""
    found = await ask_servers(client, url)
    names = [check_version(info) for info in found]
    for info in found:
        check_policy(info, allow_eviction=allow_eviction)
        check_mode(info, url)
    if not all(info.get("aof_enabled") for info in found):
        logger.warning("Redis keeps nothing over a restart: set appendonly yes", extra={"server": shown(url)})
    return f"{names[0]}, {len(found)} masters" if len(found) > 1 else names[0]


async def ask_servers(client: Client, url: str) -> list[Info]:
    """What each master says of itself. Raises `StartError` when one does not answer."""
    try:
        return [await server.redis.info() for server in await client.servers()]
    except AuthenticationError as error:
        raise StartError(f"Redis at {shown(url)} refuses the password: correct REDIS_URL.") from error
    except (RedisError, OSError, Unavailable) as error:
        raise StartError(
            f"Redis at {shown(url)} cannot be reached: start it, or correct REDIS_URL."
        ) from error


def check_version(info: Info) -> str:
    """The server's name and version. Raises `StartError` for one that is too old."""
    name, version = version_of(info)
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise StartError(f"{name} {version} is too old: Holdfast needs Redis 7.0, Valkey 7.2 or newer.")
    return f"{name} {version}"


def check_policy(info: Info, *, allow_eviction: bool) -> str:
    """What the server does when its memory is full. Raises `StartError` where it would forget things."""
    policy = str(info.get("maxmemory_policy", KEEPS))
    if policy != KEEPS and not allow_eviction:
        raise StartError(
            f"{version_of(info)[0]} may evict what it keeps (maxmemory-policy {policy}): set it to "
            "noeviction, or allow it with HOLDFAST_ALLOW_EVICTION=true."
        )
    return policy


class Load(NamedTuple):
    """What a server has to do; `max_bytes` is 0 where its memory has no bound of its own."""

    server: str
    used_bytes: int
    max_bytes: int
    commands_per_s: int
    clients: int
    answer_ms: float


async def read_load(client: Client) -> Load:
    """Raises `Unavailable`."""
    asked = time.perf_counter()
    await client.call("PING")
    answer_ms = round((time.perf_counter() - asked) * 1000, 2)
    try:
        info = await (await client.servers())[0].redis.info()
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    return Load(
        " ".join(version_of(info)),
        info["used_memory"],
        info["maxmemory"],
        info["instantaneous_ops_per_sec"],
        info["connected_clients"],
        answer_ms,
    )


def check_mode(info: Info, url: str) -> None:
    clustered = parse_address(url).kind == CLUSTER
    if clustered != bool(info.get("cluster_enabled")):
        which = "no server of a cluster" if clustered else "a server of a cluster"
        way = "redis://" if clustered else "redis+cluster://"
        raise StartError(f"Redis at {shown(url)} is {which}: write REDIS_URL as {way}host:6379.")


async def name_server(client: Client) -> str:
    """The server's name and version. Raises `Unavailable`."""
    try:
        return " ".join(version_of(await client.redis.info("server")))
    except (RedisError, OSError) as error:
        raise unavailable(error) from error


async def read_policy(client: Client) -> str:
    """What the server does when its memory is full; some do not say. Raises `Unavailable`."""
    try:
        found = [await server.redis.info("memory") for server in await client.servers()]
    except (RedisError, OSError) as error:
        raise unavailable(error) from error
    policies = {str(info.get("maxmemory_policy", KEEPS)) for info in found}
    return next(iter(policies - {KEEPS}), KEEPS)


def version_of(info: Info) -> tuple[str, str]:
    if "valkey_version" in info:  # its redis_version is the one it is compatible with
        return "Valkey", str(info["valkey_version"])
    return "Redis", str(info["redis_version"])


async def check_installation(client: Client, keys: Keys) -> None:
    """Every process must agree on the number of lanes: it says where a thread is kept. And it must know the
    records' form: here they are brought up to this version's."""
    try:
        async with asyncio.timeout(WRITABLE_TIMEOUT_S):  # a server that starts with us has to load its data
            made = await insist(partial(client.call, "HSETNX", keys.installation(), "lanes", keys.lanes))
    except TimeoutError as error:
        raise StartError(
            "Redis takes no writes: see that it has loaded its data, has memory left and is no replica."
        ) from error
    check_lanes(int(await client.call("HGET", keys.installation(), "lanes")), keys)
    if made:
        await migrations.mark_new(client, keys)
    await migrations.bring_up(client, keys)


def check_lanes(lanes: int, keys: Keys) -> None:
    """Raises `StartError` when the threads of an installation are spread over another number of lanes."""
    if lanes != keys.lanes:
        raise StartError(
            f"This installation has {lanes} lanes, not {keys.lanes}: set HOLDFAST_LANES={lanes}, or choose "
            "another HOLDFAST_PREFIX for a new one."
        )


async def check_ready(client: Client, keys: Keys) -> None:
    """Raises `Unavailable` when Redis would not take new work now: a PING would say nothing of that."""

    async def ask() -> None:
        written = client.call("HSETNX", keys.installation(), "lanes", keys.lanes)
        await asyncio.gather(written, *(server.call("PING") for server in await client.servers()))

    try:
        await asyncio.wait_for(ask(), READY_TIMEOUT_S)
    except TimeoutError as error:
        raise unavailable(error) from error
