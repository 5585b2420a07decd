"""Tokens for trying things out as somebody else. There only under `HOLDFAST_AUTH=dev`."""

from typing import Annotated

from fastapi import Response
from pydantic import Field

from holdfast.routes.base import AuthenticatorDep, answer, open_router
from holdfast.wire.common import Body

routes = open_router("dev")

Name = Annotated[str, Field(min_length=1, max_length=200)]


class TokenRequest(Body):
    subject: Name
    roles: list[Name] = Field(default_factory=list)


@routes.post("/dev/token")
async def create_token(authenticator: AuthenticatorDep, asked: TokenRequest) -> Response:
    """A bearer token for a subject with roles, good for twelve hours."""
    token = authenticator.sign(asked.subject, asked.roles)
    return answer({"token": token, "subject": asked.subject, "roles": asked.roles})
