from typing import Any

from tests.servers import Live, said


async def test_a_run_answers_through_the_official_client(server: Live) -> None:
    sdk = server.sdk()
    thread = await sdk.threads.create()
    values: Any = await sdk.runs.wait(thread["thread_id"], "echo", input=said("hi"))
    assert [message["content"] for message in values["messages"]] == ["hi", "echo: hi"]
