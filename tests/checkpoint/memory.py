"""LangGraph's saver in memory, with the operations that it lacks, written the plainest way."""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

Place = tuple[str, str, str]


class Memory(InMemorySaver):
    def every(self, config: RunnableConfig | None = None, **wanted: Any) -> list[CheckpointTuple]:
        """Checkpoints, newest first, whatever thread and namespace they are of."""

        def place(found: CheckpointTuple) -> Place:
            at = found.config["configurable"]
            return at["checkpoint_id"], at["checkpoint_ns"], at["thread_id"]

        return sorted(self.list(config, **wanted), key=place, reverse=True)

    def _drop(self, dropped: Callable[[str, str, str, Any], bool]) -> None:
        for thread_id in list(self.storage):
            for ns, checkpoints in list(self.storage[thread_id].items()):
                for checkpoint_id, (_, metadata, _) in list(checkpoints.items()):
                    if dropped(thread_id, ns, checkpoint_id, self.serde.loads_typed(metadata)):
                        del checkpoints[checkpoint_id]
                        self.writes.pop((thread_id, ns, checkpoint_id), None)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        self._drop(lambda _thread, _ns, _id, metadata: metadata.get("run_id") in run_ids)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        newest = {
            (thread_id, ns, max(checkpoints))
            for thread_id in thread_ids
            for ns, checkpoints in self.storage[thread_id].items()
            if checkpoints and strategy == "keep_latest"
        }
        self._drop(lambda thread, ns, id, _: thread in thread_ids and (thread, ns, id) not in newest)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        if not any(self.storage[source_thread_id].values()) or source_thread_id == target_thread_id:
            return
        self.delete_thread(target_thread_id)
        for ns, checkpoints in self.storage[source_thread_id].items():
            self.storage[target_thread_id][ns] = dict(checkpoints)
        for thread_id, ns, checkpoint_id in list(self.writes):
            if thread_id == source_thread_id:
                writes = self.writes[(thread_id, ns, checkpoint_id)]
                self.writes[(target_thread_id, ns, checkpoint_id)] = dict(writes)
        for (thread_id, *rest), blob in list(self.blobs.items()):
            if thread_id == source_thread_id:
                self.blobs[(target_thread_id, *rest)] = blob  # type: ignore[index]
