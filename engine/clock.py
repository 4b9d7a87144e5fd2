"""The one place that asks what time it is; everything else is handed `now`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The current moment, UTC."""
    return datetime.now(UTC)


def ahead(duration: timedelta) -> Clock:
    """A clock that is ahead of the others, to see what time does."""
    return lambda: system_clock() + duration
