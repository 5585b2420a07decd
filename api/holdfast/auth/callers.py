"""What was said about a caller, made a `Caller` when it makes sense."""

from collections.abc import Iterable, Mapping
from typing import Any

from holdfast.errors import Unauthorized
from holdfast.redis.records import SCOPES, Caller
from holdfast.settings import Settings

LONGEST = 255
MOST_ROLES = 200

NO_TENANT = "The caller's tenant is not named: set HOLDFAST_DEFAULT_TENANT, or have the sign-in name it."


def make_caller(
    settings: Settings,
    subject: Any,
    tenant: Any,
    roles: Any,
    *,
    scopes: frozenset[str] = frozenset(SCOPES),
    user: Mapping[str, Any] | None = None,
) -> Caller:
    """Whether the caller is staff follows from the roles. Raises `Unauthorized` for what cannot be a name."""
    named = tenant if tenant is not None else settings.default_tenant
    if named is None:
        raise Unauthorized(NO_TENANT)
    held = read_roles(roles)
    staff = not set(settings.staff_roles).isdisjoint(held)
    return Caller(
        check_name(subject, "subject"),
        check_name(named, "tenant"),
        held,
        staff,
        scopes=scopes,
        user=user or {},
    )


def read_roles(given: Any) -> tuple[str, ...]:
    """A list of roles, or words in a text; each once, in their order."""
    listed = given.split() if isinstance(given, str) else [] if given is None else given
    if not isinstance(listed, Iterable) or isinstance(listed, Mapping):
        raise Unauthorized("The caller's roles are no list of names.")
    roles = tuple(dict.fromkeys(check_name(role, "role") for role in listed))
    if len(roles) > MOST_ROLES:
        raise Unauthorized(f"The caller has more than {MOST_ROLES} roles.")
    return roles


def check_name(name: Any, what: str) -> str:
    """A name that can be kept, compared and shown. Raises `Unauthorized`."""
    if isinstance(name, str) and name.strip() and name.isprintable() and len(name) <= LONGEST:
        return name
    raise Unauthorized(f"The caller's {what} must be a text of 1 to {LONGEST} printable characters.")
