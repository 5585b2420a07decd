"""What a project shares with all tenants: who reads it, who puts it, and what it costs to embed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from string import ascii_lowercase
from typing import Any

import pytest
from langgraph.store.base import InvalidNamespaceError
from langgraph.store.base.embed import ensure_embeddings

from holdfast.core import sharing
from holdfast.core.platform import Platform, open_platform
from holdfast.hooks import Hooks, Shared
from holdfast.memory import StoreConfig, StoreIndex
from holdfast.project import Project, load_project
from holdfast.redis.locks import alone
from holdfast.settings import Settings
from holdfast.store import SHARED, RedisStore
from tests.servers import SERVED
from tests.waiting import wait_until

PAGES: Shared = {("pages", "en"): {"cats": {"text": "cats"}, "dogs": {"text": "dogs"}}}
INDEX = StoreIndex(embed="letters", dims=len(ascii_lowercase), fields=["text"])


@dataclass
class Letters:
    """Embeds by letters, and remembers what it was asked; `away` fails."""

    asked: list[str] = field(default_factory=list)
    away: bool = False

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.away:
            raise OSError("no way to the model")
        self.asked += texts
        return [[float(text.count(letter)) for letter in ascii_lowercase] for text in texts]


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
async def platform(redis_url: str, letters: Letters, keys: Any) -> AsyncIterator[Platform]:
    settings = Settings.model_validate({"prefix": keys.prefix, "lanes": keys.lanes})
    embeddings = ensure_embeddings(letters.embed)
    project = replace(load_project(SERVED), store=StoreConfig(index=INDEX), embeddings=embeddings)
    async with open_platform(settings, sharing_of(project, PAGES), redis_url) as platform:
        yield platform
        assert await sharing.bring_up(replace(platform, project=replace(project, hooks=Hooks())))
        left = [key async for key in platform.client.redis.scan_iter(match=f"{keys.prefix}:*")]
        assert left == [platform.keys.installation().encode()]


def sharing_of(project: Project, pages: Shared) -> Project:
    async def share() -> Shared:
        return pages

    return replace(project, hooks=Hooks(share=share))


def reader(platform: Platform) -> RedisStore:
    return platform.store("north", "ann", reads_shared=True)


async def found(store: RedisStore, query: str) -> list[str]:
    return [item.key for item in await store.asearch((SHARED, "pages", "en"), query=query)]


async def test_each_item_is_embedded_once(platform: Platform, letters: Letters) -> None:
    ends = await asyncio.gather(*(sharing.bring_up(platform) for _ in range(3)))
    assert any(ends)
    assert await sharing.bring_up(platform)
    assert sorted(letters.asked) == ["cats", "dogs"]
    assert await found(reader(platform), "dog") == ["dogs", "cats"]


async def test_what_has_changed_is_embedded_anew_and_what_is_gone_goes(
    platform: Platform, letters: Letters
) -> None:
    assert await sharing.bring_up(platform)
    letters.asked.clear()
    changed: Shared = {("pages", "en"): {"cats": {"text": "cats and kittens"}}, ("pages", "zh"): {}}
    assert await sharing.bring_up(replace(platform, project=sharing_of(platform.project, changed)))
    assert letters.asked == ["cats and kittens"]
    assert await found(reader(platform), "dogs") == ["cats"]


async def test_another_model_embeds_all_anew(platform: Platform, letters: Letters) -> None:
    assert await sharing.bring_up(platform)
    letters.asked.clear()
    other = StoreConfig(index=INDEX.model_copy(update={"embed": "other letters"}))
    assert await sharing.bring_up(replace(platform, project=replace(platform.project, store=other)))
    assert sorted(letters.asked) == ["cats", "dogs"]


async def test_a_model_that_is_away_is_asked_again(
    platform: Platform, letters: Letters, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    letters.away = True
    assert not await sharing.bring_up(platform)
    assert "what the project shares is not in the store" in caplog.text
    assert await reader(platform).asearch((SHARED,)) == []
    letters.away = False
    monkeypatch.setattr(sharing, "RETRY_S", (0.01, 0.01))
    await sharing.keep(platform)
    assert await found(reader(platform), "cats") == ["cats", "dogs"]


async def test_only_one_worker_is_at_it(platform: Platform, letters: Letters) -> None:
    async with alone(platform.client, platform.keys.shared_lock(), 60) as lock:
        assert lock
        assert not await sharing.bring_up(platform)
        assert letters.asked == []
    assert await sharing.bring_up(platform)


async def test_graphs_of_all_tenants_read_it_and_put_nothing(platform: Platform) -> None:
    assert await sharing.bring_up(platform)
    for tenant in ("north", "south"):
        store = platform.store(tenant, "ann", reads_shared=True)
        item = await store.aget((SHARED, "pages", "en"), "cats")
        assert item is not None
        assert item.value == {"text": "cats"}
        assert await store.alist_namespaces(prefix=(SHARED,)) == [(SHARED, "pages", "en")]
        assert await store.asearch(()) == [], "it is not among what the tenant keeps"
        with pytest.raises(InvalidNamespaceError, match="by the project alone"):
            await store.aput((SHARED, "pages", "en"), "cats", {"text": "all is free"})
        with pytest.raises(InvalidNamespaceError, match="by the project alone"):
            await store.adelete((SHARED, "pages", "en"), "cats")


async def test_callers_neither_read_nor_put_it(platform: Platform) -> None:
    assert await sharing.bring_up(platform)
    store = platform.store("north", "kim", owner="")
    for refused in (
        store.aget((SHARED, "pages", "en"), "cats"),
        store.asearch((SHARED,)),
        store.alist_namespaces(prefix=(SHARED,)),
        store.aput((SHARED,), "cats", {}),
        store.adelete((SHARED,), "cats"),
    ):
        with pytest.raises(InvalidNamespaceError):
            await refused


async def test_a_redis_that_was_emptied_has_it_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LOOK_S", 0.01)
    watching = asyncio.create_task(sharing.watch(platform))
    await wait_until(partial(is_there, platform), "what is shared is there")
    redis = platform.client.redis
    await redis.delete(*[key async for key in redis.scan_iter(match=f"{platform.keys.prefix}:*")])
    begun = sharing.digest(platform.project)
    await redis.hset(platform.keys.installation(), sharing.EMBEDDED_BY, begun)  # and its worker died
    await wait_until(partial(is_there, platform), "it is there again")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def is_there(platform: Platform) -> bool:
    return await found(reader(platform), "cats") == ["cats", "dogs"]
