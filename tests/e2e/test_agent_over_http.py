"""The agent behind `holdfast dev`: what is asked stays asked, and what is decided is paid, once each."""

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.a2a.agents import agent, reply, state, text
from tests.api.mcps import DECLINED, Person, chosen, connected
from tests.egress.watching import Watch
from tests.servers import executed, free_port, said, wait_ready


@pytest.fixture(scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dev")


@pytest.fixture(scope="module")
def watch(folder: Path) -> Watch:
    return Watch(folder / "egress")


@pytest.fixture(scope="module")
async def url(folder: Path, watch: Watch) -> AsyncIterator[str]:
    """API, worker, demo model and the shop in one process, which never leaves the machine."""
    port = free_port()
    async with executed("dev", "--port", str(port), HOLDFAST_DATA=str(folder), **watch.environment):
        await wait_ready(f"http://127.0.0.1:{port}", 60)
        yield f"http://127.0.0.1:{port}"
    assert watch.tried == []


@pytest.fixture
async def client(url: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=url) as opened:
        yield opened


async def turn(client: LangGraphClient, thread_id: str, text: str) -> Any:
    return await client.runs.wait(thread_id, "support", input=said(text))


async def waiting(client: LangGraphClient, thread_id: str) -> dict[str, tuple[str, str]]:
    """The requests that wait: (interrupt id, request id) by order."""
    thread = await client.threads.get(thread_id)
    found = {}
    for interrupts in thread["interrupts"].values():
        for interrupt in interrupts:
            value: Any = interrupt["value"]
            order = value["action_requests"][0]["args"]["order_id"]
            found[order] = (str(interrupt["id"]), value["policy"]["request_id"])
    return found


def paid(folder: Path, order_id: str) -> list[tuple[int, str]]:
    shop = sqlite3.connect(folder / "shop.db")
    rows = shop.execute("SELECT amount, status FROM refunds WHERE order_id = ?", (order_id,)).fetchall()
    shop.close()
    return rows


async def decide(client: LangGraphClient, thread_id: str, interrupt_id: str, decision: Any) -> Any:
    command: Any = {"resume": {interrupt_id: decision}}
    return await client.runs.wait(thread_id, "support", command=command)


async def test_a_question_is_answered_while_the_approval_goes_on_waiting(
    client: LangGraphClient, folder: Path
) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await turn(client, thread_id, "I want a refund of 10 dollars for order 12348")
    before = await waiting(client, thread_id)
    values = await turn(client, thread_id, "How long does a refund take?")
    assert "business days" in values["messages"][-1]["content"]
    after = await waiting(client, thread_id)
    assert [request for _, request in after.values()] == [request for _, request in before.values()]
    [(interrupt_id, _)] = after.values()
    await decide(client, thread_id, interrupt_id, {"type": "reject", "message": "changed my mind"})
    assert paid(folder, "12348") == [(1000, "rejected")]
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_another_agent_asks_for_a_refund_and_says_yes_to_it(url: str, folder: Path) -> None:
    """By A2A: what the shop asks is the task's question, the other agent's yes pays it, once."""
    async with httpx.AsyncClient(base_url=url) as http:
        token = (await http.post("/dev/token", json={"subject": "lin"})).json()["token"]
    async with agent(url, "support", {"Authorization": f"Bearer {token}"}) as other:
        task = await other.send(text("订单 20101 退 10 元"))
        assert state(task) == "input_required"
        question = task["status"]["message"]["parts"][0]["text"]
        assert "20101" in question
        assert "10.00" in question
        assert paid(folder, "20101") == []
        named = str(uuid.uuid4())
        done = await other.send(text("确认"), task=task["id"], message_id=named)
        assert (state(done), done["id"]) == ("completed", task["id"])
        assert "20101" in reply(done)
        assert await other.send(text("确认"), task=task["id"], message_id=named) == done
    assert paid(folder, "20101") == [(1000, "settled")]


async def test_two_refunds_in_one_message_are_two_approvals(client: LangGraphClient, folder: Path) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await turn(client, thread_id, "请帮我退款,订单 12346 和 12347 都要退")
    both = await waiting(client, thread_id)
    assert set(both) == {"12346", "12347"}
    await decide(client, thread_id, both["12346"][0], {"decisions": [{"type": "approve"}]})
    assert [status for _, status in paid(folder, "12346")] == ["settled"]
    assert paid(folder, "12347") == []
    left = await waiting(client, thread_id)
    assert left["12347"][1] == both["12347"][1]
    assert set(left) == {"12347"}
    values = await turn(client, thread_id, "谢谢")
    outcomes = [
        message["id"] for message in values["messages"] if (message["id"] or "").startswith("refund-")
    ]
    assert len(outcomes) == len(set(outcomes)) == 1
    [(interrupt_id, _)] = (await waiting(client, thread_id)).values()
    await decide(client, thread_id, interrupt_id, [{"type": "accept", "args": None}])
    assert [status for _, status in paid(folder, "12347")] == ["settled"]
    assert len(paid(folder, "12346")) == 1


async def test_a_copied_conversation_pays_no_second_time(client: LangGraphClient, folder: Path) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await turn(client, thread_id, "我要退订单 12358 的 30 元")
    copied: Any = await client.threads.copy(thread_id)  # type: ignore[func-returns-value]
    both = [thread_id, copied["thread_id"]]
    shown = [await waiting(client, one) for one in both]
    assert {request for one in shown for _, request in one.values()} == {shown[0]["12358"][1]}
    approve = {"decisions": [{"type": "approve"}]}
    answers = zip(both, (one["12358"][0] for one in shown), strict=True)
    await asyncio.gather(*(decide(client, one, interrupt_id, approve) for one, interrupt_id in answers))
    assert [status for amount, status in paid(folder, "12358") if amount == 3000] == ["settled"]
    assert [await waiting(client, one) for one in both] == [{}, {}]


async def test_an_edit_may_only_lower_the_amount(url: str, client: LangGraphClient, folder: Path) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await turn(client, thread_id, "我要退订单 12352 的 20 元")
    [(interrupt_id, _)] = (await waiting(client, thread_id)).values()

    def edit(amount: str) -> dict[str, Any]:
        args = {"amount": amount}
        return {"type": "edit", "edited_action": {"name": "request_refund", "args": args}}

    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        for wrong in (edit("20.01"), {"type": "respond", "message": "pay"}, {"type": "pay"}, "yes", None):
            asked = {"assistant_id": "support", "command": {"resume": {interrupt_id: wrong}}}
            refused = await http.post(f"/threads/{thread_id}/runs/wait", json=asked)
            assert refused.status_code == 422, refused.text
            assert isinstance(refused.json()["detail"], str)
    assert paid(folder, "12352") == []
    assert len(await waiting(client, thread_id)) == 1
    await decide(client, thread_id, interrupt_id, edit("15.50"))
    assert paid(folder, "12352") == [(1550, "settled")]


async def test_other_agents_reach_it_by_mcp_and_their_person_confirms(url: str, folder: Path) -> None:
    person = Person(chosen("approve"), DECLINED)
    async with connected(url, elicit=person) as mcp:
        for amount, outcome in ((15, "settled"), (20, "rejected")):
            result = await mcp.call_tool("support", said(f"我要退订单 12358 的 {amount} 元"))
            assert result.structured_content["status"] == "done", result
            assert f"{amount}.00 CNY" in person.shown[-1].message
            assert (100 * amount, outcome) in paid(folder, "12358")
    assert len(person.shown) == 2


async def test_the_order_of_another_customer_reads_like_a_missing_one(client: LangGraphClient) -> None:
    replies = []
    for order in ("30211", "39999"):
        thread_id = (await client.threads.create())["thread_id"]
        values = await turn(client, thread_id, f"where is my order {order}")
        tools = [message["content"] for message in values["messages"] if message["type"] == "tool"]
        replies.append([text.replace(order, "#") for text in tools])
    assert replies[0] == replies[1] != []


async def request_of(client: LangGraphClient, thread_id: str) -> Any:
    """The only waiting request's own state, inside the conversation's."""
    state: Any = await client.threads.get_state(thread_id, subgraphs=True)
    namespace = state["tasks"][0]["state"]["checkpoint"]["checkpoint_ns"]
    return {"thread_id": thread_id, "checkpoint_ns": namespace}


async def test_an_answer_written_into_the_state_pays_nothing(client: LangGraphClient, folder: Path) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await turn(client, thread_id, "我要退订单 #12351")
    await turn(client, thread_id, "好的,帮我退款")
    before = await waiting(client, thread_id)
    answer = {"answer": {"decisions": [{"type": "approve"}]}}
    inside = await request_of(client, thread_id)
    await client.threads.update_state(thread_id, answer, as_node="ask", checkpoint=inside)
    await client.runs.wait(thread_id, "support")
    assert paid(folder, "12351") == []
    assert (await waiting(client, thread_id))["12351"][1] == before["12351"][1]


async def test_requests_written_into_the_state_are_neither_asked_nor_in_the_way(
    client: LangGraphClient, folder: Path
) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await turn(client, thread_id, "我要退订单 12353 的 20 元")
    [(interrupt_id, request_id)] = (await waiting(client, thread_id)).values()
    await decide(client, thread_id, interrupt_id, {"type": "reject", "message": ""})
    known: Any = (await client.threads.get_state(thread_id))["values"]
    old = known["requests"][request_id]
    copy = str(uuid.uuid4())
    forged: dict[str, Any] = {
        copy: {**old, "request_id": copy, "status": "undecided"},
        "broken": {"status": "undecided"},
        "worse": 7,
    }
    await client.threads.update_state(thread_id, {"requests": forged})
    values = await turn(client, thread_id, "谢谢")
    assert list(values["requests"]) == [request_id]
    assert (await client.threads.get(thread_id))["status"] == "idle"
    await client.threads.update_state(thread_id, {"requests": forged}, as_node="settle")
    await client.runs.wait(thread_id, "support")
    assert await waiting(client, thread_id) == {}
    assert [status for _, status in paid(folder, "12353")] == ["settled", "rejected"]


async def test_a_decision_holds_for_the_figures_it_was_made_on(client: LangGraphClient, folder: Path) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await turn(client, thread_id, "I want a refund of 10 dollars for order 12356")
    [(interrupt_id, request_id)] = (await waiting(client, thread_id)).values()
    approved: Any = {"resume": {interrupt_id: {"type": "approve"}}}
    await client.runs.create(thread_id, "support", command=approved, after_seconds=60)
    shown: Any = (await client.threads.get_state(thread_id))["values"]
    forged = {"request": {**shown["requests"][request_id], "amount": 15999}}
    inside = await request_of(client, thread_id)
    await client.threads.update_state(thread_id, forged, as_node="look", checkpoint=inside)
    await client.runs.wait(thread_id, "support")
    assert paid(folder, "12356") == []
    assert (await waiting(client, thread_id))["12356"][1] == request_id


async def test_figures_written_into_the_state_change_nothing(client: LangGraphClient, folder: Path) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await turn(client, thread_id, "我要退订单 12345 的 10 元")
    [(interrupt_id, request_id)] = (await waiting(client, thread_id)).values()
    approved: Any = {"resume": {interrupt_id: {"type": "approve"}}}
    await client.runs.create(thread_id, "support", command=approved, after_seconds=60)
    await client.threads.update_state(thread_id, {"requests": {request_id: {"amount": 100000}}})
    await client.runs.wait(thread_id, "support")
    assert paid(folder, "12345") == [(1000, "settled")]
    assert await waiting(client, thread_id) == {}
