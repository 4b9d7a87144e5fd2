"""Appointments: what a clock on the wall says in a time zone, as a moment (H1), summer time included."""

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from errors import InvalidInput, Problem, Sentence
from models import timezones

LONGEST_AHEAD = timedelta(days=180)
PAST = Problem("startsAt", "The appointment must lie in the future.")
TOO_FAR = Problem("startsAt", "The appointment may lie at most 180 days ahead.")


class Turning(Enum):
    """Which of two is meant, where a clock is put back and shows one time twice."""

    FIRST = "FIRST"
    SECOND = "SECOND"


def moment(local: datetime, timezone: str, turning: Turning | None = None) -> datetime:
    """The moment (UTC) at which clocks in this zone show this time.

    A time that clocks leave out, or show twice unless it is said which is meant, is refused and made clear. Raises
    InvalidInput.
    """
    if timezone not in timezones.places():
        raise InvalidInput([Problem("timezone", "There is no such time zone: give one such as Asia/Tokyo.")])
    if local.tzinfo is not None:
        raise InvalidInput([Problem("startsAt", "Give the local time of your appointment, without an offset.")])
    if local.year in (MINYEAR, MAXYEAR):  # elsewhere it may be another year, and there is none
        raise InvalidInput([PAST if local.year == MINYEAR else TOO_FAR])
    zone = ZoneInfo(timezone)
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    if first.astimezone(zone).replace(tzinfo=None) != local:
        raise InvalidInput([Problem("startsAt", _left_out(first.astimezone(zone)))])
    if turning is None:
        raise InvalidInput([Problem("turning", _twice(first, second))])
    return first if turning is Turning.FIRST else second


def _left_out(instead: datetime) -> str:
    told = "Clocks are put forward then, and never show this time. Choose another one, such as {instead}."
    return Sentence.of(told, instead=f"{instead:%H:%M}")


def _twice(first: datetime, second: datetime) -> str:
    told = "Clocks are put back then, and show this time twice: at {first} and at {second}. Say which one is meant."
    return Sentence.of(told, first=first, second=second)


def check_bookable(appointment_at: datetime, now: datetime) -> None:
    """Raises InvalidInput unless it lies ahead, and not too far."""
    if appointment_at <= now:
        raise InvalidInput([PAST])
    if appointment_at > now + LONGEST_AHEAD:
        raise InvalidInput([TOO_FAR])
