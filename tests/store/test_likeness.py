"""Operations drawn at random, on RedisStore and on LangGraph's store in memory: the same answers."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.base import (
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.store import RedisStore

LABELS = st.sampled_from(["a", "b", "A", "a-", "é:{x}", "*"])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
PATHS = st.lists(LABELS, min_size=1, max_size=2).map(tuple)
KEYS = st.sampled_from(["", "k", "K", "k:1", "k\0\0k", "ключ"])
# Without booleans: to Python true is 1, in JSON it is not.
LEAVES = st.none() | st.integers(-3, 3) | st.sampled_from([0.5, 2.0, "", "x", "é"])
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
VALUES = st.fixed_dictionaries(
    {"n": st.integers(-3, 3) | st.floats(-3, 3)}, optional={"x": DOCUMENTS, "y": DOCUMENTS}
)
ORDERS = st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.integers(-2, 2), min_size=1)
EQUALS = st.dictionaries(st.sampled_from(["$eq", "$ne"]), DOCUMENTS, min_size=1)
FILTERS = st.fixed_dictionaries(
    {}, optional={"n": ORDERS | st.integers(-3, 3), "x": DOCUMENTS | EQUALS, "y": DOCUMENTS | EQUALS}
)
CONDITIONS = st.builds(MatchCondition, match_type=st.sampled_from(["prefix", "suffix"]), path=PATHS)
ALL = 1000

# Called with what they need and no more: of a type's optional fields hypothesis would draw all.
PUTS = st.tuples(NAMESPACES, KEYS, VALUES).map(lambda drawn: PutOp(*drawn))
DELETES = st.tuples(NAMESPACES, KEYS).map(lambda drawn: PutOp(*drawn, None))
GETS = st.tuples(NAMESPACES, KEYS).map(lambda drawn: GetOp(*drawn))
SEARCHES = st.tuples(st.just(()) | PATHS, FILTERS).map(lambda drawn: SearchOp(*drawn, limit=ALL))
LISTS = st.builds(
    ListNamespacesOp,
    match_conditions=st.none() | st.lists(CONDITIONS, max_size=2).map(tuple),
    max_depth=st.none() | st.integers(1, 3),
    limit=st.integers(0, 5),
    offset=st.integers(0, 3),
)
# Lists by themselves: in memory a namespace comes into being by being asked for, see `forget_empty`.
BATCHES = st.lists(PUTS | PUTS | PUTS | DELETES | GETS | SEARCHES, min_size=1, max_size=6) | st.lists(
    LISTS, min_size=1, max_size=3
)


def told(result: Any) -> Any:
    """What an operation gave, without times; items in the order of each namespace."""
    if isinstance(result, Item):
        return result.namespace, result.key, result.value
    if isinstance(result, list) and result and isinstance(result[0], Item):
        found = defaultdict(list)
        for item in result:
            found[item.namespace].append((item.key, item.value))
        return dict(found)
    return result


def forget_empty(memory: InMemoryStore) -> None:
    """In memory a namespace stays when its last item has gone."""
    for namespace in [namespace for namespace, items in memory._data.items() if not items]:
        del memory._data[namespace]


@settings(max_examples=100, deadline=None)
@given(batches=st.lists(BATCHES, min_size=1, max_size=8))
async def test_every_operation_gives_what_the_store_in_memory_gives(
    client: Client, batches: Iterable[list[Op]]
) -> None:
    memory = InMemoryStore()
    store = RedisStore(client, Keys(f"t{uuid.uuid4().hex[:8]}", lanes=2), "north", person="ann")
    for ops in batches:
        wanted = [told(one) for one in await memory.abatch(ops)]
        forget_empty(memory)
        assert [told(one) for one in await store.abatch(ops)] == wanted
    every = await store.asearch((), limit=ALL)
    assert told(every) == told(await memory.asearch((), limit=ALL))
    for offset in range(0, len(every), 2):
        assert await store.asearch((), limit=2, offset=offset) == every[offset : offset + 2]
    for item in every:
        await store.adelete(item.namespace, item.key)
    assert await store.alist_namespaces() == []
