"""The ways to sign in, each opened from the settings that say how."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

from holdfast.auth import claims, spiffe
from holdfast.auth.api_keys import ApiKeys
from holdfast.auth.dev import DevAuthenticator
from holdfast.auth.gateway import GatewayAuthenticator
from holdfast.auth.handlers import ProjectAuthenticator, takes_over
from holdfast.auth.keyring import KeyRing, Read, from_address, from_file
from holdfast.auth.keysets import ASYMMETRIC, SECRET_BYTES, KeySource, Secret
from holdfast.auth.signin import Authenticator, NoOther, SignIn
from holdfast.auth.tokens import Demands, TokenAuthenticator
from holdfast.errors import StartError
from holdfast.project import Project
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.settings import Settings, variable

OF_SECRET = ("HS256",)
OF_KEYS = ("RS256", "PS256", "ES256", "EdDSA")
REQUIRED = ("sub", "exp", "iat", "iss", "aud")

T = TypeVar("T")


@asynccontextmanager
async def open_sign_in(
    settings: Settings, project: Project, client: Client, keys: Keys
) -> AsyncIterator[SignIn]:
    """Opens the way that HOLDFAST_AUTH names. Raises `StartError` for what does not fit together."""
    async with AsyncExitStack() as stack:
        own = await open_own(settings, project, client, keys, stack)
        yield SignIn(ApiKeys(settings, client, keys), own, find_issuer(settings))


async def open_own(
    settings: Settings, project: Project, client: Client, keys: Keys, stack: AsyncExitStack
) -> Authenticator:
    if takes_over(settings, project):
        return ProjectAuthenticator(settings, project)
    match settings.auth:
        case "jwt":
            return TokenAuthenticator(
                await signing_keys(settings, stack), demands(settings), partial(claims.read_caller, settings)
            )
        case "spiffe":
            return await open_spiffe(settings, stack)
        case "gateway":
            return GatewayAuthenticator(settings)
        case "keys":
            return NoOther()
        case "dev":
            return await DevAuthenticator.open(settings, client, keys)
    raise StartError(f"HOLDFAST_AUTH={settings.auth} is no way to sign in here.")


# HOLDFAST_AUTH=jwt


def find_issuer(settings: Settings) -> str | None:
    """The issuer where clients can look for it: some are only names."""
    issuer = settings.jwt_issuer if settings.auth == "jwt" else None
    return issuer if issuer and is_safe(issuer) else None


def demands(settings: Settings) -> Demands:
    return Demands(
        algorithms=frozenset(algorithms(settings)),
        types=frozenset(name.lower() for name in settings.jwt_types),
        required=REQUIRED,
        issuer=needed(settings, "jwt_issuer", settings.jwt_issuer),
        audience=needed(settings, "jwt_audience", settings.jwt_audience),
        strict_audience=settings.jwt_strict_audience,
        max_lifetime_s=settings.jwt_max_lifetime_s,
        leeway_s=settings.jwt_leeway_s,
    )


async def signing_keys(settings: Settings, stack: AsyncExitStack) -> KeySource:
    sources = [settings.jwt_secret, settings.jwt_jwks_url, settings.jwt_jwks_file]
    if sum(source is not None for source in sources) != 1:
        raise StartError(
            "HOLDFAST_AUTH=jwt needs to know the issuer's keys: set one of HOLDFAST_JWT_SECRET, "
            "HOLDFAST_JWT_JWKS_URL and HOLDFAST_JWT_JWKS_FILE."
        )
    if settings.jwt_secret is not None:
        return Secret(settings.jwt_secret, algorithms(settings))
    if settings.jwt_jwks_file is not None:
        read = from_file(settings.jwt_jwks_file, algorithms(settings))
        await check_file(settings, "jwt_jwks_file", read)
    else:
        url = settings.jwt_jwks_url or ""
        check_url(url)
        read = from_address(url, algorithms(settings))
    return await stack.enter_async_context(KeyRing(read, every_s=settings.jwt_refresh_s).running())


def algorithms(settings: Settings) -> tuple[str, ...]:
    """What may sign a token. Never both kinds: a public key taken for a secret would let everybody sign."""
    of_secret = settings.jwt_secret is not None
    chosen = settings.jwt_algorithms or (OF_SECRET if of_secret else OF_KEYS)
    possible = SECRET_BYTES.keys() if of_secret else ASYMMETRIC
    if odd := [name for name in chosen if name not in possible]:
        kind = "a secret" if of_secret else "public keys"
        raise StartError(
            f"HOLDFAST_JWT_ALGORITHMS does not fit: {', '.join(odd)} cannot be checked with {kind}; "
            f"these can: {', '.join(sorted(possible))}."
        )
    return chosen


def check_url(url: str) -> None:
    if not is_safe(url):
        raise StartError(
            "HOLDFAST_JWT_JWKS_URL must begin with https:// (http:// is taken for this machine only): who "
            "can change the answer on its way can sign in as anybody."
        )


def is_safe(url: str) -> bool:
    """Whether nobody can change the answer on its way."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# HOLDFAST_AUTH=spiffe


async def open_spiffe(settings: Settings, stack: AsyncExitStack) -> Authenticator:
    domain = needed(settings, "spiffe_trust_domain", settings.spiffe_trust_domain)
    if not spiffe.TRUST_DOMAIN.fullmatch(domain):
        raise StartError(f"HOLDFAST_SPIFFE_TRUST_DOMAIN={domain!r} is not the name of a trust domain.")
    bundle = needed(settings, "spiffe_bundle", settings.spiffe_bundle)
    read = from_file(bundle, spiffe.ALGORITHMS, spiffe.USES)
    await check_file(settings, "spiffe_bundle", read)
    ring = await stack.enter_async_context(KeyRing(read, every_s=settings.jwt_refresh_s).running())
    rules = Demands(
        algorithms=spiffe.ALGORITHMS,
        types=spiffe.TYPES,
        required=spiffe.REQUIRED,
        issuer=None,
        audience=needed(settings, "spiffe_audience", settings.spiffe_audience),
        strict_audience=False,
        max_lifetime_s=settings.jwt_max_lifetime_s,
        leeway_s=settings.jwt_leeway_s,
    )
    return TokenAuthenticator(ring, rules, partial(spiffe.read_caller, settings))


# what all of them need


def needed(settings: Settings, field: str, value: T | None) -> T:
    if value is None:
        raise StartError(f"HOLDFAST_AUTH={settings.auth} needs {variable(field)}: set it.")
    return value


async def check_file(settings: Settings, field: str, read: Read) -> None:
    """A key set that is a file can be read at once, or something is wrong with it."""
    try:
        await read()
    except (OSError, ValueError) as error:
        raise StartError(f"{variable(field)}={getattr(settings, field)} cannot be used: {error}.") from error
