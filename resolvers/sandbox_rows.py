"""What is in a sandbox, as rows: made by the same rules as what is real, and taken away again (P4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from engine import database
from models import person_names
from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.entry import Centre, Entry, sealed_secret
from models.institution import Institution
from models.result import Outcome, Result
from models.sandbox import (
    CENTRE_NAME,
    ID_LETTERS,
    SECRET_NUMBER,
    Case,
    cases,
    centre_number,
    certificate_number,
    released_on,
    statement_number,
)
from models.viewer import Kind, Viewer
from models.visit import Visit
from resolvers import shares
from resolvers.loading import Checks, ResultRow
from resolvers.rows import Cells, Given

# So many ID Numbers are drawn at once; of a million, few are taken.
DRAWN = "SELECT :letters || lpad(floor(random() * 1000000)::int::text, 6, '0') FROM generate_series(1, :count::int)"


@dataclass(frozen=True, slots=True)
class Invented:
    """One case that is there: its number, counted from 1, and the keys of its rows."""

    case: Case
    number: int
    candidate_id: UUID
    entry_id: UUID
    result_id: UUID


def board_of(viewer: Viewer, sandbox_id: UUID) -> Viewer:
    """The board, as it is in a sandbox: it sees, and changes, what is invented for that alone."""
    return _inside(viewer, sandbox_id, Kind.STAFF, sandbox_id, is_board=True)


def candidate_of(viewer: Viewer, sandbox_id: UUID, candidate_id: UUID) -> Viewer:
    """An invented candidate."""
    return _inside(viewer, sandbox_id, Kind.CANDIDATE, candidate_id)


def verifier_of(viewer: Viewer, sandbox_id: UUID) -> Viewer:
    """Whoever works at a sandbox: the one who tries it out."""
    return _inside(viewer, sandbox_id, Kind.VERIFIER, viewer.id)


def _inside(viewer: Viewer, sandbox_id: UUID, kind: Kind, id: UUID | None, is_board: bool = False) -> Viewer:
    visit = Visit(viewer.visit.path, viewer.visit.request_id)
    return Viewer(
        kind,
        viewer.at,
        viewer.address,
        id=id,
        institution_id=sandbox_id,
        is_sandbox=True,
        is_board=is_board,
        visit=visit,
    )


async def fill(viewer: Viewer, sandbox: Institution, id_numbers: Sequence[str]) -> list[Invented]:
    """All cases, with these ID Numbers as far as they go, and their shares; within a transaction."""
    made = await invent(viewer, sandbox, list(enumerate(cases(), start=1)), id_numbers)
    for place, one in enumerate(made):
        if one.case.sent is not None:
            await send(viewer, sandbox, one, viewer.at - timedelta(hours=len(made) - place))
    return made


async def invent(
    viewer: Viewer, sandbox: Institution, numbered: Sequence[tuple[int, Case]], id_numbers: Sequence[str] = ()
) -> list[Invented]:
    """Candidates with their entries and results; within a transaction."""
    centre = await _centre(sandbox)
    free = [*id_numbers, *await _drawn(len(numbered) - len(id_numbers))]
    checks = await Checks.all()
    made = []
    for (number, case), id_number in zip(numbered, free, strict=False):
        candidate = await _candidate(sandbox, case)
        entry = await _entry(centre, candidate, case, number, id_number)
        result = await _result(viewer, sandbox, checks, entry, case, number)
        made.append(Invented(case, number, candidate.id, entry.id, result.id))
    return made


async def _centre(sandbox: Institution) -> Centre:
    facts = {"name": CENTRE_NAME, "city": sandbox.city, "country": sandbox.country}
    centre, _ = await Centre.get_or_create(number=centre_number(sandbox.id), defaults=facts)
    return centre


async def _drawn(count: int) -> list[str]:
    """ID Numbers that nobody has."""
    free: dict[str, None] = {}
    while len(free) < count:
        found = await database.rows(
            f"SELECT number FROM ({DRAWN}) AS drawn (number) WHERE number NOT IN (SELECT id_number FROM entry"
            " WHERE id_number = number)",
            letters=ID_LETTERS,
            count=count,
        )
        free |= dict.fromkeys(row["number"] for row in found)
    return list(free)[:count]


async def _candidate(sandbox: Institution, case: Case) -> Candidate:
    searched = person_names.searched(case.given_name, case.family_name, case.native_name)
    return await Candidate.create(
        given_name=case.given_name,
        family_name=case.family_name,
        native_name=case.native_name,
        searched=searched,
        grams=person_names.grams(searched),
        date_of_birth=case.date_of_birth,
        sandbox_id=sandbox.id,
    )


async def _entry(centre: Centre, candidate: Candidate, case: Case, number: int, id_number: str) -> Entry:
    return await Entry.create(
        candidate_id=candidate.id,
        exam_id=case.exam,
        centre_id=centre.id,
        exam_date=case.exam_date,
        candidate_number=f"{number:04}",
        id_number=id_number,
        secret_hash=sealed_secret(id_number, SECRET_NUMBER),
        results_by=released_on(case.exam_date),
    )


async def _result(
    viewer: Viewer, sandbox: Institution, checks: Checks, entry: Entry, case: Case, number: int
) -> Result:
    """The result of a case: worth what the same row of a file would be (R2, R5)."""
    key = {"centre": centre_number(sandbox.id), "examCode": case.exam, "examDate": case.exam_date.isoformat()}
    given = Given(number, key | {"candidateNumber": entry.candidate_number} | dict(case.result))
    row, cells = checks.read(given), Cells(given)
    if not isinstance(row, ResultRow):
        raise ValueError(f"{case.about}: {row.faults}")
    worth = checks.worth(cells, row)
    released_at = _released_at(viewer, case)
    statement = statement_number(sandbox.id, number)
    result = await Result.create(
        entry_id=entry.id,
        outcome=Outcome(worth.outcome) if worth.outcome else row.outcome,
        statement_number=statement,
        certificate_number=certificate_number(statement) if worth.certificate else None,
        headline=worth.headline or None,
        grade=worth.grade,
        cefr=worth.cefr,
        overall_score=row.overall,
        loaded_at=released_at or viewer.at,
        released_at=released_at,
        release_told_at=released_at,
    )
    await _skills(result, row)
    return result


def _released_at(viewer: Viewer, case: Case) -> datetime | None:
    if not case.is_released:
        return None
    planned = datetime.combine(released_on(case.exam_date), time(9), UTC)
    return min(planned, viewer.at - timedelta(days=10))


async def _skills(result: Result, row: ResultRow) -> None:
    await database.rows(
        """INSERT INTO skill_score (result_id, skill, score)
           SELECT :id, skill, score FROM unnest(:skills::text[], :scores::int[]) AS new (skill, score)""",
        id=result.id,
        skills=list(row.skills),
        scores=list(row.skills.values()),
    )


async def send(viewer: Viewer, sandbox: Institution, one: Invented, at: datetime) -> UUID:
    """Send the result of a case to the sandbox, on its terms, as a candidate does; the share's id."""
    terms = one.case.sent
    assert terms is not None
    if one.case.days is not None:
        terms = replace(terms, expires_at=viewer.at + timedelta(days=one.case.days))
    sender = replace(candidate_of(viewer, sandbox.id, one.candidate_id), at=at)
    sent = await shares.send(sender, one.result_id, sandbox.id, shares.Consent(CONSENT_VERSION, "en"), terms)
    share_id: UUID = sent.share["share_id"]
    return share_id


async def id_numbers_of(sandbox_id: UUID) -> list[str]:
    """The ID Numbers of a sandbox, in the order of the cases."""
    found = await database.rows(
        """SELECT id_number FROM entry JOIN candidate ON candidate.id = entry.candidate_id
           WHERE candidate.sandbox_id = :id ORDER BY entry.candidate_number""",
        id=sandbox_id,
    )
    return [row["id_number"] for row in found]


OF_SANDBOX = """result_id IN (
    SELECT result.id FROM result JOIN entry ON entry.id = result.entry_id
    JOIN candidate ON candidate.id = entry.candidate_id WHERE candidate.sandbox_id = :id)"""
ENTRIES = """entry_id IN (
    SELECT entry.id FROM entry JOIN candidate ON candidate.id = entry.candidate_id WHERE sandbox_id = :id)"""
# In the order in which they refer to each other; the journal, the trail and downloads name ids, and stay.
EMPTYING = (
    "DELETE FROM share WHERE institution_id = :id",
    f"DELETE FROM holder_notice WHERE {OF_SANDBOX}",
    f"DELETE FROM result_version WHERE {OF_SANDBOX}",
    f"DELETE FROM result_event WHERE {OF_SANDBOX}",
    f"DELETE FROM result WHERE {ENTRIES}",
    "DELETE FROM entry USING candidate WHERE candidate.id = entry.candidate_id AND candidate.sandbox_id = :id",
    "DELETE FROM candidate WHERE sandbox_id = :id",
)


async def empty(sandbox_id: UUID) -> None:
    """Take away all that is invented for a sandbox; within a transaction."""
    for statement in EMPTYING:
        await database.rows(statement, id=sandbox_id)
