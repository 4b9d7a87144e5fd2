"""Tables as JSON: one list of objects, whose names are the headings; a score is a number, what is not there is null."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import IO, Any

import orjson

from documents.cells import DATES, Cell, Faults, lost_signs, moment
from documents.style import Line, Style


def write(style: Style, target: IO[bytes], headings: Sequence[str], lines: Iterable[Line]) -> None:
    """Write a table. Raises NotWritable."""
    faults = Faults("JSON", headings)
    target.write(b"[")
    for number, line in enumerate(lines, 1):
        cells = [_value(cell, style) for cell in line.cells]
        try:
            written = orjson.dumps(dict(zip(headings, cells, strict=True)))
        except orjson.JSONEncodeError:  # half a surrogate pair
            _find_faults(faults, number, line, headings)
            continue
        target.write((b",\n" if number > 1 else b"\n") + written)
    faults.check()
    target.write(b"\n]\n")


def _find_faults(faults: Faults, number: int, line: Line, headings: Sequence[str]) -> None:
    for place, (heading, cell) in enumerate(zip(headings, line.cells, strict=True)):
        if isinstance(cell, str) and (signs := lost_signs(cell, "utf-8")):
            faults.add(number, line.person, place, signs)
        if signs := lost_signs(heading, "utf-8"):
            faults.add(0, "", place, signs)


def _value(cell: Cell, style: Style) -> Any:
    if isinstance(cell, datetime):
        return moment(cell)
    return DATES[style.date_format](cell) if isinstance(cell, date) else cell
