"""What a key of an institution may be allowed (P1)."""

from enum import Enum


class Scope(Enum):
    """One thing that a key may do; a key has those that it was made with, and never more."""

    READ_SHARES = "READ_SHARES"
    READ_SKILLS = "READ_SKILLS"
    READ_PHOTO = "READ_PHOTO"
    VERIFY = "VERIFY"
    DOWNLOAD = "DOWNLOAD"
    MANAGE = "MANAGE"
