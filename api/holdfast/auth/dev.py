"""`HOLDFAST_AUTH=dev`, on loopback: the demo caller, or whoever a dev token names."""

import ipaddress
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import jwt
from starlette.requests import HTTPConnection

from holdfast.auth.callers import make_caller
from holdfast.auth.signin import bearer
from holdfast.errors import InvalidToken, StartError
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.redis.records import Caller
from holdfast.settings import Settings

ALGORITHM = "HS256"
AUDIENCE = "holdfast-dev"
LIFETIME = timedelta(hours=12)
TENANT = "default"


def check_address(settings: Settings, host: str) -> None:
    """Raises `StartError` when a server that lets everybody in would be reachable from outside."""
    if settings.auth != "dev" or host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise StartError(
            f"HOLDFAST_AUTH={settings.auth} lets every caller in, so it listens on loopback only: use "
            f"--host 127.0.0.1 instead of {host}, or another HOLDFAST_AUTH (docs/security.md)."
        )


class DevAuthenticator:
    """Signs and reads dev tokens; the secret is shared by all processes of the installation."""

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self._settings = settings
        self._secret = secret

    @classmethod
    async def open(cls, settings: Settings, client: Client, keys: Keys) -> "DevAuthenticator":
        key = keys.secret("dev")
        await client.call("SETNX", key, secrets.token_urlsafe(32))
        return cls(settings, await client.call("GET", key))

    def sign(self, subject: str, roles: Sequence[str], tenant: str = TENANT) -> str:
        now = datetime.now(UTC)
        claims = {
            "sub": subject,
            "tenant": tenant,
            "roles": list(roles),
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + LIFETIME,
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    async def authenticate(self, asked: HTTPConnection) -> Caller:
        """The caller of a request. Raises `Unauthorized` for a token that is not one of ours."""
        token = bearer(asked)
        if token is None:
            return make_caller(self._settings, self._settings.dev_subject, TENANT, self._settings.dev_roles)
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"require": ["sub", "aud", "exp", "iat"], "strict_aud": True},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken("The token is not valid: get a new one from POST /dev/token.") from error
        return make_caller(
            self._settings, claims["sub"], claims.get("tenant", TENANT), claims.get("roles", ())
        )
