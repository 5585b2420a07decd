"""Card numbers in a text: 13 to 19 digits, in groups or not, with the check digit of Luhn's algorithm."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

SHORTEST, LONGEST = 13, 19
DIGIT = "[0-9\uff10-\uff19]"
GAP = "[ \u00a0\u2000-\u200a\u202f\u3000\u2010-\u2013\uff0d-]{0,3}"
RUN = f"{DIGIT}(?:{GAP}{DIGIT})*+"
UUID = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])"
APART = r"(?<![0-9A-Za-z])(?<![0-9]\.)"  # not in the middle of a word, nor after the point of a number

LIKELY = re.compile(f"{DIGIT}(?:{GAP}{DIGIT}){{{SHORTEST - 1}}}")
NUMBERS = re.compile(f"{APART}(?:{UUID}|(?P<run>{RUN})(?P<more>[A-Za-z])?)")
GROUP = re.compile(f"{DIGIT}+")

# What the end of a text may be the beginning of.
NUMBER_BEGUN = re.compile(f"{APART}{RUN}{GAP}\\Z")
UUID_BEGUN = re.compile(f"{APART}[0-9A-Fa-f-]++\\Z")

ASCII = str.maketrans("".join(chr(0xFF10 + digit) for digit in range(10)), "0123456789")
DOUBLED = [sum(divmod(2 * digit, 10)) for digit in range(10)]


def find_cards(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Where cards are in a text, from `start` on; what is before it counts for what can begin there."""
    for match in NUMBERS.finditer(text, start):
        groups = list(GROUP.finditer(text, *match.span("run"))) if match["run"] else []
        if match["more"]:  # the last group begins a word
            del groups[-1]
        for first, last in among([group[0].translate(ASCII) for group in groups]):
            yield groups[first].start(), groups[last].end()


def is_card(number: int) -> bool:
    return number > 0 and any(among([str(number)]))


def among(groups: Sequence[str]) -> Iterator[tuple[int, int]]:
    """First and last group of each card: any groups in a row may be one, whatever digits are around them."""
    ends = [0, *accumulate(map(len, groups))]
    if ends[-1] < SHORTEST:
        return
    sums, first = check_sums("".join(groups)), 0
    while first < len(groups):
        last = longest(groups, ends, sums, first)
        if last is not None:
            yield first, last
        first = (first if last is None else last) + 1


def check_sums(digits: str) -> tuple[Sequence[int], Sequence[int]]:
    """Luhn's sums up to each place, for numbers whose last digit is at an even place, and at an odd one."""
    values = [int(digit) for digit in digits]
    even = (DOUBLED[value] if place % 2 else value for place, value in enumerate(values))
    odd = (value if place % 2 else DOUBLED[value] for place, value in enumerate(values))
    return [0, *accumulate(even)], [0, *accumulate(odd)]


def longest(
    groups: Sequence[str], ends: Sequence[int], sums: Sequence[Sequence[int]], first: int
) -> int | None:
    """The last group of the longest card that begins with a group."""
    found, start = None, ends[first]
    for last in range(first, len(groups)):
        end = ends[last + 1]
        if end - start > LONGEST:
            break
        total = sums[(end - 1) % 2][end] - sums[(end - 1) % 2][start]
        fits = end - start >= SHORTEST and total and total % 10 == 0
        if fits and not (last == first and is_time(groups[last])):
            found = last
    return found


def is_time(digits: str) -> bool:
    """Milli-, micro- or nanoseconds since 1970, of which one in ten would pass for a card."""
    return digits[0] == "1" and len(digits) in (13, 16, 19)
