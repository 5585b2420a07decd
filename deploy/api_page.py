"""Writes docs/api.md, every route with what it does and takes, from the routes: `make api-page`."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from fastapi import FastAPI

from deploy.locks import ROOT
from holdfast.app import OF_EXTRAS, OF_OAUTH, ROUTERS
from holdfast.routes import dev

PAGE = ROOT / "docs" / "api.md"
HEAD = """\
# The HTTP API

Every route, made from the code by `make api-page`. A server shows the same with all fields at
`/ui/reference`, and as OpenAPI at `/openapi.json`. A star is behind what must be sent. Errors are
`{"detail": "<a sentence>", "code": "<a word>"}`. What differs from other Agent Servers is in
[Compatibility](compatibility.md).
"""


class Operation(NamedTuple):
    tag: str
    path: str
    method: str
    told: dict[str, Any]


def page() -> str:
    described = schema()
    parts = [HEAD]
    for tag, operations in groupby(
        sorted(operations_of(described), key=attrgetter("tag")), attrgetter("tag")
    ):
        parts += [
            f"\n## {tag.capitalize()}\n\n",
            "| route | what it does | body and query |\n|---|---|---|\n",
        ]
        for one in operations:
            given = ", ".join(fields(one.told, described["components"]["schemas"]))
            parts.append(f"| `{one.method.upper()} {one.path}` | {summary(one.told)} | {given} |\n")
    return "".join(parts)


def schema() -> dict[str, Any]:
    app = FastAPI(title="Holdfast")
    described = [router for router, _ in ROUTERS] + [router for router, _, _ in OF_EXTRAS + OF_OAUTH]
    for router in (*described, dev.routes):
        app.include_router(router)
    return app.openapi()


def operations_of(described: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in described["paths"].items():
        for method, told in methods.items():
            yield Operation((told.get("tags") or ["server"])[0], path, method, told)


def summary(told: dict[str, Any]) -> str:
    """The first sentences of what the route says of itself."""
    text = told.get("description") or f"{told['summary'].capitalize()}."
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def fields(told: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    """What may be sent; a star is behind what must be."""
    for content in told.get("requestBody", {}).get("content", {}).values():
        body = content.get("schema", {})
        body = schemas[body["$ref"].rpartition("/")[2]] if "$ref" in body else body
        needed = body.get("required", ())
        yield from (f"`{name}`{'*' if name in needed else ''}" for name in body.get("properties", {}))
    for given in told.get("parameters", ()):
        if given["in"] == "query":
            yield f"`?{given['name']}`{'*' if given.get('required') else ''}"


def main() -> None:
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
