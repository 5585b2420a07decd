"""API keys: made by `holdfast keys create`, sent as `x-api-key` or as a bearer token, kept as a digest only.

A key reads `hf_<id>_<secret>`: whoever comes across one can tell which it is, and revoke it.
"""

import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeGuard

from holdfast.auth.callers import make_caller
from holdfast.errors import InvalidToken
from holdfast.redis import api_keys
from holdfast.redis.api_keys import KeyRecord
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.redis.records import SCOPES, Caller
from holdfast.settings import Settings

PREFIX = "hf_"
SECRET_BYTES = 32  # so many that nothing slower than SHA-256 is needed to keep it from being guessed
FORM = re.compile(r"hf_([0-9a-f]{12})_([\w-]{43})", re.ASCII)

GONE = "The API key is not valid: it was never made, was revoked, or has expired."


def is_api_key(text: str | None) -> TypeGuard[str]:
    return text is not None and text.startswith(PREFIX)


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


class ApiKeys:
    def __init__(self, settings: Settings, client: Client, keys: Keys) -> None:
        self.settings = settings
        self._client = client
        self._keys = keys

    async def authenticate(self, key: str) -> Caller:
        """Asks Redis each time, so that every replica refuses a key from the moment it is revoked."""
        form = FORM.fullmatch(key)
        if form is None:
            raise InvalidToken(GONE)
        now = datetime.now(UTC)
        found = await api_keys.find(self._client, self._keys, form[1], digest(form[2]), now)
        if found is None or (found.expires_at and found.expires_at <= now):
            raise InvalidToken(GONE)
        return make_caller(
            self.settings, found.subject, found.tenant, found.roles, scopes=frozenset(found.scopes)
        )

    async def create(
        self,
        *,
        subject: str,
        tenant: str | None,
        roles: Collection[str] = (),
        scopes: Collection[str] = SCOPES,
        name: str = "",
        expires_at: datetime | None = None,
    ) -> tuple[str, KeyRecord]:
        """A new key, which nobody can read again, and what is kept of it.

        Raises `Unauthorized` for what cannot be a name.
        """
        caller = make_caller(self.settings, subject, tenant, list(roles))
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(SECRET_BYTES)
        record = KeyRecord(
            key_id=key_id,
            name=name,
            subject=caller.subject,
            tenant=caller.tenant,
            roles=caller.roles,
            scopes=tuple(scope for scope in SCOPES if scope in scopes),
            created_at=datetime.now(UTC),
            expires_at=expires_at,
        )
        await api_keys.create(self._client, self._keys, digest(secret), record)
        return f"{PREFIX}{key_id}_{secret}", record

    async def list_all(self) -> list[KeyRecord]:
        """The keys that may be used, oldest first."""
        return await api_keys.list_all(self._client, self._keys)

    async def revoke(self, key_id: str) -> bool:
        """False when there is no such key."""
        return await api_keys.revoke(self._client, self._keys, key_id)
