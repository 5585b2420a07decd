"""What can be read off a sentence without understanding it: its language, order numbers, sums of money."""

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

Language = Literal["en", "zh"]

_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
_ORDER = re.compile(
    r"#\s?([A-Za-z0-9-]{1,32})"
    r"|(?<![\w.,-])([A-Za-z]{1,4}-?\d{3,12}|\d{4,12})(?![\w-]|[.,]\d)",
    re.ASCII,
)

_NUMBER = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_CODE = r"(?:USD|CNY|RMB|EUR|GBP|JPY)"
_SIGN = rf"(?:US\$|[$¥€£]|(?<![A-Za-z]){_CODE})"
_UNIT = (
    r"(?:元|块钱?|圆|人民币|美元|美金|欧元|英镑|日元|"
    rf"(?:dollars?|bucks|yuan|euros?|pounds?|yen|{_CODE})(?![A-Za-z]))"
)
_AMOUNT = re.compile(
    rf"{_SIGN}\s?{_NUMBER}|{_NUMBER}\s?{_UNIT}"
    # A bare number after the verb is money only where no order number looks like it.
    r"|(?:退款?|\brefund)\s?(\d{1,3}(?:\.\d+)?|\d+\.\d+)(?![\d,.])",
    re.IGNORECASE,
)
_WHOLE_UNITS = re.compile(r"JPY|日元|yen", re.IGNORECASE)


def normal(text: str) -> str:
    """Full-width letters, digits and signs as their ordinary forms."""
    return unicodedata.normalize("NFKC", text).strip()


def language_of(texts: Iterable[str]) -> Language:
    """The language of the last text that shows one: Chinese characters are weighed against words."""
    for text in reversed(list(texts)):
        characters, words = len(_HAN.findall(text)), len(_LATIN_WORD.findall(text))
        if characters or words:
            return "zh" if characters >= words else "en"
    return "en"


def find_amounts(text: str) -> list[str]:
    """Sums of money named in the text, in major units: `["100.00"]`; yen without decimals."""
    return [_plain(found) for found in _AMOUNT.finditer(text)]


def find_orders(text: str) -> list[str]:
    """Order numbers named in the text, each once, sums of money left aside."""
    found = (match[1] or match[2] for match in _ORDER.finditer(_AMOUNT.sub(" ", text)))
    return list(dict.fromkeys(found))


def _plain(found: re.Match[str]) -> str:
    number = next(group for group in found.groups() if group).replace(",", "")
    if _WHOLE_UNITS.search(found[0]) or -int(Decimal(number).as_tuple().exponent) > 2:
        return number
    return f"{Decimal(number):.2f}"
