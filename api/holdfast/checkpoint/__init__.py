"""Checkpointers for LangGraph: `RedisSaver` on plain Redis, and langgraph-checkpoint-redis made safer."""

from holdfast.checkpoint.choice import CHOICES, HOLDFAST, LANGGRAPH_CHECKPOINT_REDIS, open_checkpointer
from holdfast.checkpoint.runs import RunSaver
from holdfast.checkpoint.saver import RedisSaver
from holdfast.checkpoint.serde import Serializer

__all__ = [
    "CHOICES",
    "HOLDFAST",
    "LANGGRAPH_CHECKPOINT_REDIS",
    "RedisSaver",
    "RunSaver",
    "Serializer",
    "open_checkpointer",
]
