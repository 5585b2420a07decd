"""Tokens that must not be believed. Each is one step away from a good one."""

import hashlib
import hmac
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from tests.auth.calling import call, exchange, is_refused
from tests.auth.issuers import AUDIENCE, ISSUER, claims, compact, encoded, signer
from tests.servers import Live

RS, ES = signer("RS256", "RS256"), signer("ES256", "ES256")
ATTACKER = signer("RS256", "attacker")
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the points of P-256
PROBE_PATH = "/threads/7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"


def now() -> int:
    return int(time.time())


YEAR_S = 365 * 86_400
Json = Any


def good(**changes: Any) -> str:
    return ES.sign(claims(**changes))


def headed(**header: Any) -> str:
    return ES.sign(claims(), **header)


def unsigned(algorithm: Any, signature: bytes = b"") -> str:
    return compact({"alg": algorithm, "typ": "JWT", "kid": "ES256"}, claims(), signature)


def confused(kid: str, secret: bytes, algorithm: str = "HS256") -> str:
    """Signed with what everybody knows, as if it were a secret."""
    said = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': kid})}.{encoded(claims())}"
    return f"{said}.{encoded(hmac.digest(secret, said.encode(), hashlib.sha256))}"


def pem() -> bytes:
    public: bytes = RS.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public


def resigned(change: Callable[[bytes], bytes]) -> str:
    """The same words under another signature."""
    head, body, signature = good().split(".")
    raw = jwt_bytes(signature)
    return f"{head}.{body}.{encoded(change(raw))}"


def jwt_bytes(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def with_body(change: Callable[[str], str]) -> str:
    head, body, signature = good().split(".")
    return f"{head}.{change(body)}.{signature}"


def raw_claims(text: bytes) -> str:
    """Words that no library writes, signed all the same."""
    said = f"{encoded({'alg': 'ES256', 'typ': 'JWT', 'kid': 'ES256'})}.{encoded(text)}"
    signature = get_default_algorithms()["ES256"].sign(said.encode(), ES.private)
    return f"{said}.{encoded(signature)}"


# By what the refusal says: a token that is refused for another reason shows nothing.
BAD: dict[str, dict[str, Callable[[], Any]]] = {
    "not a signed token in compact form": {
        "alg none": lambda: unsigned("none"),
        "alg None": lambda: unsigned("None"),
        "alg empty": lambda: unsigned(""),
        "no signature": lambda: good().rpartition(".")[0] + ".",
        "kid a number": lambda: compact({"alg": "ES256", "typ": "JWT", "kid": 5}, claims(), b"x" * 64),
        "kid a list": lambda: compact({"alg": "ES256", "typ": "JWT", "kid": ["ES256"]}, claims(), b"x" * 64),
        "crit of something unknown": lambda: headed(crit=["exp"], exp=1),
        "crit empty": lambda: headed(crit=[]),
        "b64 false": lambda: compact(
            {"alg": "ES256", "typ": "JWT", "kid": "ES256", "b64": False, "crit": ["b64"]}, claims(), b"x" * 64
        ),
        "exp without end": lambda: raw_claims(text_claims(exp=0).replace(b'"exp":0', b'"exp":1e999')),
        "exp not a number": lambda: raw_claims(text_claims(exp=0).replace(b'"exp":0', b'"exp":NaN')),
        "sub half a letter": lambda: raw_claims(text_claims(sub="x").replace(b'"x"', rb'"\ud800"')),
        "truncated": lambda: good()[: len(good()) // 2],
        "header only": lambda: good().split(".")[0],
        "two parts": lambda: good().rpartition(".")[0],
        "four parts": lambda: good() + ".x",
        "five parts, as if encrypted": lambda: (
            compact({"alg": "dir", "enc": "A256GCM"}, b"x", b"y") + ".eg.eg"
        ),
        "a token in a token": lambda: raw_claims(encoded(good()).encode()),
        "two tokens": lambda: f"{good()} {good()}",
        "two tokens with a comma": lambda: f"{good()},{good()}",
        "claims are a list": lambda: raw_claims(b'["sub"]'),
        "claims are a text": lambda: raw_claims(b'"ann"'),
        "claims are no JSON": lambda: raw_claims(b"{"),
        "claims are nothing": lambda: raw_claims(b""),
        "claims are not UTF-8": lambda: raw_claims(text_claims(sub="x").replace(b'"x"', b'"\xff"')),
        "claims nest without end": lambda: raw_claims(b"[" * 5000),
        "header is a list": lambda: compact(["ES256"], claims(), b"x" * 64),
        "header is no JSON": lambda: compact(b"{", claims(), b"x" * 64),
        "header nests without end": lambda: compact(b"[" * 5000, claims(), b"x" * 64),
        "standard base64 instead of the one for addresses": lambda: with_body(lambda body: body + "+/"),
        "padding": lambda: with_body(lambda body: body + "="),
        "a line break inside": lambda: with_body(lambda body: body[:10] + "%0A" + body[10:]),
        "a blank before": lambda: f" {good()}",
        "letters that look the same": lambda: good().replace("e", "\u0435").encode(),
        "dots": lambda: "..",
        "a word": lambda: "nonsense",
    },
    "of a kind that is not accepted (`alg`)": {
        "alg none with a signature": lambda: unsigned("none", b"x" * 64),
        "alg nOnE with a signature": lambda: unsigned("nOnE", b"x" * 64),
        "alg null": lambda: unsigned(None, b"x" * 64),
        "alg a list": lambda: unsigned(["ES256"], b"x" * 64),
        "no alg": lambda: compact({"typ": "JWT", "kid": "ES256"}, claims(), b"x" * 64),
        "alg unknown": lambda: unsigned("ES256K", b"x" * 64),
        "HS256 with the public key as PEM": lambda: confused("RS256", pem()),
        "HS256 with the public key as PEM, trimmed": lambda: confused("RS256", pem().strip()),
        "HS256 with the public key as DER": lambda: confused(
            "RS256",
            RS.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        ),
        "HS256 with nothing": lambda: confused("RS256", b""),
        "HS256 with a secret of the set": lambda: confused("shared", b"s" * 32),
        "HS384 named, signed as HS256": lambda: confused("RS256", pem(), "HS384"),
        "an algorithm that is not on the list": lambda: RS.sign(claims(), algorithm="RS512"),
        "the algorithm of another kind of key": lambda: RS.sign(claims(), kid="ES256"),
        "another key of the set is named": lambda: ES.sign(claims(), kid="ES384"),
        "signed by another curve": lambda: signer("ES384", "ES384").sign(claims(), kid="ES256"),
    },
    "not that of its key": {
        "signed by a stranger under a known name": lambda: ATTACKER.sign(claims(), kid="RS256"),
        "signature too long": lambda: resigned(lambda raw: raw + b"\0"),
        "signature too short": lambda: resigned(lambda raw: raw[:-1]),
        "signature reversed": lambda: resigned(lambda raw: raw[::-1]),
        "one bit of the signature": lambda: resigned(lambda raw: bytes([raw[0] ^ 1]) + raw[1:]),
        "r and s are zero": lambda: resigned(lambda raw: bytes(64)),
        "r is zero": lambda: resigned(lambda raw: bytes(32) + raw[32:]),
        "s is zero": lambda: resigned(lambda raw: raw[:32] + bytes(32)),
        "r and s swapped": lambda: resigned(lambda raw: raw[32:] + raw[:32]),
        "r and s are all ones": lambda: resigned(lambda raw: b"\xff" * 64),
        "r is the order of the curve": lambda: resigned(lambda raw: ORDER.to_bytes(32) + raw[32:]),
        "signature in DER": lambda: resigned(
            lambda raw: b"\x30\x44\x02\x20" + raw[:32] + b"\x02\x20" + raw[32:]
        ),
        "words changed after signing": lambda: with_body(lambda body: encoded(claims(sub="the boss"))),
    },
    "does not say which key": {"kid missing": lambda: headed(kid=None)},
    "a key that is not known here": {
        "kid empty": lambda: headed(kid=""),
        "kid not in the set": lambda: headed(kid="nobody"),
        "kid is a path": lambda: headed(kid="../../../../dev/null"),
        "kid is a file": lambda: headed(kid="file:///etc/passwd"),
        "kid is SQL": lambda: headed(kid="x' UNION SELECT 'secret' --"),
        "kid is a command": lambda: headed(kid="keys/1|whoami"),
        "kid with a NUL": lambda: headed(kid="ES256\0"),
        "kid in another case": lambda: headed(kid="es256"),
        "kid very long": lambda: headed(kid="k" * 3000),
        "kid of a key for encryption": lambda: headed(kid="encryption"),
        "kid of a key for signing only": lambda: headed(kid="signing"),
        "kid of a key that is too short": lambda: RS.sign(claims(), kid="short"),
        "kid of a key that is broken": lambda: headed(kid="broken"),
    },
    "header has `j": {
        "jku of the attacker": lambda: ATTACKER.sign(claims(), jku="http://127.0.0.1:1/keys"),
        "jku of the attacker, a known name": lambda: ATTACKER.sign(
            claims(), kid="RS256", jku="http://127.0.0.1:1/keys"
        ),
        "jku under a good signature": lambda: headed(jku="https://sign-in.example/keys"),
        "jwk of the attacker": lambda: ATTACKER.sign(claims(), kid=None, jwk=ATTACKER.jwk()),
        "jwk of the attacker, a known name": lambda: ATTACKER.sign(claims(), kid="RS256", jwk=ATTACKER.jwk()),
    },
    "header has `x5": {
        "x5u of the attacker": lambda: ATTACKER.sign(claims(), kid="RS256", x5u="http://127.0.0.1:1/chain"),
        "x5c of the attacker": lambda: ATTACKER.sign(claims(), kid="RS256", x5c=["MIIB"]),
    },
    "of a kind that is not accepted (`typ`)": {
        "typ missing": lambda: headed(typ=None),
        "typ of a proof": lambda: headed(typ="dpop+jwt"),
        "typ of a logout": lambda: headed(typ="logout+jwt"),
        "typ of SPIFFE": lambda: headed(typ="JOSE"),
        "typ named absent": lambda: headed(typ="absent"),
        "typ a list": lambda: compact({"alg": "ES256", "typ": ["JWT"], "kid": "ES256"}, claims(), b"x" * 64),
        "typ with something after it": lambda: headed(typ="JWT;x"),
    },
    "has expired": {
        "expired": lambda: good(iat=now() - 900, exp=now() - 300),
        "expired a moment ago": lambda: good(iat=now() - 900, exp=now() - 6),
        "expired before it was issued": lambda: good(exp=now() - 6),
        "exp below zero": lambda: good(exp=-1),
    },
    "not valid yet": {
        "not before later": lambda: good(nbf=now() + 300),
        "issued in the future": lambda: good(iat=now() + 300, exp=now() + 600),
    },
    "lasts too long": {
        "good for ten years": lambda: good(exp=now() + 10 * YEAR_S),
        "good for longer than a day": lambda: good(exp=now() + 90_000),
        "issued long ago": lambda: good(iat=now() - 2 * YEAR_S, exp=now() + 600),
        "good for ever": lambda: good(exp=2**62),
    },
    "has no `": {
        "exp missing": lambda: good(exp=None),
        "iat missing": lambda: good(iat=None),
        "iss missing": lambda: good(iss=None),
        "aud missing": lambda: good(aud=None),
        "sub missing": lambda: good(sub=None),
        "sub null": lambda: raw_claims(text_claims(sub="x").replace(b'"x"', b"null")),
    },
    "is not a time": {
        "exp as a text": lambda: raw_claims(text_claims(exp=str(now() + 600))),
        "exp as a truth": lambda: raw_claims(text_claims(exp=True)),
        "exp as a list": lambda: raw_claims(text_claims(exp=[now() + 600])),
        "iat as a text": lambda: raw_claims(text_claims(iat=str(now()))),
        "nbf as a text": lambda: raw_claims(text_claims(nbf="now")),
    },
    "issued by somebody else": {
        "iss of somebody else": lambda: good(iss="https://sign-in.example/realms/shop2"),
        "iss with a slash more": lambda: good(iss=ISSUER + "/"),
        "iss a list": lambda: raw_claims(text_claims(iss=[ISSUER])),
    },
    "meant for somebody else": {
        "aud of somebody else": lambda: good(aud="another"),
        "aud begins like ours": lambda: good(aud=AUDIENCE + "-admin"),
        "aud a list with ours": lambda: good(aud=[AUDIENCE]),
        "aud for others too": lambda: good(aud=[AUDIENCE, "another"]),
        "aud an object": lambda: raw_claims(text_claims(aud={AUDIENCE: 1})),
    },
    "caller": {
        "sub empty": lambda: good(sub=""),
        "sub blank": lambda: good(sub="  "),
        "sub a number": lambda: raw_claims(text_claims(sub=7)),
        "sub a list": lambda: raw_claims(text_claims(sub=["ann"])),
        "sub with a line break": lambda: good(sub="ann\nbob"),
        "sub with a NUL": lambda: good(sub="ann\0"),
        "sub turns the text around": lambda: good(sub="ann\u202e"),
        "sub very long": lambda: good(sub="a" * 256),
        "tenant missing": lambda: good(tenant=None),
        "tenant empty": lambda: good(tenant=""),
        "tenant a list": lambda: good(tenant=["north"]),
        "roles an object": lambda: good(roles={"operator": True}),
        "roles a number": lambda: good(roles=5),
        "roles of numbers": lambda: good(roles=[1]),
        "roles without number": lambda: good(roles=[f"r{number}" for number in range(201)]),
    },
    "too long: 8192 bytes": {
        "1 MB": lambda: good(pad="x" * 1_000_000),
        "9 kB": lambda: good(pad="x" * 6_500),
    },
    "API key is not valid": {
        "an API key that was never made": lambda: "hf_" + "0" * 12 + "_" + "A" * 43,
        "an API key that is none": lambda: "hf_x",
        "a wildcard for a key": lambda: "hf_" + "*" * 12 + "_" + "A" * 43,
    },
}


def text_claims(**changes: Any) -> bytes:
    return orjson.dumps(claims(**changes))


@pytest.mark.parametrize(
    ("why", "kind"), [(why, kind) for why, kinds in BAD.items() for kind in kinds], ids=lambda text: text
)
async def test_a_bad_token_is_refused(stranger: httpx.AsyncClient, why: str, kind: str) -> None:
    response = await call(stranger, BAD[why][kind]())
    assert is_refused(response), (response.status_code, response.text)
    assert why in response.json()["detail"]


async def test_what_the_bad_ones_are_one_step_away_from_is_good(stranger: httpx.AsyncClient) -> None:
    for token in (good(), raw_claims(text_claims()), headed(typ="at+jwt"), RS.sign(claims())):
        assert (await call(stranger, token)).status_code == 200


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic YTpi", "Token x", "bearer", "Negotiate abc", "Bearer\tx"]
)
async def test_what_is_no_bearer_token_is_refused(guarded: Live, value: str) -> None:
    head = f"GET {PROBE_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {value}\r\nConnection: close\r\n\r\n"
    answer = await exchange(guarded.url, head.encode())
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"www-authenticate: Bearer" in answer


async def test_two_authorization_headers_are_refused(guarded: Live) -> None:
    lines = "".join(f"Authorization: Bearer {token}\r\n" for token in (good(), good(sub="bob")))
    head = f"GET {PROBE_PATH} HTTP/1.1\r\nHost: x\r\n{lines}Connection: close\r\n\r\n"
    assert b"sent more than once" in await exchange(guarded.url, head.encode())
