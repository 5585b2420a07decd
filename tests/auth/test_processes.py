"""Sign-in as it is deployed: processes on one Redis, reached from elsewhere than loopback."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.auth.calling import call, is_refused
from tests.auth.issuers import AUDIENCE, ISSUER, claims, signer
from tests.cli.test_operators import said_by
from tests.servers import free_port, holdfast, wait_ready

CONFIG = str(Path(__file__).parent / "told" / "langgraph.json")


@pytest.fixture
def place(redis_url: str) -> dict[str, str]:
    return {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": f"t{uuid.uuid4().hex[:8]}", "HOLDFAST_GRACE_S": "1"}


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as one:
        yield one


async def serve(stack: AsyncExitStack, **environment: str) -> str:
    """`holdfast serve`, for all the world to reach; its URL on this machine."""
    port = free_port()
    arguments = ("serve", "--config", CONFIG, "--host", "0.0.0.0", "--port", str(port))
    await stack.enter_async_context(holdfast(*arguments, **environment))
    url = f"http://127.0.0.1:{port}"
    await wait_ready(url)
    return url


async def keys(*arguments: str, **environment: str) -> str:
    """What `holdfast keys` prints."""
    _told, *keys = (await said_by("keys", *arguments, "--config", CONFIG, beside=environment)).splitlines()
    return "".join(keys)


async def status(url: str, **headers: str) -> int:
    async with httpx.AsyncClient(base_url=url) as http:
        response = await call(http, **headers)
        assert response.status_code == 200 or is_refused(response)
        return response.status_code


async def test_a_key_holds_on_every_replica_from_its_making_to_its_end(
    place: dict[str, str], stack: AsyncExitStack
) -> None:
    place |= {"HOLDFAST_AUTH": "keys"}
    one, other = await asyncio.gather(serve(stack, **place), serve(stack, **place))
    made = await keys("create", "--subject", "ann", "--scope", "read", **place)
    assert [await status(url, **{"x-api-key": made}) for url in (one, other)] == [200, 200]
    assert [await status(url) for url in (one, other)] == [401, 401]
    await keys("revoke", made, **place)
    assert [await status(url, **{"x-api-key": made}) for url in (other, one)] == [401, 401]


async def test_tokens_and_nothing_about_the_connection_but_the_connection(
    place: dict[str, str], stack: AsyncExitStack, tmp_path: Path
) -> None:
    one, file = signer("ES256", "ES256"), tmp_path / "keys.json"
    file.write_bytes(orjson.dumps({"keys": [one.jwk()]}))
    by_token: Any = {
        "HOLDFAST_AUTH": "jwt",
        "HOLDFAST_JWT_ISSUER": ISSUER,
        "HOLDFAST_JWT_AUDIENCE": AUDIENCE,
        "HOLDFAST_JWT_JWKS_FILE": str(file),
    }
    by_gateway: Any = {"HOLDFAST_AUTH": "gateway", "HOLDFAST_GATEWAY_ADDRESSES": "10.20.0.1"}
    tokens, gateway = await asyncio.gather(
        serve(stack, **place, **by_token), serve(stack, **place, **by_gateway)
    )
    assert await status(tokens, Authorization=f"Bearer {one.sign(claims())}") == 200
    assert await status(tokens, Authorization="Bearer nonsense") == 401
    named = {"X-Forwarded-User": "ann", "X-Forwarded-Tenant": "north"}
    for spoof in ({}, {"X-Forwarded-For": "10.20.0.1"}, {"Forwarded": "for=10.20.0.1"}):
        assert await status(gateway, **named, **spoof) == 401
