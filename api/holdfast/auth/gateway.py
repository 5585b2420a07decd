"""A gateway in front that has signed the caller in, and says in headers who it is."""

import ipaddress
from ipaddress import IPv4Network, IPv6Address, IPv6Network

from starlette.requests import HTTPConnection

from holdfast.auth.callers import make_caller
from holdfast.auth.signin import header
from holdfast.errors import StartError, Unauthorized
from holdfast.redis.records import Caller
from holdfast.settings import Settings

Networks = tuple[IPv4Network | IPv6Network, ...]


class GatewayAuthenticator:
    """Believes these headers on connections that come from a listed address, and on no other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._networks = read_networks(settings.gateway_addresses)

    async def authenticate(self, asked: HTTPConnection) -> Caller:
        settings = self._settings
        if not self._is_gateway(asked.client.host if asked.client else ""):
            raise Unauthorized("Sign in at the gateway: nobody else may say who is calling.")
        subject = text(asked, settings.gateway_subject_header)
        if subject is None:
            raise Unauthorized(f"The gateway names no caller in {settings.gateway_subject_header}.")
        roles = (text(asked, settings.gateway_roles_header) or "").split(",")
        return make_caller(
            settings,
            subject,
            text(asked, settings.gateway_tenant_header),
            [role.strip() for role in roles if role.strip()],
        )

    def _is_gateway(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:  # a socket file, or a name made up in a test
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def read_networks(given: tuple[str, ...]) -> Networks:
    """Raises `StartError` for what is no address, and when there is none."""
    if not given:
        raise StartError(
            "HOLDFAST_AUTH=gateway needs HOLDFAST_GATEWAY_ADDRESSES: name the gateways, as in 10.0.0.0/24."
        )
    try:
        return tuple(ipaddress.ip_network(one) for one in given)
    except ValueError as error:
        raise StartError(f"HOLDFAST_GATEWAY_ADDRESSES does not fit: {error}.") from None


def text(asked: HTTPConnection, name: str) -> str | None:
    """A header's text; gateways write names in UTF-8, which HTTP hands on byte by byte."""
    value = header(asked, name)
    if not value:
        return None
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        raise Unauthorized(f"The header {name} is not UTF-8.") from None
