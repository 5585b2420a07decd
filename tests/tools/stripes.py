"""A stub of Stripe's refunds on a real socket: the paths, forms and errors that its library knows."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from graph.demo.serving import Loopback

SECRET = "sk_test_canary_4242"
PAGE = 2


@dataclass
class Call:
    method: str
    form: dict[str, str]
    key: str | None
    authorized: bool
    headers: dict[str, str]


@dataclass
class Trouble:
    """`before`: nothing was made. Otherwise the refund was made, and this is what the caller hears."""

    status: int = 0
    type: str = "api_error"
    code: str | None = None
    before: bool = False
    drop: bool = False
    hang: bool = False
    body: bytes | None = None


@dataclass
class Books:
    made: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    status: str = "succeeded"
    failure_reason: str | None = None


class StripeStub(Loopback):
    kind = "stripe"

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self._closing = asyncio.Event()
        self._numbers = itertools.count(1)

    def make_app(self) -> ASGIApp:
        return Starlette(
            routes=[
                Route("/v1/refunds", self._create, methods=["POST"]),
                Route("/v1/refunds", self._list, methods=["GET"]),
            ]
        )

    def wind_up(self) -> None:
        self._closing.set()

    def forget_keys(self) -> None:
        """As Stripe does after a day."""
        self.books.keys.clear()

    def _note(self, request: Request, form: dict[str, str]) -> bool:
        headers = dict(request.headers)
        authorized = headers.pop("authorization", "") == f"Bearer {SECRET}"
        key = headers.get("idempotency-key")
        self.books.calls.append(Call(request.method, form, key, authorized, headers))
        return authorized

    async def _list(self, request: Request) -> Response:
        form = dict(request.query_params)
        if not self._note(request, form):
            return error(401, "invalid_request_error", None)
        names = ("payment_intent", "charge")
        found = [made for made in self.books.made if any(form.get(n) and form[n] == made[n] for n in names)]
        found.reverse()
        if after := form.get("starting_after"):
            found = found[[made["id"] for made in found].index(after) + 1 :]
        page, more = found[:PAGE], len(found) > PAGE
        return JSONResponse({"object": "list", "url": "/v1/refunds", "data": page, "has_more": more})

    async def _create(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if not self._note(request, form):
            return error(401, "invalid_request_error", None)
        trouble = self.books.troubles.pop(0) if self.books.troubles else Trouble()
        if not trouble.before:
            refund = self._make(request.headers["idempotency-key"], form)
        if trouble.hang:
            await self._closing.wait()
        if trouble.drop:
            self.hang_up(request.scope)
            while (await request.receive())["type"] != "http.disconnect":
                continue
        if trouble.body is not None:
            return Response(trouble.body, media_type="application/json")
        if trouble.status:
            return error(trouble.status, trouble.type, trouble.code)
        return JSONResponse(refund)

    def _make(self, key: str, form: dict[str, str]) -> dict[str, Any]:
        if key not in self.books.keys:
            refund = {
                "id": f"re_{next(self._numbers)}",
                "object": "refund",
                "amount": int(form["amount"]),
                "payment_intent": form.get("payment_intent"),
                "charge": form.get("charge"),
                "metadata": dict(metadata_of(form)),
                "status": self.books.status,
                "failure_reason": self.books.failure_reason,
            }
            self.books.keys[key] = refund
            self.books.made.append(refund)
        return self.books.keys[key]


def metadata_of(form: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in form.items():
        if name.startswith("metadata["):
            yield name.removeprefix("metadata[").removesuffix("]"), value


def error(status: int, kind: str, code: str | None) -> Response:
    told = {"type": kind, "code": code, "message": f"no, and the key is {SECRET}"}
    return JSONResponse({"error": told}, status, {"request-id": "req_1"})
