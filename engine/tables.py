"""CSV files of any size, read row by row; what is wrong with a row is told of that row and spoils no other."""

import csv
import io
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

REASON = "reason"  # a column that we add to the rows that were not taken, and leave alone when they come again
ENCODINGS = {"utf-8": "utf-8-sig", "shift_jis": "cp932"}  # with or without byte order mark; as Windows writes it


class TableNotReadable(Exception):
    """A file that is no table of the kind that was asked for, with what to do about it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row: the line that it begins on, its cells as written, by column; `broken` says why there are none."""

    number: int
    texts: Mapping[str, str]
    written: Sequence[str]
    broken: str = ""


class Table:
    """A CSV file with headings, open for reading; iterate over it once."""

    def __init__(self, path: Path, encoding: str, columns: Sequence[str], required: Sequence[str]) -> None:
        self.raw: IO[bytes] = path.open("rb")
        self.size = os.fstat(self.raw.fileno()).st_size
        self.encoding = encoding
        # What cannot be decoded stays what it is, for its own row to be told and written out again unchanged.
        text = io.TextIOWrapper(self.raw, ENCODINGS[encoding], errors="surrogateescape", newline="")
        self.reader = csv.reader(text)
        try:
            self.headings = self._next() or []
            self.columns = _columns(self.headings, columns, required)
        except TableNotReadable:
            self.raw.close()
            raise

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()

    def read(self) -> int:
        """How many bytes were read so far, of `size`."""
        return self.raw.tell()

    def _next(self) -> list[str] | None:
        try:
            return next(self.reader, None)
        except csv.Error as error:
            line = self.reader.line_num
            raise TableNotReadable(f"Line {line}: {error}. Is there a quotation mark that nothing closes?") from None

    def __iter__(self) -> Iterator[Line]:
        number = self.reader.line_num + 1
        while (cells := self._next()) is not None:
            if any(cell.strip() for cell in cells):
                yield self._line(number, cells)
            number = self.reader.line_num + 1

    def _line(self, number: int, cells: list[str]) -> Line:
        if len(cells) != len(self.headings):
            reason = f"This row has {len(cells)} cells, and the headings are {len(self.headings)}."
            return Line(number, {}, cells, reason)
        if any("\udc80" <= sign <= "\udcff" for cell in cells if not cell.isascii() for sign in cell):
            return Line(number, {}, cells, f"This row holds signs that are not {self.encoding}.")
        texts = {column: cell for column, cell in zip(self.columns, cells, strict=True) if column}
        return Line(number, texts, cells)


def _columns(headings: Sequence[str], columns: Sequence[str], required: Sequence[str]) -> list[str]:
    """The column that each heading names, however it is written; empty for the one that we added."""
    by_form = {_form(column): column for column in columns} | {REASON: ""}
    unknown = [heading for heading in headings if _form(heading) not in by_form]
    if unknown:
        raise TableNotReadable(f"Unknown headings: {', '.join(unknown)}. There are: {', '.join(columns)}.")
    found = [by_form[_form(heading)] for heading in headings]
    if missing := [column for column in required if column not in found]:
        raise TableNotReadable(f"Headings are missing: {', '.join(missing)}.")
    if len(set(found)) < len(found):
        raise TableNotReadable("A heading stands there twice.")
    return found


def _form(heading: str) -> str:
    """One form for `candidateNumber`, `candidate_number`, `Candidate number`."""
    text = unicodedata.normalize("NFKC", heading).casefold()
    return "".join(sign for sign in text if sign not in " _-")


class BadRows:
    """The rows that were not taken, as they were, with the reason beside them: to be mended and given again.

    The file is made with the first of them; one of an earlier run goes.
    """

    def __init__(self, path: Path, table: Table) -> None:
        self.path = path
        self.table = table
        self.file: IO[str] | None = None
        path.unlink(missing_ok=True)

    def add(self, written: Sequence[str], reasons: Iterable[str]) -> None:
        """One row, and all that is wrong with it."""
        width = len(self.table.headings)
        keeps = [place for place, column in enumerate(self.table.columns) if column]
        cells = [*written, *[""] * (width - len(written))]
        row = [cells[place] for place in keeps] + cells[width:]
        if self.file is None:
            self._write([self.table.headings[place] for place in keeps] + [REASON])
        self._write([*row, " ".join(reasons)])

    def _write(self, cells: Sequence[str]) -> None:
        if self.file is None:
            codec = ENCODINGS[self.table.encoding]
            self.file = _private(self.path, "w", codec, errors="surrogateescape")
        csv.writer(self.file, lineterminator="\n").writerow(cells)

    def close(self) -> None:
        """Have all of them in the file."""
        if self.file is not None:
            self.file.close()


def _private(path: Path, mode: str, encoding: str, errors: str = "strict") -> IO[str]:
    """A text file that only its owner can read."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, mode, encoding=encoding, errors=errors, newline="", opener=opener)


class PrivateTable:
    """A CSV file that only its owner can read, added to row by row; what was added is on the disk."""

    def __init__(self, path: Path, headings: Sequence[str]) -> None:
        path.touch(mode=0o600)
        path.chmod(0o600)
        self.file = _private(path, "a", "utf-8")
        self.writer = csv.writer(self.file, lineterminator="\n")
        if path.stat().st_size == 0:
            self.add([headings])

    def add(self, rows: Iterable[Sequence[str]]) -> None:
        """Add rows, and wait until they would survive the machine."""
        self.writer.writerows(rows)
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        """Close the file."""
        self.file.close()
