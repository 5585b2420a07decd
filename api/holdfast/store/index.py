"""What of items is searched by meaning, and the vectors that stand for it."""

from array import array
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from langchain_core.embeddings import Embeddings
from langgraph.store.base.embed import get_text_at_path, tokenize_path

T = TypeVar("T")

WHOLE = "$"
FLOAT = "f"  # 32 bits a number: half the space, and closer than any model tells apart


class EmbeddingError(RuntimeError):
    """The embedding that langgraph.json names did not give what it is there for."""


class Index:
    """`dims` is the length of the vectors, `fields` the paths of what is embedded of an item."""

    def __init__(self, embeddings: Embeddings, dims: int, fields: Sequence[str] | None = None) -> None:
        self._embeddings = embeddings
        self._dims = dims
        self._fields = [read_path(path) for path in fields or [WHOLE]]

    def texts(self, value: Mapping[str, Any], index: Literal[False] | Sequence[str] | None) -> list[str]:
        """What is embedded of a value: the index's own fields unless an item names others, or none."""
        if index is False:
            return []
        fields = self._fields if index is None else [read_path(path) for path in index]
        return [text for field in fields for text in get_text_at_path(value, field)]

    async def embed(self, texts: Sequence[str]) -> dict[str, bytes]:
        """The packed vector of each text. Raises `EmbeddingError`."""
        wanted = list(dict.fromkeys(texts))
        vectors = await given(self._embeddings.aembed_documents(wanted)) if wanted else []
        if len(vectors) != len(wanted):
            raise EmbeddingError(f"The embedding gave {len(vectors)} vectors for {len(wanted)} texts.")
        return {text: self._pack(vector) for text, vector in zip(wanted, vectors, strict=True)}

    async def embed_query(self, query: str) -> bytes:
        """Raises `EmbeddingError`."""
        return self._pack(await given(self._embeddings.aembed_query(query)))

    def _pack(self, vector: Sequence[float]) -> bytes:
        if len(vector) != self._dims:
            raise EmbeddingError(
                f"The embedding gave a vector of {len(vector)} numbers: store.index.dims says {self._dims}."
            )
        return array(FLOAT, vector).tobytes()


async def given(work: Awaitable[T]) -> T:
    try:
        return await work
    except Exception as error:  # whatever the project's own code raises
        raise EmbeddingError(f"The embedding failed with {type(error).__name__}.") from error


def read_path(path: str) -> str | list[str]:
    return path if path == WHOLE else tokenize_path(path)
