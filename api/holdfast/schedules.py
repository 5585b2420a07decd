"""When a cron is due: time tables in the form of crontab, by the clocks of a time zone."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from holdfast.errors import Invalid

LONGEST = 255
NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """Five fields: minute, hour, day of the month, month, day of the week. A sixth one is the second."""

    text: str
    timezone: str | None = None

    def next(self, after: datetime) -> datetime | None:
        """The first time after another one, in UTC; None when there is none within fifty years."""
        for moment in CronSim(seconds_first(self.text), after.astimezone(find_zone(self.timezone))):
            # In UTC: in the hour that comes twice when clocks are put back, it may be an earlier time again.
            if (found := moment.astimezone(UTC)) > after:
                return found
        return None


def read_schedule(text: str, timezone: str | None = None) -> Schedule:
    """Raises `Invalid` for what is no schedule, and for a time zone that is not known."""
    find_zone(timezone)
    schedule = Schedule(text, timezone)
    try:
        if len(text) <= LONGEST and schedule.next(datetime.now(UTC)):
            return schedule
        reason = "it names no time to come" if len(text) <= LONGEST else "it is too long"
    except CronSimError as error:
        reason = str(error)
    raise Invalid(
        f"Invalid cron schedule: {text[:LONGEST]!r}: {reason}. It has five fields (minute, hour, day of the "
        "month, month, day of the week) or a sixth for the second, such as '*/5 * * * *': every five minutes."
    )


def seconds_first(text: str) -> str:
    """On the wire the seconds are the last of six fields, where crontab has none; CronSim has them first."""
    fields = NAMED.get(text.strip().lower(), text).split()
    return " ".join(fields if len(fields) != 6 else (fields[5], *fields[:5]))


def find_zone(name: str | None) -> tzinfo:
    """Raises `Invalid`."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone; no name of one; the name of a folder of zones
        raise Invalid(
            f"Invalid timezone: {name[:LONGEST]!r}. Use an IANA name, such as 'America/New_York'."
        ) from None
