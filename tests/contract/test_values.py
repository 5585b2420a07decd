"""What JSON has no form for of its own."""

from langgraph_sdk.client import LangGraphClient

from tests.contract.asking import Json, asked, events, thread

ITEM = {"name": "cup", "color": "red"}
ODD = {
    "bytes": "/wBh",
    "bytearray": "eA==",
    "duration": 90.0,
    "moment": "2026-01-02T00:00:00+00:00",
    "day": "2026-01-02",
    "id": "00000000-0000-0000-0000-000000000005",
    "path": "/x",
    "address": "10.0.0.1",
    "network": "10.0.0.0/30",
    "pattern": "a+",
    "point": {"x": 1, "y": 2},
    "set": [1],
    "tuple": [1, 2],
    "deque": [1],
    "color": "red",
    "note": {"text": "chipped"},
    "nan": None,
    "keys": {"1": "a", "null": "b"},
}


async def test_a_question_may_hold_what_nothing_lists(client: LangGraphClient) -> None:
    thread_id, [waiting] = await asked(client, "shelf")
    assert waiting["value"] == {"about": ITEM, "remarks": [{"text": "chipped"}]}
    thread: Json = await client.threads.get(thread_id)
    assert [one for [one] in thread["interrupts"].values()] == [
        {"id": waiting["id"], "value": waiting["value"]}
    ]
    values: Json = await client.runs.wait(thread_id, "shelf", command={"resume": "yes"})
    assert (values["thing"], values["said"]) == (ITEM, ["yes"])


async def test_a_state_may_hold_what_the_project_lists(client: LangGraphClient) -> None:
    thread_id, _ = await asked(client, "shelf")
    await client.runs.wait(thread_id, "shelf", command={"resume": "yes"})
    state: Json = await client.threads.get_state(thread_id)
    assert state["values"]["thing"] == ITEM


async def shown(client: LangGraphClient, thread_id: str, topic: str) -> list[Json]:
    """What a stream says of a thing: as it is written, as an update, and among the values."""
    told = await events(
        client, thread_id, "shelf", input={"topic": topic}, stream_mode=["custom", "updates", "values"]
    )
    [custom], [update] = ([data for name, data in told if name == mode] for mode in ("custom", "updates"))
    return [custom, update["put"]["thing"], told[-1][1]["thing"]]


async def test_what_json_has_no_form_for(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    assert await shown(client, thread_id, "all") == [ODD] * 3
    values: Json = (await client.threads.get(thread_id))["values"]
    assert values["thing"] == ODD


async def test_a_state_shows_it_as_a_stream_does(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await shown(client, thread_id, "all")
    state: Json = await client.threads.get_state(thread_id)
    assert state["values"]["thing"] == ODD


async def test_a_price_keeps_its_places(client: LangGraphClient) -> None:
    assert await shown(client, await thread(client), "price") == ["1.50"] * 3
