"""E-mail addresses in a text, in Latin letters."""

import re
from collections.abc import Iterator

AT = "@\uff20"
LETTER = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
LOCAL = f"{LETTER}0-9._%+'-"

ADDRESS = re.compile(f"(?<![{LOCAL}])[{LOCAL}]{{1,64}}[{AT}](?:[{LETTER}0-9-]{{1,63}}\\.)+[{LETTER}]{{2,63}}")
# What the end of a text may be the beginning of.
ADDRESS_BEGUN = re.compile(f"(?<![{LOCAL}])[{LOCAL}]{{1,64}}(?:[{AT}][{LOCAL}]*+)*+\\Z")


def may_hold_address(text: str) -> bool:
    return any(at in text for at in AT)


def find_addresses(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Where addresses are in a text, from `start` on; what is before it counts for what can begin there."""
    if may_hold_address(text):
        for match in ADDRESS.finditer(text, start):
            yield match.span()
