"""Tables as files: CSV, XLSX and JSON, written row by row, in which no cell is ever a formula (D5).

The same rows in the same layout give the same bytes, and never more than a batch of rows is held. Writing takes its
time, so let a thread do it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import IO, Any, Protocol

from documents import csv_table, json_table, xlsx_table
from documents.cells import Cell
from documents.style import MADE_AT, Line, Style

__all__ = ["MEDIA_TYPES", "Layout", "Style", "media_type", "write", "write_texts"]

Writer = Callable[[Style, IO[bytes], Sequence[str], Iterable[Line]], None]
WRITERS: dict[str, Writer] = {"CSV": csv_table.write, "XLSX": xlsx_table.write, "JSON": json_table.write}
MEDIA_TYPES = {
    "CSV": "text/csv; charset=utf-8",
    "XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "JSON": "application/json",
}
TITLES = {"en": "Results", "ja": "試験結果"}


class Layout(Protocol):
    """What `models/layout.py` tells of a template."""

    @property
    def format(self) -> Enum:
        """CSV, XLSX or JSON."""

    @property
    def delimiter(self) -> Enum:
        """The sign between the columns of a CSV."""

    @property
    def encoding(self) -> Enum:
        """UTF_8, UTF_8_BOM or SHIFT_JIS."""

    @property
    def date_format(self) -> Enum:
        """How dates are written."""

    @property
    def header(self) -> bool:
        """Whether the headings come first."""

    @property
    def headings(self) -> list[str]:
        """What stands above the columns; no two are the same."""

    def cells(self, row: Mapping[str, Any]) -> list[Cell]:
        """What stands in the columns for a row."""

    def person(self, row: Mapping[str, Any]) -> str:
        """Whom a row is of, where it has to be named."""


def write(
    layout: Layout,
    target: IO[bytes],
    rows: Iterable[Mapping[str, Any]],
    language: str,
    made_at: datetime = MADE_AT,
) -> None:
    """Write rows that hold the columns of shares (`SHARE` in resolvers/columns.py) as a layout says.

    The language, en or ja, is that of the sheet's name: what stands in the cells is the same in every language.
    Raises NotWritable, and then what was written so far is to be thrown away.
    """
    style = Style(
        format=layout.format.value,
        delimiter=layout.delimiter.value,
        encoding=layout.encoding.value,
        date_format=layout.date_format.value,
        header=layout.header,
        title=TITLES[language],
        made_at=made_at,
    )
    lines = (Line(layout.person(row), layout.cells(row)) for row in rows)
    WRITERS[style.format](style, target, layout.headings, lines)


def write_texts(style: Style, into: IO[bytes], headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table of texts. Raises NotWritable."""
    WRITERS[style.format](style, into, headings, (Line("", list(row)) for row in rows))


def media_type(layout: Layout) -> str:
    """What a file of this layout is, as HTTP says it."""
    if layout.format.value == "CSV" and layout.encoding.value == "SHIFT_JIS":
        return "text/csv; charset=Shift_JIS"
    return MEDIA_TYPES[layout.format.value]
