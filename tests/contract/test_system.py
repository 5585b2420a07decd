"""What is asked of a server before anything else."""

import httpx
import pytest

from tests.contract.asking import MISSING


async def test_it_is_there(http: httpx.AsyncClient) -> None:
    response = await http.get("/ok")
    assert (response.status_code, response.json()["ok"]) == (200, True)


async def test_it_says_what_it_can(http: httpx.AsyncClient) -> None:
    info = (await http.get("/info")).json()
    assert {"version", "langgraph_py_version", "flags", "host"} <= info.keys()
    assert tuple(map(int, info["version"].split(".")[:2])) >= (0, 4)
    assert info["flags"]["assistants"] is True


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
async def test_what_describes_it(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path, follow_redirects=True)).status_code == 200


@pytest.mark.parametrize("path", ["/ok", "/info", "/openapi.json"])
async def test_a_probe_may_ask_for_the_head_alone(http: httpx.AsyncClient, path: str) -> None:
    asked, whole = await http.head(path), await http.get(path)
    assert (asked.status_code, asked.content, whole.status_code) == (200, b"", 200)
    for header in ("content-type", "content-length"):
        assert asked.headers[header] == whole.headers[header]


async def test_the_head_of_what_is_not_there(http: httpx.AsyncClient) -> None:
    assert (await http.head(f"/threads/{MISSING}")).status_code == 404


@pytest.mark.parametrize("header", ["content-location", "x-pagination-next", "x-pagination-total"])
async def test_pages_of_other_origins_may_read_it(http: httpx.AsyncClient, header: str) -> None:
    response = await http.post("/threads/search", json={}, headers={"Origin": "https://example.com"})
    assert response.headers["access-control-allow-origin"] in ("*", "https://example.com")
    assert header in response.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
async def test_pages_of_other_origins_may_ask(http: httpx.AsyncClient, method: str) -> None:
    headers = {
        "Origin": "https://example.com",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,x-api-key,authorization,last-event-id",
    }
    response = await http.options("/threads/search", headers=headers)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] in ("*", "https://example.com")
