"""Routes of another project, to be served beside the platform's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from starlette.authentication import requires

OPEN: list[list[str]] = []  # the shelf of each server that runs


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    shelf = ["shelf"]
    OPEN.append(shelf)
    yield {"shelf": shelf}
    OPEN.remove(shelf)


app = FastAPI(lifespan=lifespan)


@app.get("/whoami")
async def whoami(request: Request) -> dict[str, Any]:
    user = request.user
    return {
        "identity": user.identity,
        "tenant": user["tenant"],
        "roles": user.roles,
        "scopes": request.auth.scopes,
        "authenticated": user.is_authenticated,
        "shelf": list(request.state.shelf),
    }


@app.get("/back-office")
@requires("holdfast:staff")
async def back_office(request: Request) -> str:
    return "for staff"


@app.post("/things/{thing}")
async def put_thing(thing: str, body: dict[str, Any]) -> dict[str, Any]:
    return {thing: body}


@app.get("/threads/{thread_id}")
async def shadow(thread_id: str) -> str:
    return "a shadow"


@app.get("/broken")
async def broken() -> None:
    raise ValueError("of the project's own making")


@app.websocket("/talk")
async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(socket.user.identity)
    await socket.close()
