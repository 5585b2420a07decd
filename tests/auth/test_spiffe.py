"""JWT-SVIDs: the workloads of one trust domain, and nobody else."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.auth.calling import call, is_refused, taking
from tests.auth.issuers import Signer, claims, compact, signer
from tests.servers import Live
from tests.waiting import wait_until

DOMAIN = "shop.example"
WORKLOAD = f"spiffe://{DOMAIN}/ns/orders/sa/api"
EC, RSA, X509 = signer("ES256", "svid-1"), signer("RS256", "svid-2"), signer("ES256", "svid-x509")


def svid(signed_by: Signer = EC, /, **changes: Any) -> str:
    """A good one, changed: it has neither `iss` nor `iat`, as SPIRE's may not."""
    header = changes.pop("header", {})
    given = {"sub": WORKLOAD, "iss": None, "iat": None, "tenant": None, "exp": int(time.time()) + 300}
    return signed_by.sign(claims(**{**given, **changes}), **header)


KEYS = [EC.jwk(use="jwt-svid"), RSA.jwk(use="jwt-svid"), X509.jwk(use="x509-svid")]


def write(bundle: Path, *keys: Any) -> None:
    bundle.write_bytes(orjson.dumps({"spiffe_sequence": 1, "spiffe_refresh_hint": 60, "keys": keys}))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("spiffe") / "bundle.json"
    write(file, *KEYS)
    return file


@pytest.fixture(scope="module")
async def server(redis_url: str, bundle: Path) -> AsyncIterator[Live]:
    settings: Any = {"auth": "spiffe", "spiffe_bundle": bundle, "spiffe_trust_domain": DOMAIN}
    async with taking(redis_url, **settings, spiffe_audience="holdfast", jwt_refresh_s=1) as live:
        yield live


@pytest.fixture
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with server.http() as client:
        yield client


@pytest.mark.parametrize(
    "made",
    [
        lambda: svid(),
        lambda: svid(RSA),
        lambda: RSA.sign(claims(sub=WORKLOAD), algorithm="PS512"),
        lambda: svid(header={"typ": "JOSE"}),
        lambda: svid(header={"typ": None}),
        lambda: svid(aud=["holdfast", "another"]),
        lambda: svid(iat=int(time.time()), iss="spire"),
        lambda: svid(sub=f"spiffe://{DOMAIN}/a..b/.hidden/x-1_2"),
    ],
)
async def test_a_workload_calls(http: httpx.AsyncClient, made: Callable[[], str]) -> None:
    assert (await call(http, made())).status_code == 200


BAD: dict[str, Callable[[], str]] = {
    "another trust domain": lambda: svid(sub="spiffe://other.example/api"),
    "a trust domain that ends like ours": lambda: svid(sub=f"spiffe://evil-{DOMAIN}/api"),
    "a trust domain that begins like ours": lambda: svid(sub=f"spiffe://{DOMAIN}.evil/api"),
    "ours in capitals": lambda: svid(sub=f"spiffe://{DOMAIN.upper()}/api"),
    "ours as a user": lambda: svid(sub=f"spiffe://{DOMAIN}@evil.example/api"),
    "ours with a port": lambda: svid(sub=f"spiffe://{DOMAIN}:443/api"),
    "no path": lambda: svid(sub=f"spiffe://{DOMAIN}"),
    "an empty path": lambda: svid(sub=f"spiffe://{DOMAIN}/"),
    "a path that ends in a slash": lambda: svid(sub=WORKLOAD + "/"),
    "an empty segment": lambda: svid(sub=f"spiffe://{DOMAIN}//api"),
    "a way up": lambda: svid(sub=f"spiffe://{DOMAIN}/ns/../admin"),
    "a way up at the end": lambda: svid(sub=f"spiffe://{DOMAIN}/ns/.."),
    "a dot": lambda: svid(sub=f"spiffe://{DOMAIN}/./api"),
    "a percent sign": lambda: svid(sub=f"spiffe://{DOMAIN}/ns%2Fapi"),
    "a query": lambda: svid(sub=WORKLOAD + "?admin=1"),
    "a fragment": lambda: svid(sub=WORKLOAD + "#admin"),
    "letters of another script": lambda: svid(sub=f"spiffe://{DOMAIN}/\u0430pi"),
    "another scheme": lambda: svid(sub=f"https://{DOMAIN}/api"),
    "no address at all": lambda: svid(sub="api"),
    "no sub": lambda: svid(sub=None),
    "sub a list": lambda: svid(sub=[WORKLOAD]),
    "no aud": lambda: svid(aud=None),
    "an empty list for aud": lambda: svid(aud=[]),
    "aud of another": lambda: svid(aud=["another"]),
    "no exp": lambda: svid(exp=None),
    "expired": lambda: svid(exp=int(time.time()) - 60),
    "good for ten years": lambda: svid(exp=int(time.time()) + 10 * 365 * 86_400),
    "typ of an access token": lambda: svid(header={"typ": "at+jwt"}),
    "kid not in the bundle": lambda: svid(header={"kid": "gone"}),
    "kid missing where there are two keys": lambda: svid(header={"kid": None}),
    "a key for X.509": lambda: svid(X509),
    "EdDSA": lambda: svid(signer("EdDSA", "svid-1")),
    "HS256": lambda: Signer("svid-1", "HS256", "s" * 32).sign(claims(sub=WORKLOAD)),
    "none": lambda: compact({"alg": "none", "typ": "JWT", "kid": "svid-1"}, claims(sub=WORKLOAD), b"x"),
}


@pytest.mark.parametrize("kind", BAD)
async def test_what_is_no_svid_of_a_workload_of_ours(http: httpx.AsyncClient, kind: str) -> None:
    assert is_refused(await call(http, BAD[kind]()))


async def test_a_workload_belongs_to_its_trust_domain_and_owns_what_it_makes(http: httpx.AsyncClient) -> None:
    mine, other = svid(), svid(sub=f"spiffe://{DOMAIN}/ns/orders/sa/web")
    made = await http.post("/threads", json={}, headers={"Authorization": f"Bearer {mine}"})
    path = f"/threads/{made.json()['thread_id']}"
    seen = [
        (await http.get(path, headers={"Authorization": f"Bearer {token}"})).status_code
        for token in (mine, other)
    ]
    assert seen == [200, 404]


async def test_a_bundle_that_is_exchanged_counts(http: httpx.AsyncClient, bundle: Path) -> None:
    token, after = svid(), signer("ES256", "svid-3")
    assert (await call(http, token)).status_code == 200
    write(bundle, after.jwk(use="jwt-svid"))

    async def exchanged() -> bool:
        return is_refused(await call(http, token))

    await wait_until(exchanged, "the old key counts no more")
    assert (await call(http, svid(after, header={"kid": None}))).status_code == 200
    write(bundle, *KEYS)

    async def back() -> bool:
        return (await call(http, token)).status_code == 200

    await wait_until(back, "the old key counts again")
