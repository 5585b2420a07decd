"""Which doors are open: a list, and everything else wants to know who is calling."""

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from holdfast.app import create_app
from holdfast.routes.base import JsonRoute, OpenRoute
from holdfast.routes.sockets import SocketRoute
from tests.auth.calling import exchange, is_refused
from tests.auth.issuers import claims, signer
from tests.servers import Live

OPEN = {"/ok", "/", "/livez", "/readyz", "/info", "/docs", "/ui", "/ui/{name:path}"}
OPEN |= {"/.well-known/agent-card.json", "/a2a/{assistant_id}/.well-known/agent-card.json"}
OF_OAUTH = {"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"}
UNKNOWN = "7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"


def app_of(server: Live) -> FastAPI:
    return create_app(server.platform, server.sign_in)


def routes_of(app: FastAPI) -> Iterator[BaseRoute]:
    """Every route, also those of routers that were included."""
    waiting: list[BaseRoute] = list(app.routes)
    while waiting:
        route = waiting.pop()
        included = getattr(route, "original_router", route)
        inside: list[BaseRoute] = getattr(included, "routes", [])
        if inside:
            waiting += inside
        else:
            yield route


def paths(app: FastAPI, kind: type[JsonRoute]) -> set[str]:
    return {route.path for route in routes_of(app) if isinstance(route, kind)}


def test_every_route_is_behind_the_guard_but_those_on_the_list(guarded: Live) -> None:
    routes = list(routes_of(app_of(guarded)))
    assert len(routes) > 40
    assert all(isinstance(route, JsonRoute | SocketRoute) for route in routes), routes
    assert paths(app_of(guarded), OpenRoute) == OPEN | OF_OAUTH


def test_only_dev_has_a_door_for_making_tokens(guarded: Live, server: Live) -> None:
    assert paths(app_of(server), OpenRoute) == OPEN | {"/dev/token"}
    assert "/dev/token" not in paths(app_of(guarded), JsonRoute)


async def test_a_stranger_is_turned_away_at_every_other_door(
    guarded: Live, stranger: httpx.AsyncClient
) -> None:
    doors = [
        (method, route.path)
        for route in routes_of(app_of(guarded))
        if isinstance(route, APIRoute) and route.path not in OPEN | OF_OAUTH
        for method in route.methods or ()
    ]
    assert len(doors) > 35
    for method, path in doors:
        where = re.sub(r"\{\w+\}", UNKNOWN, path)
        for body in (b"{}", b"{", b"[" * 1000):  # whatever is sent: it is not looked at
            response = await stranger.request(method, where, content=body)
            assert is_refused(response), (method, where, response.status_code, response.text)


async def test_a_stranger_is_turned_away_at_every_socket(guarded: Live) -> None:
    sockets = [route.path for route in routes_of(app_of(guarded)) if isinstance(route, SocketRoute)]
    assert sockets
    for path in sockets:
        address = guarded.url.replace("http", "ws") + path.replace("{thread_id}", UNKNOWN)
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"x-api-key": "hf_x"}):
            with pytest.raises(InvalidStatus) as refused:
                await connect(address, additional_headers=headers)
            assert refused.value.response.status_code == 401
            assert "www-authenticate" in refused.value.response.headers


async def test_the_open_doors_are_open(stranger: httpx.AsyncClient) -> None:
    for path in ("/ok", "/ok?check_db=1", "/livez", "/readyz", "/info", "/", "/ui", "/ui/chat.js"):
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"x-api-key": "hf_x"}):
            assert (await stranger.get(path, headers=headers)).status_code == 200, path
    assert (await stranger.get("/ui/../routes/base.py")).status_code in (401, 404)
    assert (await stranger.get("/ui/%2e%2e%2fapp.py")).status_code == 404


async def test_a_door_that_is_not_there_tells_nothing_more(stranger: httpx.AsyncClient) -> None:
    token = signer("ES256", "ES256").sign(claims())
    for path in ("/dev/token", "/redoc", "/gone"):
        for headers in ({}, {"Authorization": f"Bearer {token}"}):
            assert (await stranger.post(path, json={}, headers=headers)).status_code == 404


async def test_a_browser_may_ask_what_it_may_send(stranger: httpx.AsyncClient) -> None:
    """CORS asks before it sends, and without a token."""
    asks = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    response = await stranger.options(
        "/threads", headers={**asks, "Access-Control-Request-Headers": "authorization"}
    )
    assert response.status_code == 200
    assert "authorization" in response.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in response.headers


async def test_the_body_of_a_stranger_is_not_waited_for(guarded: Live) -> None:
    """A refusal comes before the body does: a megabyte that is only announced costs nothing."""
    head = "POST /threads HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n"
    answer = await exchange(guarded.url, head.encode())
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("path", ["/threads/count", "/threads/COUNT", "/threads/./count", "//threads/count"])
async def test_no_spelling_of_a_path_leads_around_the_guard(stranger: httpx.AsyncClient, path: str) -> None:
    response = await stranger.post(path, json={})
    assert response.status_code in (401, 404, 405)


async def test_the_reference_is_for_callers(stranger: httpx.AsyncClient) -> None:
    assert is_refused(await stranger.get("/openapi.json"))
    token = signer("ES256", "ES256").sign(claims())
    found = (await stranger.get("/openapi.json", headers={"Authorization": f"Bearer {token}"})).json()
    assert "/threads/{thread_id}" in found["paths"]
    assert "/dev/token" not in found["paths"]
