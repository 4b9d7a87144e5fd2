"""Rows that come from outside, in a file or an order: reading their cells, and telling what is wrong with each row.

A row is texts by the name of their column. Good rows of the same file are not lost for bad ones (R1, R2).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice

from engine.clock import Clock
from models.viewer import Viewer
from models.visit import Visit

BATCH = 1000  # rows of one transaction
MOST_IN_AN_ORDER = 500
LONGEST_TEXT = 200
FORMULA = ("=", "+", "-", "@")
JOINERS = "\u200c\u200d"  # part of how Persian and Indic names are written
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
WHOLE_NUMBER = re.compile(r"[0-9]{1,6}")
CENTRE_NUMBER = re.compile(r"[0-9A-Z]{1,10}")
CANDIDATE_NUMBER = re.compile(r"[0-9A-Za-z]{1,10}")


@dataclass(frozen=True, slots=True)
class Given:
    """A row as it was given: where it stands, and its texts by column; `broken` if it could not be read at all."""

    line: int
    texts: Mapping[str, str]
    written: Sequence[str] = ()  # its cells as they stand in the file
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one cell of a row, or with the whole row where `column` is empty."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that was not taken, and why."""

    given: Given
    faults: list[Fault]


@dataclass(frozen=True, slots=True)
class EntryKey:
    """What an entry is known by to its centre and the board: a row of either file names one entry by these."""

    centre: str
    exam: str
    exam_date: date
    candidate_number: str


@dataclass(slots=True)
class Cells:
    """Reads the cells of one row, and collects what is wrong with them."""

    given: Given
    faults: list[Fault] = field(default_factory=list)

    def wrong(self, column: str, reason: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(self.given.line, column, reason))

    def text(self, column: str, required: bool = False) -> str:
        """A text for people, without blanks around it; composed, so that one name is written in one way."""
        text = " ".join(unicodedata.normalize("NFC", self.given.texts.get(column, "")).split())
        if required and not text:
            self.wrong(column, "This is missing.")
        if len(text) > LONGEST_TEXT:
            self.wrong(column, f"This is longer than {LONGEST_TEXT} characters.")
        elif not text.isprintable() and not all(map(_can_be_read, text)):
            self.wrong(column, "This holds characters that cannot be read.")
        return text

    def name(self, column: str, required: bool = False) -> str:
        """A person's name; spreadsheets must not take it for a formula (D5)."""
        text = self.text(column, required)
        if text.startswith(FORMULA):
            self.wrong(column, f"No name begins with {text[0]}.")
        return text

    def code(self, column: str, required: bool = False) -> str:
        """A text for machines: half width, whatever it was typed in."""
        return unicodedata.normalize("NFKC", self.text(column, required))

    def form(self, column: str, form: re.Pattern[str], looks: str) -> str:
        """A code of a certain form, which `looks` tells."""
        text = self.code(column, required=True)
        if text and not form.fullmatch(text):
            self.wrong(column, looks)
        return text

    def day(self, column: str, required: bool = False) -> date | None:
        """A date, written YYYY-MM-DD."""
        text = self.code(column, required)
        if not text:
            return None
        try:
            if DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        self.wrong(column, f"{text!r} is not a date written YYYY-MM-DD.")
        return None

    def number(self, column: str) -> int | None:
        """A whole number, or None where there is none."""
        text = self.code(column)
        if text and not WHOLE_NUMBER.fullmatch(text):
            self.wrong(column, f"{text!r} is not a whole number.")
            return None
        return int(text) if text else None

    def key(self) -> EntryKey:
        """Which entry the row is about."""
        return EntryKey(
            self.form("centre", CENTRE_NUMBER, "A centre number has up to 10 digits and capital letters."),
            self.code("examCode", required=True),
            self.day("examDate", required=True) or date.min,
            self.form("candidateNumber", CANDIDATE_NUMBER, "A candidate number has up to 10 digits and letters."),
        )


def _can_be_read(sign: str) -> bool:
    """Whether a sign is one of some script: no control, no half of a pair, nothing private or unassigned."""
    return sign in JOINERS or not unicodedata.category(sign).startswith("C")


def batches(rows: Iterable[Given]) -> Iterator[list[Given]]:
    """The rows, so many at a time; what comes from a file of any size is never held whole."""
    rest = iter(rows)
    while batch := list(islice(rest, BATCH)):
        yield batch


def at_once(viewer: Viewer, clock: Clock | None) -> Viewer:
    """The viewer of one batch of many, with a moment and a visit of their own; or the same, for an order of one."""
    if clock is None:
        return viewer
    return replace(viewer, at=clock(), visit=Visit(viewer.visit.path, viewer.visit.request_id))
