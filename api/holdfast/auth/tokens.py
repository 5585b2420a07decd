"""A signed token (JWT), believed only when everything about it fits: RFC 8725, and the rules of its mode."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import isfinite
from typing import Any

import jwt
import orjson
from starlette.requests import HTTPConnection

from holdfast.auth.keysets import Key, KeySource
from holdfast.auth.signin import bearer
from holdfast.errors import InvalidToken, Unauthorized
from holdfast.redis.records import Caller

MOST_BYTES = 8192
MOST_CACHED = 10_000
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
ABSENT = "absent"
# Four that bring a key, with which a token vouches for itself; `crit` and `b64` ask for what is not done.
REFUSED_HEADERS = ("jku", "jwk", "x5u", "x5c", "crit", "b64")

MALFORMED = "The token is not a signed token in compact form."
UNTRUE = "The token's signature is not that of its key."
EXPIRED = "The token has expired: get a new one."

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Demands:
    """What a token must be, besides signed by a key that counts."""

    algorithms: frozenset[str]
    types: frozenset[str]
    required: tuple[str, ...]
    issuer: str | None
    audience: str
    strict_audience: bool
    max_lifetime_s: float
    leeway_s: float


@dataclass(frozen=True, slots=True)
class Known:
    """A token that was believed, for as long as it lasts and its key counts."""

    caller: Caller
    key: Key
    until: float


class TokenAuthenticator:
    """Takes `Authorization: Bearer <token>`. `make_caller` reads the claims of a token that was believed."""

    def __init__(self, keys: KeySource, demands: Demands, make_caller: Callable[[Claims], Caller]) -> None:
        self._keys = keys
        self._demands = demands
        self._make_caller = make_caller
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    async def authenticate(self, asked: HTTPConnection) -> Caller:
        token = bearer(asked)
        if token is None:
            raise Unauthorized("Send a token as `Authorization: Bearer <token>`.")
        if len(token) > MOST_BYTES:
            raise InvalidToken(f"The token is too long: {MOST_BYTES} bytes are taken.")
        digest = sha256(token.encode()).digest()
        return self._recall(digest) or await self._read(token, digest)

    def _recall(self, digest: bytes) -> Caller | None:
        known = self._known.get(digest)
        if known is None:
            return None
        if not self._keys.holds(known.key) or time.time() >= known.until:
            del self._known[digest]
            return None
        self._known.move_to_end(digest)
        return known.caller

    async def _read(self, token: str, digest: bytes) -> Caller:
        header = read_header(token)
        check_header(header, self._demands)
        key = await self._keys.find(header.get("kid"), header["alg"])
        claims = verify(token, key, header["alg"])
        check_claims(claims, self._demands, time.time())
        caller = self._make_caller(claims)
        self._known[digest] = Known(caller, key, claims["exp"] + self._demands.leeway_s)
        if len(self._known) > MOST_CACHED:
            self._known.popitem(last=False)
        return caller


def read_header(token: str) -> dict[str, Any]:
    if not COMPACT.fullmatch(token):
        raise InvalidToken(MALFORMED)
    try:
        return jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise InvalidToken(MALFORMED) from None


def check_header(header: Mapping[str, Any], demands: Demands) -> None:
    if unwanted := [name for name in REFUSED_HEADERS if name in header]:
        raise InvalidToken(f"The token's header has `{unwanted[0]}`, which is not accepted.")
    if not isinstance(header.get("alg"), str) or header["alg"] not in demands.algorithms:
        raise InvalidToken("The token's signature is of a kind that is not accepted (`alg`).")
    kind = header.get("typ", ABSENT)
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in demands.types:
        raise InvalidToken("The token is of a kind that is not accepted (`typ`).")


def verify(token: str, key: Key, algorithm: str) -> dict[str, Any]:
    """The claims, once the signature was found to be the key's."""
    try:
        payload = jwt.PyJWS().decode(token, key.material, algorithms=[algorithm])
        claims = orjson.loads(payload)
    except jwt.PyJWTError:
        raise InvalidToken(UNTRUE) from None
    except orjson.JSONDecodeError:
        raise InvalidToken(MALFORMED) from None
    if not isinstance(claims, dict):
        raise InvalidToken(MALFORMED)
    return claims


def check_claims(claims: Claims, demands: Demands, now: float) -> None:
    for name in demands.required:
        if claims.get(name) is None:
            raise InvalidToken(f"The token has no `{name}`.")
    if demands.issuer is not None and claims.get("iss") != demands.issuer:
        raise InvalidToken("The token was issued by somebody else (`iss`).")
    if not is_meant_for(claims.get("aud"), demands):
        raise InvalidToken("The token is meant for somebody else (`aud`).")
    check_times(claims, demands, now)


def is_meant_for(audience: Any, demands: Demands) -> bool:
    if demands.strict_audience or isinstance(audience, str):
        return bool(audience == demands.audience)
    listed = audience if isinstance(audience, list) else []
    return demands.audience in listed and all(isinstance(one, str) for one in listed)


def check_times(claims: Claims, demands: Demands, now: float) -> None:
    expires, begun = moment(claims, "exp"), moment(claims, "nbf")
    issued = moment(claims, "iat")
    if expires is None or now >= expires + demands.leeway_s:
        raise InvalidToken(EXPIRED)
    for time_s in (begun, issued):
        if time_s is not None and time_s > now + demands.leeway_s:
            raise InvalidToken("The token is not valid yet.")
    if expires - (now if issued is None else issued) > demands.max_lifetime_s:
        raise InvalidToken(f"The token lasts too long: {demands.max_lifetime_s:g} seconds are accepted.")


def moment(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise InvalidToken(f"The token's `{name}` is not a time.")
    return value
