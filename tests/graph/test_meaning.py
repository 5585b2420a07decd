"""Pages found by meaning: a server with a store that embeds, asked by customers of two tenants."""

import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graph.demo import DemoModel
from graph.pages import PAGES, SHARED
from graph.workplace import DOORS, SHIPPED_KNOWLEDGE
from tests.servers import ROOT, Live, live, said
from tests.waiting import wait_until
from tools.knowledge import read_knowledge

# What the stub takes for one meaning, in whichever words.
MEANINGS = (
    ("A parcel that does not move", "物流长时间没有更新", "package vanished", "包裹不见了"),
    ("What shipping costs", "运费", "how pricey"),
    ("Changing the address", "修改收货地址"),
)
EN = "My return policy question: the package vanished"
ZH = "退货政策: 我的包裹不见了"


class Embedding(DemoModel):
    """The demo model, which embeds too, as OpenAI's API does: one number for each meaning."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.away = False

    def make_app(self) -> Starlette:
        app: Any = super().make_app()
        app.routes.append(Route("/v1/embeddings", self.embed, methods=["POST"]))
        return app  # type: ignore[no-any-return]

    async def embed(self, request: Request) -> Response:
        if self.away:
            return JSONResponse({"error": {"message": "away"}}, 503)
        texts = (await request.json())["input"]
        self.asked.append(texts)
        data = [
            {"object": "embedding", "index": number, "embedding": embed(text)}
            for number, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return JSONResponse({"object": "list", "model": "stub", "data": data, "usage": usage})


def embed(text: str) -> list[float]:
    meant = [float(any(words in text for words in meaning)) for meaning in MEANINGS]
    return [*meant, float(not any(meant))]


def config(folder: Path) -> Path:
    """The project as docs/knowledge.md says, with vectors of the stub's length."""
    page = (ROOT / "docs" / "knowledge.md").read_text()
    said = json.loads(page.partition("```json")[2].partition("```")[0])
    said["store"]["index"]["dims"] = len(MEANINGS) + 1
    path = folder / "langgraph.json"
    path.write_text(json.dumps({"graphs": {"support": "graph.agent:graph"}, **said}))
    return path


@pytest.fixture(scope="module")
async def embedding() -> AsyncIterator[Embedding]:
    async with Embedding() as model:
        yield model


@pytest.fixture(scope="module")
async def shop(
    redis_url: str, embedding: Embedding, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Live]:
    folder = tmp_path_factory.mktemp("meaning")
    await DOORS.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOLDFAST_DATA", str(folder))
        patch.setenv("OPENAI_BASE_URL", embedding.base_url)
        patch.delitem(sys.modules, "graph.embeddings", raising=False)
        async with live(redis_url, config=config(folder)) as server:
            await wait_until(lambda: embedded(server), "all pages are embedded")
            yield server
        await DOORS.close()
        await sys.modules["graph.embeddings"].embeddings.async_client._client.close()


async def embedded(shop: Live) -> bool:
    kept = await shop.platform.shared_store().asearch((SHARED, PAGES), limit=1000)
    return len(kept) == len(read_knowledge(SHIPPED_KNOWLEDGE).sections)


@dataclass
class Answer:
    text: str
    sources: list[str]


async def ask(shop: Live, text: str, tenant: str = "north") -> Answer:
    token = shop.authenticator.sign("ann", (), tenant)
    async with get_client(url=shop.url, headers={"Authorization": f"Bearer {token}"}) as client:
        values: Any = await client.runs.wait(None, "support", input=said(text))
    answer = values["messages"][-1]
    found = answer["additional_kwargs"].get("sources", [])
    return Answer(answer["content"], [one["title"] for one in found])


@pytest.mark.parametrize(
    ("question", "source", "tenant"),
    [
        (EN, "Shipping: A parcel that does not move", "north"),
        (EN, "Shipping: A parcel that does not move", "south"),
        (ZH, "配送: 物流长时间没有更新", "south"),
    ],
)
async def test_other_words_of_the_same_meaning_find_a_page(
    shop: Live, question: str, source: str, tenant: str
) -> None:
    answer = await ask(shop, question, tenant)
    assert answer.sources == [source]
    assert source in answer.text


async def test_the_pages_were_embedded_once(shop: Live, embedding: Embedding) -> None:
    asked = [text for texts in embedding.asked for text in texts]
    pages = [f"{one.name}\n\n{one.text}" for one in read_knowledge(SHIPPED_KNOWLEDGE).sections]
    assert sorted(text for text in asked if text in pages) == sorted(pages)


@pytest.mark.parametrize("trouble", ["away", "nothing near"])
async def test_words_are_searched_where_meaning_finds_nothing(
    shop: Live, embedding: Embedding, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    embedding.away = trouble == "away"
    question = EN if embedding.away else "What is your return policy?"
    answer = await ask(shop, question)
    embedding.away = False
    assert answer.sources == ["Returns and refunds: Return policy"]
    assert ("Pages are not searched by meaning." in caplog.text) == (trouble == "away")
