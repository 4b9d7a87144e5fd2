"""What a key of an institution may be allowed (P1)."""

from enum import Enum


class Scope(Enum):
    """One thing that a key may do; a key has those that it was made with, and never more.

    Skill scores and photos are shown with READ_SKILLS and READ_PHOTO wherever another scope shows a result; DOWNLOAD
    takes away in files what the others let a key see.
    """

    READ_SHARES = "READ_SHARES"
    READ_SKILLS = "READ_SKILLS"
    READ_PHOTO = "READ_PHOTO"
    VERIFY = "VERIFY"
    DOWNLOAD = "DOWNLOAD"
    MANAGE = "MANAGE"
