"""The shop's agent hands technical questions to another agent, of another framework, by A2A."""

import importlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from graph.demo import DemoModel
from tests.a2a.agents import agent, heard, states, text
from tests.servers import ROOT, Live, free_port, holdfast, live, said, wait_ready

TECHNICAL = ROOT / "examples" / "tech_support" / "langgraph.json"
ZH = "我的耳机蓝牙连不上怎么办"

pytestmark = pytest.mark.timeout(180)


@dataclass
class Agents:
    shop: str
    technical: Live


@pytest.fixture(scope="module")
async def agents(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Agents]:
    """Two servers with one demo model: technical support, and the shop that knows where it is."""
    folder, port = tmp_path_factory.mktemp("shop"), free_port()
    async with DemoModel() as model:
        own = {"HOLDFAST_DATA": str(folder), "OPENAI_BASE_URL": model.base_url}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAI_BASE_URL", model.base_url)
            async with (
                live(redis_url, config=TECHNICAL) as technical,
                holdfast("dev", "--port", str(port), **own, TECH_SUPPORT_URL=technical.url),
            ):
                await wait_ready(url := f"http://127.0.0.1:{port}", 60)
                yield Agents(url, technical)
            await importlib.import_module("tech_support.agent").connection().close()


async def turn(client: LangGraphClient, thread_id: str, words: str) -> list[Any]:
    values: Any = await client.runs.wait(thread_id, "support", input=said(words))
    messages: list[Any] = values["messages"]
    return messages


async def test_a_technical_question_is_answered_by_the_other_agent(agents: Agents) -> None:
    async with get_client(url=agents.shop) as client:
        thread_id = (await client.threads.create())["thread_id"]
        _, called, result, told = await turn(client, thread_id, ZH)
        assert called["tool_calls"][0]["name"] == "hand_off"
        assert '"untrusted_text": {"answer": "长按电源键七秒' in result["content"]
        assert told["content"].startswith("技术支持的答复：长按电源键七秒")
        *_, told = await turn(client, thread_id, "And how do I factory reset it?")
        assert "both volume buttons" in told["content"]
        *_, told = await turn(client, thread_id, "Where is order 12345?")
        assert "12345" in told["content"], "the shop's own questions stay its own"
    wanted: Any = {"messages": [{"content": ZH}]}
    [there] = await agents.technical.sdk().threads.search(values=wanted)
    values: Any = there["values"]
    kinds = [one["type"] for one in values["messages"]]
    assert kinds == ["human", "ai", "human", "ai"], "one conversation there too"


async def test_the_other_agent_streams_its_words(agents: Agents) -> None:
    async with agent(agents.technical.url, "tech_support", streaming=True) as asking:
        stream = [one async for one in asking.stream(text("How do I pair it by bluetooth?"))]
    assert states(stream)[-1] == "completed"
    assert "Hold the power button" in heard(stream)
    assert len([one for one in stream if "artifactUpdate" in one]) > 10, "word by word"
