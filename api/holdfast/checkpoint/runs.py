"""What the platform asks of a checkpointer beyond LangGraph's interface."""

from typing import Self

from langgraph.checkpoint.base import BaseCheckpointSaver


class RunSaver(BaseCheckpointSaver[str]):
    """A checkpointer that can be handed to runs."""

    def for_run(self, token: str) -> Self:
        """The saver to use in the run that holds `token`; the same one where writes cannot be fenced."""
        return self
