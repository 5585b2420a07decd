"""Connections to a server as redis-py makes them: bounded in number, in waiting and in retries."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.connection import parse_url

from holdfast.redis.addresses import SENTINEL, Address, parse_address

# All tries of a call together: after this the caller gets `Unavailable` and may try again.
REPLY_TIMEOUT_S = 5.0
# One try: shorter, so that a connection that died without a word is replaced within the call.
SOCKET_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 1.0


class MasterPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the server that is the master when they are made."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


def open_redis(url: str, **options: Any) -> Redis:
    """A redis-py client with a bounded, waiting pool and bounded retries. `options` go to each connection.

    Of a cluster, `url` is that of one of its servers.
    """
    wanted = {
        "protocol": 2,
        "max_connections": 32,
        "timeout": REPLY_TIMEOUT_S,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "driver_info": None,  # it costs each new connection a round trip
        "retry": Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.5), 3),
        **options,
    }
    address = parse_address(url)
    if address.kind == SENTINEL:
        return Redis.from_pool(master_pool(address, wanted))
    return Redis.from_pool(BlockingConnectionPool.from_url(url, **wanted))


def master_pool(address: Address, options: dict[str, Any]) -> MasterPool:
    hosts = [parse_url(url) for url in address.urls]  # type: ignore[no-untyped-call]
    server: dict[str, Any] = {**hosts[0]}
    for name in ("host", "port"):
        server.pop(name)
    if server.pop("connection_class", None):  # what redis-py makes of rediss://
        server["ssl"] = True
    common = {name: value for name, value in server.items() if name.startswith("ssl")}
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        [(host["host"], host["port"]) for host in hosts],
        sentinel_kwargs={
            **common,
            **dict(address.of_sentinels),
            "socket_timeout": CONNECT_TIMEOUT_S,
            "socket_connect_timeout": CONNECT_TIMEOUT_S,
            "driver_info": None,
            "retry": Retry(NoBackoff(), 0),  # the next one is asked
        },
    )
    return MasterPool(address.service, sentinels, **server, **options)  # type: ignore[no-untyped-call]
