"""The agent of docs/bring-your-own-agent.md, as it stands there."""

import re
from pathlib import Path
from typing import Any

from tests.a2a.agents import agent, heard, state, states, text
from tests.servers import ROOT, live

PAGE = ROOT / "docs" / "bring-your-own-agent.md"


def write_project(folder: Path) -> Path:
    blocks: dict[str, str] = dict(re.findall(r"```(json|python)\n(.*?)```", PAGE.read_text(), re.DOTALL))
    (folder / "clerk.py").write_text(blocks["python"])
    config = folder / "langgraph.json"
    config.write_text(blocks["json"])
    return config


async def test_the_agent_of_the_page_streams_asks_and_goes_on(redis_url: str, tmp_path: Path) -> None:
    async with (
        live(redis_url, config=write_project(tmp_path)) as server,
        agent(server.url, "clerk", streaming=True) as other,
    ):
        stream = [one async for one in other.stream(text("hello there"))]
        assert heard(stream) == "You said: hello there"
        assert len([one for one in stream if "artifactUpdate" in one]) == 5, "four words, and the whole"
        assert states(stream)[-1] == "input_required"
        task: Any = next(one["task"] for one in stream if "task" in one)
        [*_, last] = [one async for one in other.stream(text("yes"), task=task["id"])]
        assert state(last) == "completed"
        values: Any = (await server.sdk().threads.get_state(task["contextId"]))["values"]
        assert values["messages"][-1]["content"] == "Sent."
