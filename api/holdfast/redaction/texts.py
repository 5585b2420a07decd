"""A text without what it is not to hold, whether it comes as it is, in JSON, or in pieces."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from holdfast.redaction.addresses import ADDRESS_BEGUN, find_addresses, may_hold_address
from holdfast.redaction.cards import LIKELY, NUMBER_BEGUN, UUID_BEGUN, find_cards, is_card

CARD, EMAIL = "[card]", "[email]"
HELD = 256  # of a text that goes on, so many characters are held back at most

Finder = Callable[[str, int], Iterator[tuple[int, int]]]


class Redactor:
    """Takes out what it was told to. The same text always becomes the same."""

    def __init__(self, *, cards: bool, emails: bool) -> None:
        self._cards = cards
        self._emails = emails
        finders: dict[str, Finder] = {}
        if cards:
            finders[CARD] = find_cards
        if emails:
            finders[EMAIL] = find_addresses
        self._finders = finders
        self._begun = [
            *([NUMBER_BEGUN, UUID_BEGUN] if cards else []),
            *([ADDRESS_BEGUN] if emails else []),
        ]

    def text(self, text: str, start: int = 0) -> str:
        """The text from `start` on; what is before it counts for what can begin there."""
        found = sorted((*span, put) for put, find in self._finders.items() for span in find(text, start))
        if not found:
            return text[start:]
        parts, at = [], start
        for first, end, put in found:
            if end > at:  # else it lies within the one before
                parts += [text[at:first], put]
                at = end
        return "".join([*parts, text[at:]])

    def json(self, data: bytes) -> bytes:
        """JSON with the same done to all its texts and keys, and to whole numbers."""
        text = data.decode()
        likely = (self._emails and may_hold_address(text)) or (self._cards and LIKELY.search(text))
        return orjson.dumps(self.value(orjson.loads(data))) if likely else data

    def value(self, value: Any) -> Any:
        """The same for a value of JSON."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(key): self.value(item) for key, item in value.items()}
            case list():
                return [self.value(item) for item in value]
            case int() if self._cards and is_card(value):
                return CARD
        return value

    def held_from(self, text: str) -> int:
        """Where what a text ends with could still become something else; its length if nowhere.

        What could become an address may begin in the middle of what could become a card, and so on.
        """
        recent, end = max(0, len(text) - HELD), len(text)
        while begun := [match for one in self._begun if (match := one.search(text, recent, end))]:
            end = min(match.start() for match in begun)
        return end


class Tail:
    """A text that comes in pieces: gives back what is certain by now, and keeps the rest."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._before = ""
        self._kept = ""

    def feed(self, piece: str) -> str:
        text = self._before + self._kept + piece
        return self._give(text, max(self._redactor.held_from(text), len(self._before)))

    def end(self) -> str:
        text = self._before + self._kept
        return self._give(text, len(text))

    def _give(self, text: str, upto: int) -> str:
        given = self._redactor.text(text[:upto], len(self._before))
        self._before, self._kept = text[max(0, upto - 2) : upto], text[upto:]
        return given
