"""Dates as people write them: read where there is one way to read them, and else not at all."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import Enum

EARLIEST, LATEST = date(1900, 1, 1), date(2099, 12, 31)
YEAR_FIRST = re.compile(r"(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})(?:[t ]00:00(?::00(?:\.0+)?)?z?)?")
TOGETHER = re.compile(r"(\d{4})(\d{2})(\d{2})")
JAPANESE = re.compile(r"(?:(\d{4})|(明治|大正|昭和|平成|令和)(\d{1,2}|元))年(\d{1,2})月(\d{1,2})日?")
WITH_DOTS = re.compile(r"(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})")  # the day comes first wherever dates are written so
YEAR_LAST = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4})")
DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[- ]([a-z]{3,9})\.?,?[- ](\d{4})")
MONTH_DAY = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
SERIAL = re.compile(r"\d{1,5}")
# The year before an era's first.
ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
          "december")  # fmt: skip


class Order(Enum):
    """What comes first in dates such as 3/2/2001."""

    DAY = "DAY"
    MONTH = "MONTH"


def written(text: str) -> str:
    """A date's text in one form: half width, small letters, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def read(text: str, order: Order | None = None, epoch: datetime | None = None) -> date | None:
    """The date, if the text is one and can be read in one way only; None otherwise.

    `order` is what other dates of the same column have shown; `epoch` is where a spreadsheet counts its days from.
    """
    text = written(text)
    if (match := YEAR_LAST.fullmatch(text)) is not None:
        return _only(_both(match, order))
    if epoch is not None and SERIAL.fullmatch(text):
        return _within((epoch + timedelta(days=int(text))).date())
    return _plain(text)


def is_ambiguous(text: str, order: Order | None = None) -> bool:
    """Whether the text is a date in two ways, which differ."""
    match = YEAR_LAST.fullmatch(written(text))
    return match is not None and len(_both(match, order)) > 1


def order_in(texts: Iterable[str]) -> Order | None:
    """What comes first in the dates of one column, if some of them show it and none shows the contrary."""
    shown: set[Order] = set()
    for text in texts:
        match = YEAR_LAST.fullmatch(written(text))
        if match is not None:
            can_be = {order for order in Order if _both(match, order)}
            shown |= can_be if len(can_be) == 1 else set()
    return shown.pop() if len(shown) == 1 else None


def _plain(text: str) -> date | None:
    """A date that says itself what its parts are."""
    for form in (YEAR_FIRST, TOGETHER):
        if (match := form.fullmatch(text)) is not None:
            return _date(match[1], match[2], match[3])
    if (match := WITH_DOTS.fullmatch(text)) is not None:
        return _date(match[3], match[2], match[1])
    if (match := JAPANESE.fullmatch(text)) is not None:
        year = match[1] or ERAS[match[2]] + (1 if match[3] == "元" else int(match[3]))
        return _date(year, match[4], match[5])
    if (match := DAY_MONTH.fullmatch(text)) is not None:
        return _date(match[3], _month(match[2]), match[1])
    if (match := MONTH_DAY.fullmatch(text)) is not None:
        return _date(match[3], _month(match[1]), match[2])
    return None


def _month(name: str) -> int:
    """The number of an English month, whole or by its first letters; 0 for anything else."""
    found = [number for number, month in enumerate(MONTHS, start=1) if month == name or month[:3] == name]
    return found[0] if found else 9 if name == "sept" else 0


def _both(match: re.Match[str], order: Order | None) -> set[date]:
    """The dates that day, month and year, or month, day and year can be."""
    ways = {Order.DAY: (match[2], match[1]), Order.MONTH: (match[1], match[2])}
    tried = [ways[one] for one in Order if order in (None, one)]
    return {found for month, day in tried if (found := _date(match[3], month, day)) is not None}


def _only(found: set[date]) -> date | None:
    return found.pop() if len(found) == 1 else None


def _date(year: str | int, month: str | int, day: str | int) -> date | None:
    try:
        return _within(date(int(year), int(month), int(day)))
    except ValueError:
        return None


def _within(found: date) -> date | None:
    return found if EARLIEST <= found <= LATEST else None
