"""The matrix leaves nothing out: no route of the application, nothing by which a request names a thing."""

from fastapi import APIRouter, FastAPI
from starlette.routing import WebSocketRoute

from holdfast.app import create_app
from holdfast.wire.common import Body
from tests.servers import Live
from tests.tenancy.conftest import World
from tests.tenancy.reference import complaints

routes = APIRouter()


class Tag(Body):
    thread_id: str
    color: str


@routes.post("/tags/{tag_id}")
async def tag(tag_id: str, asked: Tag) -> None: ...


@routes.post("/threads/count")
async def count(asked: Tag) -> None: ...


@routes.get("/hidden", include_in_schema=False)
async def hidden() -> None: ...


def app_of(server: Live) -> FastAPI:
    return create_app(server.platform, server.sign_in)


def test_every_route_and_all_that_it_takes_is_in_the_matrix(world: World, server: Live) -> None:
    assert list(complaints(app_of(world.server))) == []
    others = [one for one in complaints(app_of(server)) if "/.well-known/oauth" not in one]
    assert others == [], "under the sign-in for development too, where nobody issues tokens"


def test_what_is_left_out_is_told(world: World) -> None:
    app = app_of(world.server)
    app.include_router(routes)
    app.router.routes.append(WebSocketRoute("/socket", hidden))
    told = "\n".join(complaints(app))
    for sentence in (
        "GET /hidden is not in the reference: list it in UNLISTED",
        "WebSocketRoute /socket is not in the reference: list it",
        "POST /tags/{tag_id} has no case: add to CASES",
        "POST /threads/count takes 'color': add it to IDS or to OTHERS",
        "POST /threads/count takes 'thread_id': add a case",
    ):
        assert sentence in told
