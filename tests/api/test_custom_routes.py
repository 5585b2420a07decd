"""`http` of langgraph.json: the project's own routes, which pages may call, and what is not served."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from holdfast.errors import StartError
from tests.api.wire import Json, new_thread, refusal
from tests.servers import SERVED, Live, live, said

CUSTOM = SERVED.with_name("custom.json")
ORIGIN = "https://shop.example"
ELSEWHERE = "https://elsewhere.example"


@pytest.fixture(scope="module")
async def custom(redis_url: str) -> AsyncIterator[Live]:
    async with live(redis_url, config=CUSTOM, worker=False, max_body_bytes=2048) as running:
        yield running


def project(folder: Path, **http: Json) -> Path:
    """A langgraph.json with this under `http`."""
    path = folder / "langgraph.json"
    path.write_bytes(orjson.dumps({"graphs": {"echo": "tests.served.served_graphs:echo"}, "http": http}))
    return path


# the project's own routes


async def test_the_app_knows_who_is_calling(custom: Live) -> None:
    async with custom.http("ann", "reader") as ann, custom.http("eve", "operator") as eve:
        told = (await ann.get("/whoami")).json()
        assert told == {
            "identity": "ann",
            "tenant": "default",
            "roles": ["reader"],
            "scopes": ["authenticated", "holdfast:dev", "holdfast:write"],
            "authenticated": True,
            "shelf": ["shelf"],
        }
        assert (await eve.get("/back-office")).json() == "for staff"
        assert (await ann.get("/back-office")).status_code == 403
        assert (await ann.post("/things/one", json={"a": 1})).json() == {"one": {"a": 1}}


async def test_it_is_behind_the_same_sign_in(custom: Live) -> None:
    bad = {"Authorization": "Bearer nobody"}
    async with httpx.AsyncClient(base_url=custom.url, headers=bad) as stranger:
        for path in ("/whoami", "/whoami/", "/broken"):
            assert refusal(await stranger.get(path))[0] == 401
        assert (await stranger.get("/of-nobody")).status_code == 404
    reader, _ = await custom.sign_in.keys.create(subject="ann", tenant="default", scopes=["read"])
    async with httpx.AsyncClient(base_url=custom.url, headers={"x-api-key": reader}) as http:
        assert "holdfast:write" not in (await http.get("/whoami")).json()["scopes"]
        assert refusal(await http.post("/things/one", json={}))[0] == 403


async def test_rates_hold_there_too(redis_url: str) -> None:
    rates: Json = {"rate_of_caller": 0.01, "burst_of_caller": 2}
    async with (
        live(redis_url, config=CUSTOM, worker=False, **rates) as server,
        server.http("ann") as ann,
    ):
        answers = [await ann.get("/whoami") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]


async def test_a_route_of_the_platform_is_shadowed_by_none(custom: Live) -> None:
    async with custom.http("ann") as ann:
        thread_id = await new_thread(ann)
        assert (await ann.get(f"/threads/{thread_id}")).json()["thread_id"] == thread_id


async def test_what_neither_knows_is_answered_as_ever(custom: Live) -> None:
    async with custom.http("ann") as ann:
        answer = await ann.get("/of-nobody")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert (await ann.put("/whoami")).status_code == 405
        assert (await ann.get("/whoami/")).headers["location"].endswith("/whoami")


async def test_a_mistake_of_the_app_is_an_error_and_no_more(custom: Live) -> None:
    async with custom.http("ann") as ann:
        assert (await ann.get("/broken")).status_code == 500
        assert (await ann.get("/whoami")).status_code == 200


async def test_answers_bear_the_headers_of_all_answers(custom: Live) -> None:
    async with custom.http("ann") as ann:
        headers = (await ann.get("/whoami", headers={"Origin": ORIGIN})).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-request-id"]


async def test_a_body_is_bounded(custom: Live) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"a": "'
        for _ in range(5):
            yield b"x" * 1000
        yield b'"}'

    async with custom.http("ann") as ann:
        assert refusal(await ann.post("/things/one", json={"a": "x" * 3000}))[0] == 413
        answer = await ann.post("/things/one", content=pieces(), headers={"content-type": "application/json"})
        assert answer.status_code in (400, 413)


async def test_a_websocket_is_let_in_by_the_same_sign_in(custom: Live) -> None:
    url = custom.url.replace("http", "ws") + "/talk"
    async with connect(url, additional_headers=custom.headers("ann")) as socket:
        assert await socket.recv() == "ann"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers={"Authorization": "Bearer nobody"}):
            pass
    assert refused.value.response.status_code == 403


async def test_its_lifespan_is_run(redis_url: str) -> None:
    async with live(redis_url, config=CUSTOM, worker=False) as server, server.http() as http:
        assert "shelf" in (await http.get("/whoami")).json()["shelf"]
        begun = len(sys.modules["served_app"].OPEN)
    assert len(sys.modules["served_app"].OPEN) == begun - 1


# which pages may call


async def allowed(server: Live, origin: str, path: str = "/ui/chat.js") -> str | None:
    async with server.http() as http:
        answer = await http.get(path, headers={"Origin": origin})
    allowed: str | None = answer.headers.get("access-control-allow-origin")
    return allowed


async def test_modules_load_from_any_page_unless_it_is_said(server: Live) -> None:
    assert await allowed(server, ORIGIN) == "*"


async def test_the_origins_of_langgraph_json(redis_url: str, tmp_path: Path) -> None:
    cors = {
        "allow_origins": [ORIGIN],
        "allow_origin_regex": r"https://.*\.shop\.example",
        "allow_methods": ["GET"],
        "allow_headers": ["x-own"],
        "allow_credentials": True,
        "expose_headers": ["X-Own"],
        "max_age": 7,
    }
    async with live(redis_url, config=project(tmp_path, cors=cors), worker=False) as server:
        assert await allowed(server, ORIGIN) == ORIGIN
        assert await allowed(server, "https://a.shop.example", "/stats") == "https://a.shop.example"
        assert await allowed(server, ELSEWHERE) is None
        async with server.http() as http:
            asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
            before = (await http.options("/threads", headers=asked)).headers
            after = (await http.get("/ok", headers=asked)).headers
    assert (before["access-control-allow-methods"], before["access-control-max-age"]) == ("GET", "7")
    assert "x-own" in before["access-control-allow-headers"].lower()
    assert after["access-control-allow-credentials"] == "true"
    assert {"Location", "X-Own"} <= set(after["access-control-expose-headers"].split(", "))


async def test_the_origins_of_both_are_allowed(redis_url: str, tmp_path: Path) -> None:
    config = project(tmp_path, cors={"allow_origins": [ORIGIN]})
    async with live(redis_url, config=config, worker=False, cors_origins=ELSEWHERE) as server:
        assert [await allowed(server, one) for one in (ORIGIN, ELSEWHERE)] == [ORIGIN, ELSEWHERE]
        assert await allowed(server, "https://third.example") is None


@pytest.mark.parametrize(
    ("http", "sentence"),
    [
        ({"app": 5}, '"http" cannot be read: app: '),
        ({"app": "tests.served.served_graphs"}, '"http.app" must be named as'),
        ({"app": "tests.served.served_graphs:echo"}, "it must be a Starlette or FastAPI application"),
        ({"cors": {"allow_origins": "https://a"}}, '"http" cannot be read: cors.allow_origins: '),
        ({"cors": {"allow_origins": ["shop.example"]}}, "cors.allow_origins.0: "),
        ({"cors": {"allow_origin_regex": "("}}, "it is no regular expression"),
        ({"cors": {"allow_origins": ["*"], "allow_credentials": True}}, "would let any page call as its"),
        ({"cors": {"allow_credentials": True}}, "would let any page call as its visitor"),
        ({"disable_runs": "yes"}, '"http" cannot be read: disable_runs: '),
        ([], '"http" cannot be read: '),
    ],
)
async def test_what_makes_no_sense_is_said_at_the_start(
    redis_url: str, tmp_path: Path, http: Json, sentence: str
) -> None:
    config = tmp_path / "langgraph.json"
    config.write_bytes(orjson.dumps({"graphs": {"echo": "tests.served.served_graphs:echo"}, "http": http}))
    with pytest.raises(StartError) as refused:
        async with live(redis_url, config=config, worker=False):
            pass
    assert sentence in str(refused.value)


async def test_an_app_that_cannot_start(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "failing_app.py").write_text(
        "from contextlib import asynccontextmanager\nfrom starlette.applications import Starlette\n"
        "@asynccontextmanager\nasync def lifespan(app):\n    raise ValueError('no shelf')\n    yield\n"
        "app = Starlette(lifespan=lifespan)\n"
    )
    with pytest.raises(StartError, match=r"\./failing_app\.py:app cannot start, ValueError: no shelf"):
        async with live(redis_url, config=project(tmp_path, app="./failing_app.py:app"), worker=False):
            pass


async def test_keys_that_are_not_heeded_are_named(
    redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = project(tmp_path, mount_prefix="/api", mistyped=1, cors={"allow_origin": []})
    async with live(redis_url, config=config, worker=False):
        pass
    told = {record.key: record.message for record in caplog.records if hasattr(record, "key")}
    assert told == {
        "http.mount_prefix": "a key of langgraph.json has no effect here",
        "http.mistyped": "unknown key in langgraph.json",
        "http.cors.allow_origin": "unknown key in langgraph.json",
    }


# what is not served


@pytest.mark.parametrize(
    ("flag", "gone", "left"),
    [
        ("disable_assistants", ["POST /assistants/search"], ["POST /threads", "GET /info"]),
        ("disable_threads", ["POST /threads", "POST /threads/search"], ["POST /assistants/search"]),
        ("disable_runs", ["POST /runs", "POST /runs/crons/search", "POST /chat"], ["POST /threads"]),
        ("disable_meta", ["GET /info", "GET /openapi.json"], ["GET /ok", "POST /threads"]),
        ("disable_ui", ["GET /ui", "GET /ui/chat.js"], ["GET /", "POST /threads"]),
        ("disable_store", ["POST /store/items/search", "POST /store/namespaces"], ["POST /threads"]),
        ("disable_mcp", ["POST /mcp"], ["POST /threads"]),
        ("disable_a2a", ["GET /.well-known/agent-card.json", "POST /a2a/echo"], ["POST /threads"]),
    ],
)
async def test_what_is_disabled_is_not_there(
    redis_url: str, tmp_path: Path, flag: str, gone: list[str], left: list[str]
) -> None:
    config = project(tmp_path, **{flag: True})
    async with live(redis_url, config=config, worker=False) as server, server.http() as http:
        for operation, found in [*((one, False) for one in gone), *((one, True) for one in left)]:
            method, path = operation.split()
            body: Json = {} if method == "POST" else None
            answer = await http.request(method, path, json=body, headers={"Accept": "text/html"})
            assert (answer.status_code not in (404, 405)) is found, f"{operation}: {answer.text}"
        assert (await http.get("/approvals")).status_code == 200


async def test_a_webhook_that_is_disabled_is_not_called(redis_url: str, tmp_path: Path) -> None:
    config = project(tmp_path, disable_webhooks=True)
    body: Json = {"assistant_id": "echo", "input": said("hi"), "webhook": "https://hooks.example/x"}
    async with live(redis_url, config=config) as server, server.http() as http:
        thread_id = await new_thread(http)
        assert (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).status_code == 200
        keys = server.platform.keys
        assert not await server.platform.client.call("EXISTS", keys.outbox(0), keys.letters(thread_id))
