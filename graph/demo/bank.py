"""The bank of the demo: it moves no money, but keeps what it was asked in a file, as a bank does.

One key is one refund, whatever is asked under it later. `python -m graph.demo.bank` runs it by itself.
"""

import argparse
import asyncio
import contextlib
import hashlib
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from graph.demo.serving import Loopback

BUSY_TIMEOUT_S = 10
CREATE = """CREATE TABLE IF NOT EXISTS refunds (
    key TEXT PRIMARY KEY, payment TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    reference TEXT, reason TEXT, asked INTEGER NOT NULL DEFAULT 0
)"""
# The lock first, and no WAL: neither the change to it nor a table's first writer waits for another.
OPENING = ("PRAGMA synchronous=FULL", "BEGIN IMMEDIATE", CREATE)
KEEP = """INSERT INTO refunds VALUES (:key, :payment, :amount, :currency, :reference, :reason, 0)
    ON CONFLICT DO NOTHING"""
COUNT = "UPDATE refunds SET asked = asked + 1 WHERE key = :key"
FIND = "SELECT * FROM refunds WHERE key = ?"
ALL = "SELECT * FROM refunds ORDER BY rowid"


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Asked(Strict):
    key: str = Field(min_length=1, max_length=128)
    payment: str = Field(max_length=64)
    amount: int = Field(gt=0, le=10**12)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class Trouble(Strict):
    """What happens to so many requests: all but `fail` and `error` after the refund was made and kept."""

    kind: Literal["hang", "drop", "late", "twice", "garbage", "fail", "error"]
    times: int = Field(default=1, ge=1)
    delay_s: float = Field(default=0.0, ge=0)


class Troubles(Strict):
    steps: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A refund as the bank has it; `reference` None: refused for `reason`."""

    key: str
    payment: str
    amount: int
    currency: str
    reference: str | None
    reason: str | None
    asked: int


class Book:
    """The bank's file. Each call opens it anew: other processes may keep the same one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        connection.row_factory = lambda _, row: Kept(*row)
        try:
            for statement in OPENING:
                connection.execute(statement)
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()

    def keep(self, asked: Asked, *, reason: str | None = None) -> Kept:
        """The refund of this key: made or refused now, unless it was before."""
        reference = None if reason else f"sim-{hashlib.sha256(asked.key.encode()).hexdigest()[:20]}"
        with self._open() as book:
            book.execute(KEEP, {**asked.model_dump(), "reference": reference, "reason": reason})
            book.execute(COUNT, {"key": asked.key})
            kept: Kept = book.execute(FIND, (asked.key,)).fetchone()
        return kept

    def read(self) -> list[Kept]:
        with self._open() as book:
            return book.execute(ALL).fetchall()


class DemoBank(Loopback):
    """The bank on a loopback port: `SimulatedProvider(bank.url)`. With `scripting` tests can give it trouble,
    here and over `/demo/troubles`."""

    kind = "bank"

    def __init__(self, path: Path, *, port: int = 0, scripting: bool = False) -> None:
        super().__init__(port=port)
        self._book = Book(path)
        self._scripting = scripting
        self._troubles: deque[Trouble] = deque()
        self._closing = asyncio.Event()

    def make_app(self) -> ASGIApp:
        routes = [Route("/refunds", self._refund, methods=["POST"])]
        if self._scripting:
            routes.append(Route("/demo/troubles", self._trouble, methods=["POST"]))
        return Starlette(routes=routes)

    def wind_up(self) -> None:
        self._closing.set()

    @property
    def refunds(self) -> list[Kept]:
        """All it was ever asked for, oldest first."""
        return self._book.read()

    def trouble(self, *steps: Trouble) -> None:
        """What happens to the next requests; forgets what was still to come."""
        self._troubles = deque(step for step in steps for _ in range(step.times))

    async def _trouble(self, request: Request) -> Response:
        try:
            self.trouble(*Troubles.model_validate_json(await request.body()).steps)
        except ValidationError as error:
            return JSONResponse({"reason": str(error)}, 422)
        return Response(status_code=204)

    async def _refund(self, request: Request) -> Response:
        try:
            asked = Asked.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"reason": str(error)}, 422)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody: who asked is gone before it was said
        trouble = self._troubles.popleft() if self._troubles else None
        if trouble is not None and trouble.kind == "error":
            return JSONResponse({"reason": "the bank is out of order"}, 500)
        reason = "the account was closed" if trouble is not None and trouble.kind == "fail" else None
        kept = await asyncio.to_thread(self._book.keep, asked, reason=reason)
        answer = answer_of(kept, asked)
        return answer if trouble is None else await self._suffer(trouble, request, answer)

    async def _suffer(self, trouble: Trouble, request: Request, answer: Response) -> Response:
        """What is made is made; how the caller hears of it is another matter."""
        match trouble.kind:
            case "hang":
                await self._closing.wait()
            case "late":
                await asyncio.sleep(trouble.delay_s)
            case "drop":
                self.hang_up(request.scope)
                await gone(request)
            case "twice":
                self.write(request.scope, raw(answer) * 2)
                await gone(request)
            case "garbage":
                return Response(b"\x00<html>", media_type="application/json")
        return answer


async def gone(request: Request) -> None:
    """Until the caller has hung up: then nobody is answered."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


def answer_of(kept: Kept, asked: Asked) -> Response:
    told = {"key": kept.key, "payment": kept.payment, "amount": kept.amount, "currency": kept.currency}
    if told != asked.model_dump():
        return JSONResponse({**told, "reason": "this key was used for another refund"}, 409)
    if kept.reference is None:
        return JSONResponse({**told, "reason": kept.reason}, 402)
    return JSONResponse({**told, "reference": kept.reference})


def raw(answer: Response) -> bytes:
    head = f"HTTP/1.1 {answer.status_code} OK\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(answer.body)}\r\n\r\n".encode() + bytes(answer.body)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m graph.demo.bank", description="Run the demo's bank.")
    parser.add_argument("file", type=Path, help="where it keeps what it was asked")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--scripting", action="store_true", help="let tests give it trouble (/demo/troubles)")
    options = parser.parse_args()
    bank = DemoBank(options.file, port=options.port, scripting=options.scripting).start()
    sys.stdout.write(f"{bank.url}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    bank.close()


if __name__ == "__main__":
    main()
