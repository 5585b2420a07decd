"""The keys that tokens are signed with: one secret, or an issuer's key set (JWKS)."""

import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

import orjson
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from holdfast.errors import InvalidToken, StartError

logger = logging.getLogger(__name__)

MOST_KEYS = 200
LEAST_RSA_BITS = 2048
SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
NO_SECRETS = ("-----BEGIN ", "ssh-", "ecdsa-", "{")  # PEM, SSH, JWK: what others may have
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
# What a key can have signed, by its type and curve, and the members of its public half.
KINDS: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {
    ("RSA", ""): (RSA, ("n", "e")),
    ("EC", "P-256"): (("ES256",), ("crv", "x", "y")),
    ("EC", "P-384"): (("ES384",), ("crv", "x", "y")),
    ("EC", "P-521"): (("ES512",), ("crv", "x", "y")),
    ("OKP", "Ed25519"): (("EdDSA",), ("crv", "x")),
    ("OKP", "Ed448"): (("EdDSA",), ("crv", "x")),
}
ASYMMETRIC = frozenset(name for names, _ in KINDS.values() for name in names)
READERS: dict[str, Callable[[Any], Any]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}
PLAIN_NAME = re.compile(r"[\w.:=~+-]{1,255}", re.ASCII)

UNKNOWN = "The token is signed with a key that is not known here."
UNNAMED = "The token does not say which key it is signed with (`kid`)."
UNFIT = "The token's signature is of a kind that is not accepted (`alg`)."


@dataclass(frozen=True, slots=True)
class Key:
    """A key that signatures are checked with; the same key read twice is equal."""

    kid: str | None
    algorithms: frozenset[str]
    digest: bytes
    material: Any = field(compare=False, repr=False)


class KeySource(Protocol):
    """Where the key of a token is looked up."""

    async def find(self, kid: str | None, algorithm: str) -> Key:
        """Raises `InvalidToken` when there is none, `Unavailable` while none can be read."""
        ...

    def holds(self, key: Key) -> bool:
        """Whether a key that was found before still counts."""
        ...


class Secret:
    """One secret, shared with the issuer. A token may name any key, as long as it is a name and no path."""

    def __init__(self, secret: str, algorithms: Collection[str]) -> None:
        material = secret.encode()
        least = max(SECRET_BYTES[name] for name in algorithms)
        if len(material) < least:
            raise StartError(f"HOLDFAST_JWT_SECRET must have {least} bytes or more: make it a random one.")
        if secret.lstrip().startswith(NO_SECRETS):
            raise StartError(
                "HOLDFAST_JWT_SECRET is a key pair's, or half of one: use HOLDFAST_JWT_JWKS_FILE."
            )
        self._key = Key(None, frozenset(algorithms), sha256(material).digest(), material)

    async def find(self, kid: str | None, algorithm: str) -> Key:
        if kid is not None and not PLAIN_NAME.fullmatch(kid):
            raise InvalidToken(UNKNOWN)
        if algorithm not in self._key.algorithms:
            raise InvalidToken(UNFIT)
        return self._key

    def holds(self, key: Key) -> bool:
        return key == self._key


def read_keys(text: bytes, algorithms: Collection[str], uses: Collection[str | None]) -> tuple[Key, ...]:
    """The keys of a JWKS that may have signed a token. Raises `ValueError` when there are none."""
    found = orjson.loads(text)
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise ValueError("it is not a JWKS")
    keys = tuple(key for one in listed if isinstance(one, dict) and (key := read_key(one, algorithms, uses)))
    if not keys:
        raise ValueError("it holds no key that signs tokens in a way that is accepted")
    return keys


def read_key(jwk: dict[str, Any], algorithms: Collection[str], uses: Collection[str | None]) -> Key | None:
    """A public key; None for what is of no use here: secrets, other uses, weak or broken keys."""
    kid, kind = jwk.get("kid"), str(jwk.get("kty"))
    possible, members = KINDS.get((kind, str(jwk.get("crv", ""))), ((), ()))
    may = frozenset(name for name in possible if name in algorithms and (jwk.get("alg") or name) == name)
    named = kid is None or isinstance(kid, str)
    if not may or not named or jwk.get("use") not in uses or not verifies(jwk.get("key_ops")):
        return None
    public = {"kty": kind, **{name: jwk.get(name) for name in members}}
    try:
        material = READERS[kind](public)
    except Exception:  # whatever the readers make of it: one broken key must not take the others with it
        logger.warning("a key of the key set is broken", extra={"kid": kid})
        return None
    if kind == "RSA" and material.key_size < LEAST_RSA_BITS:
        logger.warning("a key of the key set is too short", extra={"kid": kid, "bits": material.key_size})
        return None
    return Key(kid, may, sha256(orjson.dumps(public)).digest(), material)


def verifies(operations: Any) -> bool:
    return operations is None or (isinstance(operations, list) and "verify" in operations)
