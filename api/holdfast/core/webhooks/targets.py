"""Which addresses webhooks may be at: what the address itself shows, and what its host turns out to be."""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from holdfast.errors import StartError, TargetRefused
from holdfast.outgoing import NO_RULES, Addresses
from holdfast.settings import Settings, variable

LONGEST = 2048
HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+")
DEFAULT_PORTS = {"https": 443, "http": 80}

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Not `is_global`: what it says has changed between versions of Python, and it lets through what leads to IPv4
# addresses in disguise. IANA's special-purpose registries are where these come from.
PUBLIC_V6 = ip_network("2000::/3")
SPECIAL: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # carriers' own
            "127.0.0.0/8",
            "169.254.0.0/16",  # the metadata of clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",  # multicast, reserved, broadcast
            "2001::/23",  # Teredo and other protocols
            "2001:db8::/32",
            "2002::/16",  # 6to4
            "3fff::/20",
        ),
    )
)


@dataclass(frozen=True)
class Targets:
    """The rules. `hosts` and `networks` are allowed although they are not public; `project` says what its
    langgraph.json narrows."""

    schemes: frozenset[str]
    ports: frozenset[int]
    hosts: frozenset[str]
    networks: tuple[Network, ...]
    project: Addresses = NO_RULES.url

    @classmethod
    def of(cls, settings: Settings, project: Addresses = NO_RULES.url) -> "Targets":
        """A setting that was made counts before what the project's file says of the same. Raises `StartError`
        when a setting has no sense."""
        said = settings.model_fields_set
        plain = settings.webhook_http or ("webhook_http" not in said and project.require_https is False)
        ports = settings.webhook_ports if "webhook_ports" in said else project.allowed_ports
        networks = {text: read_network(text) for text in settings.webhook_allow}
        targets = cls(
            frozenset({"https", "http"} if plain else {"https"}),
            frozenset(ports or settings.webhook_ports),
            frozenset(bare(text) for text, network in networks.items() if network is None),
            tuple(network for network in networks.values() if network is not None),
            project,
        )
        for webhook in settings.webhooks:
            try:
                targets.check(webhook.url)
            except TargetRefused as error:
                raise StartError(f"{variable('webhooks')} does not fit: {error.detail}") from error
        return targets

    def check(self, address: str) -> httpx.URL:
        """The parsed address, if there is nothing wrong that can be seen in it. Raises `TargetRefused`."""
        url = parse(address, min(LONGEST, self.project.max_url_length or LONGEST))
        host = host_of(url)
        if url.scheme not in self.schemes:
            raise TargetRefused(f"Webhooks may not be called by {url.scheme or 'nothing'}: use https.")
        if url.userinfo:
            raise TargetRefused("A webhook's address must not hold a user name or password.")
        if not HOST.fullmatch(host):
            raise TargetRefused("The webhook's address names no host.")
        if not self.project.allows_host(host):
            raise TargetRefused(f"The webhook's host {host} is none of those that this project allows.")
        if port_of(url) not in self.ports:
            raise TargetRefused(f"Webhooks may not be called at port {port_of(url)}.")
        self._check_name(host)
        return url

    def _check_name(self, host: str) -> None:
        literal = read_literal(host)
        if literal:
            self.check_ip(host, literal)
        elif (host == "localhost" or host.endswith(".localhost")) and host not in self.hosts:
            raise TargetRefused(f"The webhook's host {host} is not public.")

    def check_ip(self, host: str, ip: Ip) -> None:
        """Raises `TargetRefused` for what is not public, unless it is allowed."""
        if host in self.hosts or any(ip in network for network in self.networks):
            return
        if not is_public(ip):
            raise TargetRefused(f"The webhook's host {host} is not public ({ip}).")


def parse(address: str, longest: int) -> httpx.URL:
    if len(address) > longest:
        raise TargetRefused(f"A webhook's address has at most {longest} characters.")
    try:
        return httpx.URL(address)
    except (httpx.InvalidURL, ValueError):  # ValueError: the idna package's own
        raise TargetRefused("The webhook's address is not a URL.") from None


def host_of(url: httpx.URL) -> str:
    return bare(url.raw_host.decode("ascii"))


def port_of(url: httpx.URL) -> int:
    return DEFAULT_PORTS[url.scheme] if url.port is None else url.port


def bare(host: str) -> str:
    return host.lower().removesuffix(".")


def read_literal(host: str) -> Ip | None:
    """The address that a host is, in any form that the system would take for one: also `0x7f.1`."""
    for read in (ip_address, inet_aton):
        try:
            return read(host)
        except (ValueError, OSError):
            continue
    return None


def inet_aton(host: str) -> IPv4Address:
    return IPv4Address(socket.inet_aton(host))


def is_public(ip: Ip) -> bool:
    if isinstance(ip, IPv6Address) and ip not in PUBLIC_V6:  # so are IPv4 addresses mapped, or behind NAT64
        return False
    return not any(ip in network for network in SPECIAL)


def read_network(text: str) -> Network | None:
    """None for the name of a host."""
    try:
        return ip_network(text)
    except ValueError as error:
        if "/" in text:
            raise StartError(f"{variable('webhook_allow')}={text!r} does not fit: {error}.") from error
        return None
