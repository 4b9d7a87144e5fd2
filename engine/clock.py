"""The one place that asks what time it is; everything else is handed `now`."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The current moment, UTC."""
    return datetime.now(UTC)
