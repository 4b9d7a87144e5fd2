"""When a verifier is mailed about new shares (N2)."""

from enum import Enum


class Notify(Enum):
    """What a verifier chose; each institution's Primary chooses what new users start with (N3)."""

    OFF = "OFF"
    AT_ONCE = "AT_ONCE"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
