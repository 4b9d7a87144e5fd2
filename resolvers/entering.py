"""Entering candidates (R1), and new Confirmations of Entry for those who lost theirs (A7).

Each entry makes a candidate of its own: a name and a date of birth do not tell two people apart for certain, but the
numbers of their entries do, by which whoever has several brings them together (A11).
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from engine import database
from engine.clock import Clock
from engine.database import Row
from engine.limits import forget
from errors import EntryClaimed, EntryNotFound
from models import person_names
from models.base import new_id
from models.candidate import Candidate
from models.entry import HOME, Entry, sealed_secret
from models.id_numbers import new_id_number, new_secret_number
from models.sandbox import CENTRE_LETTERS
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import entries, exams, trail
from resolvers.candidates import SECRETS
from resolvers.rows import Bad, Cells, EntryKey, Fault, Given, at_once, batches

COLUMNS = (
    "centre", "examCode", "examDate", "candidateNumber",
    "familyName", "givenName", "nativeName", "dateOfBirth", "resultsBy",
)  # fmt: skip
REQUIRED = ("centre", "examCode", "examDate", "candidateNumber", "familyName", "dateOfBirth")
RESULTS_AFTER = timedelta(weeks=6)
EARLIEST_BIRTH = date(1900, 1, 1)
ONE_AT_A_TIME = 0x5E15E1  # of two that enter the same row at once, the second finds it there
# What is compared with a row that is there already, and by which column a difference is told.
FACTS = {
    "family_name": "familyName", "given_name": "givenName", "native_name": "nativeName",
    "date_of_birth": "dateOfBirth", "results_by": "resultsBy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What stands on a Confirmation of Entry; the Secret Number is told here and never again."""

    line: int
    entry_id: UUID
    id_number: str
    secret_number: str
    issue: int = 1
    row: "EntryRow | None" = None


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A row that can be entered."""

    given: Given
    key: EntryKey
    family_name: str
    given_name: str
    native_name: str | None
    date_of_birth: date
    results_by: date | None  # as the row says

    @property
    def results_out_by(self) -> date:
        """The date that counts: six weeks after the exam unless the row says another (R3)."""
        return self.results_by or self.key.exam_date + RESULTS_AFTER

    def differs_from(self, there: Row) -> list[str]:
        """The columns in which an entry that is there says something else; what a row leaves open is none."""
        open_ones = {"results_by"} if self.results_by is None else set()
        return [
            column for name, column in FACTS.items() if name not in open_ones and getattr(self, name) != there[name]
        ]


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of one batch of rows."""

    rows: int
    new: list[Confirmation] = field(default_factory=list)
    there: int = 0
    bad: list[Bad] = field(default_factory=list)


Keep = Callable[[Sequence[Confirmation]], None]


async def enter(
    viewer: Viewer,
    rows: Iterable[Given],
    keep: Keep = lambda _: None,
    clock: Clock | None = None,
    new_number: Callable[[], str] = new_id_number,
) -> AsyncIterator[Entered]:
    """Enter candidates, a batch of rows in each transaction; rows that are there already and say the same stay.

    `keep` is handed the confirmations of a batch just before it is committed: whoever dies after it has both, before it
    neither counts. A file can take longer than a moment: `clock` tells when each batch is entered.
    Raises NotLoggedIn or NotAllowed.
    """
    viewer.must_be(Kind.STAFF)
    checks = await Checks.of(viewer)
    for batch in batches(rows):
        yield await _enter(at_once(viewer, clock), checks, batch, keep, new_number)


@dataclass(frozen=True, slots=True)
class Checks:
    """What the rows are checked against."""

    centres: Mapping[str, UUID]
    exams: Mapping[str, Row]

    @classmethod
    async def of(cls, viewer: Viewer) -> "Checks":
        """The exams, and the centres that the viewer enters candidates for: all for the board, else their own.

        Sittings at home enter themselves, once they are reported (H8).
        """
        centres = await database.rows(
            """SELECT id, number FROM centre WHERE number <> :home
               AND (:is_board AND NOT starts_with(number, :invented) OR id = :centre_id)""",
            home=HOME,
            invented=CENTRE_LETTERS,
            is_board=viewer.is_board,
            centre_id=viewer.centre_id,
        )
        by_code = {exam["exam_code"]: exam for exam in await exams.every()}
        return cls({one["number"]: one["id"] for one in centres}, by_code)

    def key(self, cells: Cells) -> EntryKey:
        """Which entry a row is about; notes a centre that is not the viewer's, or an exam that there was not."""
        key = cells.key()
        if key.centre and key.centre not in self.centres:
            cells.wrong("centre", f"There is no centre {key.centre} that you enter candidates for.")
        if not cells.faults and (problem := exams.problem_of_date(self.exams.get(key.exam), key.exam, key.exam_date)):
            cells.wrong(*problem)
        return key


def _read(checks: Checks, given: Given) -> EntryRow | Bad:
    """The row, if all of its cells are right."""
    cells = Cells(given)
    if given.broken:
        return Bad(given, [Fault(given.line, "", given.broken)])
    key = checks.key(cells)
    row = EntryRow(
        given,
        key,
        cells.name("familyName", required=True),
        cells.name("givenName"),
        cells.name("nativeName") or None,
        cells.day("dateOfBirth", required=True) or EARLIEST_BIRTH,
        cells.day("resultsBy"),
    )
    if cells.faults:
        return Bad(given, cells.faults)
    if not EARLIEST_BIRTH <= row.date_of_birth <= key.exam_date:
        cells.wrong("dateOfBirth", "Nobody born on this day sat this exam.")
    if row.results_by is not None and row.results_by < key.exam_date:
        cells.wrong("resultsBy", "Results cannot be out before the exam.")
    return Bad(given, cells.faults) if cells.faults else row


async def _enter(
    viewer: Viewer, checks: Checks, batch: list[Given], keep: Keep, new_number: Callable[[], str]
) -> Entered:
    done = Entered(len(batch))
    read = [_read(checks, given) for given in batch]
    done.bad.extend(one for one in read if isinstance(one, Bad))
    rows = [one for one in read if isinstance(one, EntryRow)]
    async with database.transaction():
        await database.rows("SELECT pg_advisory_xact_lock(:lock)", lock=ONE_AT_A_TIME)
        new, there, bad = _sorted(rows, await _known(rows))
        if new:
            confirmations = await _confirmations(new, new_number)
            await _insert(viewer, checks.centres, new, confirmations)
            keep(confirmations)
            done.new.extend(confirmations)
    done.bad.extend(bad)
    done.bad.sort(key=lambda one: one.given.line)
    return Entered(done.rows, done.new, there, done.bad)


async def _known(rows: Sequence[EntryRow]) -> dict[EntryKey, Row]:
    """What is there of these rows. An entry that was claimed by another account (A11) is told as it was entered.

    Which of the candidates who are that account now it was entered for is not kept: one who fits the row was it.
    """
    known = await entries.by_keys([row.key for row in rows])
    differing = [row for row in rows if row.key in known and row.differs_from(known[row.key])]
    if differing:
        formers = await entries.merged_into([known[row.key]["candidate_id"] for row in differing])
        for row in differing:
            there = known[row.key]
            entered = ({**there, **former} for former in formers.get(there["candidate_id"], ()))
            known[row.key] = next((one for one in entered if not row.differs_from(one)), there)
    return known


def _sorted(rows: list[EntryRow], known: Mapping[EntryKey, Row]) -> tuple[list[EntryRow], int, list[Bad]]:
    """The rows that are new, how many are there already, and those that say something else than what is there."""
    new: dict[EntryKey, EntryRow] = {}
    there, bad = 0, []
    for row in rows:
        before = known.get(row.key) or (_facts(new[row.key]) if row.key in new else None)
        if before is None:
            new[row.key] = row
        elif columns := row.differs_from(before):
            reason = "This candidate number is entered already, with another value here."
            bad.append(Bad(row.given, [Fault(row.given.line, column, reason) for column in columns]))
        else:
            there += 1
    return list(new.values()), there, bad


def _facts(row: EntryRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FACTS} | {"results_by": row.results_out_by}


async def _confirmations(rows: list[EntryRow], new_number: Callable[[], str]) -> list[Confirmation]:
    """Numbers for these rows. Nobody else makes any meanwhile."""
    numbers: set[str] = set()
    while len(numbers) < len(rows):
        drawn = {new_number() for _ in range(len(rows) - len(numbers))}
        taken = await database.rows("SELECT id_number FROM entry WHERE id_number = ANY(:drawn)", drawn=list(drawn))
        numbers |= drawn - {one["id_number"] for one in taken}
    return [
        Confirmation(row.given.line, new_id(), number, new_secret_number(), row=row)
        for row, number in zip(rows, numbers, strict=True)
    ]


async def _insert(
    viewer: Viewer, centres: Mapping[str, UUID], rows: list[EntryRow], confirmations: list[Confirmation]
) -> None:
    candidate_ids = [new_id() for _ in rows]
    searched = [person_names.searched(row.given_name, row.family_name, row.native_name) for row in rows]
    await database.rows(
        """INSERT INTO candidate (id, family_name, given_name, native_name, date_of_birth, searched, grams, language,
                                  wants_updates)
           SELECT id, family_name, given_name, native_name, date_of_birth, searched, string_to_array(grams, ' '),
                  'en', false
           FROM unnest(:ids::uuid[], :families::text[], :givens::text[], :natives::text[], :births::date[],
                       :searched::text[], :grams::text[])
                AS given (id, family_name, given_name, native_name, date_of_birth, searched, grams)""",
        ids=candidate_ids,
        families=[row.family_name for row in rows],
        givens=[row.given_name for row in rows],
        natives=[row.native_name for row in rows],
        births=[row.date_of_birth for row in rows],
        searched=searched,
        grams=[" ".join(person_names.grams(one)) for one in searched],
    )
    await database.rows(
        """INSERT INTO entry (id, candidate_id, exam_id, centre_id, exam_date, candidate_number, id_number, secret_hash,
                              results_by, issue, issued_at)
           SELECT *, 1, :now FROM unnest(:ids::uuid[], :candidates::uuid[], :exams::text[], :centres::uuid[],
               :dates::date[], :numbers::text[], :id_numbers::text[], :secrets::bytea[], :results_by::date[])""",
        now=viewer.at,
        ids=[one.entry_id for one in confirmations],
        candidates=candidate_ids,
        exams=[row.key.exam for row in rows],
        centres=[centres[row.key.centre] for row in rows],
        dates=[row.key.exam_date for row in rows],
        numbers=[row.key.candidate_number for row in rows],
        id_numbers=[one.id_number for one in confirmations],
        secrets=[sealed_secret(one.id_number, one.secret_number) for one in confirmations],
        results_by=[row.results_out_by for row in rows],
    )
    await trail.note(viewer, TrailAct.CHANGED, map(About, candidate_ids))


async def standing(secrets: Mapping[str, str]) -> set[str]:
    """Those of these ID Numbers whose Secret Number is the one that stands."""
    return set(await confirmed(secrets))


async def confirmed(secrets: Mapping[str, str]) -> dict[str, Row]:
    """What their confirmations say besides, of those of these ID Numbers whose Secret Number is the one that stands."""
    found = await database.rows(
        """SELECT entry.id_number, entry.secret_hash, entry.issue, entry.issued_at, exam.title AS qualification,
                  centre.name AS centre
           FROM entry JOIN exam ON exam.code = entry.exam_id JOIN centre ON centre.id = entry.centre_id
           WHERE entry.id_number = ANY(:numbers)""",
        numbers=list(secrets),
    )
    return {
        one["id_number"]: one
        for one in found
        if sealed_secret(one["id_number"], secrets[one["id_number"]]) == one["secret_hash"]
    }


async def reissue(viewer: Viewer, entry_id: UUID) -> Confirmation:
    """A new Secret Number for an entry that nobody has claimed; the old one ends, the ID Number stays (A7).

    It also opens what too many wrong Secret Numbers have closed (A8), and lets a closed account be opened again.
    Raises NotLoggedIn, NotAllowed, EntryNotFound or EntryClaimed.
    """
    viewer.must_be(Kind.STAFF)
    async with database.transaction():
        entry = await Entry.visible_to(viewer).get_or_none(entry_id, lock="FOR UPDATE")
        if entry is None:
            raise EntryNotFound
        if (
            entry.claimed_at is not None
            and not await Candidate.filter(id=entry.candidate_id, closed_at__isnull=False).exists()
        ):
            raise EntryClaimed
        entry.claimed_at = None
        secret = new_secret_number()
        while sealed_secret(entry.id_number, secret) == entry.secret_hash:
            secret = new_secret_number()
        entry.secret_hash = sealed_secret(entry.id_number, secret)
        entry.issue += 1
        entry.issued_at = viewer.at
        await entry.save(update_fields=["secret_hash", "issue", "issued_at", "claimed_at"])
        await forget(SECRETS, entry.id_number)
        await trail.note(viewer, TrailAct.CHANGED, [About(entry.candidate_id)])
    return Confirmation(0, entry.id, entry.id_number, secret, entry.issue)
