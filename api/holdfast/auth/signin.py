"""What a request carries to say who is calling, and what makes a caller of it."""

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection

from holdfast.auth.api_keys import ApiKeys, is_api_key
from holdfast.errors import Unauthorized
from holdfast.redis.records import Caller

API_KEY = "x-api-key"
TWICE = "The header {name} was sent more than once: send it once."
ONE_ONLY = "Send a token or an API key, not both."


class Authenticator(Protocol):
    """Finds out who is calling.

    Raises `Unauthorized` when it is nobody known, `Unavailable` when that cannot be said for the moment.
    """

    async def authenticate(self, asked: HTTPConnection) -> Caller: ...


@dataclass(frozen=True, slots=True)
class SignIn:
    """The way in: API keys first, for everything else the way that HOLDFAST_AUTH names.

    `issuer` is where clients of OAuth get the tokens that are taken; None where none are.
    """

    keys: ApiKeys
    own: Authenticator
    issuer: str | None = None

    async def authenticate(self, asked: HTTPConnection) -> Caller:
        key = find_api_key(asked)
        return await (self.keys.authenticate(key) if key else self.own.authenticate(asked))


class NoOther:
    """`HOLDFAST_AUTH=keys`: nobody calls without an API key."""

    async def authenticate(self, asked: HTTPConnection) -> Caller:
        raise Unauthorized("Send an API key as `x-api-key`: `holdfast keys create` makes one.")


def find_api_key(asked: HTTPConnection) -> str | None:
    """The API key of ours in a request.

    SDKs send as `x-api-key` whatever key they find in the environment: one that is not ours does not count.
    """
    key, token = header(asked, API_KEY), header(asked, "authorization")
    borne = token.partition(" ")[2] if token and token[:7].lower() == "bearer " else None
    sent = key if is_api_key(key) else None
    if sent is None:
        return borne if is_api_key(borne) else None
    if token is not None and borne != sent:
        raise Unauthorized(ONE_ONLY)
    return sent


def header(asked: HTTPConnection, name: str) -> str | None:
    """The header's value. Raises `Unauthorized` when there are several: none is taken for the right one."""
    values = asked.headers.getlist(name)
    if len(values) > 1:
        raise Unauthorized(TWICE.format(name=name))
    return values[0] if values else None


def bearer(asked: HTTPConnection) -> str | None:
    """The token of `Authorization: Bearer <token>`; None without the header."""
    value = header(asked, "authorization")
    if not value:
        return None
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("Send the token as `Authorization: Bearer <token>`.")
    return token
