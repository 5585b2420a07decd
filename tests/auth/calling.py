"""Calls with this or that to say who is calling."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.auth.issuers import AUDIENCE, ISSUER
from tests.servers import Live, live

PROBE = "/threads/count"


async def exchange(url: str, request: bytes) -> bytes:
    """What a server answers to bytes as they stand."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def call(http: httpx.AsyncClient, token: str | bytes | None = None, **headers: str) -> httpx.Response:
    """A request that any known caller may make."""
    borne = token.encode() if isinstance(token, str) else token
    sent = {name.encode(): value.encode() for name, value in headers.items()}
    if borne is not None:
        sent[b"Authorization"] = b"Bearer " + borne
    return await http.post(PROBE, json={}, headers=sent)


def is_refused(response: httpx.Response) -> bool:
    """Whether a stranger was turned away as the wire has it."""
    body: Any = response.json()
    return (
        response.status_code == 401
        and response.headers.get("www-authenticate", "").startswith("Bearer ")
        and isinstance(body.get("detail"), str)
        and body.get("code") in ("unauthorized", "invalid_token")
    )


@asynccontextmanager
async def taking(redis_url: str, **settings: object) -> AsyncIterator[Live]:
    """A server that takes tokens under other settings."""
    given: Any = {"auth": "jwt", "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, **settings}
    async with live(redis_url, worker=False, **given) as server:
        yield server
