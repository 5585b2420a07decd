"""The pages people see: files as they are, under a policy that lets nothing else in."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import Request, Response

from holdfast.errors import NotFound
from holdfast.routes.base import open_router

routes = open_router("ui")

HOME = "index.html"
FOLDER = Path(__file__).parent.parent / "ui"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",  # at `/` only a browser gets the page
    "Cache-Control": "no-cache",  # asked for again each time, and sent again only when it changed
}


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    media_type: str
    etag: str


@cache
def files() -> dict[str, File]:
    """The pages and what they load, by name."""
    return {path.name: read(path) for path in FOLDER.iterdir() if path.suffix in TYPES}


def read(path: Path) -> File:
    body = path.read_bytes()
    return File(body, TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"')


def serve(request: Request, name: str) -> Response:
    """A file with its policy; 304 for a browser that has it already. Raises `NotFound`."""
    file = files().get(name)
    if file is None:
        raise NotFound(f"There is no page {name}.")
    headers = {**HEADERS, "ETag": file.etag}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.body, headers=headers, media_type=file.media_type)


def wants_page(request: Request) -> bool:
    """Whether a browser asks, rather than a probe or a client."""
    return "text/html" in request.headers.get("accept", "")


@routes.get("/ui", include_in_schema=False)
async def chat(request: Request) -> Response:
    return serve(request, HOME)


@routes.get("/ui/{name}", include_in_schema=False)
async def file(request: Request, name: str) -> Response:
    return serve(request, name)
