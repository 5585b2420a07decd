"""What a process remembers to have seen in Redis, so that it is not sent again."""

from collections.abc import Collection


class Known:
    """Names stored in Redis, by thread. A hint only: scripts look for themselves, so that a wrong one costs
    a round trip and a forgotten one some bytes. The threads used longest ago are forgotten first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._threads: dict[str, set[bytes]] = {}

    def of(self, thread_id: str) -> Collection[bytes]:
        return self._threads.get(thread_id, frozenset())

    def add(self, thread_id: str, names: Collection[bytes]) -> None:
        known = self._threads.pop(thread_id, set())
        self._count -= len(known)
        known.update(names)
        self._count += len(known)
        self._threads[thread_id] = known
        while self._count > self._limit and len(self._threads) > 1:
            self.forget(next(iter(self._threads)))

    def forget(self, thread_id: str) -> None:
        self._count -= len(self._threads.pop(thread_id, ()))
