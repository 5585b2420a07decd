"""What can be read off a sentence without understanding it: its language, order numbers, sums of money."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

Language = Literal["en", "zh"]

_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
_ORDER = re.compile(
    r"#\s?([A-Za-z0-9-]{1,32})"
    r"|(?<![\w.,-])([A-Za-z]{1,4}-?\d{3,12}|\d{4,12})(?![\w-]|[.,]\d)",
    re.ASCII,
)

# By what each is called: before the number or after it, after it only. 元 ends the names of others too, so
# yuan are looked for last.
_CURRENCIES = {
    "HKD": (r"HK\$|HKD", "港元|港币"),
    "USD": (r"(?:US)?\$|USD", "美元|美金|dollars?|bucks"),
    "EUR": ("€|EUR", "欧元|euros?"),
    "GBP": ("£|GBP", "英镑|pounds?"),
    "JPY": ("JP¥|JPY", "日元|円|yen"),
    "CNY": ("(?:CN)?¥|CNY|RMB|人民币", "块钱?|[元圆]|yuan"),
}
_NAMES = {code: "|".join(names) for code, names in _CURRENCIES.items()}
_SIGN = rf"(?<![A-Za-z])(?:{'|'.join(sign for sign, _ in _CURRENCIES.values())})"
_UNIT = rf"(?:{'|'.join(_NAMES.values())})(?![A-Za-z])"
_MINUS = r"(?:(?<![A-Za-z\d])[-−]|负|\bminus\s)"
_SCALE = r"(?:e[-+]?\d+|k|[十百千万亿]+)"
_NUMBER = rf"(?:\d+(?:[.,]\d+)*{_SCALE}?|(?!一块(?!钱))[零〇一二两三四五六七八九十百千万亿]+)"
_AMOUNT = re.compile(
    rf"{_MINUS}?{_SIGN}\s?{_MINUS}?{_NUMBER}|{_MINUS}?(?<![A-Za-z\d.,]){_NUMBER}\s?{_UNIT}"
    # A bare number after the verb is money only where no order number looks like it.
    rf"|(?:退款?|\brefund)\s?{_MINUS}?(?:\d{{1,3}}(?:\.\d+)?|\d+\.\d+){_SCALE}?"
    rf"(?![A-Za-z\d十百千万亿]|[.,]\d|\s?(?:{_UNIT}|[%件个]))",
    re.IGNORECASE,
)
_IN_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")


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
    """Sums of money named in the text, as they were said, with the currency's code where one was named:
    `["-5.5 USD"]`. What is no sum that could be refunded is for the tool to say."""
    return [_said(found[0]) for found in _AMOUNT.finditer(text)]


def find_orders(text: str) -> list[str]:
    """Order numbers named in the text, each once, sums of money left aside."""
    found = (match[1] or match[2] for match in _ORDER.finditer(_AMOUNT.sub(" ", text)))
    return list(dict.fromkeys(found))


def _said(amount: str) -> str:
    before, number = re.split(rf"({_NUMBER})", amount, maxsplit=1, flags=re.IGNORECASE)[:2]
    if _IN_THOUSANDS.fullmatch(number):
        number = number.replace(",", "")
    sign = "-" if re.search(_MINUS, before, re.IGNORECASE) else ""
    named = (code for code, names in _NAMES.items() if re.search(names, amount, re.IGNORECASE))
    return f"{sign}{number} {next(named, '')}".rstrip()
