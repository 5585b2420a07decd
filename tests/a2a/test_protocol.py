"""A2A on the wire: cards, both versions, and what is said by the status of the answer."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from a2a.client import A2ACardResolver

from tests.a2a.agents import agent, text
from tests.servers import Live, live
from tests.waiting import wait_until

HI = {"kind": "message", "messageId": "m-1", "role": "user", "parts": [{"kind": "text", "text": "hi"}]}


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


async def test_clients_of_version_0_3_are_answered_in_its_terms(server: Live) -> None:
    async with server.http() as http:
        answer = (await http.post("/a2a/echo", json=rpc("message/send", message=HI))).json()
        task = answer["result"]
        assert (answer["id"], task["kind"], task["status"]["state"]) == (7, "task", "completed")
        assert task["artifacts"][0]["parts"] == [{"kind": "text", "text": "echo: hi"}]
        assert (await http.post("/a2a/echo", json=rpc("tasks/get", id=task["id"]))).json()["result"] == task
        other = {**HI, "messageId": "m-2"}
        streamed = await http.post("/a2a/echo", json=rpc("message/stream", message=other))
        assert streamed.headers["content-type"].startswith("text/event-stream")
        last = streamed.text.strip().split("\r\n\r\n")[-1]
        assert '"final":true' in last
        assert '"state":"completed"' in last
        gone = (await http.post("/a2a/echo", json=rpc("tasks/get", id="x"))).json()
        assert gone["error"]["code"] == -32001


async def test_a_stream_of_0_3_that_ends_says_so(server: Live) -> None:
    """Also one that ends because the task asks something: a client reads on until it is told."""
    asking = rpc("message/stream", message={**HI, "messageId": "m-3"})
    async with server.http() as http:
        streamed = await http.post("/a2a/approve", json=asking)
        told = [
            orjson.loads(line.removeprefix("data: "))["result"] for line in streamed.text.splitlines() if line
        ]
        said = [(one["status"]["state"], one["final"]) for one in told if one["kind"] == "status-update"]
        assert said[-1] == ("input-required", True)
        assert not any(final for _, final in said[:-1])
        again = await http.post("/a2a/approve", json=asking)
        assert '"final":true' in again.text.splitlines()[-2], "of a message that was heard before"


@pytest.mark.parametrize(
    ("method", "params", "sentence"),
    [
        ("message/send", {}, "params.message: Field required"),
        ("message/stream", {"message": {"role": "user"}}, "params.message.messageId: Field required"),
        ("tasks/get", {}, "params.id: Field required"),
        ("tasks/get", {"id": ["secret"]}, "params.id: Input should be a valid string"),
        ("tasks/pushNotificationConfig/get", {}, "id: Field required"),
    ],
)
async def test_bad_params_of_0_3_are_told_as_such(
    server: Live, method: str, params: dict[str, Any], sentence: str
) -> None:
    async with server.http() as http:
        answer = await http.post("/a2a/echo", json=rpc(method, **params))
        reply = orjson.loads(answer.text.removeprefix("data: "))
        assert (reply["id"], reply["error"]["code"]) == (7, -32602)
        assert sentence in reply["error"]["message"]
        assert "secret" not in answer.text


async def test_a_card_says_where_and_how(server: Live) -> None:
    async with httpx.AsyncClient(base_url=server.url) as nobody, server.http() as http:
        card = (await nobody.get("/.well-known/agent-card.json", params={"assistant_id": "echo"})).json()
        assert {one["protocolVersion"] for one in card["supportedInterfaces"]} == {"1.0", "0.3"}
        assert (await nobody.get("/a2a/echo/.well-known/agent-card.json")).json() == card
        assert "securitySchemes" not in card
        own = {"graph_id": "echo", "name": "Mine", "description": "Only mine."}
        made = (await http.post("/assistants", json=own)).json()
        named = await A2ACardResolver(http, f"{server.url}/a2a/{made['assistant_id']}").get_agent_card()
        assert (named.name, named.description) == ("Mine", "Only mine.")
        async with server.http("bob") as bob:
            refused = await bob.get(f"/a2a/{made['assistant_id']}/.well-known/agent-card.json")
            assert refused.status_code == 404
        bad = await nobody.get("/.well-known/agent-card.json", params={"assistant_id": "nonsense"})
        assert bad.status_code == 422


async def test_what_is_no_call_is_refused_in_the_protocols_words(server: Live) -> None:
    async with server.http() as http:
        for body, code in (
            ("{", -32700),
            ("[]", -32600),
            ('{"jsonrpc": "2.0", "id": 1, "method": "tasks/paint"}', -32601),
            ('{"jsonrpc": "2.0", "id": null, "method": "tasks/get", "params": {"id": "x"}}', -32600),
            ('{"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": []}}', -32602),
        ):
            answer = await http.post("/a2a/echo", content=body, headers={"A2A-Version": "1.0"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (200, code)
        assert (await http.post("/a2a/paint", json=rpc("tasks/get", id="x"))).status_code == 422


async def test_who_asks_too_much_is_told_by_the_status(redis_url: str) -> None:
    limits: dict[str, Any] = {
        "max_streams_of_caller": 1,
        "max_runs_of_caller": 1,
        "public_url": "https://agents.example/",
    }
    async with live(redis_url, worker=False, **limits) as server, server.http() as http:
        waits = rpc("message/send", message=HI, configuration={"blocking": False})
        task_id = (await http.post("/a2a/echo", json=waits)).json()["result"]["id"]
        card = (await http.get("/.well-known/agent-card.json")).json()
        assert card["supportedInterfaces"][0]["url"].startswith("https://agents.example/a2a/")
        full = await http.post("/a2a/echo", json=rpc("message/send", message={**HI, "messageId": "m-2"}))
        assert (full.status_code, full.json()["code"]) == (429, "too_many_runs")
        again = rpc("tasks/resubscribe", id=task_id)
        async with http.stream("POST", "/a2a/echo", json=again) as stream:
            assert stream.status_code == 200
            second = await http.post("/a2a/echo", json=again)
            assert (second.status_code, second.json()["code"]) == (429, "too_many_streams")

        async def counted_out() -> bool:
            async with http.stream("POST", "/a2a/echo", json=again) as third:
                return third.status_code == 200

        await wait_until(counted_out, "the stream that was left is not counted any more")


@pytest.mark.parametrize("streaming", [True, False])
async def test_who_leaves_leaves_no_subscription(server: Live, streaming: bool) -> None:
    async with agent(server.url, "recite", streaming=streaming) as other:
        stream = other.stream(text("100"))
        waiting = asyncio.ensure_future(anext(stream))
        if streaming:
            await waiting
            await stream.aclose()
        else:
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    hub = server.platform.hub

    async def left() -> bool:
        return not any(b":events:" in channel for channel in hub._readers)

    await wait_until(left, "nobody follows the thread any more")
