"""The pages people see: plain files, under a policy that lets nothing else in."""

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from holdfast.core.pages import files
from holdfast.errors import NotFound
from holdfast.routes.base import open_router

routes = open_router("ui")

HOME, CHAT = "home/index.html", "chat/index.html"
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
    "Vary": "Accept, Accept-Encoding",  # at `/` only a browser gets the page
    "Cache-Control": "no-cache",  # asked for again each time, and sent again only when it changed
}


def serve(request: Request, name: str) -> Response:
    """A file with its policy; 304 for a browser that has it already. Raises `NotFound`."""
    file = files().get(name)
    if file is None:
        raise NotFound(f"There is no page {name}.")
    packed = "gzip" in request.headers.get("accept-encoding", "")
    headers = {**HEADERS, "ETag": f'"{file.etag}{"-gzip" * packed}"'}
    if packed:
        headers["Content-Encoding"] = "gzip"
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(file.packed if packed else file.body, headers=headers, media_type=file.media_type)


def wants_page(request: Request) -> bool:
    """Whether a browser asks, rather than a probe or a client."""
    return "text/html" in request.headers.get("accept", "")


@routes.get("/ui", include_in_schema=False)
async def chat(request: Request) -> Response:
    return serve(request, CHAT)


@routes.get("/ui/{name:path}", include_in_schema=False)
async def file(request: Request, name: str) -> Response:
    """A file, or the page that a folder holds."""
    if name == "" or name.endswith("/"):  # pages name what they load relative to the address without it
        return RedirectResponse(f"../{name.rstrip('/').rpartition('/')[2] or 'ui'}")
    page = f"{name}/index.html"
    return serve(request, page if page in files() else name)
