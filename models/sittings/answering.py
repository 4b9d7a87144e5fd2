"""How long a candidate waits for a proctor's answer: thirty seconds are well, and sixty the most (H4)."""

from datetime import datetime, timedelta
from enum import Enum

SOON = timedelta(seconds=30)
AT_LATEST = timedelta(seconds=60)


class Wait(Enum):
    """How a wait is judged, while it lasts and once there is an answer."""

    SHORT = "SHORT"
    LONG = "LONG"  # more than 30 seconds
    OVERDUE = "OVERDUE"  # more than 60


def judged(duration: timedelta) -> Wait:
    """A wait of this long, to the moment: thirty seconds are short, and sixty are not overdue."""
    if duration > AT_LATEST:
        return Wait.OVERDUE
    return Wait.LONG if duration > SOON else Wait.SHORT


def wait_at(since: datetime | None, now: datetime) -> Wait | None:
    """The wait of somebody who asked at `since`; None if nobody waits."""
    return None if since is None else judged(now - since)
