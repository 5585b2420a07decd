"""When a cron is due, by the clocks of a place."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import Invalid
from holdfast.schedules import Schedule, read_schedule

NEW_YORK = "America/New_York"
FIELD = st.text("0123456789*/,-#L W?MONJA", max_size=6)


def times(text: str, zone: str | None, after: str, count: int) -> list[str]:
    """The first times after one, on the clocks of the zone."""
    place, found, moment = ZoneInfo(zone or "UTC"), [], datetime.fromisoformat(after)
    for _ in range(count):
        following = read_schedule(text, zone).next(moment)
        assert following is not None
        assert following > moment
        assert following.utcoffset() == UTC.utcoffset(None)
        found.append(following.astimezone(place).strftime("%d %H:%M:%S%z"))
        moment = following
    return found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("*/5 * * * *", "2026-03-01T10:03:20+00:00", ["01 10:05:00", "01 10:10:00"]),
        ("0 9 * * 1-5", "2026-03-06T10:00:00+00:00", ["09 09:00:00", "10 09:00:00"]),
        ("* * * * * */20", "2026-03-01T10:03:20+00:00", ["01 10:03:40", "01 10:04:00"]),
        ("30 9 * * * 15", "2026-03-01T10:03:20+00:00", ["02 09:30:15", "03 09:30:15"]),
        ("0 0 13 * 5", "2026-03-01T00:00:00+00:00", ["06 00:00:00", "13 00:00:00"]),
        ("@daily", "2026-03-01T10:00:00+00:00", ["02 00:00:00", "03 00:00:00"]),
        ("@Hourly", "2026-03-01T10:00:00+00:00", ["01 11:00:00", "01 12:00:00"]),
        ("0 0 L * *", "2026-02-01T10:00:00+00:00", ["28 00:00:00", "31 00:00:00"]),
    ],
)
def test_when_a_cron_is_due(text: str, after: str, expected: list[str]) -> None:
    assert times(text, None, after, 2) == [f"{one}+0000" for one in expected]


def test_a_time_strictly_after_is_given() -> None:
    exactly = datetime(2026, 3, 1, 10, 5, tzinfo=UTC)
    assert Schedule("*/5 * * * *").next(exactly) == exactly.replace(minute=10)


def test_a_place_has_its_own_clocks() -> None:
    assert times("0 9 * * *", NEW_YORK, "2026-01-10T00:00:00+00:00", 1) == ["10 09:00:00-0500"]
    assert times("0 9 * * *", "Asia/Kolkata", "2026-01-10T00:00:00+00:00", 1) == ["10 09:00:00+0530"]


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        # The clocks go from 2:00 to 3:00 on March 8: what is due in between is due at 3:00.
        ("30 2 * * *", "2026-03-07T12:00:00+00:00", ["08 03:00:00-0400", "09 02:30:00-0400"]),
        ("0 9 * * *", "2026-03-07T15:00:00+00:00", ["08 09:00:00-0400", "09 09:00:00-0400"]),
        ("*/30 * * * *", "2026-03-08T06:15:00+00:00", ["08 01:30:00-0500", "08 03:00:00-0400"]),
        # They go from 2:00 back to 1:00 on November 1: a time of the day comes once, an interval goes on.
        ("30 1 * * *", "2026-10-31T12:00:00+00:00", ["01 01:30:00-0400", "02 01:30:00-0500"]),
        ("*/30 * * * *", "2026-11-01T05:15:00+00:00", ["01 01:30:00-0400", "01 01:00:00-0500"]),
        # Asked in the second of the two hours: what was due in the first one is over.
        ("30 1 * * *", "2026-11-01T06:15:00+00:00", ["02 01:30:00-0500", "03 01:30:00-0500"]),
        # With seconds the clocks are taken at their word.
        ("30 2 * * * 0", "2026-03-07T12:00:00+00:00", ["09 02:30:00-0400", "10 02:30:00-0400"]),
        ("30 1 * * * 0", "2026-10-31T12:00:00+00:00", ["01 01:30:00-0400", "01 01:30:00-0500"]),
    ],
)
def test_when_the_clocks_are_changed(text: str, after: str, expected: list[str]) -> None:
    assert times(text, NEW_YORK, after, 2) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "bad", "* * * *", "* * * * * * *", "61 * * * *", "* * * * 8", "0 0 30 2 *", "* * */20 * 1L"),
        *("@often", "* * * * " + ",".join(["1"] * 200)),
    ],
)
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(Invalid, match="Invalid cron schedule"):
        read_schedule(text)


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../UTC", "/etc/passwd", "America", "a\0b", "x" * 1000])
def test_what_is_no_time_zone(zone: str) -> None:
    with pytest.raises(Invalid, match="Invalid timezone"):
        read_schedule("* * * * *", zone)


@given(st.lists(FIELD, min_size=4, max_size=7).map(" ".join) | st.text(max_size=40))
def test_whatever_is_sent_is_a_schedule_or_refused(text: str) -> None:
    try:
        found = read_schedule(text).next(datetime(2026, 3, 1, tzinfo=UTC))
    except Invalid:
        return
    assert found is not None
