"""Who issues tokens in tests: keys of every kind, a key set on a real socket, and tokens good and bad."""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://sign-in.example/realms/shop"
AUDIENCE = "holdfast"

Json = Any


@dataclass(frozen=True)
class Signer:
    """A private key under a name."""

    kid: str
    algorithm: str
    private: Any

    def jwk(self, **more: Any) -> dict[str, Any]:
        reader = {"RS": RSAAlgorithm, "PS": RSAAlgorithm, "ES": ECAlgorithm}.get(
            self.algorithm[:2], OKPAlgorithm
        )
        public: dict[str, Any] = reader.to_jwk(self.private.public_key(), as_dict=True)  # type: ignore[attr-defined]
        return {**public, "key_ops": ["verify"], "use": "sig", "kid": self.kid, **more}

    def sign(self, claims: Mapping[str, Any], *, algorithm: str | None = None, **header: Any) -> str:
        """A token; a header of None is left out."""
        headers = {"kid": self.kid, "typ": "JWT", **header}
        given = {name: value for name, value in headers.items() if value is not None}
        return jwt.encode(dict(claims), self.private, algorithm or self.algorithm, {"typ": None, **given})


@cache
def signer(algorithm: str, kid: str = "") -> Signer:
    private: Any
    match algorithm[:2], algorithm[2:]:
        case (("RS" | "PS"), _):
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "ES", bits:
            curve = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "512": ec.SECP521R1()}[bits]
            private = ec.generate_private_key(curve)
        case _, bits:
            private = (
                ed448.Ed448PrivateKey.generate() if bits == "448" else ed25519.Ed25519PrivateKey.generate()
            )
            algorithm = "EdDSA"
    return Signer(kid or algorithm, algorithm, private)


def useless_keys() -> list[dict[str, Any]]:
    """Keys as they stand in real sets, which sign no token: each beside a good one that tokens may name."""
    good = signer("ES256", "ES256")
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - a bad key, on purpose
    return [
        good.jwk(kid="encryption", use="enc"),
        good.jwk(kid="signing", key_ops=["sign"]),
        {**good.jwk(kid="broken"), "x": "AAAA"},
        Signer("short", "RS256", short).jwk(),
        {"kty": "oct", "kid": "shared", "k": encoded(b"s" * 32), "alg": "HS256"},
        {"kty": ["RSA"], "use": {}, "crv": [], "kid": 7},
        {"kty": "EC", "crv": "secp256k1", "kid": "bitcoin", "x": "AA", "y": "AA"},
    ]


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token; those that are changed to None are left out."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "tenant": "north",
        "iat": now,
        "exp": now + 600,
        **changes,
    }
    return {name: value for name, value in good.items() if value is not None}


def encoded(value: Any) -> str:
    text = value if isinstance(value, bytes) else orjson.dumps(value)
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def compact(header: Any, payload: Any, signature: bytes = b"") -> str:
    """A token as it stands, whatever is in it."""
    return ".".join((encoded(header), encoded(payload), encoded(signature)))


@dataclass
class Issuer:
    """Serves a key set, which tests change, break and count the readings of."""

    signers: list[Signer]
    others: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    readings: int = 0
    url: str = ""
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def key_set(self) -> bytes:
        return orjson.dumps({"keys": [*self.others, *(one.jwk() for one in self.signers)]})

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.readings += 1
        await self.gate.wait()
        body = self.key_set if self.body is None else self.body
        head = f"HTTP/1.1 {self.status} -\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()


@asynccontextmanager
async def issuing(*signers: Signer) -> AsyncIterator[Issuer]:
    issuer = Issuer(list(signers))
    issuer.gate.set()
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    async with server:
        yield issuer
