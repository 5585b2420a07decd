"""From the claims of a token that was believed to a caller."""

from collections.abc import Mapping
from typing import Any

from holdfast.auth.callers import make_caller
from holdfast.redis.records import Caller
from holdfast.settings import Settings


def read_caller(settings: Settings, claims: Mapping[str, Any]) -> Caller:
    """Raises `Unauthorized` when the claims name no caller, or no tenant where one has to be named."""
    return make_caller(
        settings,
        claims["sub"],
        find_claim(claims, settings.jwt_tenant_claim),
        find_claim(claims, settings.jwt_roles_claim),
    )


def find_claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name or by the path to it: names may hold dots, as addresses do."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found
