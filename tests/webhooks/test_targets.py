"""An address inside the network is never called: refused where it shows in the URL, else on the way."""

from ipaddress import ip_address
from typing import Any

import pytest

from holdfast.core.webhooks import letters
from holdfast.core.webhooks.targets import Targets, is_public, read_literal
from holdfast.errors import StartError, TargetRefused
from holdfast.settings import Settings
from tests.api.wire import has_runs, new_thread, refusal
from tests.servers import live, said
from tests.waiting import wait_until
from tests.webhooks.receivers import reachable, receiving

INSIDE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.1.2.3",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.0.1",
    "100.128.0.1",
    "172.32.0.1",
    "2606:4700::1",
    "2a00:1450:4001::1",
]


def targets(**settings: Any) -> Targets:
    return Targets.of(Settings.model_validate(settings))


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_public_may_not_be_called(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_public_may_be_called(address: str) -> None:
    assert is_public(ip_address(address))
    host = f"[{address}]" if ":" in address else address
    assert targets().check(f"https://{host}/hook?a=b").host == address


REFUSED = {
    "http://example.com/": "Webhooks may not be called by http: use https.",
    "ftp://example.com/": "Webhooks may not be called by ftp: use https.",
    "file:///etc/passwd": "Webhooks may not be called by file: use https.",
    "gopher://example.com/": "Webhooks may not be called by gopher: use https.",
    "example.com/hook": "Webhooks may not be called by nothing: use https.",
    "//example.com/": "Webhooks may not be called by nothing: use https.",
    "https://user@example.com/": "A webhook's address must not hold a user name or password.",
    "https://user:password@example.com/": "A webhook's address must not hold a user name or password.",
    "https://example.com\\@127.0.0.1/": "A webhook's address must not hold a user name or password.",
    "https:///hook": "The webhook's address names no host.",
    "https://exa mple.com/": "The webhook's address names no host.",
    "https://[fe80::1%25eth0]/": "The webhook's address names no host.",
    "https://example.com:22/": "Webhooks may not be called at port 22.",
    "https://example.com:0/": "Webhooks may not be called at port 0.",
    "https://example.com:6379/": "Webhooks may not be called at port 6379.",
    "https://example.com:99999/": "Webhooks may not be called at port 99999.",
    "https://example.com:x/": "The webhook's address is not a URL.",
    "https://example.com/\r\nHost: a": "The webhook's address is not a URL.",
    "https://example.com/" + "a" * 2048: "A webhook's address has at most 2048 characters.",
    "https://localhost/": "The webhook's host localhost is not public.",
    "https://LOCALHOST./": "The webhook's host localhost is not public.",
    "https://a.localhost/": "The webhook's host a.localhost is not public.",
    "https://127.0.0.1/": "The webhook's host 127.0.0.1 is not public (127.0.0.1).",
    "https://127.0.0.1./": "The webhook's host 127.0.0.1 is not public (127.0.0.1).",
    "https://127.1/": "The webhook's host 127.1 is not public (127.0.0.1).",
    "https://2130706433/": "The webhook's host 2130706433 is not public (127.0.0.1).",
    "https://0x7f000001/": "The webhook's host 0x7f000001 is not public (127.0.0.1).",
    "https://0177.0.0.1/": "The webhook's address is not a URL.",
    "https://127。0。0。1/": "The webhook's host 127.0.0.1 is not public (127.0.0.1).",
    "https://169.254.169.254/latest": "The webhook's host 169.254.169.254 is not public (169.254.169.254).",
    "https://[::1]/": "The webhook's host ::1 is not public (::1).",
    "https://[::ffff:10.0.0.1]/": "The webhook's host ::ffff:10.0.0.1 is not public (::ffff:a00:1).",
}


@pytest.mark.parametrize("address", REFUSED)
def test_what_shows_in_an_address_is_refused(address: str) -> None:
    with pytest.raises(TargetRefused) as refused:
        targets().check(address)
    assert refused.value.detail == REFUSED[address]


def test_settings_allow_more() -> None:
    wide = targets(
        webhook_http=True,
        webhook_ports=(443, 8080),
        webhook_allow=("10.0.0.0/8", "Hooks.Internal", "fd00::/8", "127.0.0.1"),
    )
    for address in ("http://10.1.2.3:8080/", "https://[fd00::1]/", "https://127.0.0.1/"):
        wide.check(address)
    wide.check_ip("hooks.internal", ip_address("192.168.1.1"))
    for host, ip in (("other.internal", "192.168.1.1"), ("x", "127.0.0.2"), ("x", "::ffff:10.0.0.1")):
        with pytest.raises(TargetRefused):
            wide.check_ip(host, ip_address(ip))
    with pytest.raises(TargetRefused, match="port 80"):
        wide.check("http://10.1.2.3/")


def test_a_standing_webhook_that_may_not_be_called_keeps_a_process_from_its_start() -> None:
    with pytest.raises(
        StartError, match=r"^HOLDFAST_WEBHOOKS does not fit: Webhooks may not be called by http"
    ):
        targets(webhooks=("http://example.com/hook?token=secret",))
    with pytest.raises(StartError, match=r"HOLDFAST_WEBHOOK_ALLOW='10.0.0.1/8' does not fit"):
        targets(webhook_allow=("10.0.0.1/8",))


@pytest.mark.parametrize("host", ["example.com", "1.2.3.4.5", "0x", "deadbeef", "1.2.3.256", "a.1"])
def test_names_are_no_addresses(host: str) -> None:
    assert read_literal(host) is None


PATHS = (
    "/threads/{thread}/runs",
    "/threads/{thread}/runs/wait",
    "/threads/{thread}/runs/stream",
    "/runs/wait",
)


@pytest.mark.parametrize("path", PATHS)
async def test_a_run_that_asks_for_such_a_webhook_is_refused(redis_url: str, path: str) -> None:
    async with live(redis_url) as server, server.http() as http:
        thread_id = await new_thread(http)
        for address in ("https://169.254.169.254/", "http://example.com/", "https://a:b@example.com/"):
            body = {"assistant_id": "echo", "input": said("hi"), "webhook": address}
            response = await http.post(path.format(thread=thread_id), json=body)
            assert refusal(response) == (422, response.json()["detail"])
            assert "ebhook" in response.json()["detail"]
        await has_runs(server.sdk(), thread_id, 0)


async def test_an_address_that_may_not_be_called_any_more_is_given_up_on_the_way(redis_url: str) -> None:
    async with receiving() as inside:
        allowing = {**reachable(inside), "webhook_allow": ("localhost",)}
        async with live(redis_url, worker=False, **allowing) as server:
            url = f"http://localhost:{inside.port}/"
            await server.sdk().runs.create(None, "echo", input=said("hi"), webhook=url)
            refusing = {**allowing, "webhook_allow": (), "prefix": server.platform.keys.prefix}
            async with live(redis_url, **refusing):

                async def given_up() -> bool:
                    return any(one.filed.dead for one in await letters.shelved(server.platform))

                await wait_until(given_up, "the letter was given up")
            [dead] = await letters.shelved(server.platform)
            assert (dead.letter.error, dead.letter.attempt) == (
                "The webhook's host localhost is not public.",
                1,
            )
            assert inside.connections == 0
