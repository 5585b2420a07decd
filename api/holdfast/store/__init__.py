"""LangGraph's store on plain Redis: long-term memory that all threads of a tenant share."""

from holdfast.store.documents import Unfit
from holdfast.store.filters import FilterError
from holdfast.store.index import EmbeddingError, Index
from holdfast.store.store import NOBODY, SHARED, RedisStore, Unsearchable

__all__ = [
    "NOBODY",
    "SHARED",
    "EmbeddingError",
    "FilterError",
    "Index",
    "RedisStore",
    "Unfit",
    "Unsearchable",
]
