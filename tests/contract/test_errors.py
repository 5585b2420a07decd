"""What is refused, and how: the status, and one sentence under `detail`."""

from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.contract.asking import MISSING, fresh, human, refused, thread

BAD_ID = "not-a-uuid"
OF_THREADS = [
    ("GET", "/threads/{}"),
    ("PATCH", "/threads/{}"),
    ("DELETE", "/threads/{}"),
    ("GET", "/threads/{}/state"),
    ("POST", "/threads/{}/state"),
    ("GET", "/threads/{}/history"),
    ("POST", "/threads/{}/history"),
    ("GET", "/threads/{}/runs"),
    ("POST", "/threads/{}/runs"),
    ("POST", "/threads/{}/runs/wait"),
    ("POST", "/threads/{}/runs/stream"),
    ("POST", "/threads/{}/copy"),
    ("POST", "/threads/{}/state/checkpoint"),
    ("POST", "/threads/{}/runs/crons"),
]
BODIES: dict[str, Any] = {
    "PATCH /threads/{}": {"metadata": {}},
    "POST /threads/{}/state": {"values": {"topic": "x"}},
    "POST /threads/{}/history": {},
    "POST /threads/{}/runs": {"assistant_id": "echo"},
    "POST /threads/{}/runs/wait": {"assistant_id": "echo"},
    "POST /threads/{}/runs/stream": {"assistant_id": "echo"},
    "POST /threads/{}/state/checkpoint": {"checkpoint": {"checkpoint_id": MISSING}},
    "POST /threads/{}/runs/crons": {"assistant_id": "echo", "schedule": "* * * * *"},
}
CONFLICT = "POST /threads/{}/copy"


def sent(method: str, path: str) -> dict[str, Any]:
    body = BODIES.get(f"{method} {path}")
    return {} if body is None else {"json": body}


@pytest.mark.parametrize(("method", "path"), OF_THREADS)
async def test_an_id_that_is_none(http: httpx.AsyncClient, method: str, path: str) -> None:
    status, _ = await refused(http, method, path.format(BAD_ID), **sent(method, path))
    assert status == 422


@pytest.mark.parametrize(("method", "path"), OF_THREADS)
async def test_a_thread_that_is_not_there(http: httpx.AsyncClient, method: str, path: str) -> None:
    status, _ = await refused(http, method, path.format(fresh()), **sent(method, path))
    assert status == (409 if f"{method} {path}" == CONFLICT else 404)


@pytest.mark.parametrize("path", ["/assistants/{}", "/assistants/{}/graph", "/assistants/{}/schemas"])
async def test_an_assistant_that_is_not_there(http: httpx.AsyncClient, path: str) -> None:
    assert (await refused(http, "GET", path.format(fresh())))[0] == 404
    assert (await refused(http, "GET", path.format(BAD_ID)))[0] == 422


@pytest.mark.parametrize("path", ["", "/join", "/cancel"])
async def test_a_run_id_that_is_none(client: LangGraphClient, http: httpx.AsyncClient, path: str) -> None:
    method = "POST" if path == "/cancel" else "GET"
    url = f"/threads/{await thread(client)}/runs/{BAD_ID}{path}"
    assert (await refused(http, method, url))[0] == 422


@pytest.mark.parametrize("path", ["", "/cancel"])
async def test_a_run_that_is_not_there(client: LangGraphClient, http: httpx.AsyncClient, path: str) -> None:
    method = "POST" if path == "/cancel" else "GET"
    url = f"/threads/{await thread(client)}/runs/{fresh()}{path}"
    assert (await refused(http, method, url))[0] == 404


BAD_RUNS: list[tuple[str, dict[str, Any], int]] = [
    ("no assistant", {"input": {}}, 422),
    ("an assistant that is a number", {"assistant_id": 5}, 422),
    ("an assistant that is not there", {"assistant_id": fresh()}, 404),
    ("a graph that is not there", {"assistant_id": "nothing"}, 422),
    ("a strategy that is none", {"assistant_id": "echo", "multitask_strategy": "hurry"}, 422),
    ("a mode that is none", {"assistant_id": "echo", "stream_mode": "everything"}, 422),
    ("modes of which one is none", {"assistant_id": "echo", "stream_mode": ["values", "x"]}, 422),
    ("feedback keys that are a number", {"assistant_id": "echo", "feedback_keys": 5}, 422),
    ("metadata that is a list", {"assistant_id": "echo", "metadata": []}, 422),
    ("a config that is a text", {"assistant_id": "echo", "config": "x"}, 422),
    ("an on_disconnect that is none", {"assistant_id": "echo", "on_disconnect": "maybe"}, 422),
    ("an if_not_exists that is none", {"assistant_id": "echo", "if_not_exists": "perhaps"}, 422),
    ("a durability that is none", {"assistant_id": "echo", "durability": "later"}, 422),
    ("a command that is a list", {"assistant_id": "echo", "command": []}, 422),
]


@pytest.mark.parametrize(
    ("body", "status"), [case[1:] for case in BAD_RUNS], ids=[case[0] for case in BAD_RUNS]
)
@pytest.mark.parametrize("way", ["runs", "runs/wait", "runs/stream"])
async def test_a_run_that_cannot_be(
    client: LangGraphClient, http: httpx.AsyncClient, way: str, body: dict[str, Any], status: int
) -> None:
    thread_id = await thread(client)
    assert (await refused(http, "POST", f"/threads/{thread_id}/{way}", json=body))[0] == status
    assert await client.runs.list(thread_id) == []
    assert await client.runs.wait(
        thread_id, "echo", input=human("still here")
    )  # the thread is as good as before


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": 100_000},
        {"limit": "many"},
        {"offset": -1},
        {"sort_by": "color"},
        {"sort_order": "sideways"},
        {"status": "asleep"},
        {"metadata": "x"},
        {"ids": ["not-a-uuid"]},
    ],
    ids=str,
)
async def test_a_search_that_cannot_be(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await refused(http, "POST", "/threads/search", json=body))[0] == 422


@pytest.mark.parametrize("path", ["/threads", "/threads/search", "/assistants/search", "/runs/wait"])
async def test_a_body_that_is_no_json(http: httpx.AsyncClient, path: str) -> None:
    headers = {"content-type": "application/json"}
    assert (await refused(http, "POST", path, content=b"{", headers=headers))[0] in (400, 422)


@pytest.mark.parametrize(
    "body",
    [
        {"assistant_id": "echo", "schedule": "every day"},
        {"assistant_id": "echo", "schedule": "* * *"},
        {"assistant_id": "echo", "schedule": "99 * * * *"},
        {"assistant_id": "echo"},
        {"schedule": "* * * * *"},
        {"assistant_id": "echo", "schedule": "* * * * *", "timezone": "Mars/Olympus"},
    ],
    ids=str,
)
async def test_a_cron_that_cannot_be(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await refused(http, "POST", "/runs/crons", json=body))[0] == 422


async def test_what_no_route_answers(http: httpx.AsyncClient) -> None:
    assert (await http.get("/nothing/here")).status_code == 404
    assert (await http.request("PUT", "/threads/search")).status_code in (404, 405)
