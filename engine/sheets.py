"""Tables that anybody may hand in, CSV or XLSX, read whole: small ones, of which nothing is trusted.

What the file is called does not count. Of a CSV, encoding and delimiter are found out; nothing is ever decoded by
replacing. Of an XLSX, sizes are looked at before it is unpacked and shapes before it is read, and one thread alone
reads, so that hostile files can cost neither much memory nor the event loop.
"""

import asyncio
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.parsers import expat

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

MOST_BYTES = 5 * 1024 * 1024
MOST_COLUMNS = 50
LONGEST_CELL = 1000
MOST_TEXT = 10_000_000  # characters of all cells: a file may name one long text a million times
MOST_FAULTS = 50
SECONDS = 30
# Of an XLSX, unpacked.
MOST_UNPACKED = 24 * 1024 * 1024
MOST_MEMBERS = 500
MOST_ELEMENTS = 1_100_000  # of sheets and texts, which are read one by one
MOST_OTHER_ELEMENTS = 50_000  # of styles and the like, which are held whole
MOST_IN_ONE = {"row": 16_384, "si": 1_000}  # an XLSX has no more columns; a text in more pieces is none of a person
READ_ONE_BY_ONE = ("xl/worksheets/", "xl/sharedStrings")

ZIP, OLD_EXCEL, UTF_8, UTF_16 = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
NO_SIGN = re.compile("[\x80-\x9f\ue000-\uf8ff]")  # what Windows' Shift_JIS makes of bytes that are none
DELIMITERS = (",", ";", "\t")
KINDS = "This is neither a CSV nor an XLSX file."
DAMAGED = "This XLSX file is damaged. Open it, and save it anew as .xlsx."
TOO_LARGE = "There is too much in this file. Copy the rows to an empty sheet, as values, and save that."

_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sheets")

IsWanted = Callable[[Sequence[str]], bool]  # whether these are headings of the table that is looked for


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file: on which line, from 1, in which column, by its heading; 0 and "": with all of it."""

    reason: str
    line: int = 0
    column: str = ""


class SheetNotReadable(Exception):
    """A file that is not taken, with all that is wrong with it, or the first of it."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults[0].reason)
        self.faults = list(faults[:MOST_FAULTS])


@dataclass(frozen=True, slots=True)
class SheetLine:
    """A row: the line that it stands on, and its cells as texts, as many as there are headings."""

    number: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: how it was written, its headings and its rows without the empty ones."""

    format: str  # CSV or XLSX
    headings: list[str]
    lines: list[SheetLine] = field(default_factory=list)
    delimiter: str = ","
    epoch: datetime | None = None  # of an XLSX: the moment that days are counted from, where they are numbers


async def read(raw: bytes, is_wanted: IsWanted, most_rows: int) -> Sheet:
    """The table in these bytes whose headings are wanted. Raises SheetNotReadable."""
    _check_before_reading(raw)
    try:
        async with asyncio.timeout(SECONDS):
            return await asyncio.get_running_loop().run_in_executor(_pool, _read, raw, is_wanted, most_rows)
    except TimeoutError:
        raise SheetNotReadable(Fault("This file takes too long to read. Save it anew, and smaller.")) from None


def _check_before_reading(raw: bytes) -> None:
    if len(raw) > MOST_BYTES:
        raise SheetNotReadable(Fault(f"The file may have at most {MOST_BYTES // 1024 // 1024} MiB."))
    if raw.startswith(OLD_EXCEL):
        raise SheetNotReadable(Fault("This is an old Excel file, or one with a password. Save it as .xlsx without."))
    if not raw.strip():
        raise SheetNotReadable(Fault("This file is empty."))


def _read(raw: bytes, is_wanted: IsWanted, most_rows: int) -> Sheet:
    kept, lines = _read_xlsx(raw, is_wanted) if raw.startswith(ZIP) else _read_csv(raw, is_wanted)
    faults: list[Fault] = []
    length = 0
    for line in lines:
        if not any(line.cells):
            continue
        length += sum(map(len, line.cells))
        if len(kept.lines) >= most_rows:
            raise SheetNotReadable(Fault(f"A list may have at most {most_rows} rows.", line.number))
        if length > MOST_TEXT:
            raise SheetNotReadable(Fault(TOO_LARGE, line.number))
        faults += _faults_of(line, kept.headings)
        if len(faults) >= MOST_FAULTS:
            break
        kept.lines.append(line)
    if faults:
        raise SheetNotReadable(*faults)
    if not kept.lines:
        raise SheetNotReadable(Fault("There is no row below the headings."))
    return kept


def _faults_of(line: SheetLine, headings: Sequence[str]) -> Iterator[Fault]:
    if len(line.cells) != len(headings):
        told = f"This row has {len(line.cells)} cells, and the headings are {len(headings)}."
        yield Fault(told, line.number)
    for heading, cell in zip(headings, line.cells, strict=False):
        if len(cell) > LONGEST_CELL:
            yield Fault(f"This is longer than {LONGEST_CELL} characters.", line.number, heading)


def _checked_headings(headings: list[str]) -> list[str]:
    """The headings, without empty ones at their end."""
    while headings and not headings[-1]:
        headings = headings[:-1]
    if len(headings) > MOST_COLUMNS:
        raise SheetNotReadable(Fault(f"A list may have at most {MOST_COLUMNS} columns.", 1))
    return headings


# ---- CSV


def _read_csv(raw: bytes, is_wanted: IsWanted) -> tuple[Sheet, Iterator[SheetLine]]:
    text = _decoded(raw)
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.strip().lower().startswith("sep="):  # Excel's own word for the delimiter
        text, skipped = rest, 1
    for delimiter in DELIMITERS:
        lines = _csv_lines(text, delimiter, skipped)
        headings = next(lines, None)
        if headings is not None and is_wanted(headings.cells):
            kept = _checked_headings(headings.cells)
            return Sheet("CSV", kept, delimiter=delimiter), _even(lines, len(kept))
    raise SheetNotReadable(Fault("The headings are not those of a list.", skipped + 1))


def _decoded(raw: bytes) -> str:
    """The text, by the encoding that it can only be."""
    if raw.startswith(UTF_16):
        encodings = ["utf-16"]
    elif raw[:64].count(b"\0") > len(raw[:64]) // 4:  # every other byte of Latin letters is 0
        encodings = ["utf-16-le" if raw[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig"] if raw.startswith(UTF_8) else ["utf-8", "cp932"]
    wrong = 0
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as error:
            wrong = wrong or raw.count(b"\n", 0, error.start) + 1
            continue
        if "\0" in text:
            raise SheetNotReadable(Fault(KINDS))
        if (unknown := NO_SIGN.search(text)) is None:
            return text
        wrong = wrong or text.count("\n", 0, unknown.start()) + 1
    raise SheetNotReadable(Fault("This holds signs that are neither UTF-8, UTF-16 nor Shift_JIS.", wrong))


def _csv_lines(text: str, delimiter: str, skipped: int) -> Iterator[SheetLine]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            line = skipped + number
            told = f"This cannot be read: {error}. Is there a quotation mark that nothing closes?"
            raise SheetNotReadable(Fault(told, line)) from None
        if cells is None:
            return
        yield SheetLine(skipped + number, [cell.strip() for cell in cells])
        number = reader.line_num + 1


def _even(lines: Iterable[SheetLine], width: int) -> Iterator[SheetLine]:
    """The rows, filled up or cut to the width of the headings where only empty cells are missing or too many."""
    for line in lines:
        cells = line.cells
        while len(cells) > width and not cells[-1]:
            cells = cells[:-1]
        yield SheetLine(line.number, cells + [""] * (width - len(cells)))


# ---- XLSX


def _read_xlsx(raw: bytes, is_wanted: IsWanted) -> tuple[Sheet, Iterator[SheetLine]]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            _check_packed(packed)
        book = load_workbook(io.BytesIO(raw), read_only=True, keep_links=False)
        found = [one for sheet in book.worksheets if (one := _opened(sheet, is_wanted)) is not None]
    except SheetNotReadable:
        raise
    except Exception as error:  # a reader that is fed anything may raise anything; all of it means one thing
        raise SheetNotReadable(Fault(DAMAGED)) from error
    if not found:
        raise SheetNotReadable(Fault("The headings are not those of a list, on no sheet of the file."))
    if len(found) > 1:
        raise SheetNotReadable(Fault("There are lists on several sheets of this file. Leave one of them."))
    headings, lines = found[0]
    return Sheet("XLSX", headings, epoch=book.epoch), _undamaged(lines)


def _undamaged(lines: Iterator[SheetLine]) -> Iterator[SheetLine]:
    try:
        yield from lines
    except SheetNotReadable:
        raise
    except Exception as error:  # as above: it is read as it goes
        raise SheetNotReadable(Fault(DAMAGED)) from error


def _check_packed(packed: zipfile.ZipFile) -> None:
    """Before anything of it is held: how much it says it is, which is as much as is ever unpacked; and its shape."""
    members = packed.infolist()
    names = {member.filename.lower() for member in members}
    if any(name.endswith("vbaproject.bin") for name in names):
        raise SheetNotReadable(Fault("This file holds macros. Save it as .xlsx, without them."))
    if "xl/workbook.xml" not in names:
        raise SheetNotReadable(Fault(KINDS))
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > MOST_UNPACKED:
        raise SheetNotReadable(Fault(TOO_LARGE))
    for member in members:
        if member.filename.lower().endswith((".xml", ".rels")):
            one_by_one = member.filename.startswith(READ_ONE_BY_ONE)
            with packed.open(member) as content:
                _Shape(MOST_ELEMENTS if one_by_one else MOST_OTHER_ELEMENTS).check(content)


class _Shape:
    """Walks through XML without keeping it: no declarations of its own, and no more of anything than can be read."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.within = 0  # since the last row or text began, or from the beginning
        self.most_within = MOST_OTHER_ELEMENTS

    def check(self, content: Any) -> None:
        """Raises SheetNotReadable, or expat's own error."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._begin
        parser.StartDoctypeDeclHandler = self._declared
        parser.ParseFile(content)

    def _begin(self, name: str, _: object) -> None:
        self.left -= 1
        self.within += 1
        most = MOST_IN_ONE.get(name.rpartition(":")[2])
        if most is not None:
            # each cell has up to three elements inside
            self.within, self.most_within = 0, most * 4
        if self.left < 0 or self.within > self.most_within:
            raise SheetNotReadable(Fault(TOO_LARGE))

    def _declared(self, *_: object) -> None:
        raise SheetNotReadable(Fault(DAMAGED))


def _opened(sheet: Any, is_wanted: IsWanted) -> tuple[list[str], Iterator[SheetLine]] | None:
    """The headings of a sheet that people see, and the rows below them; None if it is not the one."""
    if not isinstance(sheet, ReadOnlyWorksheet) or sheet.sheet_state != "visible":
        return None
    sheet.reset_dimensions()  # what a file says of its size may be wrong
    lines = _xlsx_lines(sheet)
    headings = next((line for line in lines if any(line.cells)), None)
    if headings is None or not is_wanted(headings.cells):
        return None
    kept = _checked_headings(headings.cells)
    return kept, _even(lines, len(kept))


def _xlsx_lines(sheet: Any) -> Iterator[SheetLine]:
    for number, row in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), start=1):
        for place, cell in enumerate(row, start=1):
            if cell.data_type == "f":
                told = "This is a formula: copy the cells, and paste them as values."
                raise SheetNotReadable(Fault(told, number, get_column_letter(place)))
        yield SheetLine(number, [_text(cell.value) for cell in row])


def _text(value: Any) -> str:
    """A cell as a text; days as 2001-02-03, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, timedelta | bool):
        return str(value).upper()
    return str(value).strip()
