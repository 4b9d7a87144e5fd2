"""When a verifier is mailed about new shares (N2)."""

from datetime import UTC, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

DIGESTS_AT = time(8)
MONDAY = 0


class Notify(Enum):
    """What a verifier chose; each institution's Primary chooses what new users start with (N3)."""

    OFF = "OFF"
    AT_ONCE = "AT_ONCE"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"


def next_digest(notify: Notify, timezone: str, now: datetime) -> datetime:
    """The next 08:00 in the time zone (IANA name) that lies after `now`, for WEEKLY on a Monday; UTC.

    08:00 itself counts as over. Where a day begins, and how far 08:00 is from UTC, is the zone's matter, so the days
    are counted there.
    """
    zone = ZoneInfo(timezone)
    day = now.astimezone(zone).date()
    while True:
        moment = datetime.combine(day, DIGESTS_AT, zone).astimezone(UTC)
        if moment > now and (notify is not Notify.WEEKLY or day.weekday() == MONDAY):
            return moment
        day += timedelta(days=1)
