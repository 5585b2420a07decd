"""What an examination finds: for each thing one sentence, and how bad it is."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, NamedTuple

from holdfast.errors import HoldfastError

Level = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """`detail` says what was found and, unless that is good, what to do."""

    check: str
    level: Level
    detail: str


def ok(check: str, detail: str) -> Finding:
    return Finding(check, "ok", detail)


def warn(check: str, detail: str) -> Finding:
    return Finding(check, "warn", detail)


def fail(check: str, detail: str) -> Finding:
    return Finding(check, "fail", detail)


def judged(check: str, judge: Callable[[], str]) -> Finding:
    """What is good, as `judge` says it; its refusal is a failure."""
    try:
        return ok(check, judge())
    except HoldfastError as error:
        return fail(check, error.detail)


async def asked(check: str, ask: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """Several findings; a refusal that ends the search is the only one."""
    try:
        return await ask()
    except HoldfastError as error:
        return [fail(check, error.detail)]


def failed(findings: Iterable[Finding]) -> bool:
    return any(one.level == "fail" for one in findings)
