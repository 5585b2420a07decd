"""The shop's pages as the agent finds them: by meaning, where the server's store has embedded them; else by
their words."""

import asyncio
import logging
from collections import defaultdict
from typing import Any

from langgraph.store.base import BaseStore

from tools.knowledge import Knowledge, Section

log = logging.getLogger(__name__)

# Under the first label, the server keeps for all tenants what only the project itself can put: docs/store.md.
SHARED, PAGES = "holdfast_shared", "knowledge"
FOUND = 3
PATIENCE_S = 4.0


def shared_pages(knowledge: Knowledge) -> dict[tuple[str, ...], dict[str, dict[str, Any]]]:
    """What the store is to embed, by namespace and key."""
    pages = defaultdict[tuple[str, ...], dict[str, dict[str, Any]]](dict)
    for section in knowledge.sections:
        pages[PAGES, section.language][section.key] = {"text": f"{section.name}\n\n{section.text}"}
    return dict(pages)


async def find_pages(
    knowledge: Knowledge, store: BaseStore | None, query: str, language: str, least: float
) -> list[Section]:
    """The sections that fit best. `least` is how near to the query what is found by meaning has to be."""
    nearest = await _find_nearest(store, query, language, least) if store else []
    # What is said comes from the pages themselves, so that a store of another server may say what it likes.
    return knowledge.named(nearest) or knowledge.search(query, language, FOUND)


async def _find_nearest(store: BaseStore, query: str, language: str, least: float) -> list[str]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            found = await store.asearch((SHARED, PAGES, language), query=query, limit=FOUND)
    except Exception as error:  # whatever the store raises, and who embeds: the words are there all the same
        log.warning("Pages are not searched by meaning.", extra={"error": type(error).__name__})
        return []
    return [item.key for item in found if item.score is not None and item.score >= least]
