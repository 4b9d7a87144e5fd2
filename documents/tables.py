"""Tables as files: CSV and XLSX, written row by row, in which no cell is ever a formula (D5)."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import xlsxwriter

FORMULA = ("=", "+", "-", "@", "\t", "\r")
MOST_WIDE = 40  # characters of a column
MEDIA_TYPES = {
    "CSV": "text/csv; charset=utf-8",
    "XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class Style:
    """How a table is written: CSV with this delimiter, or XLSX; `made_at` stands in the latter, UTC."""

    format: str
    delimiter: str
    made_at: datetime


def write(style: Style, into: IO[bytes], headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table of texts; the same rows in the same style give the same bytes."""
    if style.format == "XLSX":
        _write_xlsx(into, headings, rows, style.made_at)
    else:
        _write_csv(into, headings, rows, style.delimiter)


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula when it opens a CSV."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _write_csv(into: IO[bytes], headings: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str) -> None:
    """UTF-8 with the mark by which Excel knows it."""
    text = io.TextIOWrapper(into, "utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(map(harmless, headings))
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    text.detach()


def _write_xlsx(into: IO[bytes], headings: Sequence[str], rows: Iterable[Sequence[str]], made_at: datetime) -> None:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(into, options) as book:
        book.set_properties({"created": made_at.replace(tzinfo=None)})
        sheet = book.add_worksheet()
        bold = book.add_format({"bold": True})
        for place, heading in enumerate(headings):
            sheet.set_column(place, place, min(MOST_WIDE, max(12, len(heading) + 2)))
            sheet.write_string(0, place, heading, bold)
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(rows, start=1):
            for place, cell in enumerate(row):
                sheet.write_string(number, place, cell)
