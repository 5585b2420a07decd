"""When somebody of the shop's people is there to talk to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from graph.languages import Language

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES: dict[Language, tuple[str, ...]] = {
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
TO: dict[Language, str] = {"zh": "{}至{}", "en": "{} to {}"}
COMMA: dict[Language, str] = {"zh": "，", "en": ", "}
ZONE: dict[Language, str] = {"zh": "{}（{} 时间）", "en": "{} ({} time)"}
END_OF_DAY = "24:00"

_SPAN = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?(\d\d:\d\d)-(\d\d:\d\d)")


class HoursInvalid(ValueError):
    """Not opening hours; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Span:
    """From one time of day to another, on each of these days (0 is Monday)."""

    first: int
    last: int
    start: str
    end: str

    def covers(self, day: int, minute: str) -> bool:
        within = (
            self.first <= day <= self.last if self.first <= self.last else not self.last < day < self.first
        )
        return within and self.start <= minute < self.end

    def in_words(self, language: Language) -> str:
        names, hours = DAY_NAMES[language], f"{self.start}–{self.end}"
        if (self.first, self.last) == (0, 6):
            return hours
        if self.first == self.last:
            return f"{names[self.first]} {hours}"
        return f"{TO[language].format(names[self.first], names[self.last])} {hours}"


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """No spans: somebody is always there."""

    spans: tuple[Span, ...]
    zone: str

    @classmethod
    def read(cls, text: str, zone: str) -> "OpeningHours":
        """Such as "mon-fri 09:00-18:00, sat 10:00-14:00"; without days it is every day.

        Raises HoursInvalid.
        """
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise HoursInvalid(f"there is no time zone {zone!r} here; write it as in Asia/Shanghai") from None
        return cls(tuple(_spans(part.strip() for part in text.lower().split(",") if part.strip())), zone)

    def is_open(self, moment: datetime) -> bool:
        local = moment.astimezone(ZoneInfo(self.zone))
        return not self.spans or any(span.covers(local.weekday(), f"{local:%H:%M}") for span in self.spans)

    def in_words(self, language: Language) -> str:
        spans = COMMA[language].join(span.in_words(language) for span in self.spans)
        return ZONE[language].format(spans, self.zone)


def _spans(parts: Iterable[str]) -> Iterable[Span]:
    for part in parts:
        found = _SPAN.fullmatch(part)
        if found is None:
            raise HoursInvalid(f"{part!r} is not like 09:00-18:00 or mon-fri 09:00-18:00")
        first, last, start, end = found.groups()
        days = [_day(day) for day in (first or "mon", last or first or "sun")]
        if not _is_time(start) or not (_is_time(end) or end == END_OF_DAY) or start >= end:
            raise HoursInvalid(f"{start}-{end} is no span of one day; write what passes midnight as two")
        yield Span(days[0], days[1], start, end)


def _day(name: str) -> int:
    if name not in DAYS:
        raise HoursInvalid(f"there is no day {name!r}; days are {', '.join(DAYS)}")
    return DAYS.index(name)


def _is_time(text: str) -> bool:
    try:
        time.fromisoformat(text)
    except ValueError:
        return False
    return True
