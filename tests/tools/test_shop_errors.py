import pickle
import string
from collections.abc import Iterator

import pytest

from tools import errors
from tools.errors import (
    AmountTooHigh,
    CurrencyMismatch,
    CurrencyNotRefunded,
    DailyLimitReached,
    DecidersMissing,
    OrderNotFound,
    OutsideReturnWindow,
    ReasonNotAllowed,
    ShopError,
)
from tools.money import Money

EXAMPLES: dict[type[ShopError], tuple[object, ...]] = {
    OrderNotFound: ("12345",),
    OutsideReturnWindow: (7,),
    AmountTooHigh: (Money(5000, "CNY"),),
    CurrencyMismatch: ("CNY",),
    CurrencyNotRefunded: ("GBP",),
    ReasonNotAllowed: ("damaged, late",),
    DailyLimitReached: (Money(5000, "CNY"), Money(100, "CNY")),
    DecidersMissing: (2,),
}


def family(kind: type[ShopError]) -> Iterator[type[ShopError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


KINDS = list(family(ShopError))


def placeholders(text: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_error_speaks_both_languages(kind: type[ShopError]) -> None:
    error = kind(*EXAMPLES.get(kind, ()))
    english, chinese = error.sentence("en"), error.sentence("zh")
    assert str(error) == error.sentence() == error.sentence("fr") == english
    assert english.isascii()
    assert english.endswith((".", "?"))
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
    assert placeholders(kind.english) == placeholders(kind.chinese) == set(kind.fields)
    assert all(str(value) in english and str(value) in chinese for value in error.args)
    assert kind is ShopError or {"english", "chinese", "code"} <= vars(kind).keys()


def test_codes_are_distinct() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)


def test_the_tree_at_the_top_of_the_file_is_the_tree() -> None:
    drawn = {line.strip("│├└─ ") for line in (errors.__doc__ or "").splitlines()[2:]}
    assert drawn == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_an_error_can_be_pickled(kind: type[ShopError]) -> None:
    error = kind(*EXAMPLES.get(kind, ()))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - it has just been written
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
