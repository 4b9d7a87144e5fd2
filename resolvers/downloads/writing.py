"""Writing the file of a download: a table as its template says, or the statements of all results in one PDF (D1)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO

from documents import statements as bundles
from documents import tables
from documents.signing import Signer
from documents.statement import unsigned
from engine.database import Row
from engine.feeding import written
from errors import NotPrintable
from models.layout import Layout
from resolvers import statements
from resolvers.downloads.failures import NO_STATEMENTS, NOT_PRINTABLE, CannotBeMade, FailedCell
from resolvers.downloads.reading import Reading
from resolvers.office import office

MOST_STATEMENTS = 200  # in one PDF: each takes about a megabyte of memory while it is made
NAMES = {"en": "Name", "ja": "氏名"}

Write = Callable[[IO[bytes], Iterator[Row]], None]


def writer(reading: Reading) -> Write:
    """What writes the results of this download, in a thread. Raises CannotBeMade."""
    language, moment = reading.download["language"], reading.download["asked_at"]
    if not reading.is_pdf:
        layout = Layout.from_json(reading.download["template"])
        return lambda target, rows: tables.write(layout, target, rows, language, moment)
    signer = office().signer
    if signer is None:
        raise CannotBeMade(NO_STATEMENTS)
    return partial(_write_statements, reading, signer)


def _write_statements(reading: Reading, signer: Callable[[], Signer], target: IO[bytes], rows: Iterator[Row]) -> None:
    download = reading.download
    facts = [statements.facts_of(row, download["language"]) for row in rows]
    if facts:
        target.write(bundles.bundle(facts, office().organisation, signer(), download["asked_at"]))


async def not_printable(reading: Reading) -> CannotBeMade:
    """Which of the statements no font of ours can print."""
    again = Reading(reading.download, reading.clock)
    cells: list[FailedCell] = []

    def find(_target: IO[bytes], rows: Iterator[Row]) -> None:
        cells.extend(_not_printable(rows, reading.download["language"]))

    (await written(find, again.batches(), is_large=True)).close()
    return CannotBeMade(NOT_PRINTABLE, cells)


def _not_printable(rows: Iterator[Row], language: str) -> Sequence[FailedCell]:
    cells = []
    for row in rows:
        try:
            unsigned(statements.facts_of(row, language))
        except NotPrintable as error:
            cells.append(FailedCell(row["place"], NAMES[language], error.signs))
    return cells
