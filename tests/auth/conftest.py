from collections.abc import AsyncIterator

import httpx
import pytest

from tests.auth.issuers import AUDIENCE, ISSUER, Issuer, issuing, signer, useless_keys
from tests.servers import Live, live

KINDS = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed448")


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing(*(signer(kind, kind) for kind in KINDS)) as one:
        one.others = useless_keys()
        yield one


@pytest.fixture(scope="session")
async def guarded(redis_url: str, issuer: Issuer) -> AsyncIterator[Live]:
    """A server that takes the issuer's tokens."""
    async with live(
        redis_url,
        worker=False,
        auth="jwt",
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        jwt_jwks_url=issuer.url,
        jwt_algorithms="RS256,PS256,ES256,ES384,ES512,EdDSA",
    ) as server:
        yield server


@pytest.fixture
async def stranger(guarded: Live) -> AsyncIterator[httpx.AsyncClient]:
    """A client that brings nothing by itself."""
    async with guarded.http() as http:
        yield http
