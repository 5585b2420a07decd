"""A case as a request, and its answer as it can be compared with another one."""

import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import httpx
import orjson

from tests.tenancy.belongings import NUMBERS, Ids
from tests.tenancy.case import PATH, Case

# Of each answer's own: when it was given, and how long it is, which the ids that are masked may change.
OWN_HEADERS = {"date", "content-length"}
# What differs between two things that were made one after the other.
MADE = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)"), "<time>"),
    (re.compile(r'(?<="timestamp":)\d+'), "<time>"),
    (re.compile(r"(?<=\.)\d{13}(?=\.\d)"), "<time>"),
    (re.compile(r'(?<="version":)\d+'), "<version>"),
    (re.compile(r'(?<="task_id":")[\w-]{43}'), "<task>"),
)
# Where an id belongs; a number stands without quotation marks.
PLACE = re.compile(rf'"\$({"|".join(NUMBERS)})"|\$(\w+)')
NO_CREDENTIALS: Mapping[str, str] = MappingProxyType({})
REQUEST_ID = {"X-Request-ID": "matrix"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def __str__(self) -> str:
        return f"{self.status} {self.text[:300]}"

    @property
    def whole(self) -> str:
        """All of it, for what must not be found there."""
        return "\n".join((self.text, *self.headers.values()))

    @property
    def good(self) -> bool:
        return self.status < 300 and '"type":"error"' not in self.text

    def masked(self, ids: Ids, kinds: Collection[str]) -> "Answer":
        """The answer with the kinds of ids in their place, also of those that were made for it."""
        headers = {
            name: mask(value, ids, kinds) for name, value in self.headers.items() if name not in OWN_HEADERS
        }
        return Answer(self.status, headers, mask(self.text, ids, kinds))


def mask(text: str, ids: Ids, kinds: Collection[str]) -> str:
    for kind in sorted(kinds, key=lambda kind: -len(ids[kind])):
        text = re.sub(rf"(?<![\w-]){re.escape(ids[kind])}(?![\w-])", f"<{kind}>", text)
    for pattern, name in MADE:
        text = pattern.sub(name, text)
    return text


def fill(text: str, ids: Ids) -> str:
    return PLACE.sub(lambda match: ids[match[1] or match[2]], text)


def request(operation: str, case: Case, ids: Ids) -> dict[str, Any]:
    """What `httpx.AsyncClient.request` takes."""
    method, path = operation.split()
    own = {**PATH, **case.path}
    body = None if case.body is None else fill(orjson.dumps(case.body).decode(), ids)
    return {
        "method": method,
        "url": fill(re.sub(r"{([\w:]+)}", lambda match: own[match[1]], path), ids),
        "params": {name: fill(value, ids) for name, value in case.query.items()},
        "headers": {**REQUEST_ID, **{name: fill(value, ids) for name, value in case.headers.items()}},
        "content": body,
    }


async def ask(
    http: httpx.AsyncClient,
    operation: str,
    case: Case,
    ids: Ids,
    credentials: Mapping[str, str] = NO_CREDENTIALS,
) -> Answer:
    asked = request(operation, case, ids)
    response = await http.request(**asked | {"headers": asked["headers"] | credentials})
    return Answer(response.status_code, dict(response.headers), response.text)


@asynccontextmanager
async def listening(
    http: httpx.AsyncClient, operation: str, case: Case, ids: Ids
) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[str]]]:
    """An answer that may go on for ever: what is known of it, and what comes."""
    async with http.stream(**request(operation, case, ids)) as response:
        yield response, response.aiter_text()
