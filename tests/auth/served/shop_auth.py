"""A project's own sign-in and rules, as the official documentation writes them."""

from typing import Any

from langgraph_sdk import Auth

auth = Auth()

USERS: dict[str, dict[str, Any]] = {
    "ann's": {"identity": "ann", "display_name": "Ann", "permissions": ["threads:all"], "team": "blue"},
    "bob's": {"identity": "bob", "permissions": [], "team": "red"},
    "staff's": {"identity": "eve", "permissions": ["admin"], "roles": ["desk"]},
    "south's": {"identity": "ann", "permissions": ["threads:all"], "tenant": "south"},
}


@auth.authenticate
async def authenticate(
    request: Any,
    body: dict[str, Any],
    path: str,
    method: str,
    headers: dict[bytes, bytes],
    authorization: str | None,
    path_params: dict[str, str],
    query_params: dict[str, str],
) -> Auth.types.MinimalUserDict:
    scheme, _, token = (authorization or "").partition(" ")
    if token == "banned's":
        raise Auth.exceptions.HTTPException(status_code=403, detail="You are banned.")
    if token not in USERS:
        raise Auth.exceptions.HTTPException(detail="Who are you?", headers={"X-Hint": "try ann's"})
    seen = {
        "host": request.headers["host"],
        "asked": sorted(body),
        "path": path,
        "method": method,
        "agent": headers[b"user-agent"].decode(),
        "scheme": scheme,
        "thread": path_params.get("thread_id"),
        "query": query_params,
    }
    return {**USERS[token], "seen": seen}  # type: ignore[typeddict-item]


@auth.on
async def only_mine(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, str]:
    """The official example: everything carries its owner, and is shown to its owner."""
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    return {"owner": ctx.user.identity}


@auth.on.threads.delete
async def admins_only(ctx: Auth.types.AuthContext, value: Any) -> bool:
    return "admin" in ctx.permissions


@auth.on.assistants
async def anybody(ctx: Auth.types.AuthContext, value: Any) -> None:
    return None
