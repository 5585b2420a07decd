from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import AmountInvalid, CurrencyMismatch
from tools.money import EXPONENTS, LIMIT, Money, exponent_of, parse_amount

CURRENCIES = st.sampled_from(["CNY", "USD", "EUR", "JPY", "KWD", *EXPONENTS])


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("79.99", "CNY", 7999),
        ("79.9", "CNY", 7990),
        (" 79 ", "CNY", 7900),
        (79, "USD", 7900),
        ("0.01", "USD", 1),
        ("36300", "JPY", 36300),
        ("1.234", "KWD", 1234),
        ("79.99 CNY", "CNY", 7999),
        ("10000000000.00", "CNY", LIMIT),
    ],
)
def test_reads_what_people_write(text: str | int, currency: str, amount: int) -> None:
    assert parse_amount(text, currency) == Money(amount, currency)


NUMBERS = [" ", "-1", "+1", "0", "0.00", "nan", "NaN", "inf", "-Infinity", "1e309", "1e2", "0.001", "1.999"]
SHAPES = ["", "1.", ".5", "1,000", "1 000", "1_000", "0x10", "12.34.5", "$5", "5元", "1\n", "1 cny", "1 CNYY"]
DIGITS = ["七十九", "\uff17\uff19.\uff19\uff19", "\u0667\u0669", "79.9\u0669", "79.99\x00", "\u00a079"]
TOO_MUCH = ["10000000000.01", "9" * 400]


@pytest.mark.parametrize("text", NUMBERS + SHAPES + DIGITS + TOO_MUCH)
def test_refuses_everything_else(text: str) -> None:
    with pytest.raises(AmountInvalid):
        parse_amount(text, "CNY")


@pytest.mark.parametrize("value", [True, 0, -5, 5.0, None, Decimal(5)])
def test_refuses_other_types_and_sizes(value: object) -> None:
    with pytest.raises(AmountInvalid):
        parse_amount(value, "CNY")  # type: ignore[arg-type]


def test_refuses_a_number_python_itself_will_not_print() -> None:
    with pytest.raises(AmountInvalid):
        parse_amount(10**5000, "CNY")


def test_refuses_decimals_the_currency_does_not_have() -> None:
    with pytest.raises(AmountInvalid):
        parse_amount("100.5", "JPY")


def test_refuses_another_currency() -> None:
    with pytest.raises(CurrencyMismatch) as refused:
        parse_amount("50 USD", "CNY")
    assert refused.value.currency == "CNY"


@given(st.integers(1, LIMIT), CURRENCIES)
def test_what_is_printed_is_read_back(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    assert parse_amount(str(money), currency) == money


@given(st.one_of(st.text(), st.text("0123456789.-+eE,  ٣5")), CURRENCIES)
def test_whatever_is_accepted_is_the_exact_decimal(text: str, currency: str) -> None:
    try:
        money = parse_amount(text, currency)
    except (AmountInvalid, CurrencyMismatch):
        return
    assert text.isascii()
    assert 0 < money.amount <= LIMIT
    assert Decimal(money.amount).scaleb(-exponent_of(currency)) == Decimal(text.strip(" "))


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(799900, "CNY"), "7999.00 CNY"),
        (Money(5, "USD"), "0.05 USD"),
        (Money(-150, "USD"), "-1.50 USD"),
        (Money(36300, "JPY"), "36300 JPY"),
        (Money(0, "CNY"), "0.00 CNY"),
    ],
)
def test_prints_major_units(money: Money, text: str) -> None:
    assert str(money) == text


def test_refuses_what_is_no_currency_code() -> None:
    with pytest.raises(ValueError, match="currency"):
        Money(1, "cny")
