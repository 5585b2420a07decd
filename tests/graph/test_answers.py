"""Answers to a request for a refund: what the graph would refuse, the platform refuses first."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from graph.approvals import AnswerRefused, amount_of, payload, read_answer
from graph.state import Request
from holdfast.core.answers import read_decisions
from holdfast.errors import Invalid
from tools.money import Money

ASKED = {"CNY": 10_000, "JPY": 100, "KWD": 100_000}  # a hundred of each, in minor units
REFUSED: list[Any] = [
    *(
        "0",
        "0.00",
        "0.001",
        "1.234",
        "100.000",
        "100.01",
        "-1",
        "+5",
        "10.00\n",
        " 10",
        "1.",
        ".5",
        "1e1",
        "1_0",
    ),
    *("NaN", "\u0661", "", 0, -1, 101, 0.5, 10**30, math.inf, True, None, [], {}),
]


def asked(currency: str) -> Request:
    terms: Any = {"version": "1", "reason": "above_customer_limit", "roles": ["operator"], "deciders": 1}
    terms |= {"exclude_requester": True, "expires_at": None, "remind_at": None, "escalate_to": []}
    return {
        "request_id": "r1",
        "status": "undecided",
        "language": "en",
        "order_id": "12345",
        "order_version": 1,
        "amount": ASKED[currency],
        "paid": ASKED[currency],
        "refunded": 0,
        "currency": currency,
        "items": [],
        "reason": "",
        "reason_code": "unstated",
        "payee": "card 4242",
        "payee_hash": "0",
        "terms": terms,
        "supersedes": None,
    }


def lowered(request: Request, amount: Any) -> Money | None:
    """The amount that an edit comes to; None when the platform refuses it."""
    args = {name: request[name] for name in ("order_id", "currency", "reason")}
    edit = {"name": "request_refund", "args": {**args, "amount": amount}}
    try:
        decisions = read_decisions(payload(request), {"type": "edit", "edited_action": edit})
    except Invalid:
        return None
    return read_answer({"decisions": decisions}, request).amount


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("CNY", "100", 10_000),
        ("CNY", "0.01", 1),
        ("CNY", "1.5", 150),
        ("CNY", 5, 500),
        ("CNY", 5.0, 500),
        ("JPY", "99", 99),
        ("JPY", 1, 1),
        ("KWD", "1.234", 1_234),
        *(("CNY", amount, None) for amount in REFUSED),
        ("JPY", "1.0", None),
        ("JPY", "0", None),
        ("KWD", "1.2345", None),
    ],
)
def test_an_edit_is_refused_or_is_what_was_typed(currency: str, amount: Any, minor: int | None) -> None:
    expected = None if minor is None else Money(minor, currency)
    assert lowered(asked(currency), amount) == expected


@settings(deadline=None)
@given(
    some.sampled_from(sorted(ASKED)),
    some.one_of(
        some.text("0159.,+-eE_ \n\u0661", max_size=7), some.integers(), some.floats(), some.booleans()
    ),
)
def test_what_the_platform_takes_the_graph_takes(currency: str, amount: Any) -> None:
    request = asked(currency)
    try:
        found = lowered(request, amount)
    except AnswerRefused:
        pytest.fail(f"{amount!r} {currency} is decided, and then refused")
    assert found is None or 0 < found.amount <= amount_of(request).amount


def test_a_no_is_taken_however_long_it_is() -> None:
    request, why = asked("CNY"), "No. " * 100_000
    decisions = read_decisions(payload(request), {"type": "reject", "message": why})
    answer = read_answer({"decisions": decisions}, request)
    assert (answer.outcome, answer.message) == ("reject", why)
