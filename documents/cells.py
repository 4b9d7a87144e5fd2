"""What stands in one cell of a table, as text; and the cells that cannot be written, each named (D5)."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from errors import BadCell, NotWritable

Cell = str | int | bool | date | datetime | None
# Signs that take up no room, or none that anybody sees: spreadsheets look past some of them.
BLANK = r"\s\x00-\x20\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3000\ufeff"
FORMULA_SIGNS = r"=+\-@＝＋－＠﹦﹢﹣﹫−"  # the last is the mathematical minus
# Apostrophes at the beginning do not count, or a text that has one already could not be told from one that got it.
FORMULA = re.compile(rf"'*[\t\r\n]|['{BLANK}]*[{FORMULA_SIGNS}]")
DATES: dict[str, Callable[[date], str]] = {
    "YYYY-MM-DD": lambda day: f"{day.year:04}-{day.month:02}-{day.day:02}",
    "YYYY/MM/DD": lambda day: f"{day.year:04}/{day.month:02}/{day.day:02}",
    "DD/MM/YYYY": lambda day: f"{day.day:02}/{day.month:02}/{day.year:04}",
    "MM/DD/YYYY": lambda day: f"{day.month:02}/{day.day:02}/{day.year:04}",
    "YYYY年M月D日": lambda day: f"{day.year:04}年{day.month}月{day.day}日",
}
MOST_SIGNS = 10  # of a cell at fault are named


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula when it opens a CSV: `'` goes before what looks like one.

    What has a `'` too many is told from it again: exactly one is to be taken off where a formula would be left.
    """
    return f"'{text}" if FORMULA.match(text) else text


def moment(at: datetime) -> str:
    """A moment, as UTC by ISO 8601."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class Faults:
    """The cells that cannot be written; `written` is what they cannot be written in."""

    def __init__(self, written: str, headings: Sequence[str]) -> None:
        self.written = written
        self.headings = headings
        self.cells: list[BadCell] = []
        self.count = 0

    def add(self, row: int, person: str, place: int, signs: str) -> None:
        """One of them, with its signs at fault; none if it is too long."""
        self.count += 1
        if len(self.cells) < NotWritable.MOST:
            self.cells.append(BadCell(row, person, self.headings[place], _named(signs)))

    def check(self) -> None:
        """Raises NotWritable if there are any."""
        if self.count:
            raise NotWritable(self.written, self.cells, self.count)


def _named(signs: str) -> str:
    each = list(dict.fromkeys(signs))
    shown = [sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in each[:MOST_SIGNS]]
    return " ".join(shown) + (" …" if len(each) > MOST_SIGNS else "")


def lost_signs(text: str, codec: str) -> str:
    """The signs that a codec cannot carry, or would carry as others.

    Python's cp932 writes 〜 − ‖ ¢ £ ¬, and reads other signs where it wrote them.
    """
    return "".join(sign for sign in text if not survives(sign, codec))


def survives(text: str, codec: str) -> bool:
    """Whether exactly this text is read again where it is written."""
    try:
        return text.encode(codec).decode(codec) == text
    except UnicodeError:
        return False
