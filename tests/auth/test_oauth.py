"""Clients of OAuth find out by themselves whose tokens `/mcp` takes (RFC 9728), and get one."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import httpx2
import jwt
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graph.demo.serving import Loopback
from tests.auth.calling import taking
from tests.auth.issuers import AUDIENCE, ISSUER
from tests.servers import Live

SECRET = "s" * 32
METADATA = "/.well-known/oauth-protected-resource"
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
BACK = "http://127.0.0.1/back"


class Authorization(Loopback):
    """An authorization server that knows one person and gives tokens for this server."""

    kind = "authorization"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []

    def make_app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/oauth-authorization-server", self.describe),
                Route("/register", self.register, methods=["POST"]),
                Route("/token", self.issue, methods=["POST"]),
            ]
        )

    async def describe(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "registration_endpoint": f"{self.url}/register",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def register(self, request: Request) -> Response:
        return JSONResponse({**await request.json(), "client_id": "agent"}, 201)

    async def issue(self, request: Request) -> Response:
        self.asked.append(dict(await request.form()))
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ann",
            "tenant": "north",
            "iat": now,
            "exp": now + 60,
        }
        token = jwt.encode(claims, SECRET)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 60})


class Memory:
    """What a client keeps."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Visitor:
    """Somebody who says yes on the page that a client shows."""

    def __init__(self) -> None:
        self.shown = ""

    async def open(self, url: str) -> None:
        self.shown = url

    async def come_back(self) -> AuthorizationCodeResult:
        [state] = parse_qs(urlsplit(self.shown).query)["state"]
        return AuthorizationCodeResult(code="yes", state=state)


def provider(url: str, visitor: Visitor) -> OAuthClientProvider:
    about = OAuthClientMetadata(redirect_uris=[AnyUrl(BACK)], client_name="agent")
    return OAuthClientProvider(url, about, Memory(), visitor.open, visitor.come_back)


async def test_the_official_client_finds_its_way_in(redis_url: str) -> None:
    visitor = Visitor()
    async with (
        Authorization() as authorization,
        taking(redis_url, jwt_issuer=authorization.url, jwt_secret=SECRET) as server,
        httpx2.AsyncClient(auth=provider(f"{server.url}/mcp", visitor), trust_env=False) as http,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
    ):
        assert "echo" in [tool.name for tool in (await client.list_tools()).tools]
        assert visitor.shown.startswith(f"{authorization.url}/authorize")
        assert [asked["resource"] for asked in authorization.asked] == [f"{server.url}/mcp"]


async def ask(http: httpx.AsyncClient, path: str, **headers: str) -> str:
    """How a stranger is asked to sign in."""
    response = await http.post(path, json=LIST, headers=headers)
    assert response.status_code == 401
    return response.headers["www-authenticate"]


async def test_a_stranger_is_told_whose_tokens_are_taken(guarded: Live, stranger: httpx.AsyncClient) -> None:
    url = guarded.url
    there = f'resource_metadata="{url}{METADATA}/mcp"'
    assert await ask(stranger, "/mcp") == f'Bearer realm="holdfast", {there}'
    told = await ask(stranger, "/mcp", authorization="Bearer a.b.c")
    assert told == f'Bearer realm="holdfast", error="invalid_token", {there}'
    assert "resource_metadata" not in await ask(stranger, "/threads/count"), "only clients of MCP look for it"
    for path in ("", "/mcp"):
        described = (await stranger.get(f"{METADATA}{path}")).json()
        assert described == {
            "resource": f"{url}{path}",
            "resource_name": "Holdfast",
            "authorization_servers": [ISSUER],
            "bearer_methods_supported": ["header"],
        }


async def test_a_proxy_is_named_where_there_is_one(redis_url: str) -> None:
    own = {"jwt_secret": SECRET, "public_url": "https://agents.example/shop"}
    async with taking(redis_url, **own) as server, server.http() as http:
        assert "https://agents.example/shop/.well-known/" in await ask(http, "/mcp")
        assert (await http.get(f"{METADATA}/mcp")).json()["resource"] == "https://agents.example/shop/mcp"


@pytest.mark.parametrize("signed_in", [{"jwt_issuer": "the shop"}, {"auth": "keys"}], ids=["name", "keys"])
async def test_where_nobody_can_be_asked_for_tokens_nothing_is_said(
    redis_url: str, signed_in: dict[str, str]
) -> None:
    async with taking(redis_url, jwt_secret=SECRET, **signed_in) as server, server.http() as http:
        assert await ask(http, "/mcp") == 'Bearer realm="holdfast"'
        for path in ("", "/mcp"):
            assert (await http.get(f"{METADATA}{path}")).status_code == 404
