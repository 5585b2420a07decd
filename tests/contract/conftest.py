"""The server that the contract is held against: Holdfast, or the one at CONTRACT_URL."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.contract.differences import DIFFERENCES
from tests.servers import live

PROJECT = Path(__file__).parent / "project" / "langgraph.json"
OTHER = os.environ.get("CONTRACT_URL")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where another server is asked, what is known to differ there has to differ."""
    for item in items:
        _, _, name = item.nodeid.partition("tests/contract/")
        if OTHER and (why := DIFFERENCES.get(name)):
            item.add_marker(pytest.mark.xfail(reason=why, strict=True))


@pytest.fixture(scope="session")
async def url(redis_url: str) -> AsyncIterator[str]:
    if OTHER:
        yield OTHER
    else:
        async with live(redis_url, config=PROJECT, lease_s=4) as server:
            yield server.url


@pytest.fixture(scope="session")
async def client(url: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=url) as sdk:
        yield sdk


@pytest.fixture(scope="session")
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=30) as raw:
        yield raw
