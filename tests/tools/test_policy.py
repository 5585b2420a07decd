"""The rules, against the document that tells people about them."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.databases import START
from tests.tools.policies import SHIPPED
from tools.errors import DailyLimitReached
from tools.money import Money, exponent_of
from tools.policy import (
    SHIPPED_FILE,
    Case,
    PolicyInvalid,
    Refused,
    Tier,
    are_enough,
    find_tier,
    judge,
    read_policy,
)

DOCUMENT = (Path(__file__).parents[2] / "docs/refund-policy.md").read_text(encoding="utf-8")


def rows(header: str) -> list[list[str]]:
    """The cells of the document's table with this first heading."""
    table = DOCUMENT[DOCUMENT.index(f"| {header} |") :].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def minor(text: str, currency: str) -> int:
    return int(Decimal(text).scaleb(exponent_of(currency)))


def delivery(text: str) -> dict[str, Any]:
    found = re.fullmatch(r"delivered (\d+) days ago", text)
    delivered_at = START - timedelta(days=int(found[1])) if found else None
    assert found or text in ("not delivered", "cancelled")
    return {"delivered_at": delivered_at, "cancelled": text == "cancelled"}


@pytest.mark.parametrize("row", rows("amount"), ids=lambda row: " ".join(row[:4]))
def test_each_row_of_the_decision_table(row: list[str]) -> None:
    asked, paid, refunded, order, reason, spent, of_order, of_customer, expected = row
    figure, currency = asked.split()
    case = Case(
        paid=minor(paid, currency),
        refunded=minor(refunded, currency),
        now=START,
        amount=Money(minor(figure, currency), currency),
        reason=reason,
        spent=minor(spent, currency),
        of_order=int(of_order),
        of_customer=int(of_customer),
        **delivery(order),
    )
    verdict = judge(SHIPPED, case)
    if isinstance(verdict, Refused):
        assert expected == f"refused ({verdict.why.code})"
    else:
        assert expected == f"{verdict.tier.name} ({verdict.reason})"


def test_the_table_meets_every_refusal_and_every_tier() -> None:
    verdicts = {row[-1] for row in rows("amount")}
    assert {verdict.split()[0] for verdict in verdicts} == {"refused", *(t.name for t in SHIPPED.tiers)}
    assert len([verdict for verdict in verdicts if verdict.startswith("refused")]) == 8
    assert {row[4] for row in rows("amount")} >= set(SHIPPED.reasons)


def test_the_figures_of_the_document_are_those_of_the_file() -> None:
    tiers = rows("tier")
    assert [row[0] for row in tiers] == [f"`{tier.name}`" for tier in SHIPPED.tiers]
    for column, currency in enumerate(("CNY", "USD", "EUR", "JPY"), start=2):
        limits = [minor(row[column], currency) for row in tiers[:-1]]
        assert tuple(limits) == SHIPPED.currencies[currency].limits
        assert str(Money(SHIPPED.currencies[currency].budget, currency)) in DOCUMENT
    for row, tier in zip(tiers, SHIPPED.tiers, strict=True):
        assert row[1] == who(tier)
        hours = int(tier.expires_after / timedelta(hours=1))
        then = f"goes on to {', '.join(tier.escalate_to)}" if tier.escalate_to else "rejected"
        assert row[-1] == f"{then} after {hours} hours"
    assert f"within {SHIPPED.return_window.days} days of delivery" in DOCUMENT
    assert f"refunded {SHIPPED.repeats.of_order} times within {SHIPPED.repeats.days} days" in DOCUMENT
    assert f"refunded {SHIPPED.repeats.of_customer} times" in DOCUMENT
    assert f": {', '.join(SHIPPED.reasons)}." in DOCUMENT


def who(tier: Tier) -> str:
    if tier.roles == ("owner",):
        return "the customer"
    plural = "s" if tier.deciders > 1 else ""
    return f"{tier.deciders} {tier.roles[0]}{plural}{', not the customer' if tier.exclude_requester else ''}"


AMOUNTS = st.integers(1, 10**7)
COUNTS = st.integers(0, 12)


@given(AMOUNTS, AMOUNTS, st.integers(0, 10**6), COUNTS, COUNTS)
def test_more_money_and_more_refunds_never_need_fewer_people(
    amount: int, more: int, spent: int, of_order: int, of_customer: int
) -> None:
    def rank(amount: int, spent: int, of_order: int, of_customer: int) -> int:
        verdict = find_tier(SHIPPED, Money(amount, "CNY"), spent, of_order, of_customer)
        return len(SHIPPED.tiers) if isinstance(verdict, Refused) else verdict.tier.rank

    least = rank(amount, spent, of_order, of_customer)
    assert least <= rank(amount + more, spent, of_order, of_customer)
    assert least <= rank(amount, spent + more, of_order, of_customer)
    assert least <= rank(amount, spent, of_order + 1, of_customer)
    assert least <= rank(amount, spent, of_order, of_customer + 1)


def test_what_is_left_of_the_day_is_told() -> None:
    verdict = find_tier(SHIPPED, Money(100, "CNY"), 5_000_000, 0, 0)
    assert isinstance(verdict, Refused)
    assert isinstance(verdict.why, DailyLimitReached)
    assert (verdict.why.limit, verdict.why.left) == (Money(5_000_000, "CNY"), Money(0, "CNY"))


CUSTOMER, OPERATOR, TWO = SHIPPED.tiers


@pytest.mark.parametrize(
    ("by", "asked", "wanted", "enough"),
    [
        (["demo"], CUSTOMER, CUSTOMER, True),
        (["li"], CUSTOMER, CUSTOMER, False),
        (["demo", "li"], CUSTOMER, CUSTOMER, True),
        ([], CUSTOMER, CUSTOMER, False),
        ([""], CUSTOMER, CUSTOMER, False),
        (["demo"], CUSTOMER, OPERATOR, False),
        (["demo", "li", "mei"], CUSTOMER, OPERATOR, False),
        (["demo", "li", "mei"], CUSTOMER, TWO, False),
        (["li"], OPERATOR, OPERATOR, True),
        (["demo"], OPERATOR, OPERATOR, False),
        (["demo", "li"], OPERATOR, OPERATOR, True),
        (["li"], OPERATOR, TWO, False),
        (["li", "li"], OPERATOR, TWO, False),
        (["li", "demo"], OPERATOR, TWO, False),
        (["li", "mei"], OPERATOR, TWO, True),
        (["li"], TWO, TWO, False),
        (["li", "demo"], TWO, TWO, False),
        (["li", "mei"], TWO, TWO, True),
        (["li"], TWO, OPERATOR, True),
        (["li"], TWO, CUSTOMER, True),
        (["li"], OPERATOR, CUSTOMER, True),
        (["demo"], OPERATOR, CUSTOMER, False),
        (["demo"], TWO, CUSTOMER, False),
    ],
    ids=lambda value: value.name if isinstance(value, Tier) else str(value),
)
def test_who_is_enough(by: list[str], asked: Tier, wanted: Tier, enough: bool) -> None:
    assert are_enough(by, "demo", asked, wanted) is enough


def test_a_tier_that_is_no_more_is_taken_for_the_highest() -> None:
    assert SHIPPED.tier("operator") is OPERATOR
    assert SHIPPED.tier("of an older policy") is TWO


BROKEN = {
    "no TOML": ("version = 2", "version ="),
    "version": ("version = 2", "version = 0"),
    "an unknown table": ("[returns]", "[returns_]"),
    "an unknown key": ("days = 7", "days = 7\nhours = 1"),
    "a missing key": ('budget = "50000.00"', ""),
    "days": ("days = 7", "days = -7"),
    "true for a number": ("days = 7", "days = true"),
    "reasons": ('reasons = ["unstated"', "reasons = [1"),
    "another unknown key": ("[repeats]", "[repeats]\nof_order_ = 1"),
    "reasons that are none": ("reasons = [", "reasons_ = ["),
    "one tier": ("[[tiers]]", "[tiers]"),
    "roles that are no list": ('roles = ["owner"]', "roles = 7"),
    "figures that are no table": ("[currencies.JPY]", "[currencies]\nJPY = 1\n[currencies.GBP]"),
    "a float": ('"6000.00"', "6000.0"),
    "a negative amount": ('"6000.00"', '"-6000.00"'),
    "decimals that yen do not have": ('"100000"', '"100000.50"'),
    "limits that fall": ('"20000.00"', '"5000.00"'),
    "a budget below a limit": ('"50000.00"', '"10000.00"'),
    "three deciders": ("deciders = 2", "deciders = 3"),
    "no deciders": ("deciders = 2", "deciders = 0"),
    "one name twice": ('name = "operator"', 'name = "customer"'),
    "no roles": ('roles = ["owner"]', "roles = []"),
    "a customer who must not be": ('roles = ["owner"]', 'roles = ["owner"]\nexclude_requester = true'),
    "a name like no currency": ("[currencies.CNY]", "[currencies.yuan]"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_makes_no_policy_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str) -> None:
    text = SHIPPED_FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "policy.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyInvalid, match=r"policy\.toml cannot be (read|used): .+") as refused:
        read_policy(path)
    assert str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="cannot be read"):
        read_policy(tmp_path / "none.toml")


def test_a_policy_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    text = SHIPPED_FILE.read_text(encoding="utf-8")
    path.write_text(text.replace('"6000.00"', '"100.00"', 1), encoding="utf-8")
    assert read_policy(path).currencies["CNY"].limits[0] == 10_000
