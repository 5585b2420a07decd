"""The way to a webhook: its host resolved here, every address looked at, and one of those called."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from ipaddress import ip_address
from typing import NamedTuple

import httpx

from holdfast.core.webhooks.targets import Ip, Targets, host_of, read_literal

Resolve = Callable[[str], Awaitable[list[Ip]]]

# Threads of its own: a name server that does not answer must not hold up what runs look up. Named so that a
# process which ends does not wait for them.
RESOLVERS = 16
THREADS = "holdfast-thread-names"


class Unresolved(Exception):
    """The host's name leads nowhere."""


class Answer(NamedTuple):
    status: int
    retry_after: str | None


class Transport:
    """POSTs to addresses that the rules allow, and to the very IP address that was looked at.

    No proxy of the environment, no redirect, no cookie, no connection that is used twice. What is answered is
    not read beyond the headers.
    """

    def __init__(self, targets: Targets, timeout_s: float, resolve: Resolve | None = None) -> None:
        self._targets = targets
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(RESOLVERS, THREADS)
        self._resolve = resolve or self._look_up
        self._lookups: dict[str, asyncio.Future[list[Ip]]] = {}
        self._http = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._http.aclose()

    async def post(self, address: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises `TargetRefused`, `Unresolved`, `TimeoutError`, and `httpx.TransportError`."""
        async with asyncio.timeout(self._timeout_s):
            url = self._targets.check(address)
            ips = await self._allowed(url)
            for ip in ips[:-1]:
                try:
                    return await self._send(url, ip, headers, body, self._timeout_s / len(ips))
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue
            return await self._send(url, ips[-1], headers, body, self._timeout_s)

    async def _allowed(self, url: httpx.URL) -> list[Ip]:
        host = host_of(url)
        literal = read_literal(host)
        ips = [literal] if literal else await self._resolve(host)
        for ip in ips:  # all: which one a name leads to next time is up to whoever owns it
            self._targets.check_ip(host, ip)
        return ips

    async def _look_up(self, host: str) -> list[Ip]:
        """Once at a time for each host: whoever asks meanwhile is told the same."""
        if host not in self._lookups:
            loop = asyncio.get_running_loop()
            found = self._lookups[host] = loop.run_in_executor(self._threads, addresses_of, host)
            found.add_done_callback(partial(self._forget, host))
        return await asyncio.shield(self._lookups[host])

    def _forget(self, host: str, found: asyncio.Future[list[Ip]]) -> None:
        del self._lookups[host]
        if not found.cancelled():
            found.exception()  # whoever asked may have left: asyncio is not to complain of it

    async def _send(
        self, url: httpx.URL, ip: Ip, headers: Mapping[str, str], body: bytes, connect_s: float
    ) -> Answer:
        request = httpx.Request(
            "POST",
            url.copy_with(host=str(ip)),
            headers={"Host": url.netloc.decode("ascii"), **headers},
            content=body,
            extensions={"sni_hostname": host_of(url), "timeout": {"connect": connect_s}},
        )
        async with AsyncExitStack() as stack:
            response = await self._http.handle_async_request(request)
            stack.push_async_callback(response.aclose)
            return Answer(response.status_code, response.headers.get("retry-after"))


def addresses_of(host: str) -> list[Ip]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unresolved from error
    return [ip_address(str(sockaddr[0])) for *_, sockaddr in found]
