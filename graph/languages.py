"""In which language a customer is answered: Chinese or English."""

import re
from collections.abc import Iterable
from typing import Literal

from langchain_core.messages import AnyMessage, HumanMessage

Language = Literal["zh", "en"]

_HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_WORD = re.compile(r"[A-Za-zÀ-ɏ]{2,}")
_LOOKED_AT = 2_000


def plain_text(text: str) -> str:
    """Without lone surrogates, halves of characters: neither a checkpoint nor a request can hold them."""
    return text.encode(errors="replace").decode()


def language_of(text: str) -> Language | None:
    """The language of one message; None when it has no words ("#12345", "👍").

    A name in the other script does not change it: Chinese characters are weighed against words.
    """
    head = text[:_LOOKED_AT]
    han, words = len(_HAN.findall(head)), len(_WORD.findall(head))
    if not han and not words:
        return None
    return "zh" if han >= words else "en"


def language_of_dialogue(messages: Iterable[AnyMessage]) -> Language:
    """The language of the newest human message that has one; English when none has."""
    for message in reversed(list(messages)):
        if isinstance(message, HumanMessage) and (language := language_of(message.text)):
            return language
    return "en"
