"""Tables as XLSX, which holds texts, numbers and dates and not one formula."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from tempfile import TemporaryDirectory
from typing import IO, Any

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from documents.cells import DATES, Cell, Faults, lost_signs, moment, survives
from documents.style import Line, Style

MOST_ROWS = 1_048_576  # of a sheet
MOST_WIDE = 40  # characters of a column
FIRST_DAY = date(1900, 3, 1)  # Excel knows a 29 February 1900, and no day before 1900
DATE_FORMATS = {
    "YYYY-MM-DD": "yyyy-mm-dd",
    "YYYY/MM/DD": r"yyyy\/mm\/dd",
    "DD/MM/YYYY": r"dd\/mm\/yyyy",
    "MM/DD/YYYY": r"mm\/dd\/yyyy",
    "YYYY年M月D日": 'yyyy"年"m"月"d"日"',
}


class PlainSheet(Worksheet):  # type: ignore[misc]  # xlsxwriter has no types
    """A sheet in which every string is one.

    XlsxWriter's `constant_memory` writes whatever begins with `<r>` and ends with `</r>` as XML of its own.
    """

    def _xml_rich_inline_string(self, string: str, attributes: Sequence[Any] = ()) -> None:
        self._xml_inline_string(string, preserve=True, attributes=attributes)


def write(style: Style, target: IO[bytes], headings: Sequence[str], lines: Iterable[Line]) -> None:
    """Write a table. Raises NotWritable."""
    faults = Faults("XLSX", headings)
    with TemporaryDirectory(prefix="seiseki-xlsx-") as folder:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "tmpdir": folder}
        with xlsxwriter.Workbook(target, options) as book:
            book.set_properties({"created": style.made_at.replace(tzinfo=None)})
            sheet = _Sheet(style, book, faults)
            sheet.begin(headings)
            for line in lines:
                sheet.add(line)
    faults.check()


class _Sheet:
    """The one sheet of a book that is being written."""

    def __init__(self, style: Style, book: Any, faults: Faults) -> None:
        self.style = style
        self.faults = faults
        self.sheet = book.add_worksheet(style.title, worksheet_class=PlainSheet)
        self.bold = book.add_format({"bold": True})
        self.date = book.add_format({"num_format": DATE_FORMATS[style.date_format]})
        self.row = 0  # that comes next
        self.number = 0  # of the result that was written last

    def begin(self, headings: Sequence[str]) -> None:
        """The widths of the columns, and the headings."""
        for place, heading in enumerate(headings):
            self.sheet.set_column(place, place, min(MOST_WIDE, max(12, len(heading) + 2)))
        if self.style.header:
            for place, heading in enumerate(headings):
                self._text(place, heading, "", self.bold)
            self.sheet.freeze_panes(1, 0)
            self.row = 1

    def add(self, line: Line) -> None:
        """The next row."""
        if self.row == MOST_ROWS:
            raise ValueError(f"A sheet has room for {MOST_ROWS} rows.")
        self.number += 1
        for place, cell in enumerate(line.cells):
            if cell is not None:
                self._cell(place, cell, line.person)
        self.row += 1

    def _cell(self, place: int, cell: Cell, person: str) -> None:
        if isinstance(cell, bool):
            self.sheet.write_boolean(self.row, place, cell)
        elif isinstance(cell, int):
            self.sheet.write_number(self.row, place, cell)
        elif isinstance(cell, datetime):
            self._text(place, moment(cell), person)
        elif isinstance(cell, date) and cell >= FIRST_DAY:
            self.sheet.write_datetime(self.row, place, cell, self.date)
        elif isinstance(cell, date):
            self._text(place, DATES[self.style.date_format](cell), person)
        elif cell:
            self._text(place, cell, person)

    def _text(self, place: int, text: str, person: str, format: Any = None) -> None:
        """A text; control signs become `_x0001_`, as the format has it, and texts that look so are escaped."""
        if not survives(text, "utf-8"):
            self.faults.add(self.number, person, place, lost_signs(text, "utf-8"))
        elif self.sheet.write_string(self.row, place, text, format):  # it would be cut off
            self.faults.add(self.number, person, place, "")
