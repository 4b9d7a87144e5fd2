"""Correcting results that have been released: amend, withhold, release again, revoke (R11).

Each keeps the version that it ends, and tells everybody who holds that version, in one transaction that holds the
result's row from its beginning: whoever sends the result, or changes it too, comes before all of it or after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from engine import database
from engine.database import Row
from errors import InvalidInput, Problem, ResultChangedMeanwhile, ResultNotFound, StateForbids
from models.base import new_id, required
from models.candidate import LIVE_SHARE, OF_WORLD
from models.grades import Award
from models.journal import EventKind, ResultChange
from models.result import Moments, Outcome, ResultStatus, status
from models.sandbox import certificate_number, is_invented
from models.scores import SKILL_COLUMNS
from models.statement_numbers import CERTIFICATE, new_number
from models.trail import TrailAct
from models.version import Change, HolderNotice, ResultVersion
from models.viewer import Kind, Viewer
from models.visit import About, Visit
from resolvers import columns, journal, letters, result_changes, results, trail
from resolvers.loading import ONE_AT_A_TIME, Checks, ResultRow
from resolvers.reading import Source, grouped
from resolvers.rows import Bad, Cells, Given

KIND = "result_changed"
LONGEST_REASON = 1000
# A reader who was under way while a version ended leaves its entry in the trail within this time.
LATE = timedelta(hours=1)
LATE_PATH = "job tell late holders"
EVENTS = {change: EventKind(f"RESULT_{change.value}") for change in Change}
CHANGES = {change: ResultChange(change.value) for change in Change}
FROM = {
    Change.AMENDED: {ResultStatus.PENDING, ResultStatus.RELEASED, ResultStatus.WITHHELD},
    Change.WITHHELD: {ResultStatus.RELEASED},
    Change.RELEASED_AGAIN: {ResultStatus.WITHHELD},
    Change.REVOKED: {ResultStatus.PENDING, ResultStatus.RELEASED, ResultStatus.WITHHELD},
}
LOAD_AGAIN = "Until its release, another one is loaded in its place."
AMEND = "It was loaded as withheld: amend it with what was awarded."
SETS = {
    Change.WITHHELD: "withheld_at = :now",
    Change.RELEASED_AGAIN: "withheld_at = NULL",
    Change.REVOKED: "revoked_at = :now",
}
FACTS = ("outcome", "headline", "grade", "cefr", "overall_score", "certificate_number")

VERSIONS = Source(
    ResultVersion,
    """SELECT result_version.*, exam.skills AS exam_skills, exam.scale_id AS scale_code FROM result_version
       JOIN result AS corrected ON corrected.id = result_version.result_id
       JOIN entry ON entry.id = corrected.entry_id JOIN exam ON exam.code = entry.exam_id""",
    "result_version.id",
    "id",
)
NOTICES = Source(
    HolderNotice,
    f"""SELECT holder_notice.result_id, holder_notice.version, holder_notice.change, holder_notice.told_at,
               {columns.INSTITUTION}
        FROM holder_notice JOIN institution ON institution.id = holder_notice.institution_id""",
    "holder_notice.id",
    "id",
)


@dataclass(frozen=True, slots=True)
class Order:
    """Which result is changed, the version that was seen when it was decided, and why; the candidate reads that."""

    result_id: UUID
    expected_version: int
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that stands from now on: scores and the outcome, grade and level follow from; or an outcome without them."""

    outcome: Outcome | None = None
    overall_score: int | None = None
    skill_scores: Mapping[str, int] = field(default_factory=dict)
    grade: str | None = None
    certificate_number: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A version that stands no more: whose, of which result, and what ended it."""

    candidate_id: UUID
    result_id: UUID
    version: int
    change: Change


@dataclass(frozen=True, slots=True)
class Corrected:
    """The result as it stands now, and who has been told that the version before does not."""

    result: Row
    told: list[Row]


async def amend(viewer: Viewer, order: Order, facts: Facts) -> Corrected:
    """Put other facts in the place of those that stand; what is withheld stays withheld.

    Raises NotLoggedIn, NotAllowed, InvalidInput, ResultNotFound, ResultChangedMeanwhile or StateForbids.
    """
    reason = _reason_of(viewer, order)
    checks = await Checks.all()
    async with database.transaction():
        # Before the row, as whoever loads results does: a certificate's number is given to one of them.
        await database.rows("SELECT pg_advisory_xact_lock(:lock)", lock=ONE_AT_A_TIME)
        before = await _held(viewer, order, Change.AMENDED)
        new = await _amended(checks, before, facts)
        await _keep(viewer, before, Change.AMENDED, reason)
        await _write(before["id"], new)
        return await _tell(viewer, before, Change.AMENDED)


async def withhold(viewer: Viewer, order: Order) -> Corrected:
    """Withhold a released result: nothing that was awarded is shown any more, and it cannot be sent.

    Raises NotLoggedIn, NotAllowed, InvalidInput, ResultNotFound, ResultChangedMeanwhile or StateForbids.
    """
    return await _move(viewer, order, Change.WITHHELD)


async def release_again(viewer: Viewer, order: Order) -> Corrected:
    """Show again what was withheld after its release.

    Raises NotLoggedIn, NotAllowed, InvalidInput, ResultNotFound, ResultChangedMeanwhile or StateForbids.
    """
    return await _move(viewer, order, Change.RELEASED_AGAIN)


async def revoke(viewer: Viewer, order: Order) -> Corrected:
    """Revoke a released result, for good.

    Raises NotLoggedIn, NotAllowed, InvalidInput, ResultNotFound, ResultChangedMeanwhile or StateForbids.
    """
    return await _move(viewer, order, Change.REVOKED)


async def _move(viewer: Viewer, order: Order, change: Change) -> Corrected:
    reason = _reason_of(viewer, order)
    async with database.transaction():
        before = await _held(viewer, order, change)
        await _keep(viewer, before, change, reason)
        await database.rows(
            f"UPDATE result SET version = version + 1, {SETS[change]} WHERE id = :id",
            id=before["id"],
            now=viewer.at,
        )
        return await _tell(viewer, before, change)


# ---- what may be changed


def _reason_of(viewer: Viewer, order: Order) -> str:
    """The reason as it is kept. Raises NotLoggedIn, NotAllowed or InvalidInput."""
    viewer.must_be_board()
    reason = order.reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidInput([Problem("reason", f"Give a reason of at most {LONGEST_REASON} characters.")])
    if "\0" in reason:
        raise InvalidInput([Problem("reason", "The reason holds characters that cannot be read.")])
    return reason


async def _held(viewer: Viewer, order: Order, change: Change) -> Row:
    """The result as it stands, held until the transaction ends; it is read once nobody else holds it."""
    await database.rows("SELECT id FROM result WHERE id = :id FOR NO KEY UPDATE", id=order.result_id)
    before = await database.row(
        f"""SELECT result.*, entry.candidate_id, entry.exam_id, entry.exam_date, entry.candidate_number,
                  centre.number AS centre_number,
                  (SELECT json_object_agg(skill, score) FROM skill_score WHERE result_id = result.id) AS skills
           FROM result JOIN entry ON entry.id = result.entry_id JOIN centre ON centre.id = entry.centre_id
           JOIN candidate ON candidate.id = entry.candidate_id
           WHERE result.id = :id AND {OF_WORLD}""",
        id=order.result_id,
        viewer_sandbox_id=viewer.sandbox_id,
    )
    if before is None:
        raise ResultNotFound("There is no such result.")
    if before["version"] != order.expected_version:
        raise ResultChangedMeanwhile(before["version"])
    _check_state(before, change, viewer.at)
    return before


def _check_state(before: Row, change: Change, now: datetime) -> None:
    moments = Moments(before["released_at"], before["withheld_at"], before["revoked_at"])
    stands = status(Outcome(before["outcome"]), moments, now)
    if stands not in FROM[change]:
        raise StateForbids(stands.value, LOAD_AGAIN if stands is ResultStatus.LOADED else "")
    if change is Change.RELEASED_AGAIN and before["withheld_at"] is None:
        raise StateForbids(stands.value, AMEND)


async def _amended(checks: Checks, before: Row, facts: Facts) -> dict[str, Any]:
    """What stands from now on, checked as a row that is loaded is (R2). Raises InvalidInput."""
    given = _given(before, facts)
    row = checks.read(given)
    cells = Cells(given)
    worth = checks.worth(cells, row) if isinstance(row, ResultRow) else None
    faults = row.faults if isinstance(row, Bad) else cells.faults
    if faults or worth is None or isinstance(row, Bad):
        raise InvalidInput([Problem(fault.column or "outcome", fault.reason) for fault in faults])
    new = {
        "outcome": worth.outcome or required(row.outcome).value,
        "headline": worth.headline or None,
        "grade": worth.grade,
        "cefr": worth.cefr,
        "overall_score": row.overall,
        "certificate_number": await _certificate(before, row, worth),
        "skills": dict(row.skills),
    }
    if all(new[fact] == before[fact] for fact in FACTS) and new["skills"] == (before["skills"] or {}):
        raise InvalidInput([Problem("overallScore", "This is what stands already.")])
    return new


def _given(before: Row, facts: Facts) -> Given:
    """The facts as the row of a file that would say the same."""
    texts = {
        "centre": before["centre_number"],
        "examCode": before["exam_id"],
        "examDate": before["exam_date"].isoformat(),
        "candidateNumber": before["candidate_number"],
        "outcome": facts.outcome.value if facts.outcome else "",
        "overallScore": "" if facts.overall_score is None else str(facts.overall_score),
        "grade": facts.grade or "",
        "certificateNumber": facts.certificate_number or "",
    }
    return Given(1, texts | {SKILL_COLUMNS[skill]: str(score) for skill, score in facts.skill_scores.items()})


async def _certificate(before: Row, row: ResultRow, worth: Award) -> str | None:
    """The number of the certificate: the one that is given, the one that it had, or a new one; none without a right."""
    if not worth.certificate:
        return None
    if is_invented(before["statement_number"]):
        return certificate_number(before["statement_number"])
    wanted: str = row.certificate_number or before["certificate_number"] or ""
    while not wanted or await _is_taken(wanted, before["id"]):
        if row.certificate_number:
            raise InvalidInput([Problem("certificateNumber", f"{wanted} is the number of another result.")])
        wanted = new_number(CERTIFICATE, before["exam_date"])
    return wanted


async def _is_taken(number: str, result_id: UUID) -> bool:
    return bool(
        await database.rows(
            "SELECT 1 FROM result WHERE certificate_number = :number AND id <> :id", number=number, id=result_id
        )
    )


# ---- changing it


async def _keep(viewer: Viewer, before: Row, change: Change, reason: str) -> None:
    """Keep what stood until now."""
    await database.rows(
        """INSERT INTO result_version (id, result_id, version, outcome, headline, grade, cefr, overall_score,
                                       skill_scores, certificate_number, ended_by, ended_at, reason, staff_id)
           VALUES (:id, :result_id, :version, :outcome, :headline, :grade, :cefr, :overall_score, :skills,
                   :certificate_number, :ended_by, :now, :reason, :staff_id)""",
        id=new_id(),
        result_id=before["id"],
        version=before["version"],
        skills=before["skills"] or {},
        ended_by=change.value,
        now=viewer.at,
        reason=reason,
        staff_id=viewer.id,
        **{fact: before[fact] for fact in FACTS},
    )


async def _write(result_id: UUID, new: Mapping[str, Any]) -> None:
    await database.rows(
        f"""UPDATE result SET version = version + 1, {", ".join(f"{fact} = :{fact}" for fact in FACTS)}
            WHERE id = :id""",
        id=result_id,
        **{fact: new[fact] for fact in FACTS},
    )
    await database.rows("DELETE FROM skill_score WHERE result_id = :id", id=result_id)
    await database.rows(
        """INSERT INTO skill_score (result_id, skill, score)
           SELECT :id, skill, score FROM unnest(:skills::text[], :scores::int[]) AS new (skill, score)""",
        id=result_id,
        skills=list(new["skills"]),
        scores=list(new["skills"].values()),
    )


# ---- telling of it


async def _tell(viewer: Viewer, before: Row, change: Change) -> Corrected:
    """Tell the holders of the version that ended, all institutions with a live share, and the candidate."""
    result_id, now = before["id"], viewer.at
    ended = Ended(before["candidate_id"], result_id, before["version"], change)
    holders = await trail.holders(result_id, ended.version)
    await _note_holders(viewer, ended, holders)
    await _tell_by_journal(ended, holders, await _live_shares(result_id, now), now)
    await result_changes.write(CHANGES[change], [result_id], now)
    await _write_to_candidate(ended.candidate_id, now)
    await trail.note(viewer, TrailAct.CHANGED, [About(ended.candidate_id, result_id, ended.version + 1)])
    told = await NOTICES.rows(
        viewer,
        "holder_notice.result_id = :result_id AND holder_notice.version = :version",
        "ORDER BY institution.name, institution.id",
        result_id=result_id,
        version=before["version"],
    )
    return Corrected((await results.by_ids(viewer, [result_id]))[result_id], told)


async def _note_holders(viewer: Viewer, ended: Ended, holders: Sequence[UUID]) -> list[UUID]:
    """Note that these institutions are told, each once, in the trail too; answers those that had not been."""
    found = await database.rows(
        """INSERT INTO holder_notice (id, result_id, version, institution_id, change, told_at)
           SELECT id, :result_id, :version, institution_id, :change, :now
           FROM unnest(:ids::uuid[], :holders::uuid[]) AS told (id, institution_id)
           ON CONFLICT (result_id, version, institution_id) DO NOTHING RETURNING institution_id""",
        result_id=ended.result_id,
        version=ended.version,
        change=ended.change.value,
        now=viewer.at,
        ids=[new_id() for _ in holders],
        holders=list(holders),
    )
    told = [notice["institution_id"] for notice in found]
    await trail.note_told(viewer, About(ended.candidate_id, ended.result_id, ended.version), told)
    return told


async def _tell_by_journal(ended: Ended, holders: Sequence[UUID], shares: Mapping[UUID, UUID], now: datetime) -> None:
    """An event for each of these holders and shares, unless the institution had it before."""
    told = [(institution_id, shares.get(institution_id)) for institution_id in sorted({*holders, *shares})]
    await journal.write_of_version(EVENTS[ended.change], (ended.result_id, ended.version + 1), told, now)


async def _live_shares(result_id: UUID, now: datetime) -> dict[UUID, UUID]:
    """The live share of each institution that has one."""
    found = await database.rows(
        f"SELECT institution_id, id FROM share WHERE result_id = :id AND {LIVE_SHARE} ORDER BY id",
        id=result_id,
        viewer_at=now,
    )
    return {share["institution_id"]: share["id"] for share in found}


async def _write_to_candidate(candidate_id: UUID, now: datetime) -> None:
    account = await database.row(
        """SELECT email, language FROM candidate
           WHERE id = :id AND registered_at IS NOT NULL AND closed_at IS NULL""",
        id=candidate_id,
    )
    if account is not None:
        receiver = letters.Receiver(account["email"], account["language"], candidate_id=candidate_id)
        await letters.write(KIND, receiver, {}, now)


async def tell_late_holders(now: datetime) -> int:
    """Tell institutions that were being shown a version in the moment in which it ended; tells how many.

    Their entry in the trail came after the correction had asked who holds it.
    """
    ended = await database.rows(
        """SELECT entry.candidate_id, result_version.result_id, result_version.version, result_version.ended_by
           FROM result_version JOIN result ON result.id = result_version.result_id
           JOIN entry ON entry.id = result.entry_id
           WHERE result_version.ended_at > :since ORDER BY result_version.ended_at, result_version.version""",
        since=now - LATE,
    )
    viewer = Viewer(Kind.WORKER, now, visit=Visit(path=LATE_PATH))
    versions = [Ended(one["candidate_id"], one["result_id"], one["version"], Change(one["ended_by"])) for one in ended]
    return sum([await _tell_late(viewer, one) for one in versions])


async def _tell_late(viewer: Viewer, ended: Ended) -> int:
    """Note and tell those who have not been; an event only to those who had none: a live share had its own at once."""
    holders = await trail.holders(ended.result_id, ended.version)
    async with database.transaction():
        late = await _note_holders(viewer, ended, holders)
        if late:
            shares = await _live_shares(ended.result_id, viewer.at)
            own = {one: shares[one] for one in late if one in shares}
            await _tell_by_journal(ended, late, own, viewer.at)
    return len(late)


# ---- reading of it


async def versions_of(viewer: Viewer, result_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """Each result's earlier versions that the viewer may know of, the last one first."""
    last_first = "ORDER BY result_version.version DESC"
    found = await VERSIONS.rows(viewer, "result_version.result_id = ANY(:ids)", last_first, ids=list(result_ids))
    return grouped(found, "result_id")


async def notices_of(viewer: Viewer, result_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """Who was told that a version of each result stands no more, as far as the viewer may know; latest first."""
    latest_first = "ORDER BY holder_notice.told_at DESC, institution.name, institution.id"
    found = await NOTICES.rows(viewer, "holder_notice.result_id = ANY(:ids)", latest_first, ids=list(result_ids))
    return grouped(found, "result_id")
