"""That the search for secrets would find them; what it finds in earnest is in tests/chaos."""

from pathlib import Path

import pytest

from tests.logs.asking import MARK
from tests.logs.leaks import play

pytestmark = pytest.mark.timeout(120)


async def test_with_everything_told_the_secrets_are_found(tmp_path: Path) -> None:
    """The same requests, and a log that says everything of exceptions: so the secrets do get there."""
    outcome = await play(50, tmp_path, errors="full")
    hits = outcome.hits()
    assert {hit.partition(":")[0] for hit in hits} == {"serve", "worker"}, "and nobody else was told"
    for kind in ("Vain", "ValidationError", "KeyError", "OperationalError", "ExceptionGroup"):
        assert any(f"{kind}" in hit and f"{MARK}-input" in hit for hit in hits), kind
    assert outcome.wrong == []
