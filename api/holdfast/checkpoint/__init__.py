"""Checkpointers: `RedisSaver` on plain Redis."""

from holdfast.checkpoint.saver import RedisSaver

__all__ = ["RedisSaver"]
