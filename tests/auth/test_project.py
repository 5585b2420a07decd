"""A project that signs callers in itself and has rules of its own, named in its langgraph.json."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import Auth, get_client

from holdfast.auth.handlers import read_user
from holdfast.errors import Unauthorized
from tests.api.wire import Json, new_thread, read_stream
from tests.auth.calling import call
from tests.servers import Live, live, said

CONFIG = Path(__file__).parent / "served" / "langgraph.json"
UNKNOWN = str(uuid.UUID(int=7))


@pytest.fixture(scope="module")
async def shop(redis_url: str) -> AsyncIterator[Live]:
    async with live(redis_url, config=CONFIG, staff_roles=("desk",), auth="project") as server:
        yield server


def as_(server: Live, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture
async def ann(shop: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with as_(shop, "ann's") as http:
        yield http


@pytest.fixture
async def bob(shop: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with as_(shop, "bob's") as http:
        yield http


# signing in


async def test_what_the_handler_says_of_the_caller_reaches_the_graph(ann: httpx.AsyncClient) -> None:
    thread_id = await new_thread(ann)
    body = {"assistant_id": "whoami", "input": {}}
    answer = (await ann.post(f"/threads/{thread_id}/runs/wait?a=1&b=2", json=body)).json()["user"]
    user = answer["langgraph_auth_user"]
    assert user == {
        "identity": "ann",
        "display_name": "Ann",
        "permissions": ["threads:all"],
        "team": "blue",
        "tenant": "default",
        "roles": [],
        "is_authenticated": True,
        "seen": {
            "host": ann.base_url.netloc.decode(),
            "asked": ["assistant_id", "input"],
            "path": f"/threads/{thread_id}/runs/wait",
            "method": "POST",
            "agent": ann.headers["user-agent"],
            "scheme": "Bearer",
            "thread": thread_id,
            "query": {"a": "1", "b": "2"},
        },
    }
    assert answer["langgraph_auth_user_id"] == "ann"
    assert answer["langgraph_auth_permissions"] == ["threads:all"]
    told = (await ann.get("/me")).json()
    assert (told["subject"], told["name"]) == ("ann", "Ann")
    assert (await ann.get("/info")).json()["sign_in"] == "token"


async def test_the_handlers_refusal_is_the_answer(shop: Live) -> None:
    async with shop.http() as http:
        for token, status, detail, code in (
            (None, 401, "Who are you?", "refused"),
            ("mallory's", 401, "Who are you?", "refused"),
            ("banned's", 403, "You are banned.", "refused"),
        ):
            response = await call(http, token)
            assert (response.status_code, response.json()) == (status, {"detail": detail, "code": code})
            assert ("www-authenticate" in response.headers) is (status == 401)
            assert (response.headers.get("x-hint") == "try ann's") is (status == 401)
        assert (await http.get("/info")).status_code == 200


async def test_an_api_key_counts_beside_the_handler_and_its_rules_hold_for_it(
    shop: Live, ann: httpx.AsyncClient
) -> None:
    secret, _ = await shop.sign_in.keys.create(subject="ann", tenant="default")
    thread_id = await new_thread(ann)
    async with shop.http() as http:
        assert (await http.get(f"/threads/{thread_id}", headers={"x-api-key": secret})).status_code == 200


Answers = [
    ("ann", "ann"),
    ({"identity": "ann"}, "ann"),
    (Auth.types.StudioUser("ann", True), "ann"),
    (None, None),
    ("", None),
    ({}, None),
    ({"identity": ""}, None),
    ({"identity": None}, None),
    ({"identity": "ann", "is_authenticated": False}, None),
    (5, None),
]


@pytest.mark.parametrize(("answer", "identity"), Answers, ids=lambda answer: repr(answer)[:30])
def test_the_forms_in_which_a_handler_names_somebody_or_nobody(answer: Any, identity: str | None) -> None:
    if identity is None:
        with pytest.raises(Unauthorized):
            read_user(answer)
    else:
        assert read_user(answer)["identity"] == identity


async def test_a_handler_that_breaks_lets_nobody_in(redis_url: str) -> None:
    auth = Auth()

    @auth.authenticate
    def authenticate(authorization: str | None) -> Any:
        if authorization is None:
            raise ValueError("secret words of the project")
        return {"identity": ["ann"]} if "list" in authorization else {"identity": "x\ny"}

    async with live(redis_url, rules=auth, worker=False) as server, server.http() as http:
        response = await call(http)
        assert response.status_code == 500
        assert "secret" not in response.text
        assert (await call(http, "list")).status_code == 401
        assert (await call(http, "text")).status_code == 401


# the rules


async def test_everything_is_its_owners_by_what_the_rules_stamp(
    ann: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    thread_id = await new_thread(ann, metadata={"owner": "bob", "color": "red"})
    shown = (await ann.get(f"/threads/{thread_id}")).json()
    assert shown["metadata"] == {"owner": "ann", "color": "red"}
    found = (await ann.post("/threads/search", json={"metadata": {"color": "red"}})).json()
    assert thread_id in [one["thread_id"] for one in found]
    assert (await bob.post("/threads/search", json={})).json() == []
    assert (await bob.post("/threads/count", json={})).json() == 0
    await ann.patch(f"/threads/{thread_id}", json={"metadata": {"owner": "bob"}})  # nor given away
    assert (await bob.get(f"/threads/{thread_id}")).status_code == 404


REQUESTS: list[tuple[str, str, Json]] = [
    ("GET", "/threads/T", None),
    ("PATCH", "/threads/T", {"metadata": {"a": 1}}),
    ("GET", "/threads/T/state", None),
    ("POST", "/threads/T/state", {"values": {"log": ["x"]}}),
    ("POST", "/threads/T/state/checkpoint", {"checkpoint": {}}),
    ("POST", "/threads/T/history", {}),
    ("GET", "/threads/T/runs", None),
    ("POST", "/threads/T/runs", {"assistant_id": "echo", "input": {}}),
    ("POST", "/threads/T/runs/wait", {"assistant_id": "echo", "input": {}}),
    ("POST", "/threads/T/runs/stream", {"assistant_id": "echo", "input": {}}),
    ("GET", "/threads/T/runs/R", None),
    ("GET", "/threads/T/runs/R/join", None),
    ("GET", "/threads/T/runs/R/stream", None),
    ("POST", "/threads/T/runs/R/cancel", None),
]


async def finished(http: httpx.AsyncClient, **body: Any) -> tuple[str, str]:
    """A thread with a run that has ended."""
    thread_id = await new_thread(http)
    run = {"assistant_id": "echo", "input": said("hi"), **body}
    run_id = (await http.post(f"/threads/{thread_id}/runs", json=run)).json()["run_id"]
    await http.get(f"/threads/{thread_id}/runs/{run_id}/join")
    return thread_id, run_id


async def test_what_the_rules_keep_from_a_caller_reads_like_nothing(
    shop: Live, ann: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    thread_id, run_id = await finished(ann)
    before = (await ann.get(f"/threads/{thread_id}")).json()
    async with as_(shop, "south's") as south, as_(shop, "staff's") as staff:
        for other in (
            bob,
            south,
            staff,
        ):  # of another owner, of another tenant, staff
            for method, path, body in REQUESTS:
                answers = [
                    await other.request(
                        method, path.replace("/T", f"/{one}").replace("/R", f"/{run}"), json=body
                    )
                    for one, run in ((thread_id, run_id), (UNKNOWN, UNKNOWN))
                ]
                texts = [
                    answer.text.replace(thread_id, UNKNOWN).replace(run_id, UNKNOWN) for answer in answers
                ]
                assert [answer.status_code for answer in answers] == [404, 404], (method, path)
                assert texts[0] == texts[1]
            made = {"assistant_id": "echo", "input": {}, "if_not_exists": "create"}
            assert (await other.post(f"/threads/{thread_id}/runs", json=made)).status_code == 404
            taken = {"thread_id": thread_id, "if_exists": "do_nothing"}
            assert (await other.post("/threads", json=taken)).status_code == 409
            command = {"id": 1, "method": "run.start", "params": {"assistant_id": "echo", "input": {}}}
            reply = (await other.post(f"/threads/{thread_id}/commands", json=command)).json()
            assert (reply["type"], reply["error"]) == ("error", "thread_not_found")
    assert (await ann.get(f"/threads/{thread_id}")).json() == before


async def test_every_way_to_run_works_for_the_owner(shop: Live, ann: httpx.AsyncClient) -> None:
    thread_id, run_id = await finished(ann, stream_resumable=True)
    body = {"assistant_id": "echo", "input": said("a")}
    again = await ann.post(f"/threads/{thread_id}/runs/wait", json=body)
    assert again.json()["messages"][-1]["content"] == "echo: a"
    streamed = await ann.post(f"/threads/{thread_id}/runs/stream", json=body)
    assert read_stream(streamed.text)[0].name == "metadata"
    for path in ("", "/state", "/history", "/runs", f"/runs/{run_id}", f"/runs/{run_id}/join"):
        assert (await ann.get(f"/threads/{thread_id}{path}")).status_code == 200, path
    replay = await ann.get(f"/threads/{thread_id}/runs/{run_id}/stream", headers={"Last-Event-ID": "-1"})
    assert "echo: hi" in replay.text
    assert (
        await ann.post("/runs/wait", json={"assistant_id": "echo", "input": said("c")})
    ).status_code == 200
    assert (await ann.post("/chat", json={"message": "d", "session_id": "s"})).json()["reply"] == "echo: d"
    async with get_client(url=shop.url, headers={"Authorization": "Bearer ann's"}) as client:
        async with client.threads.stream(assistant_id="echo") as thread:
            await thread.run.start(input=said("e"))
            values: Json = await thread.output
        assert values["messages"][-1]["content"] == "echo: e"


async def test_a_thread_that_a_run_makes_carries_what_the_rules_stamp(
    ann: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    thread_id = str(uuid.uuid4())
    body = {"assistant_id": "echo", "input": said("hi"), "if_not_exists": "create"}
    for _ in range(2):
        assert (await ann.post(f"/threads/{thread_id}/runs/wait", json=body)).status_code == 200
    assert (await ann.get(f"/threads/{thread_id}")).json()["metadata"]["owner"] == "ann"
    assert (await bob.get(f"/threads/{thread_id}")).status_code == 404


async def test_a_no_is_said_before_anything_is_looked_at(shop: Live, ann: httpx.AsyncClient) -> None:
    thread_id, run_id = await finished(ann)
    for path in (f"/threads/{thread_id}", f"/threads/{thread_id}/runs/{run_id}", f"/threads/{UNKNOWN}"):
        response = await ann.delete(path)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    async with as_(shop, "staff's") as staff:
        assert (await staff.delete(f"/threads/{UNKNOWN}")).status_code == 404
        assert (await staff.delete(f"/threads/{thread_id}")).status_code == 204
    assert (await ann.get(f"/threads/{thread_id}")).status_code == 404


async def test_answers_that_wait_are_given_by_the_owner_alone(
    ann: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    thread_id, _ = await finished(ann, assistant_id="ask", input={})
    resume = {"assistant_id": "ask", "command": {"resume": "yes"}}
    assert (await bob.post(f"/threads/{thread_id}/runs/wait", json=resume)).status_code == 404
    answer = (await ann.post(f"/threads/{thread_id}/runs/wait", json=resume)).json()
    assert answer["log"] == ["did yes"]
