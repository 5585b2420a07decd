"""Headers of a gateway: believed from where it stands, and from nowhere else."""

from typing import Any

import pytest
from starlette.requests import HTTPConnection
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from holdfast.auth.gateway import GatewayAuthenticator
from holdfast.errors import StartError, Unauthorized
from holdfast.settings import Settings
from tests.api.wire import new_thread
from tests.auth.calling import call, exchange, is_refused
from tests.servers import live

ANN = {"X-Forwarded-User": "ann", "X-Forwarded-Tenant": "north"}
HERE = "127.0.0.0/8"
UNKNOWN = "7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"
ELSEWHERE = "10.20.0.0/16"


def gateway(*addresses: str, **settings: Any) -> GatewayAuthenticator:
    return GatewayAuthenticator(Settings(auth="gateway", gateway_addresses=addresses, **settings))


def asked(host: str | None, **headers: str) -> HTTPConnection:
    sent = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    client = None if host is None else (host, 4711)
    return HTTPConnection({"type": "http", "headers": sent, "client": client})


async def test_a_gateway_says_who_is_calling(redis_url: str) -> None:
    settings: Any = {"auth": "gateway", "gateway_addresses": HERE, "worker": False}
    async with live(redis_url, **settings) as server, server.http() as http:
        http.headers.update(ANN)
        thread_id = await new_thread(http)
        seen = {}
        for who, headers in {
            "herself": {},
            "somebody else": {"X-Forwarded-User": "eve"},
            "staff": {"X-Forwarded-User": "eve", "X-Forwarded-Groups": "readers, operator"},
            "another tenant": {"X-Forwarded-Tenant": "south", "X-Forwarded-Groups": "operator"},
        }.items():
            seen[who] = (await http.get(f"/threads/{thread_id}", headers=headers)).status_code
    assert seen == {"herself": 200, "somebody else": 404, "staff": 200, "another tenant": 404}


async def test_a_foreign_page_opens_no_socket_as_its_visitor(redis_url: str) -> None:
    """Whoever may call without credentials: the gateway knows the visitor all the same."""
    settings: Any = {"auth": "gateway", "gateway_addresses": HERE, "worker": False}
    async with live(redis_url, **settings) as server:
        address = f"{server.url.replace('http', 'ws')}/threads/{UNKNOWN}/stream/events"
        own = {**ANN, "Origin": server.url}
        async with connect(address, additional_headers=own):
            pass
        with pytest.raises(InvalidStatus) as refused:
            await connect(address, additional_headers={**ANN, "Origin": "https://evil.example"})
        assert refused.value.response.status_code == 403


async def test_nobody_else_does(redis_url: str) -> None:
    settings: Any = {"auth": "gateway", "gateway_addresses": ELSEWHERE, "worker": False}
    claims: list[dict[str, str]] = [
        {},
        {"X-Forwarded-For": "10.20.0.1"},
        {"Forwarded": "for=10.20.0.1"},
        {"X-Real-IP": "10.20.0.1"},
    ]
    async with live(redis_url, **settings) as server, server.http() as http:
        for more in claims:
            assert is_refused(await call(http, **ANN, **more)), more
        secret, _ = await server.sign_in.keys.create(subject="bob", tenant="north")
        assert (await call(http, secret, **ANN)).status_code == 200  # as bob: the header is not looked at


@pytest.mark.parametrize("settings", [{"auth": "dev"}, {"auth": "keys"}])
async def test_the_headers_mean_nothing_in_any_other_mode(redis_url: str, settings: Any) -> None:
    async with live(redis_url, worker=False, **settings) as server, server.http() as http:
        if settings["auth"] == "keys":
            assert is_refused(await call(http, **ANN))
            return
        thread_id = await new_thread(http)
        assert (await http.get(f"/threads/{thread_id}", headers=ANN)).status_code == 200
        http.headers.update(server.headers("eve"))
        assert (
            await http.get(f"/threads/{thread_id}", headers={"X-Forwarded-User": "demo"})
        ).status_code == 404


async def test_a_header_that_comes_twice_is_refused(redis_url: str) -> None:
    settings: Any = {"auth": "gateway", "gateway_addresses": HERE, "default_tenant": "north", "worker": False}
    head = "GET /threads/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    async with live(redis_url, **settings) as server:
        twice = f"{head}X-Forwarded-User: ann\r\nx-forwarded-user: eve\r\n\r\n"
        assert b"sent more than once" in await exchange(server.url, twice.encode())
        spelled = f"{head}X_Forwarded_User: ann\r\n\r\n"
        assert (await exchange(server.url, spelled.encode())).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("host", "believed"),
    [
        ("10.20.0.1", True),
        ("10.20.255.255", True),
        ("10.21.0.1", False),
        ("::ffff:10.20.0.1", True),
        ("::ffff:10.21.0.1", False),
        ("fd00::7", True),
        ("fd00:1::7", False),
        ("10.20.0.1.example", False),
        ("testclient", False),
        ("", False),
        (None, False),
    ],
)
async def test_which_addresses_are_believed(host: str | None, believed: bool) -> None:
    authenticator = gateway("10.20.0.0/16", "fd00::/64", default_tenant="north")
    connection = asked(host, X_Forwarded_User="ann")
    if believed:
        assert (await authenticator.authenticate(connection)).subject == "ann"
    else:
        with pytest.raises(Unauthorized, match="gateway"):
            await authenticator.authenticate(connection)


async def test_names_and_headers_of_ones_own() -> None:
    authenticator = gateway(
        "10.0.0.1",
        gateway_subject_header="Remote-User",
        gateway_roles_header="Remote-Groups",
        gateway_tenant_header="Remote-Org",
        staff_roles=("desk",),
    )
    caller = await authenticator.authenticate(
        asked("10.0.0.1", Remote_User="安娜", Remote_Groups="desk,,desk , night shift", Remote_Org="north")
    )
    assert (caller.subject, caller.tenant, caller.roles) == ("安娜", "north", ("desk", "night shift"))
    assert caller.staff
    with pytest.raises(Unauthorized, match="names no caller in Remote-User"):
        await authenticator.authenticate(asked("10.0.0.1", X_Forwarded_User="ann"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Forwarded_User": ""},
        {"X_Forwarded_User": "ann"},  # of no tenant
        {"X_Forwarded_User": " ", "X_Forwarded_Tenant": "north"},
        {"X_Forwarded_User": "a" * 256, "X_Forwarded_Tenant": "north"},
        {"X_Forwarded_User": "a\x01b", "X_Forwarded_Tenant": "north"},
    ],
)
async def test_a_gateway_that_names_nobody(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        await gateway("10.0.0.1").authenticate(asked("10.0.0.1", **headers))


async def test_a_name_that_is_not_utf_8_is_refused() -> None:
    scope = {"type": "http", "headers": [(b"x-forwarded-user", b"\xff\xfe")], "client": ("10.0.0.1", 1)}
    with pytest.raises(Unauthorized, match="UTF-8"):
        await gateway("10.0.0.1", default_tenant="north").authenticate(HTTPConnection(scope))


@pytest.mark.parametrize(
    ("addresses", "sentence"),
    [
        ((), "needs HOLDFAST_GATEWAY_ADDRESSES"),
        (("gateway",), "does not fit: 'gateway' does not appear"),
        (("10.0.0.1/8",), "has host bits set"),
        (("10.0.0.1", "*"), "does not fit"),
    ],
)
def test_addresses_that_are_none(addresses: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(StartError, match=sentence):
        gateway(*addresses)
