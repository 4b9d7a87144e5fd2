"""What commands have in common that take the rows of a file: progress, rows that were not taken, the last word."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from engine.tables import ENCODINGS, BadRows, Table, TableNotReadable
from resolvers.rows import Bad, Given

MOST_TOLD = 20  # faults; all of them are in the file
HEADINGS = """
Headings: {required}
optional: {optional}
In any order and any case, with blanks, hyphens or underscores if you like; `reason` is left alone. Dates are written
YYYY-MM-DD. Rows that cannot be taken are written to FILE.bad.csv with a reason: mend them and give that file. Good rows
are kept; it is safe to give a file again, after whatever happened. docs/loading.md tells all columns.
"""


def described(columns: Sequence[str], required: Sequence[str]) -> str:
    """The headings of a file, for `--help`."""
    optional = [column for column in columns if column not in required]
    return HEADINGS.format(required=", ".join(required), optional=", ".join(optional))


def add_file(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a file."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a CSV file with headings")
    parser.add_argument("--encoding", choices=sorted(ENCODINGS), default="utf-8", help="how it is written (utf-8)")


class Reader:
    """Reads one file for one command."""

    def __init__(self, table: Table, path: Path, progress: Progress) -> None:
        self.table = table
        self.bad = BadRows(path.with_suffix(".bad.csv"), table)
        self.progress = progress
        self.task = progress.add_task(path.name, total=table.size)
        self.faults = 0
        self.rows = 0

    def given(self) -> Iterator[Given]:
        """The rows of the file."""
        for line in self.table:
            yield Given(line.number, line.texts, line.written, line.broken)

    def done(self, rows: int, bad: Iterable[Bad]) -> None:
        """Keep the bad ones of a batch, and move the bar."""
        self.rows += rows
        for row in bad:
            told = [f"{fault.column}: {fault.reason}" if fault.column else fault.reason for fault in row.faults]
            self.bad.add(row.given.written, told)
            self.faults += 1
            if self.faults <= MOST_TOLD:
                sys.stderr.write(f"line {row.given.line}, {'; '.join(told)}\n")
        self.progress.update(self.task, completed=self.table.read())

    def ended(self, *words: str) -> int:
        """Say what became of the rows; the exit status."""
        sys.stdout.write(f"{self.rows} rows: {', '.join(words)}, {self.faults} not taken\n")
        if self.faults:
            sys.stdout.write(f"Mend these and give that file: {self.bad.path}\n")
        return 1 if self.faults else 0


@contextmanager
def reading(options: argparse.Namespace, columns: Sequence[str], required: Sequence[str]) -> Iterator[Reader]:
    """The file of a command, open inside the block. Raises TableNotReadable."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip
    try:
        table = Table(options.file, options.encoding, columns, required)
    except OSError as error:
        raise TableNotReadable(f"{options.file} cannot be read: {error.strerror}.") from None
    with table, bar:
        reader = Reader(table, options.file, bar)
        try:
            yield reader
        finally:
            reader.bad.close()
