"""Settings that do not fit together stop the start, with a sentence that says what to do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from langgraph_sdk import Auth

from holdfast.auth import open_sign_in
from holdfast.auth.handlers import ProjectAuthenticator
from holdfast.errors import StartError
from holdfast.settings import Settings
from tests.auth.issuers import signer
from tests.servers import Live

JWT: dict[str, Any] = {"auth": "jwt", "jwt_issuer": "i", "jwt_audience": "a"}
SPIFFE: dict[str, Any] = {"auth": "spiffe", "spiffe_trust_domain": "a.example", "spiffe_audience": "a"}
KEY = "https://sign-in.example/keys"


async def opened(server: Live, rules: Auth | None = None, **settings: Any) -> object:
    platform = server.platform
    project = replace(platform.project, auth=rules)
    async with open_sign_in(Settings(**settings), project, platform.client, platform.keys) as sign_in:
        return sign_in.own


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"auth": "jwt"}, "needs HOLDFAST_JWT_ISSUER|needs to know the issuer's keys"),
        (JWT, "set one of HOLDFAST_JWT_SECRET, HOLDFAST_JWT_JWKS_URL and HOLDFAST_JWT_JWKS_FILE"),
        ({**JWT, "jwt_secret": "s" * 32, "jwt_jwks_url": KEY}, "set one of"),
        ({**JWT, "jwt_secret": "s" * 32, "jwt_issuer": None}, "needs HOLDFAST_JWT_ISSUER: set it"),
        ({**JWT, "jwt_secret": "s" * 32, "jwt_audience": None}, "needs HOLDFAST_JWT_AUDIENCE: set it"),
        ({**JWT, "jwt_secret": "s" * 31}, "HOLDFAST_JWT_SECRET must have 32 bytes or more"),
        (
            {**JWT, "jwt_secret": "-----BEGIN PUBLIC KEY-----\nMIIB" + "s" * 32},
            "is a key pair's, or half of one",
        ),
        ({**JWT, "jwt_secret": " ssh-ed25519 AAAAC3Nz" + "s" * 32}, "is a key pair's, or half of one"),
        ({**JWT, "jwt_secret": '{"kty": "RSA", "n": "' + "s" * 32}, "is a key pair's, or half of one"),
        ({**JWT, "jwt_secret": "s" * 63, "jwt_algorithms": "HS512"}, "must have 64 bytes"),
        (
            {**JWT, "jwt_secret": "s" * 32, "jwt_algorithms": "HS256,RS256"},
            "RS256 cannot be checked with",
        ),
        ({**JWT, "jwt_secret": "s" * 32, "jwt_algorithms": "none"}, "none cannot be checked with a secret"),
        (
            {**JWT, "jwt_jwks_url": KEY, "jwt_algorithms": "RS256,HS256"},
            "HS256 cannot be checked with",
        ),
        ({**JWT, "jwt_jwks_url": KEY, "jwt_algorithms": "none"}, "none cannot be checked with public keys"),
        ({**JWT, "jwt_jwks_url": "http://sign-in.example/keys"}, "must begin with https://"),
        ({**JWT, "jwt_jwks_url": "http://127.0.0.1.evil.example/keys"}, "must begin with https://"),
        ({**JWT, "jwt_jwks_url": "file:///etc/passwd"}, "must begin with https://"),
        ({**JWT, "jwt_jwks_url": "https:///keys"}, "must begin with https://"),
        ({**JWT, "jwt_jwks_file": "gone.json"}, "HOLDFAST_JWT_JWKS_FILE=gone.json cannot be used"),
        ({"auth": "spiffe"}, "needs HOLDFAST_SPIFFE_TRUST_DOMAIN: set it"),
        ({**SPIFFE, "spiffe_trust_domain": "spiffe://a"}, "is not the name of a trust domain"),
        (SPIFFE, "needs HOLDFAST_SPIFFE_BUNDLE: set it"),
        ({**SPIFFE, "spiffe_bundle": "gone.json"}, "HOLDFAST_SPIFFE_BUNDLE=gone.json cannot be used"),
        ({"auth": "gateway"}, "needs HOLDFAST_GATEWAY_ADDRESSES"),
        ({"auth": "project"}, "needs an @auth.authenticate handler"),
    ],
)
async def test_what_does_not_fit_together(server: Live, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StartError, match=sentence) as refused:
        await opened(server, **settings)
    assert "sss" not in refused.value.detail  # never the secret


@pytest.mark.parametrize("text", ["", "{", "[]", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA"}]}'])
async def test_a_file_that_is_no_key_set(server: Live, tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(StartError, match=r"HOLDFAST_JWT_JWKS_FILE=.* cannot be used"):
        await opened(server, **JWT, jwt_jwks_file=tmp_path / "keys.json")


async def test_a_bundle_without_keys_for_tokens(server: Live, tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    for use in ("x509-svid", "sig", None):
        file.write_bytes(orjson.dumps({"keys": [signer("ES256", "ES256").jwk(use=use)]}))
        with pytest.raises(StartError, match=r"HOLDFAST_SPIFFE_BUNDLE=.* holds no key"):
            await opened(server, **SPIFFE, spiffe_bundle=file)


# a project that signs callers in itself


def own() -> Auth:
    auth = Auth()

    @auth.authenticate
    async def authenticate(authorization: str) -> str:
        return authorization

    return auth


@pytest.mark.parametrize("mode", ["dev", "project"])
async def test_the_projects_own_sign_in_goes_before_letting_everybody_in(server: Live, mode: str) -> None:
    assert isinstance(await opened(server, own(), auth=mode), ProjectAuthenticator)


@pytest.mark.parametrize("settings", [{"auth": "keys"}, {**JWT, "jwt_secret": "s" * 32}])
async def test_two_ways_to_sign_in_are_one_too_many(server: Live, settings: dict[str, Any]) -> None:
    with pytest.raises(StartError, match="set HOLDFAST_AUTH=project, or take the handler out"):
        await opened(server, own(), **settings)


async def test_an_argument_that_nobody_can_give(server: Live) -> None:
    auth = Auth()

    @auth.authenticate
    async def authenticate(session: str, limit: int = 5) -> str:
        return session

    with pytest.raises(StartError, match="asks for 'session', which is not known: it may ask for auth"):
        await opened(server, auth, auth="project")
