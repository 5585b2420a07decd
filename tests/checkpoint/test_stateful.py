"""Operations drawn at random, on RedisSaver and on LangGraph's saver in memory: the same answers."""

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from redis import Redis

from holdfast.checkpoint import RedisSaver, Serializer
from holdfast.redis.keys import Keys
from tests.checkpoint.memory import Memory
from tests.checkpoint.probes import same
from tests.checkpoint.samples import at, checkpoint

SEQUENCES, STEPS = 8, 40
THREADS = st.sampled_from(["t", "T", "t,", "t "])
SPACES = st.sampled_from(["", "sub:1"])
RUNS = st.sampled_from(["one", "two"])
PARITY = st.sampled_from([0, 1])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.just(Decimal("1.10"))
    | st.just(date(2026, 1, 2)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers() | st.text(), inner, max_size=3),
    max_leaves=4,
)
LINES = st.lists(
    st.sampled_from("abcdefg").map(lambda letter: {"text": letter * 40}), min_size=1, max_size=40
)
CHANNELS = st.sampled_from(["n", "log", "__error__", "__interrupt__", "__resume__"])
WRITES = st.lists(st.tuples(CHANNELS, VALUES | LINES), min_size=1, max_size=3)
ANY = st.integers(0, 5)  # among the newest
Removal = Callable[[BaseCheckpointSaver[Any]], None]
REMOVALS: list[Removal] = [
    lambda saver: saver.delete_thread("t"),
    lambda saver: saver.delete_for_runs(["one"]),
    lambda saver: saver.delete_for_runs(["two", "none"]),
    lambda saver: saver.prune(["T"], strategy="keep_latest"),
    lambda saver: saver.prune(["t", "t,"], strategy="keep_latest"),
    lambda saver: saver.prune(["t "], strategy="delete"),
]


class Savers(RuleBasedStateMachine):
    """Two savers on one Redis, which know nothing of each other, against one in memory."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.keys = Keys(f"t{uuid.uuid4().hex[:8]}", lanes=2)
        self.opened = ExitStack()
        self.redis = self.opened.enter_context(Redis.from_url(self.url))
        self.memory = Memory(serde=Serializer())
        self.savers = [
            self.opened.enter_context(RedisSaver.from_url(self.url, prefix=self.keys.prefix, lanes=2))
            for _ in range(2)
        ]
        self.turn = 0

    @property
    def saver(self) -> RedisSaver:
        """One and the other: what this one remembers to have stored may have gone since."""
        return self.savers[self.turn % 2]

    def known(self, which: int) -> CheckpointTuple | None:
        every = self.memory.every()
        return every[which % len(every)] if every else None

    @rule(thread_id=THREADS, ns=SPACES, n=VALUES, run_id=RUNS, parity=PARITY)
    def begin(self, thread_id: str, ns: str, n: Any, run_id: str, parity: int) -> None:
        self.put(at(thread_id, ns), {}, {}, {"n": n}, run_id, parity)

    @rule(which=ANY, n=VALUES, lines=LINES, run_id=RUNS, parity=PARITY)
    def go_on(self, which: int, n: Any, lines: list[Any], run_id: str, parity: int) -> None:
        """From the newest checkpoint or an older one, which makes a branch."""
        if parent := self.known(which):
            values = parent.checkpoint["channel_values"]
            changes = {"log": [*values.get("log", []), *lines]} | ({"n": n} if parity else {})
            versions = parent.checkpoint["channel_versions"]
            self.put(parent.config, values, versions, changes, run_id, parity)

    def put(
        self,
        config: RunnableConfig,
        values: dict[str, Any],
        versions: Any,
        changes: dict[str, Any],
        run_id: str,
        parity: int,
    ) -> None:
        self.turn += 1
        new = dict.fromkeys(changes, f"{self.turn:08}")
        made = {**checkpoint(values | changes), "channel_versions": {**versions, **new}}
        metadata: Any = {"source": "loop", "step": self.turn, "run_id": run_id, "parity": parity}
        stored = [each.put(config, made, metadata, new) for each in (self.saver, self.memory)]  # type: ignore[arg-type]
        assert stored[0] == stored[1]

    @rule(which=ANY, writes=WRITES, task=st.sampled_from("ab"), path=st.sampled_from(["", "~1, x", "~2"]))
    def write(self, which: int, writes: list[tuple[str, Any]], task: str, path: str) -> None:
        self.turn += 1
        if found := self.known(which):
            for saver in (self.saver, self.memory):
                saver.put_writes(found.config, writes, task, path)

    @rule(how=st.sampled_from(REMOVALS))
    def remove(self, how: Removal) -> None:
        for saver in (self.saver, self.memory):
            how(saver)

    @rule(one=THREADS, other=THREADS)
    def copy(self, one: str, other: str) -> None:
        for saver in (self.saver, self.memory):
            saver.copy_thread(one, other)

    @rule(thread_id=THREADS, ns=SPACES, which=ANY)
    def look(self, thread_id: str, ns: str, which: int) -> None:
        found = self.known(which)
        named = [found.config] if found else []
        for config in (at(thread_id, ns), at(thread_id, ns, "never"), *named):
            assert same(self.saver.get_tuple(config), self.memory.get_tuple(config))

    @rule(
        thread_id=THREADS,
        ns=SPACES | st.none(),
        older=ANY | st.none(),
        limit=st.integers(0, 4) | st.none(),
        parity=PARITY | st.none(),
    )
    def page(
        self, thread_id: str, ns: str | None, older: int | None, limit: int | None, parity: int | None
    ) -> None:
        config = at(thread_id, ns or "")
        if ns is None:
            del config["configurable"]["checkpoint_ns"]
        last = None if older is None else self.known(older)
        before, filter = last and last.config, None if parity is None else {"parity": parity}
        wanted = self.memory.every(config, before=before, filter=filter)
        found = list(self.saver.list(config, before=before, filter=filter, limit=limit))
        assert same(found, wanted[:limit])

    @rule(which=ANY)
    def remember(self, which: int) -> None:
        if found := self.known(which):
            channels = ["log", "n", "never"]
            histories = [
                each.get_delta_channel_history(config=found.config, channels=channels)
                for each in (self.saver, self.memory)
            ]
            assert same(*histories)

    @invariant()
    def both_hold_the_same(self) -> None:
        assert same(list(self.saver.list(None)), self.memory.every())

    def teardown(self) -> None:
        try:
            for thread_id in ("t", "T", "t,", "t "):
                self.saver.delete_thread(thread_id)
            assert list(self.redis.scan_iter(f"{self.keys.prefix}:*")) == []
        finally:
            self.opened.close()


def test_redis_and_memory_give_the_same_answers(url: str) -> None:
    run_state_machine_as_test(
        type("OnThisServer", (Savers,), {"url": url}),
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # to shorten what went wrong would take minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
