"""What must not stay in the event log, and is not to be told either: card numbers, e-mail addresses."""

from typing import Literal

from holdfast.redaction.chunks import Chunks
from holdfast.redaction.texts import Redactor

Redact = Literal["off", "cards", "emails", "cards,emails"]


def choose_redactor(wanted: Redact) -> Redactor | None:
    """None where nothing is to be taken out."""
    kinds = wanted.split(",")
    return None if wanted == "off" else Redactor(cards="cards" in kinds, emails="emails" in kinds)


__all__ = ["Chunks", "Redact", "Redactor", "choose_redactor"]
