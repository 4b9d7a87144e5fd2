"""`cli.py enter FILE.csv`: enter candidates, and write their Confirmations of Entry (R1)."""

import argparse
import csv
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from commands import confirmations
from commands.rows import add_file, described, reading
from commands.viewer import board
from documents.confirmation import Letterhead
from engine.clock import system_clock
from engine.tables import PrivateTable, TableNotReadable
from errors import NotPrintable
from models.candidate import LANGUAGES
from resolvers import entering
from resolvers.entering import Confirmation
from settings import Settings

HEADINGS = (
    "centre", "examCode", "examDate", "candidateNumber", "familyName", "givenName", "nativeName", "resultsBy",
    "idNumber", "secretNumber",
)  # fmt: skip


def add_to(commands: Any) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "enter",
        help="enter candidates from a CSV file",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=described(entering.COLUMNS, entering.REQUIRED),
    )
    add_file(parser)
    parser.add_argument(
        "--confirmations",
        type=Path,
        metavar="OUT.csv",
        required=True,
        help="where ID and Secret Numbers are added to, for you alone to read; they are told nowhere else",
    )
    parser.add_argument(
        "--pdf", type=Path, metavar="FOLDER", help="print all that OUT.csv holds, a PDF per centre and session"
    )
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of the PDFs (en)")
    parser.set_defaults(run=run)


async def run(options: argparse.Namespace, settings: Settings) -> int:
    """Enter the file; 0 when every row was taken."""
    new = there = 0
    try:
        with reading(options, entering.COLUMNS, entering.REQUIRED) as reader:
            await _keep_what_counts(options.confirmations)
            told = PrivateTable(options.confirmations, HEADINGS)
            viewer = board(system_clock(), "enter")

            def keep(new_ones: Sequence[Confirmation]) -> None:
                told.add(map(_cells, new_ones))

            async for done in entering.enter(viewer, reader.given(), keep, system_clock):
                new, there = new + len(done.new), there + done.there
                reader.done(done.rows, done.bad)
            told.close()
        if options.pdf:
            head = Letterhead(options.language, settings.organisation, settings.public_url)
            pdfs = await confirmations.print_all(options.confirmations, options.pdf, head)
            sys.stdout.write(f"{pdfs} PDFs in {options.pdf}\n")
    except (TableNotReadable, NotPrintable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return reader.ended(f"{new} entered", f"{there} there already")


def _cells(one: Confirmation) -> list[str]:
    """One Confirmation of Entry as a row."""
    assert one.row is not None
    key = one.row.key
    return [
        key.centre,
        key.exam,
        key.exam_date.isoformat(),
        key.candidate_number,
        one.row.family_name,
        one.row.given_name,
        one.row.native_name or "",
        one.row.results_out_by.isoformat(),
        one.id_number,
        one.secret_number,
    ]


async def _keep_what_counts(path: Path) -> None:
    """Drop what a run that was killed wrote just before it would have counted; and what was issued anew since."""
    if _is_new(path):
        return
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        if next(reader, None) != list(HEADINGS):
            raise TableNotReadable(f"{path} is there, and holds no confirmations: name another file.")
        kept = PrivateTable(beside, HEADINGS)
        while some := list(islice(_whole(reader), 1000)):
            standing = await entering.standing({row[-2]: row[-1] for row in some})
            kept.add(row for row in some if row[-2] in standing)
        kept.close()
    os.replace(beside, path)


def _is_new(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _whole(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    return (row for row in rows if len(row) == len(HEADINGS))
