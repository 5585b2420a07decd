"""What is taken out of a text, and what is left alone."""

import time
import uuid
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.redaction import Redactor, choose_redactor
from holdfast.redaction.texts import HELD, Tail
from holdfast.settings import read_settings

both = Redactor(cards=True, emails=True)
only_cards = Redactor(cards=True, emails=False)
only_emails = Redactor(cards=False, emails=True)


def with_check_digit(digits: str) -> str:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[::-2]]
    plain = [int(digit) for digit in digits[-2::-2]]
    return digits + str(-sum(doubled + plain) % 10)


CARDS = (
    st.text("0123456789", min_size=12, max_size=18)
    .filter(lambda text: text[0] not in "01")
    .map(with_check_digit)
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("4111111111111111", "[card]"),
        ("my card is 4111 1111 1111 1111, thanks", "my card is [card], thanks"),
        ("4111-1111-1111-1111", "[card]"),
        ("4111 – 1111 – 1111 – 1111", "[card]"),
        ("4111\u00a01111\u202f1111\u20091111", "[card]"),
        ("378282246310005 3782 822463 10005", "[card] [card]"),
        ("4222222222222", "[card]"),
        ("6304000000000000000", "[card]"),
        ("卡号4111111111111111谢谢", "卡号[card]谢谢"),
        ("４１１１　１１１１　１１１１　１１１１", "[card]"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[card]"),
        ("2 4111 1111 1111 1111 123", "2 [card] 123"),
        ("5105105105105100.", "[card]."),
        ("card:4111111111111111;cvv:1", "card:[card];cvv:1"),
        ("card_4111111111111111", "card_[card]"),
        ("/4111111111111111/", "/[card]/"),
    ],
)
def test_cards_are_found_however_they_are_written(text: str, left: str) -> None:
    assert only_cards.text(text) == left
    assert both.text(text) == left
    assert only_emails.text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # the check digit is wrong
        "4111 1111 1111 1112",
        "411111111111",  # 12 digits
        "41111111111111111111",  # 20 in one
        "0000 0000 0000 0000",
        "0193b2c4-7a1e-7890-1234-567890123452",  # its last 16 digits would pass
        "lc_run--0193b2c4-7a1e-7890-1234-567890123452",
        "a4111111111111111",
        "4111111111111111f",
        "0.4111111111111111",
        "1732531234566",  # a time in ms that would pass
        "4111\n1111\n1111\n1111",
        "4111.1111.1111.1111",
    ],
)
def test_other_digits_are_left_alone(text: str) -> None:
    assert both.text(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("joe@example.com", "[email]"),
        ("Joe <joe.o'neill+shop@mail.example.co.uk>, thanks", "Joe <[email]>, thanks"),
        ("mailto:joe_99%x@example.museum?subject=hi", "mailto:[email]?subject=hi"),
        ("邮箱joe@example.com谢谢", "邮箱[email]谢谢"),
        ("josé@exämple.de", "[email]"),
        ("joe＠example.com", "[email]"),
        ("joe@example.com.", "[email]."),
        ("a@b.co;c@d.co", "[email];[email]"),
        ("1 11-joe@x.com", "1 [email]"),
    ],
)
def test_addresses_are_found(text: str, left: str) -> None:
    assert only_emails.text(text) == left
    assert both.text(text) == left
    assert only_cards.text(text) == text


@pytest.mark.parametrize("text", ["joe@localhost", "@joe", "joe@", "a @ b.com", "joe@example", "joe@1.2.3.4"])
def test_what_is_no_address_is_left_alone(text: str) -> None:
    assert both.text(text) == text


def test_where_both_overlap_nothing_is_left_of_either() -> None:
    assert both.text("4111 1111 1111 1111@example.com") == "[card][email]"
    assert both.text("joe.4111111111111111@example.com") == "[email]"


@given(CARDS, st.data())
def test_every_card_is_found_in_every_grouping(card: str, data: st.DataObject) -> None:
    gap = data.draw(st.sampled_from(["", " ", "-", "  ", " - ", "\u00a0"]))
    cuts = data.draw(st.sets(st.integers(1, len(card) - 1)))
    written = "".join(gap + digit if place in cuts else digit for place, digit in enumerate(card))
    assert both.text(f"pay with {written}!") == "pay with [card]!"


@given(st.text("0123456789", min_size=13, max_size=19).filter(lambda text: text.strip("0")))
def test_digits_in_one_are_taken_out_just_when_luhn_says_so(digits: str) -> None:
    """As the standard describes it: from the right, every second digit doubled."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    is_time = digits[0] == "1" and len(digits) in (13, 16, 19)
    assert (both.text(digits) == "[card]") == (total % 10 == 0 and not is_time)


def test_ids_and_times_pass() -> None:
    ids = [str(uuid.uuid4()) for _ in range(2000)]
    assert both.text(" ".join(ids)) == " ".join(ids)
    now = time.time_ns()
    times = [str((now + step) // unit) for step in range(200) for unit in (1, 1000, 1_000_000)]
    assert [both.text(one) for one in times] == times


# JSON


def test_of_json_all_texts_keys_and_whole_numbers_are_looked_at() -> None:
    given = {
        "text": 'say "joe@x.com"\n\u0007joe@x.com \\ \u2028',
        "joe@x.com": [4111111111111111, -4111111111111111, True, None, 4111111111111111.5],
        "nested": {"args": '{"card": "4111 1111 1111 1111"}', "ms": 1732531234566},
    }
    assert orjson.loads(both.json(orjson.dumps(given))) == {
        "text": 'say "[email]"\n\u0007[email] \\ \u2028',
        "[email]": ["[card]", -4111111111111111, True, None, 4111111111111111.5],
        "nested": {"args": '{"card": "[card]"}', "ms": 1732531234566},
    }


def test_json_without_anything_to_take_out_is_the_same_bytes() -> None:
    data = b'{"a": 1.0, "b":[ "x@", 123456789012 ]}'
    assert only_cards.json(data) is data
    assert Redactor(cards=False, emails=True).json(b'{"a" : 1}') == b'{"a" : 1}'


@given(
    st.recursive(
        st.none() | st.text() | st.integers(-(2**53), 2**53),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_what_was_taken_out_of_stays_as_it_is(value: object) -> None:
    once = both.json(orjson.dumps(value))
    assert both.json(once) == once


def test_nothing_takes_long_that_a_caller_could_send() -> None:
    for part in ("4 ", "4", "a@", "@", "a.", "a", "a@a.", "4-a", "1234-"):
        data = orjson.dumps({"text": part * (200_000 // len(part)) + "@4111111111111"})
        started = time.process_time()
        both.json(data)
        assert time.process_time() - started < 3, part


# pieces


def in_pieces(redactor: Redactor, text: str, cuts: list[int]) -> str:
    tail = Tail(redactor)
    places = [0, *sorted(cuts), len(text)]
    return "".join(tail.feed(text[one:other]) for one, other in pairwise(places)) + tail.end()


WORDS = st.sampled_from(
    [
        *("4111", "1111", "4111 1111 1111 1111", "5105105105105100", "0193b2c4-7a1e-7890-1234-567890123452"),
        *(
            "joe",
            "joe@x.com",
            "@",
            ".",
            "com",
            "e",
            "a",
            "f",
            "x" * 66,
            " ",
            "-",
            " - ",
            "0",
            "卡",
            "\n",
            "＠",
            "é",
        ),
    ]
)


@settings(max_examples=500)
@given(st.lists(WORDS, max_size=10).map("".join).filter(lambda text: len(text) <= HELD), st.data())
def test_a_text_in_pieces_is_what_it_would_be_in_one(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=30))
    redactor = data.draw(st.sampled_from([both, only_cards, only_emails]))
    assert in_pieces(redactor, text, cuts) == redactor.text(text)
    assert in_pieces(redactor, text, list(range(len(text)))) == redactor.text(text)


def test_plain_words_are_held_back_for_one_piece_at_most() -> None:
    tail = Tail(both)
    assert [tail.feed(piece) for piece in ("Your", " order", " is", " on its way!")] == [
        "",
        "Your ",
        "order ",
        "is on its way!",
    ]
    assert tail.end() == ""
    tail = Tail(only_cards)
    assert [tail.feed(piece) for piece in ("Your", " order", " 4711", " is")] == [
        "Your",
        " order",
        " ",
        "4711 is",
    ]


def test_what_never_ends_is_let_go() -> None:
    for piece in ("x", "4", "4 ", "a.", "-"):
        tail = Tail(both)
        given = "".join(tail.feed(piece) for _ in range(2000))
        assert len(given) >= 2000 * len(piece) - 2 * HELD


# the setting


def test_the_setting_says_what_is_taken_out() -> None:
    text = "4111 1111 1111 1111 joe@x.com"

    def left(wanted: str) -> str:
        redactor = choose_redactor(read_settings({"HOLDFAST_REDACT": wanted}).redact)
        return redactor.text(text) if redactor else text

    assert [left(wanted) for wanted in ("off", "cards", "emails", "cards,emails")] == [
        text,
        "[card] joe@x.com",
        "4111 1111 1111 1111 [email]",
        "[card] [email]",
    ]
