"""What JSON has no form for of its own."""

from langgraph_sdk.client import LangGraphClient

from tests.contract.asking import Json, asked

ITEM = {"name": "cup", "color": "red"}


async def test_a_question_may_hold_what_nothing_lists(client: LangGraphClient) -> None:
    thread_id, [waiting] = await asked(client, "shelf")
    assert waiting["value"] == {"about": ITEM, "notes": [{"text": "chipped"}]}
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
