"""Tokens for trying things out as somebody else. There only under `HOLDFAST_AUTH=dev`."""

from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import Field

from holdfast.auth import DevAuthenticator
from holdfast.routes.base import REFUSALS, answer, open_router
from holdfast.wire.common import Body

routes = open_router("dev")


async def get_signer(request: Request) -> DevAuthenticator:
    return request.app.state.sign_in.own  # type: ignore[no-any-return]


Name = Annotated[str, Field(min_length=1, max_length=200)]


class TokenRequest(Body):
    subject: Name
    roles: list[Name] = Field(default_factory=list)


@routes.post("/dev/token", responses=REFUSALS)
async def create_token(
    signer: Annotated[DevAuthenticator, Depends(get_signer)], asked: TokenRequest
) -> Response:
    """A bearer token for a subject with roles, good for twelve hours."""
    token = signer.sign(asked.subject, asked.roles)
    return answer({"token": token, "subject": asked.subject, "roles": asked.roles})
