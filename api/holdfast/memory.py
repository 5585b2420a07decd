"""`store` of langgraph.json, the official key: how its items are searched, and how long they are kept."""

from pathlib import Path
from typing import Annotated, ClassVar

from langchain_core.embeddings import Embeddings
from langgraph.store.base.embed import ensure_embeddings
from pydantic import Field

from holdfast.errors import StartError
from holdfast.http import Part
from holdfast.imports import imported, is_module, load_target

EMBEDDING = "The embedding"


class StoreTtl(Part):
    """`store.ttl`, in minutes. Items vanish when their time is up, however often expired ones are deleted."""

    NEEDLESS: ClassVar = ("sweep_interval_minutes",)

    default_ttl: Annotated[float, Field(gt=0)] | None = None
    refresh_on_read: bool = True


class StoreIndex(Part):
    """`store.index`: how items are searched by meaning."""

    embed: Annotated[str, Field(min_length=1)]
    dims: Annotated[int, Field(ge=1, le=65_536)]
    fields: list[str] | None = None


class StoreConfig(Part):
    """What stands under `store`."""

    index: StoreIndex | None = None
    ttl: StoreTtl | None = None


NO_STORE = StoreConfig()


def load_embeddings(folder: Path, index: StoreIndex | None) -> Embeddings | None:
    """A variable of the project, or a model by its name such as "openai:text-embedding-3-small".

    Raises `StartError`.
    """
    if index is None:
        return None
    source, _, attribute = index.embed.rpartition(":")
    if source.endswith(".py"):
        found = load_target(folder, EMBEDDING, index.embed)
    else:
        module = imported(folder, EMBEDDING, source) if is_module(source) else None
        found = getattr(module, attribute, index.embed)
    if not isinstance(found, Embeddings | str) and not callable(found):
        raise StartError(f"{EMBEDDING}: {index.embed} is a {type(found).__name__}, and embeds nothing.")
    try:
        return ensure_embeddings(found)
    except (ValueError, ImportError) as error:
        raise StartError(f"{EMBEDDING}: {index.embed} cannot be loaded: {error}") from error
