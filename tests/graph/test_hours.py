"""When somebody is there, as an operator writes it, as it is told, and as it holds."""

from datetime import UTC, datetime

import pytest

from graph.hours import HoursInvalid, OpeningHours
from graph.settings import SettingInvalid, Settings

WEEK = "mon-fri 09:00-18:00, sat 10:00-14:00"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "moment", "is_open"),
    [
        (WEEK, "2026-11-27T09:00", True),
        (WEEK, "2026-11-27T08:59", False),
        (WEEK, "2026-11-27T17:59", True),
        (WEEK, "2026-11-27T18:00", False),
        (WEEK, "2026-11-28T13:00", True),
        (WEEK, "2026-11-28T15:00", False),
        (WEEK, "2026-11-29T11:00", False),
        ("09:00-21:00", "2026-11-29T11:00", True),
        ("sat-mon 09:00-12:00", "2026-11-30T11:00", True),
        ("sat-mon 09:00-12:00", "2026-12-01T11:00", False),
        ("22:00-24:00, 00:00-06:00", "2026-11-29T23:59", True),
        ("22:00-24:00, 00:00-06:00", "2026-11-29T05:59", True),
        ("22:00-24:00, 00:00-06:00", "2026-11-29T06:00", False),
        ("", "2026-11-29T03:00", True),
    ],
)
def test_whether_somebody_is_there(hours: str, moment: str, is_open: bool) -> None:
    assert OpeningHours.read(hours, "UTC").is_open(at(moment)) is is_open


def test_the_zone_decides_which_day_it_is() -> None:
    monday_morning_there = at("2026-11-29T23:30")
    assert OpeningHours.read("mon 07:00-08:00", "Asia/Shanghai").is_open(monday_morning_there)
    assert not OpeningHours.read("mon 07:00-08:00", "UTC").is_open(monday_morning_there)


def test_in_words() -> None:
    hours = OpeningHours.read(WEEK, "Asia/Shanghai")
    assert hours.in_words("en") == ("Monday to Friday 09:00–18:00, Saturday 10:00–14:00 (Asia/Shanghai time)")
    assert hours.in_words("zh") == "周一至周五 09:00–18:00，周六 10:00–14:00（Asia/Shanghai 时间）"
    assert OpeningHours.read("09:00-21:00", "UTC").in_words("en") == "09:00–21:00 (UTC time)"


WRONG = ["9-18", "mon-fri", "mon-fri 09:00", "xyz 09:00-10:00", "18:00-09:00", "09:00-09:00", "09:60-10:00"]


@pytest.mark.parametrize("hours", [*WRONG, "09:00-25:00", "24:00-24:00", "mon- 09:00-10:00"])
def test_what_is_no_opening_hours_is_refused_at_the_start(hours: str) -> None:
    with pytest.raises(HoursInvalid):
        OpeningHours.read(hours, "UTC")
    with pytest.raises(SettingInvalid, match="AGENT_OPENING_HOURS"):
        Settings.read({"AGENT_OPENING_HOURS": hours})


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", " "])
def test_a_zone_that_there_is_not(zone: str) -> None:
    with pytest.raises(HoursInvalid, match="time zone"):
        OpeningHours.read(WEEK, zone)
