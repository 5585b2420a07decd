"""Tokens that are believed, and whom they make of who sends them."""

import time
from typing import Any

import httpx
import jwt
import orjson
import pytest
from starlette.requests import HTTPConnection

from holdfast.auth.claims import find_claim
from holdfast.auth.tokens import MOST_BYTES
from tests.auth.calling import call, is_refused, taking
from tests.auth.conftest import KINDS
from tests.auth.issuers import AUDIENCE, ISSUER, Issuer, Json, Signer, claims, signer
from tests.servers import Live
from tests.waiting import wait_until

SECRET = "a-secret-of-more-than-thirty-two-bytes-and-of-sixty-four-bytes-too"


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_signature(stranger: httpx.AsyncClient, kind: str) -> None:
    assert (await call(stranger, signer(kind, kind).sign(claims()))).status_code == 200


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_shared_secret(redis_url: str, algorithm: str) -> None:
    settings: Json = {} if algorithm == "HS256" else {"jwt_algorithms": algorithm}
    another = "HS384" if algorithm == "HS512" else "HS512"
    holder, stranger = Signer("k1", algorithm, SECRET), Signer("k1", algorithm, SECRET[::-1])
    async with taking(redis_url, jwt_secret=SECRET, **settings) as server, server.http() as http:
        for kid in (None, "k1", "2024-11.main"):
            assert (await call(http, holder.sign(claims(), kid=kid))).status_code == 200
        for kid in ("../../dev/null", "a b", "' or 1=1", "k" * 256):
            assert is_refused(await call(http, holder.sign(claims(), kid=kid)))
        assert is_refused(await call(http, stranger.sign(claims())))
        assert is_refused(await call(http, signer("RS256", "RS256").sign(claims())))
        assert is_refused(await call(http, holder.sign(claims(), algorithm=another)))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"])
async def test_the_kinds_of_token_that_are_taken(stranger: httpx.AsyncClient, typ: str) -> None:
    assert (await call(stranger, signer("ES256", "ES256").sign(claims(), typ=typ))).status_code == 200


async def test_what_the_settings_allow_besides(redis_url: str, issuer: Issuer) -> None:
    settings: dict[str, Any] = {
        "jwt_jwks_url": issuer.url,
        "jwt_types": "JWT,absent",
        "jwt_strict_audience": False,
        "jwt_max_lifetime_s": 10 * 86_400,
        "default_tenant": "north",
        "jwt_leeway_s": 0,
    }
    sign, now = signer("RS256", "RS256").sign, int(time.time())
    async with taking(redis_url, **settings) as server, server.http() as http:
        good = [
            sign(claims(), typ=None),
            sign(claims(aud=[AUDIENCE, "another"])),
            sign(claims(exp=now + 9 * 86_400)),
            sign(claims(tenant=None)),
        ]
        assert [(await call(http, token)).status_code for token in good] == [200] * len(good)
        bad = [
            sign(claims(), typ="at+jwt"),
            sign(claims(aud=["another"])),
            sign(claims(aud=[AUDIENCE, 5])),
            sign(claims(aud=[[AUDIENCE]])),
            sign(claims(exp=now - 1)),
            sign(claims(exp=now + 11 * 86_400)),
        ]
        assert all([is_refused(await call(http, token)) for token in bad])


async def test_a_set_of_one_key_needs_no_name(redis_url: str, tmp_path: Any) -> None:
    one, file = signer("ES256", "ES256"), tmp_path / "keys.json"
    file.write_bytes(orjson.dumps({"keys": [one.jwk(), one.jwk(kid="encryption", use="enc")]}))
    async with taking(redis_url, jwt_jwks_file=file) as server, server.http() as http:
        assert (await call(http, one.sign(claims(), kid=None))).status_code == 200
        assert is_refused(await call(http, one.sign(claims(), kid="another")))


async def test_two_keys_without_a_name_are_never_guessed(redis_url: str, tmp_path: Any) -> None:
    one, other, file = signer("ES256", "ES256"), signer("RS256", "RS256"), tmp_path / "keys.json"
    file.write_bytes(orjson.dumps({"keys": [one.jwk(kid=None), other.jwk(kid=None)]}))
    async with taking(redis_url, jwt_jwks_file=file) as server, server.http() as http:
        assert is_refused(await call(http, one.sign(claims(), kid=None)))


# whom a token makes of its bearer


async def named(http: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    """Who a thread belongs to that the bearer makes, and who may see it."""
    http.headers["Authorization"] = f"Bearer {signer('ES256', 'ES256').sign(claims(**changes))}"
    made = await http.post("/threads", json={})
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.json()
    return found


async def test_subject_tenant_and_roles_come_from_the_claims(redis_url: str, issuer: Issuer) -> None:
    settings = {
        "jwt_jwks_url": issuer.url,
        "jwt_roles_claim": "realm_access.roles",
        "jwt_tenant_claim": "https://shop.example/tenant",
        "staff_roles": "desk",
    }
    where = {"https://shop.example/tenant": "north"}
    staff = {"realm_access": {"roles": ["desk"]}}
    async with taking(redis_url, **settings) as server, server.http() as http:
        thread_id = (await named(http, tenant=None, **where))["thread_id"]
        seen = {}
        callers: dict[str, Json] = {
            "herself": where,
            "somebody else": {"sub": "eve", **where},
            "staff": {"sub": "eve", **where, **staff},
            "staff of another tenant": {"sub": "eve", "https://shop.example/tenant": "south", **staff},
            "a role elsewhere in the token": {"sub": "eve", **where, "roles": ["desk"]},
        }
        for who, changes in callers.items():
            token = signer("ES256", "ES256").sign(claims(**changes))
            answer = await http.get(f"/threads/{thread_id}", headers={"Authorization": f"Bearer {token}"})
            seen[who] = answer.status_code
    assert seen == {
        "herself": 200,
        "somebody else": 404,
        "staff": 200,
        "staff of another tenant": 404,
        "a role elsewhere in the token": 404,
    }


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("roles", ["a"]),
        ("realm_access.roles", ["b"]),
        ("https://shop.example/roles", ["c"]),
        ("realm_access", {"roles": ["b"]}),
        ("realm_access.gone", None),
        ("roles.x", None),
        ("gone.too", None),
        ("", None),
    ],
)
def test_a_claim_is_found_by_its_name_or_its_path(name: str, found: Any) -> None:
    given = {"roles": ["a"], "realm_access": {"roles": ["b"]}, "https://shop.example/roles": ["c"]}
    assert find_claim(given, name) == found


async def test_roles_may_be_words_in_a_text(guarded: Live) -> None:
    async with guarded.http() as http, guarded.http() as other:
        thread_id = (await named(http))["thread_id"]
        await named(other, sub="eve", roles="reader operator")
        assert (await other.get(f"/threads/{thread_id}")).status_code == 200


# time


async def test_a_token_ends_at_its_time_also_when_it_is_known(redis_url: str, issuer: Issuer) -> None:
    async with taking(redis_url, jwt_jwks_url=issuer.url, jwt_leeway_s=0) as server, server.http() as http:
        until = int(time.time()) + 2
        token = signer("ES256", "ES256").sign(claims(exp=until))
        assert (await call(http, token)).status_code == 200

        async def ended() -> bool:
            return is_refused(await call(http, token))

        await wait_until(ended, "the token's end")
        assert until <= time.time() < until + 1


async def test_the_largest_token_that_is_taken(stranger: httpx.AsyncClient) -> None:
    sign = signer("ES256", "ES256").sign
    size = len(sign(claims(pad="")))
    token = sign(claims(pad="x" * ((MOST_BYTES - size) * 3 // 4)))
    assert MOST_BYTES - 4 < len(token) <= MOST_BYTES
    assert (await call(stranger, token)).status_code == 200
    assert jwt.decode(token, options={"verify_signature": False})["iss"] == ISSUER


async def test_a_token_that_is_known_costs_no_signature(guarded: Live) -> None:
    """At most 150 us: it takes some 5, where checking a signature by ES256 takes about 140."""
    authenticator = guarded.sign_in
    token = signer("ES256", "ES256").sign(claims(roles=["operator"]))
    scope = {"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())]}
    took = []
    for _ in range(300):
        begun = time.perf_counter()
        caller = await authenticator.authenticate(HTTPConnection(scope))
        took.append(time.perf_counter() - begun)
    assert caller.subject == "ann"
    assert sorted(took)[len(took) // 2] < 150e-6
