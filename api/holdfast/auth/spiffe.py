"""Workloads of a SPIFFE trust domain, which call with a JWT-SVID.

The rules are those of the JWT-SVID and SPIFFE-ID specifications (spiffe.io): signatures by RSA or an elliptic
curve only, `typ` JWT or JOSE or none, `sub` the workload's SPIFFE ID, `aud` and `exp` always there.
"""

import re
from collections.abc import Mapping
from typing import Any

from holdfast.auth.callers import make_caller
from holdfast.auth.keysets import RSA
from holdfast.errors import InvalidToken
from holdfast.redis.records import Caller
from holdfast.settings import Settings

ALGORITHMS = frozenset({*RSA, "ES256", "ES384", "ES512"})
TYPES = frozenset({"jwt", "jose", "absent"})
REQUIRED = ("sub", "aud", "exp")
USES = ("jwt-svid",)
TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)+")


def read_caller(settings: Settings, claims: Mapping[str, Any]) -> Caller:
    """The workload; its tenant is the default tenant or, where none is set, the trust domain.

    Raises `InvalidToken` for what is no SPIFFE ID of a workload of the trust domain.
    """
    domain = settings.spiffe_trust_domain or ""
    subject = claims["sub"]
    prefix = f"spiffe://{domain}/"
    if not isinstance(subject, str) or not subject.startswith(prefix):
        raise InvalidToken(f"The token's `sub` is no workload of the trust domain {domain}.")
    if not PATH.fullmatch(subject[len(prefix) - 1 :]):
        raise InvalidToken("The path of the token's SPIFFE ID is not well formed.")
    return make_caller(settings, subject, settings.default_tenant or domain, ())
