"""Who calls: people of two tenants, each with a role, a token and a client."""

import time
from dataclasses import dataclass
from typing import Any

import jwt

ISSUER, AUDIENCE, SECRET = "https://sign-in.example", "holdfast", "s" * 32
SETTINGS: dict[str, Any] = {
    "auth": "jwt",
    "jwt_issuer": ISSUER,
    "jwt_audience": AUDIENCE,
    "jwt_secret": SECRET,
    "staff_roles": ("operator",),
    "admin_roles": ("admin",),
    "lease_s": 30,  # on a busy machine too, no run is begun twice
}


@dataclass(frozen=True)
class Person:
    """A caller; one without a name is not known to the server."""

    tenant: str
    name: str
    roles: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {sign(self)}"} if self.name else {}

    def is_stranger_to(self, owner: "Person") -> bool:
        of_the_house = self.tenant == owner.tenant and "operator" in self.roles
        return self != owner and not of_the_house

    def __str__(self) -> str:
        return self.name.removeprefix("canary-") or f"nobody-of-{self.tenant}"


def sign(person: Person) -> str:
    now = int(time.time())
    return jwt.encode(
        {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 600,
            "sub": person.name,
            "tenant": person.tenant,
            "roles": list(person.roles),
        },
        SECRET,
        algorithm="HS256",
    )


def members(tenant: str) -> dict[str, Person]:
    """Everybody of a tenant, by role."""
    return {
        "nobody": Person(tenant, ""),
        "owner": Person(tenant, f"canary-ann-of-{tenant}"),
        "another owner": Person(tenant, f"canary-bob-of-{tenant}"),
        "staff": Person(tenant, f"canary-kim-of-{tenant}", ("operator", "admin")),
        "chief": Person(tenant, f"canary-eve-of-{tenant}", ("chief",)),
    }
