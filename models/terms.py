"""The terms of a share: what its candidate attaches to it, and what of it the institution may have (S9)."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from errors import InvalidInput, Problem, Sentence

LONGEST_PURPOSE = 300
LONGEST_REFERENCE = 100
LONGEST_LIFE = timedelta(days=5 * 365 + 2)  # five years, whichever leap years they hold
# Controls, halves of pairs, line ends; not the joiners that some scripts need.
REFUSED_SIGNS = frozenset({"Cc", "Cs", "Zl", "Zp"})
TURNING_SIGNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # make a text look like another


@dataclass(frozen=True, slots=True)
class Terms:
    """Texts are for the institution to read; from the moment `expires_at` on it sees the share no more."""

    purpose: str | None = None
    reference: str | None = None
    expires_at: datetime | None = None
    includes_skills: bool = True
    includes_photo: bool = True
    allows_downloads: bool = True

    def checked(self, now: datetime) -> "Terms":
        """The terms as they are kept: texts in NFC without blanks around them, the moment to the second.

        Raises InvalidInput.
        """
        kept = replace(
            self,
            purpose=_kept(self.purpose),
            reference=_kept(self.reference),
            expires_at=self.expires_at and self.expires_at.replace(microsecond=0),
        )
        problems = [*kept._faults(now)]
        if problems:
            raise InvalidInput(problems)
        return kept

    def _faults(self, now: datetime) -> Iterator[Problem]:
        for path, text, longest in (
            ("purpose", self.purpose, LONGEST_PURPOSE),
            ("reference", self.reference, LONGEST_REFERENCE),
        ):
            if text and len(text) > longest:
                told = "`{field}` may have at most {longest} characters."
                yield Problem(path, Sentence.of(told, field=path, longest=longest))
            if text and not is_one_plain_line(text):
                told = "`{field}` must be one line of text without control characters."
                yield Problem(path, Sentence.of(told, field=path))
        if self.expires_at is not None and (fault := _fault_of(self.expires_at, now)):
            yield Problem("expiresAt", fault)


def _kept(text: str | None) -> str | None:
    return unicodedata.normalize("NFC", text).strip() or None if text else None


def is_one_plain_line(text: str) -> bool:
    """Whether a text has neither line ends nor signs that make it look like another."""
    return not any(unicodedata.category(sign) in REFUSED_SIGNS or sign in TURNING_SIGNS for sign in text)


def _fault_of(expires_at: datetime, now: datetime) -> str | None:
    if expires_at.tzinfo is None:
        return "`expiresAt` needs its time zone, such as the Z of 2027-03-31T12:00:00Z."
    if expires_at <= now:
        return "`expiresAt` must lie in the future."
    if expires_at > now + LONGEST_LIFE:
        return "`expiresAt` may lie at most 5 years ahead."
    return None
