"""Signatures as the Standard Webhooks specification has them: over id, time and body, one for each secret."""

import hmac
import secrets
from base64 import b64encode
from collections.abc import Sequence

from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.settings import Settings, read_secret


async def secrets_of(settings: Settings, client: Client, keys: Keys) -> Sequence[str]:
    """The secrets of the settings; without any, one that the installation makes for itself."""
    if settings.webhook_secrets:
        return settings.webhook_secrets
    key = keys.secret("webhooks")
    made = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
    await client.call("SETNX", key, made)
    return [(await client.call("GET", key)).decode()]


def headers(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    signed = f"{id}.{timestamp}.".encode() + body
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(read_secret(secret), signed) for secret in secrets),
    }


def signature(key: bytes, signed: bytes) -> str:
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
