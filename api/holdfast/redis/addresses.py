"""What REDIS_URL may say: a server, the master that Sentinels name, or a cluster of servers.

    redis://user:password@host:6379/0
    redis+sentinel://user:password@one:26379,two:26379/service/0?sentinel_password=...
    redis+cluster://user:password@one:6379,two:6379

`rediss` in place of `redis` is TLS on every connection.
"""

from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis.connection import parse_url

SENTINEL, CLUSTER = "sentinel", "cluster"
PORTS = {SENTINEL: 26379, CLUSTER: 6379}
# Who asks the Sentinels need not be who asks the server.
OF_SENTINELS = {"sentinel_username": "username", "sentinel_password": "password"}


class Address(NamedTuple):
    """`urls` are those of the servers that are named, as redis-py takes them."""

    kind: str
    urls: tuple[str, ...]
    service: str = ""
    of_sentinels: tuple[tuple[str, str], ...] = ()

    def at(self, host: str, port: int) -> str:
        """Another server of the same cluster or service."""
        parts = urlsplit(self.urls[0])
        return parts._replace(netloc=f"{login(parts.netloc)}{bracketed(host)}:{port}").geturl()


def login(netloc: str) -> str:
    """The part before the host, with its `@`."""
    return "".join(netloc.rpartition("@")[:2])


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def parse_address(url: str) -> Address:
    """Raises ValueError."""
    parts = urlsplit(url)
    scheme, plus, kind = parts.scheme.partition("+")
    if not plus:
        parse_url(url)  # type: ignore[no-untyped-call]
        return Address("", (url,))
    if kind not in PORTS or scheme not in ("redis", "rediss"):
        raise ValueError(f"{parts.scheme} is no kind of Redis")
    service, _, database = parts.path.strip("/").partition("/")
    if (kind == SENTINEL) != bool(service):
        raise ValueError("Sentinels have a service to name, a cluster has none")
    options = dict(parse_qsl(parts.query))
    of_sentinels = tuple(
        (name, options.pop(given)) for given, name in OF_SENTINELS.items() if given in options
    )
    hosts = parts.netloc.rpartition("@")[2].split(",")
    urls = tuple(
        parts._replace(
            scheme=scheme,
            netloc=login(parts.netloc) + with_port(host, PORTS[kind]),
            path=f"/{database}" if database else "",
            query=urlencode(options),
        ).geturl()
        for host in hosts
    )
    for each in urls:
        parse_url(each)  # type: ignore[no-untyped-call]
    return Address(kind, urls, service, of_sentinels)


def with_port(host: str, port: int) -> str:
    found = urlsplit(f"//{host}")
    if not found.hostname:
        raise ValueError("a host has no name")
    return host if found.port else f"{host}:{port}"
