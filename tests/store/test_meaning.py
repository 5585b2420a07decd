"""Search by meaning: what is embedded, how near is reckoned, what a project may name, what fails."""

import random
from array import array
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import orjson
import pytest
from langgraph.store.base.embed import ensure_embeddings

from holdfast.errors import StartError
from holdfast.project import load_project
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.store import EmbeddingError, Index, RedisStore, Unsearchable
from holdfast.store.ranking import rank, score_by_numpy, score_plainly
from tests.servers import live

HERE = ("memories",)
DIMS = len(ascii_lowercase)
LETTERS = Path(__file__).parent / "served" / "letters.py"
Json = Any


async def letters(texts: list[str]) -> list[list[float]]:
    return [[float(text.count(letter)) for letter in ascii_lowercase] for text in texts]


def index(*fields: str, embed: Any = letters, dims: int = DIMS) -> Index:
    return Index(ensure_embeddings(embed), dims, fields or None)


@pytest.fixture
def meant(client: Client, keys: Keys, store: RedisStore) -> RedisStore:
    """The same store, with an index; `store` sees to it that nothing is left."""
    return RedisStore(client, keys, "north", person="ann", index=index("title", "facts[*].about"))


async def found(store: RedisStore, query: str, **asked: Any) -> list[str]:
    return [item.key for item in await store.asearch((), query=query, **asked)]


async def test_an_item_is_as_near_as_the_nearest_of_its_fields(meant: RedisStore) -> None:
    await meant.aput(HERE, "one", {"title": "zzz", "facts": [{"about": "cat"}, {"about": "xxx"}]})
    await meant.aput(HERE, "two", {"title": "cats", "body": "cat"})
    await meant.aput(HERE, "three", {"title": "yyy"})
    await meant.aput(HERE, "four", {"body": "cat"})
    items = await meant.asearch((), query="cat")
    assert [item.key for item in items] == ["one", "two", "three", "four"]
    assert [item.score for item in items] == [pytest.approx(1), pytest.approx(0.75**0.5), 0, None]
    assert await found(meant, "cat", offset=1, limit=1) == ["two"]
    assert await found(meant, "cat", filter={"title": "yyy"}) == ["three"]


async def test_vectors_go_with_their_item_and_with_another_value(meant: RedisStore) -> None:
    await meant.aput(HERE, "k", {"title": "cat"})
    await meant.aput(HERE, "k", {"title": "zzz"})
    [item] = await meant.asearch((), query="cat")
    assert item.score == 0
    await meant.aput(HERE, "k", {"title": "cat"}, index=False)
    [item] = await meant.asearch((), query="cat")
    assert item.score is None


async def test_vectors_of_another_model_are_none(client: Client, keys: Keys, meant: RedisStore) -> None:
    await meant.aput(HERE, "k", {"title": "cat"})
    other = index(embed=lambda texts: [[1.0, 2.0, 3.0] for _ in texts], dims=3)
    [item] = await RedisStore(client, keys, "north", index=other).asearch((), query="cat")
    assert item.score is None


async def test_too_many_items_are_not_compared(meant: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.store.store.MOST_SEARCHED", 1)
    for kind in ("a", "b"):
        await meant.aput((*HERE, kind), "k", {"title": kind})
    with pytest.raises(Unsearchable, match="2 items are too many"):
        await meant.asearch((), query="a")
    [item] = await meant.asearch((*HERE, "a"), query="a")
    assert item.score == pytest.approx(1)


def fail(texts: list[str]) -> list[list[float]]:
    raise OSError("no way to the model")


@pytest.mark.parametrize(
    ("embed", "sentence"),
    [
        (fail, "failed with OSError"),
        (lambda texts: [[1.0]] * len(texts), f"vector of 1 numbers: store.index.dims says {DIMS}"),
        (lambda texts: [], "gave 0 vectors for 1 texts"),
    ],
    ids=["fails", "length", "number"],
)
async def test_what_cannot_be_embedded_is_not_put(
    client: Client, keys: Keys, store: RedisStore, embed: Any, sentence: str
) -> None:
    broken = RedisStore(client, keys, "north", index=index(embed=embed))
    with pytest.raises(EmbeddingError, match=sentence):
        await broken.aput(HERE, "k", {"title": "cat"})
    assert await store.aget(HERE, "k") is None


def test_numpy_and_python_reckon_alike() -> None:
    chance = random.Random(7)

    def vectors(count: int) -> bytes:
        return array("f", [chance.uniform(-1, 1) for _ in range(count * 5)]).tobytes()

    query, packed = vectors(1), [vectors(1 + number % 3) for number in range(20)]
    packed.append(bytes(len(query)))
    assert score_by_numpy(query, packed) == pytest.approx(score_plainly(query, packed), abs=1e-5)
    assert score_plainly(query, packed)[-1] == 0, "nothing is as near to everything"
    assert rank(query, [b"", query[:8], query]) == [None, None, pytest.approx(1)]
    assert rank(query, []) == []


# langgraph.json


def config(folder: Path, store: Json) -> Path:
    (folder / "embedding_letters.py").write_text(LETTERS.read_text() + "\nsize = 3\n")
    path = folder / "langgraph.json"
    path.write_bytes(orjson.dumps({"graphs": {"echo": "tests.served.served_graphs:echo"}, "store": store}))
    return path


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        ([], '"store" cannot be read'),
        ({"ttl": {"default_ttl": 0}}, '"store" cannot be read: ttl.default_ttl: '),
        ({"index": {"embed": "./embedding_letters.py:embed"}}, '"store" cannot be read: index.dims: '),
        ({"index": {"embed": "./embedding_letters.py:size", "dims": 3}}, "is a int, and embeds nothing"),
        ({"index": {"embed": "./embedding_letters.py:gone", "dims": 3}}, "gone"),
        ({"index": {"embed": "nobody:model", "dims": 3}}, "nobody:model cannot be loaded"),
    ],
)
def test_what_makes_no_sense_is_said_at_the_start(tmp_path: Path, store: Json, sentence: str) -> None:
    with pytest.raises(StartError) as refused:
        load_project(config(tmp_path, store))
    assert sentence in str(refused.value)


async def test_a_model_that_fails_is_a_503(redis_url: str, tmp_path: Path) -> None:
    path = config(tmp_path, {"index": {"embed": "./embedding_letters.py:embed", "dims": 3}})
    async with live(redis_url, config=path, worker=False) as server, server.http() as http:
        item = {"namespace": ["a"], "key": "k", "value": {"text": "cat"}}
        response = await http.put("/store/items", json=item)
        assert response.status_code == 503
        assert "store.index.dims says 3" in response.json()["detail"]
