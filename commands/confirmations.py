"""Confirmations of Entry as PDFs for the centres to print (R1), from the file that holds their numbers."""

import csv
import os
from collections.abc import AsyncIterator, Iterator
from datetime import date
from itertools import islice
from pathlib import Path

from documents.confirmation import ConfirmationFacts, Letterhead, bundles
from engine.database import Row
from models.names import full_name
from resolvers import entering

AT_ONCE = 1000


async def print_all(told: Path, folder: Path, head: Letterhead) -> int:
    """One PDF per centre and session, of all confirmations in the file that stand; tells how many PDFs.

    Raises NotPrintable.
    """
    os.makedirs(folder, exist_ok=True)
    pages = [page async for page in _pages(told)]
    pages.sort(key=lambda page: (page.centre_number, page.qualification, page.exam_date, page.candidate_number))
    count = 0
    for bundle in bundles(pages, head):
        name = f"{bundle.centre_number} {bundle.qualification} {bundle.exam_date} {bundle.part}.pdf".replace(" ", "-")
        _write(folder / name, bundle.pdf)
        count += 1
    return count


async def _pages(told: Path) -> AsyncIterator[ConfirmationFacts]:
    with told.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        while some := list(islice(rows, AT_ONCE)):
            entries = await entering.confirmed({row["idNumber"]: row["secretNumber"] for row in some})
            for page in _facts(some, entries):
                yield page


def _facts(rows: list[dict[str, str]], entries: dict[str, Row]) -> Iterator[ConfirmationFacts]:
    for row in rows:
        if entry := entries.get(row["idNumber"]):
            yield ConfirmationFacts(
                name=full_name(row["givenName"], row["familyName"]),
                native_name=row["nativeName"] or None,
                qualification=entry["qualification"],
                exam_date=date.fromisoformat(row["examDate"]),
                centre_number=row["centre"],
                centre=entry["centre"],
                candidate_number=row["candidateNumber"],
                results_by=date.fromisoformat(row["resultsBy"]),
                id_number=row["idNumber"],
                secret_number=row["secretNumber"],
                issue=entry["issue"],
                issued_at=entry["issued_at"],
            )


def _write(path: Path, pdf: bytes) -> None:
    """It holds Secret Numbers: only its owner can read it."""
    path.touch(mode=0o600)
    os.chmod(path, 0o600)
    path.write_bytes(pdf)
