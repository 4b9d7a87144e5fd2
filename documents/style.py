"""How a table is written, and its rows on their way."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from documents.cells import Cell

MADE_AT = datetime(2000, 1, 1, tzinfo=UTC)  # where nobody says another moment: the same file every time


@dataclass(frozen=True, slots=True)
class Style:
    """CSV, XLSX or JSON, and the rest by the values of a template's enumerations; `made_at` stands in an XLSX, UTC."""

    format: str
    delimiter: str = ","
    encoding: str = "UTF_8_BOM"
    date_format: str = "YYYY-MM-DD"
    header: bool = True
    title: str | None = None
    made_at: datetime = MADE_AT


class Line(NamedTuple):
    """A row: whom it is of, for a fault to be named, and its cells."""

    person: str
    cells: list[Cell]
