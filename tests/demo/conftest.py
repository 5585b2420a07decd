from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from graph.demo import DemoModel, Script
from tests.demo.talks import tool_specs

Chat = Runnable[LanguageModelInput, AIMessage]
ChatMaker = Callable[..., Chat]


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[DemoModel]:
    async with DemoModel(Script()) as model:
        yield model


@pytest.fixture
def demo(running: DemoModel) -> DemoModel:
    """The server, its script and its records as new."""
    running.play(Script())
    return running


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def make_chat(demo: DemoModel, http: httpx.AsyncClient) -> ChatMaker:
    def make(**options: Any) -> Chat:
        # A retry of the client's own would hide what the server did.
        options = {"max_retries": 0, "stream_usage": True, **options}
        chat = ChatOpenAI(
            model="holdfast-demo",
            base_url=demo.base_url,
            api_key=SecretStr("demo"),
            http_async_client=http,
            **options,
        )
        return chat.bind_tools(tool_specs())

    return make


@pytest.fixture(params=[False, True], ids=["completions", "responses"])
def chat(request: pytest.FixtureRequest, make_chat: ChatMaker) -> Chat:
    """The real client over the socket, once in each protocol."""
    return make_chat(use_responses_api=request.param)
