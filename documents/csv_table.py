"""Tables as CSV (RFC 4180): text goes in as it is or not at all."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import islice
from typing import IO, Any

from documents.cells import DATES, Cell, Faults, harmless, lost_signs, moment, survives
from documents.style import Line, Style

# Excel's Shift_JIS, which has the signs of Japanese names (髙) that JIS X 0208 lacks, is Microsoft's: cp932.
CODECS = {"UTF_8": "utf-8", "UTF_8_BOM": "utf-8", "SHIFT_JIS": "cp932"}
NAMES = {"UTF_8": "UTF-8", "UTF_8_BOM": "UTF-8", "SHIFT_JIS": "Shift_JIS"}
BATCH = 500
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def write(style: Style, target: IO[bytes], headings: Sequence[str], lines: Iterable[Line]) -> None:
    """Write a table. Raises NotWritable."""
    table = _Table(style, target, headings)
    if style.encoding == "UTF_8_BOM":
        target.write(BYTE_ORDER_MARK)
    if style.header:
        table.add(0, [Line("", list(headings))])
    number = 1
    lines = iter(lines)
    while batch := list(islice(lines, BATCH)):
        table.add(number, batch)
        number += len(batch)
    table.faults.check()


class _Table:
    """A CSV file that is being written; nothing more is, once a cell was found that cannot be."""

    def __init__(self, style: Style, target: IO[bytes], headings: Sequence[str]) -> None:
        self.target = target
        self.codec = CODECS[style.encoding]
        self.faults = Faults(NAMES[style.encoding], headings)
        self.delimiter = style.delimiter
        self.texts = _texts(style)

    def add(self, first: int, lines: Sequence[Line]) -> None:
        """Some rows, the first of which has this number."""
        rows = [[self.texts[type(cell)](cell) for cell in line.cells] for line in lines]
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=self.delimiter, lineterminator="\r\n").writerows(rows)
        text = buffer.getvalue()
        if "\0" in text or not survives(text, self.codec):
            self._find_faults(first, lines)
        elif not self.faults.count:
            self.target.write(text.encode(self.codec))

    def _find_faults(self, first: int, lines: Sequence[Line]) -> None:
        for number, line in enumerate(lines, first):
            for place, cell in enumerate(line.cells):
                text = self.texts[type(cell)](cell)
                if signs := lost_signs(text, self.codec) + ("\0" if "\0" in text else ""):
                    self.faults.add(number, line.person, place, signs)


def _texts(style: Style) -> dict[type, Callable[[Any], str]]:
    """How a cell of each type is written."""
    texts: dict[type, Callable[[Any], str]] = {
        str: harmless,
        int: str,
        bool: lambda cell: "true" if cell else "false",
        datetime: moment,
        date: DATES[style.date_format],
        type(None): lambda _: "",
    }
    return texts


def text_of(cell: Cell, date_format: str) -> str:
    """What stands for a cell in a CSV whose dates are written like this."""
    return _texts(Style("CSV", date_format=date_format))[type(cell)](cell)
