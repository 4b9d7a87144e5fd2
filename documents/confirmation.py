"""The Confirmation of Entry (R1): what a candidate is given to claim an entry, one page each.

It holds a Secret Number, which is told nowhere else and is stored only as a hash: these bytes are for the centre that
prints them, and are never kept.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby, islice
from typing import Any

from documents import typesetting, wording
from documents.statement import code
from documents.typesetting import tidy

MOST_PAGES = 200  # of one PDF in the making: typst holds all its pages in memory, about 0.2 MB each


@dataclass(frozen=True, slots=True)
class ConfirmationFacts:
    """All that a Confirmation of Entry says. `issued_at` is when its numbers were made, UTC."""

    name: str
    native_name: str | None
    qualification: str
    exam_date: date
    centre_number: str
    centre: str
    candidate_number: str
    results_by: date
    id_number: str
    secret_number: str
    issue: int
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What is the same on every page; `site` is the address where candidates register."""

    language: str
    organisation: str
    site: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """The confirmations of one centre and session, or a part of them: `part` counts from 1."""

    centre_number: str
    qualification: str
    exam_date: date
    part: int
    pdf: bytes


def confirmation(facts: ConfirmationFacts, head: Letterhead) -> bytes:
    """The PDF/A-2b of one entry: the same facts make the same bytes. Raises NotPrintable."""
    return _typeset([facts], head)


def bundles(entries: Iterable[ConfirmationFacts], head: Letterhead) -> Iterator[Bundle]:
    """One PDF per centre and session, one page per entry, in the order given; raises NotPrintable.

    `entries` come sorted by centre and session. They are read as they are printed, never all at once: what is more
    than 200 pages comes in parts.
    """
    for (centre, qualification, day), session in groupby(entries, _session):
        part = 0
        while pages := list(islice(session, MOST_PAGES)):
            part += 1
            yield Bundle(centre, qualification, day, part, _typeset(pages, head))


def _session(facts: ConfirmationFacts) -> tuple[str, str, date]:
    return facts.centre_number, facts.qualification, facts.exam_date


def _typeset(entries: Sequence[ConfirmationFacts], head: Letterhead) -> bytes:
    return typesetting.typeset("confirmation", shown(entries, head), max(one.issued_at for one in entries))


def shown(entries: Sequence[ConfirmationFacts], head: Letterhead) -> dict[str, Any]:
    """What the template is handed: every sentence ready, every name tidy."""
    words = wording.CONFIRMATION[head.language]
    return {
        "language": head.language,
        "words": words,
        "title": words["title"],
        "organisation": head.organisation,
        "entries": [_page(one, head, words) for one in entries],
    }


def _page(facts: ConfirmationFacts, head: Letterhead, words: dict[str, str]) -> dict[str, Any]:
    sentences = [words["keep"], words["passed_on"], words["wrong"]]
    return {
        "name": tidy(facts.name),
        "native_name": tidy(facts.native_name) if facts.native_name else None,
        "about": [
            [words["qualification"], facts.qualification],
            [words["exam_date"], wording.day(facts.exam_date, head.language)],
            [words["centre"], tidy(f"{facts.centre_number} {facts.centre}")],
            [words["candidate_number"], facts.candidate_number],
            [words["results_by"], wording.day(facts.results_by, head.language)],
        ],
        "qualification": facts.qualification,
        "id_number": facts.id_number,
        "secret_number": facts.secret_number,
        "issued": wording.day(facts.issued_at.date(), head.language),
        "code": code(f"{head.site}#{facts.id_number}"),  # never the Secret: a picture of the page shares the code
        "see_how": words["see_how"].format(address=head.site),
        "sentences": sentences + ([words["issue"].format(issue=facts.issue)] if facts.issue > 1 else []),
    }
