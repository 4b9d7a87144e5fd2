"""Working days of the board: neither weekends nor its holidays (O2, O5)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

TARGET = 5  # working days within which an application is decided, or a Primary User answers
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where the board works (IANA name of its zone), and the days on which it does not."""

    timezone: str = "UTC"
    holidays: frozenset[date] = frozenset()

    def today(self, now: datetime) -> date:
        """The board's day at a moment."""
        return now.astimezone(ZoneInfo(self.timezone)).date()

    def is_working(self, day: date) -> bool:
        """Whether the board works on a day."""
        return day.weekday() < SATURDAY and day not in self.holidays

    def due_on(self, since: datetime, days: int = TARGET) -> date:
        """The so many-th working day after the board's day of a moment; that day itself does not count."""
        day = self.today(since)
        while days:
            day += timedelta(days=1)
            days -= self.is_working(day)
        return day

    def is_late(self, due_on: date, now: datetime) -> bool:
        """Whether a due day is over."""
        return self.today(now) > due_on
