"""What makes no sense is answered with a status and a sentence, never with a 500, and harms nothing."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live, said

UNKNOWN = "7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"
HUGE = 10**25


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.fixture
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with server.http() as http:
        yield http


@pytest.fixture
async def thread_id(http: httpx.AsyncClient) -> AsyncIterator[str]:
    """A thread with a run and a state, which has to work afterwards as it did before."""
    thread_id = await new_thread(http)
    await http.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "echo", "input": said("one")})
    yield thread_id
    body = {"assistant_id": "echo", "input": said("still there?")}
    values = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
    assert values["messages"][-1]["content"] == "echo: still there?"


BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 422),
    "broken JSON": (b"{bad", 422),
    "half a JSON": (b'{"metadata":', 422),
    "a list": (b"[]", 422),
    "null": (b"null", 422),
    "a number": (b"5", 422),
    "text": (b'"x"', 422),
    "not UTF-8": (b'{"metadata":{"a":"\xff"}}', 422),
    "UTF-16": (b"\xff\xfe", 422),
    "NaN": (b'{"metadata":{"a":NaN}}', 422),
    "more than a double": (b'{"metadata":{"a":1e400}}', 422),
    "half a character": (rb'{"metadata":{"a":"\ud800"}}', 422),
    "300 levels": (f'{{"metadata":{{"a":{nested(300)}}}}}'.encode(), 422),
    "100,000 levels": (f'{{"metadata":{{"a":{nested(100_000)}}}}}'.encode(), 422),
    "10 MB": (b'{"metadata":{"a":"' + b"x" * 10_000_000 + b'"}}', 413),
    "NUL": (rb'{"metadata":{"a":"\u0000"}}', 200),
    "190 levels": (f'{{"metadata":{{"a":{nested(190)}}}}}'.encode(), 200),
    "a huge integer": (f'{{"metadata":{{"a":{HUGE}}}}}'.encode(), 200),
    "200 keys": (
        b'{"metadata":{' + b",".join(b'"k%d":%d' % (n, n) for n in range(200)) + b"}}",
        200,
    ),
}


async def test_bodies(http: httpx.AsyncClient, thread_id: str) -> None:
    found = {}
    for name, (content, _) in BODIES.items():
        response = await http.post("/threads", content=content, headers={"Content-Type": "application/json"})
        found[name] = response.status_code
        if response.status_code != 200:
            assert len(refusal(response)[1]) < 200
            run = await http.post(f"/threads/{thread_id}/runs", content=content)
            assert refusal(run) == refusal(response)
    assert found == {name: status for name, (_, status) in BODIES.items()}


async def test_a_body_without_a_length_is_measured_too(http: httpx.AsyncClient, thread_id: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 1_000_000

    response = await http.post(f"/threads/{thread_id}/runs", content=pieces())
    assert refusal(response)[0] == 413


async def test_a_body_is_json_whatever_it_says_it_is(http: httpx.AsyncClient, thread_id: str) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        content = b'{"ids": ["%b"]}' % thread_id.encode()
        response = await http.post("/threads/search", content=content, headers={"Content-Type": kind})
        assert [thread["thread_id"] for thread in response.json()] == [thread_id]


RUNS: list[tuple[Json, int]] = [
    ({"assistant_id": None}, 422),
    ({"assistant_id": 5}, 422),
    ({"assistant_id": "nope"}, 422),
    ({"assistant_id": "nope\0"}, 422),
    ({"assistant_id": UNKNOWN}, 404),
    ({"stream_mode": "zz"}, 422),
    ({"stream_mode": ["values", "tools"]}, 422),
    ({"stream_mode": ["lifecycle"]}, 422),
    ({"stream_mode": 5}, 422),
    ({"stream_subgraphs": "yes"}, 422),
    ({"stream_resumable": 1}, 422),
    ({"multitask_strategy": "zz"}, 422),
    ({"multitask_strategy": None}, 422),
    ({"if_not_exists": "zz"}, 422),
    ({"on_disconnect": "zz"}, 422),
    ({"durability": "zz"}, 422),
    ({"metadata": 5}, 422),
    ({"metadata": []}, 422),
    ({"config": 5}, 422),
    ({"config": {"tags": "x"}}, 422),
    ({"config": {"configurable": []}}, 422),
    ({"config": {"recursion_limit": 0}}, 422),
    ({"config": {"recursion_limit": "5"}}, 422),
    ({"config": {"recursion_limit": HUGE}}, 422),
    ({"config": {"configurable": {"a": 1}}, "context": {"b": 1}}, 400),
    ({"context": "x"}, 422),
    ({"command": []}, 422),
    ({"command": "resume"}, 422),
    ({"command": {"goto": 5}}, 422),
    ({"command": {"goto": {"input": 1}}}, 422),
    ({"command": {"update": "x"}}, 422),
    ({"checkpoint_id": "zz"}, 422),
    ({"checkpoint_id": 5}, 422),
    ({"checkpoint": "zz"}, 422),
    ({"checkpoint": {"checkpoint_id": "zz"}}, 422),
    ({"interrupt_before": "reply"}, 422),
    ({"interrupt_after": 5}, 422),
    ({"strict_resume": "x"}, 422),
]


@pytest.mark.parametrize("view", ["", "/wait", "/stream"])
async def test_runs(http: httpx.AsyncClient, thread_id: str, view: str) -> None:
    found = []
    for wrong, _ in RUNS:
        body = {"assistant_id": "echo", "input": said("hi"), **wrong}
        response = await http.post(f"/threads/{thread_id}/runs{view}", json=body)
        found.append((wrong, refusal(response)[0]))
    assert found == RUNS
    assert len((await http.get(f"/threads/{thread_id}/runs")).json()) == 1


FAILING: list[tuple[Json, str]] = [
    ({"input": 5}, "InvalidUpdateError"),
    ({"input": "x"}, "InvalidUpdateError"),
    ({"input": {"messages": [{"x": 1}]}}, "ValueError"),
    ({"input": {"log": 5}}, "TypeError"),
]


async def test_what_only_the_graph_can_refuse_fails_the_run(http: httpx.AsyncClient, thread_id: str) -> None:
    for wrong, error in FAILING:
        body = {"assistant_id": "echo", **wrong}
        response = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
        failed = response.json()["__error__"]
        assert (response.status_code, failed["error"], type(failed["message"])) == (200, error, str)


IGNORED: list[Json] = [
    {"foo": 1},
    {"on_completion": "zz"},
    {"feedback_keys": ["a"]},
    {"langsmith_tracer": {}},
    {"stream_mode": []},
    {"stream_mode": None},
    {"command": {}},
    {"command": None},
    {"interrupt_before": ["nobody"]},
    {"input": {"foo": 1, **said("hi")}},
]


async def test_what_is_not_known_is_ignored(http: httpx.AsyncClient, thread_id: str) -> None:
    for extra in IGNORED:
        body = {"assistant_id": "echo", "input": said("hi"), **extra}
        response = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
        assert response.status_code == 200, response.text
        assert response.json()["messages"][-1]["content"] == "echo: hi"


# Path, wrong bodies, status. T is a thread, R its run, X the id of nothing.
POSTS: list[tuple[str, list[Json], int]] = [
    (
        "/threads",
        [
            {"metadata": "x"},
            {"metadata": []},
            {"if_exists": "zz"},
            {"thread_id": "zz"},
            {"thread_id": 5},
            {"ttl": 60},
            {"ttl": {"ttl": 0}},
            {"ttl": {"ttl": 1e300}},
            {"ttl": {"ttl": 5, "strategy": "zz"}},
        ],
        422,
    ),
    (
        "/threads/search",
        [
            {"limit": 0},
            {"limit": 1001},
            {"limit": "3"},
            {"limit": HUGE},
            {"offset": -1},
            {"offset": 1.5},
            {"status": "zz"},
            {"sort_by": "zz"},
            {"sort_order": "zz"},
            {"ids": ["zz"]},
            {"ids": "zz"},
            {"metadata": 5},
            {"values": []},
            {"select": ["zz"]},
        ],
        422,
    ),
    ("/threads/count", [{"status": "zz"}, {"ids": [5]}], 422),
    ("/assistants/search", [{"limit": 0}, {"sort_by": "zz"}, {"select": ["zz"]}, {"metadata": 5}], 422),
    (
        "/threads/T/history",
        [{"limit": 0}, {"limit": "5"}, {"before": 5}, {"checkpoint": "x"}, {"metadata": []}],
        422,
    ),
    (
        "/threads/T/history",
        [
            {"before": {"configurable": "x"}},
            {"before": {"checkpoint_id": 5}},
            {"before": {"configurable": {"checkpoint_id": []}}},
        ],
        400,
    ),
    ("/threads/T/state", [{"values": {}, "as_node": 5}, {"values": {}, "checkpoint": "x"}], 422),
    (
        "/threads/T/state",
        [
            {"values": "abc"},
            {"values": 5},
            {"values": [{"log": ["a"]}]},
            {"values": {"log": 5}},
            {"values": {"messages": [{"x": 1}]}},
            {"values": {}, "as_node": "zz"},
            {"values": {}, "as_node": "__end__"},
            {"values": {}, "checkpoint": {"checkpoint_ns": "zz"}},
        ],
        400,
    ),
    ("/threads/T/state/checkpoint", [{}, {"checkpoint": "zz"}], 422),
    ("/threads/X/runs", [{"assistant_id": "echo", "input": {}}], 404),
    ("/threads/X/runs/stream", [{"assistant_id": "echo", "command": {"resume": 1}}], 404),
    ("/threads/X/state", [{"values": {}}], 404),
    ("/threads/X/history", [{}], 404),
    ("/threads/T/runs/X/cancel", [{}], 404),
    ("/threads/T/runs/R/cancel?action=zz", [{}], 400),
    ("/threads/T/runs/R/cancel?wait=zz", [{}], 400),
]

OTHERS: list[tuple[str, list[str], int]] = [
    (
        "GET",
        [
            f"/{path}"
            for odd in ("zz", "%00", "%ff", "1" * 33, "%F0%9F%98%80", "..%5c..")
            for path in (
                f"threads/{odd}",
                f"threads/{odd}/state",
                f"threads/{odd}/history",
                f"threads/{odd}/runs",
                f"threads/T/runs/{odd}",
                f"threads/T/runs/{odd}/join",
                f"threads/T/runs/{odd}/stream",
                f"assistants/{odd}",
            )
        ],
        422,
    ),
    ("GET", [f"/assistants/echo/{tail}" for tail in ("graph", "schemas", "subgraphs", "subgraphs/x")], 422),
    (
        "GET",
        [
            "/threads/X",
            "/threads/X/state",
            "/threads/X/state/X",
            "/threads/X/history",
            "/threads/X/runs",
            "/threads/T/runs/X",
            "/threads/T/runs/X/join",
            "/threads/T/runs/X/stream",
            "/threads/X/runs/R",
            "/threads/X/runs/R/join",
            "/threads/X/runs/R/stream",
            "/assistants/X",
            "/assistants/X/graph",
            "/assistants/X/schemas",
            "/assistants/X/subgraphs",
            "/nope",
        ],
        404,
    ),
    (
        "GET",
        [
            "/threads/T/runs?limit=abc",
            "/threads/T/runs?limit=0",
            "/threads/T/runs?limit=",
            f"/threads/T/runs?limit={HUGE}",
            "/threads/T/runs?offset=-1",
            "/threads/T/runs?select=zz",
            "/threads/T/history?limit=abc",
            "/threads/T/history?limit=1001",
            "/threads/T/state?subgraphs=zz",
            "/threads/T/runs/R/stream?cancel_on_disconnect=zz",
            "/threads/T/runs/R/join?cancel_on_disconnect=zz",
            "/threads/T/runs/R/stream?stream_mode=[zz",
        ],
        400,
    ),
    ("PATCH", ["/threads/T"], 422),
    ("DELETE", ["/threads/X", "/threads/T/runs/X", "/threads/X/runs/R"], 404),
    ("PUT", ["/threads", "/threads/T"], 405),
]


async def addresses(http: httpx.AsyncClient, thread_id: str) -> dict[str, str]:
    [run] = (await http.get(f"/threads/{thread_id}/runs")).json()
    return {"T": thread_id, "R": run["run_id"], "X": UNKNOWN}


def located(path: str, ids: dict[str, str]) -> str:
    path, question, query = path.partition("?")
    return "/".join(ids.get(part, part) for part in path.split("/")) + question + query


async def test_posts(http: httpx.AsyncClient, thread_id: str) -> None:
    ids = await addresses(http, thread_id)
    wanted = [(path, body, status) for path, bodies, status in POSTS for body in bodies]
    found = [
        (path, body, refusal(await http.post(located(path, ids), json=body))[0]) for path, body, _ in wanted
    ]
    assert found == wanted


async def test_other_methods(http: httpx.AsyncClient, thread_id: str) -> None:
    ids = await addresses(http, thread_id)
    wanted = [(method, path, status) for method, paths, status in OTHERS for path in paths]
    found = [
        (method, path, refusal(await http.request(method, located(path, ids)))[0])
        for method, path, _ in wanted
    ]
    assert found == wanted


async def test_what_no_route_takes_is_refused_in_the_form_of_all_refusals(http: httpx.AsyncClient) -> None:
    assert (await http.get("/nope")).json() == {"detail": "Not Found", "code": "not_found"}
    told = {"detail": "Method Not Allowed", "code": "method_not_allowed"}
    assert (await http.put("/threads")).json() == told


async def test_a_patch_needs_an_object(http: httpx.AsyncClient, thread_id: str) -> None:
    assert refusal(await http.patch(f"/threads/{thread_id}", json={"metadata": 5}))[0] == 422
    assert refusal(await http.patch(f"/threads/{UNKNOWN}", json={"metadata": {}}))[0] == 404


async def test_a_thread_that_claims_an_odd_graph_can_still_be_read(http: httpx.AsyncClient) -> None:
    for graph_id, status in (("nope", 404), (["x"], 200), ({"a": 1}, 200), (5, 200)):
        thread_id = await new_thread(http, metadata={"graph_id": graph_id})
        assert (await http.get(f"/threads/{thread_id}")).json()["metadata"] == {"graph_id": graph_id}
        assert (await http.get(f"/threads/{thread_id}/state")).status_code == status
        assert (await http.get(f"/threads/{thread_id}/history")).status_code == status
        response = await http.post(f"/threads/{thread_id}/state", json={"values": {}})
        assert refusal(response)[0] in (400, 404)


async def test_a_state_that_never_was_is_empty(http: httpx.AsyncClient, thread_id: str) -> None:
    for checkpoint_id in (UNKNOWN, "zz"):
        state = (await http.get(f"/threads/{thread_id}/state/{checkpoint_id}")).json()
        assert (state["values"], state["next"], state["metadata"]) == ({}, [], None)


async def test_deep_input_ends_as_any_other(http: httpx.AsyncClient, thread_id: str) -> None:
    deep = b'{"assistant_id":"echo","input":{"answer":%b,"messages":[{"role":"user","content":"hi"}]}}'
    for levels, status in ((180, 200), (300, 422)):
        content = deep % nested(levels).encode()
        response = await http.post(f"/threads/{thread_id}/runs/wait", content=content)
        assert response.status_code == status
    assert (await http.get(f"/threads/{thread_id}/state")).status_code == 200
    assert (await http.post(f"/threads/{thread_id}/history", json={"limit": 10})).status_code == 200
