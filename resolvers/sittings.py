"""Booking a sitting, checking the system before it, naming who gets the result, and reading it (H1, H8, H9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from engine import database
from engine.database import Row
from errors import (
    AlreadyBooked,
    ConsentOutdated,
    InstitutionNotFound,
    InvalidInput,
    NotLoggedIn,
    Problem,
    SittingStateForbids,
)
from models.appointments import Turning, check_bookable, moment
from models.base import new_id
from models.consent import CONSENT_VERSION, consent_sentence
from models.institution import Institution, InstitutionStatus
from models.names import shown_name
from models.proctoring import Part, SystemCheck
from models.sitting import Happening, Sitting, SittingEvent, SittingRecipient, facts_of
from models.sitting_states import ENDS, Act, SittingState
from models.sitting_table import START_WITHIN, Facts, standing
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import exams, sitting_moves, trail
from resolvers.shares import Consent
from resolvers.sitting_moves import Told, held_of, move

SCALE_AT_HOME = "IBT120"  # exams in sections are those that can be taken at home
APART = timedelta(hours=4)  # a sitting takes about three
MOST_RECIPIENTS = 10
MOST_SHOWN = 100

SITTING = f"""SELECT sitting.*, exam.title AS qualification, candidate.given_name, candidate.family_name,
                     candidate.native_name, {sitting_moves.PROCTOR_SEEN}
              FROM sitting JOIN exam ON exam.code = sitting.exam_id
              JOIN candidate ON candidate.id = sitting.candidate_id"""


@dataclass(frozen=True, slots=True)
class Appointment:
    """What a candidate asks for: an exam, and what the clock on their wall will show."""

    exam_code: str
    starts_at: datetime  # local, without an offset
    timezone: str
    turning: Turning | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """A sitting that is booked now, and whether it was before."""

    sitting: Row
    was_booked: bool


async def book(
    viewer: Viewer, appointment: Appointment, institution_ids: Sequence[UUID] = (), consent: Consent | None = None
) -> Booked:
    """Book a sitting, and name who gets its result; booking the same once more returns the one that is there.

    Raises NotLoggedIn, NotAllowed, InvalidInput, AlreadyBooked, ConsentOutdated or InstitutionNotFound.
    """
    candidate_id = viewer.must_be(Kind.CANDIDATE)
    at = moment(appointment.starts_at, appointment.timezone, appointment.turning)
    check_bookable(at, viewer.at)
    sections = await _sections(appointment)
    async with database.transaction():
        await _hold_account(candidate_id)
        there = await _near(candidate_id, at, viewer.at)
        if there is not None:
            if (there["appointment_at"], there["exam_id"]) != (at, appointment.exam_code):
                raise AlreadyBooked(there["appointment_at"])
            return Booked(await _one(viewer, there["id"]), was_booked=True)
        sitting_id = await _insert(viewer, appointment, at, sections)
        if institution_ids:
            await _name(viewer, sitting_id, institution_ids, consent)
        return Booked(await _one(viewer, sitting_id), was_booked=False)


async def _sections(appointment: Appointment) -> list[str]:
    """The sections of the exam, in order; raises InvalidInput unless it can be taken at home on this day."""
    code = appointment.exam_code
    exam = (await exams.by_codes([code])).get(code)
    if exam is None or exam["scale_code"] != SCALE_AT_HOME:
        raise InvalidInput([Problem("examCode", "There is no such exam that can be taken at home.")])
    if exams.problem_of_date(exam, code, appointment.starts_at.date()):
        raise InvalidInput([Problem("startsAt", "This exam is not held on that day.")])
    return list(exam["exam_skills"])


async def _hold_account(candidate_id: UUID) -> None:
    """Of two bookings at once, the second waits; nobody closes the account meanwhile."""
    is_open = "SELECT 1 FROM candidate WHERE id = :id AND closed_at IS NULL FOR NO KEY UPDATE"
    if not await database.rows(is_open, id=candidate_id):
        raise NotLoggedIn


async def _near(candidate_id: UUID, at: datetime, now: datetime) -> Row | None:
    """The candidate's sitting at about this time, if it is not over."""
    return await database.row(
        """SELECT id, exam_id, appointment_at FROM sitting WHERE candidate_id = :candidate_id
           AND appointment_at > :after AND appointment_at < :before
           AND state <> ALL(:ends) AND NOT (state IN ('BOOKED', 'SYSTEM_CHECKED') AND appointment_at < :too_late)
           ORDER BY appointment_at <> :at, appointment_at LIMIT 1""",
        candidate_id=candidate_id,
        at=at,
        after=at - APART,
        before=at + APART,
        ends=[state.value for state in ENDS],
        too_late=now - START_WITHIN,
    )


async def _insert(viewer: Viewer, appointment: Appointment, at: datetime, sections: Sequence[str]) -> UUID:
    sitting_id = new_id()
    facts = Facts(SittingState.BOOKED, viewer.at, at, sections)
    await database.rows(
        """INSERT INTO sitting (id, candidate_id, exam_id, appointment_at, timezone, booked_at, state, since, sections)
           VALUES (:id, :candidate_id, :exam, :at, :timezone, :now, :state, :now, :sections)""",
        id=sitting_id,
        candidate_id=viewer.id,
        exam=appointment.exam_code,
        at=at,
        timezone=appointment.timezone,
        now=viewer.at,
        state=facts.state.value,
        sections=list(sections),
    )
    await sitting_moves.tell(sitting_id, Happening.BOOKED, facts, viewer)
    assert viewer.id is not None
    await trail.note(viewer, TrailAct.CHANGED, [About(viewer.id)])
    return sitting_id


# ---- who gets the result


async def name_recipients(
    viewer: Viewer, sitting_id: UUID, institution_ids: Sequence[UUID], consent: Consent | None
) -> Row:
    """Let these institutions, and no others, have the result once it is released (H8); naming is consent (S3).

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids, InvalidInput, ConsentOutdated or
    InstitutionNotFound.
    """
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if sitting.facts.state in ENDS - {SittingState.REPORTED} or await _is_released(sitting.row["entry_id"]):
            raise SittingStateForbids(sitting.facts.state.value)
        await _name(viewer, sitting_id, institution_ids, consent)
        await sitting_moves.tell(sitting_id, Happening.RECIPIENTS_CHANGED, sitting.facts, viewer)
        await trail.note(viewer, TrailAct.CHANGED, [About(sitting.row["candidate_id"])])
        return await _one(viewer, sitting_id)


async def _is_released(entry_id: UUID | None) -> bool:
    """Whether the official scores are recorded; nobody records them meanwhile."""
    released = "SELECT 1 FROM result WHERE entry_id = :id AND released_at IS NOT NULL"
    return entry_id is not None and bool(await database.rows(released, id=entry_id))


async def _name(viewer: Viewer, sitting_id: UUID, institution_ids: Sequence[UUID], consent: Consent | None) -> None:
    wanted = list(dict.fromkeys(institution_ids))
    if len(wanted) > MOST_RECIPIENTS:
        raise InvalidInput([Problem("institutionIds", "At most 10 institutions can be named.")])
    kept = await database.rows(
        """WITH gone AS (DELETE FROM sitting_recipient WHERE sitting_id = :id AND institution_id <> ALL(:wanted))
           SELECT institution_id FROM sitting_recipient WHERE sitting_id = :id AND institution_id = ANY(:wanted)""",
        id=sitting_id,
        wanted=wanted,
    )
    new = set(wanted) - {one["institution_id"] for one in kept}
    if new and (consent is None or consent.version != CONSENT_VERSION):
        raise ConsentOutdated(CONSENT_VERSION)
    for institution_id in (one for one in wanted if one in new):
        assert consent is not None
        await _add(viewer, sitting_id, institution_id, consent)


async def _add(viewer: Viewer, sitting_id: UUID, institution_id: UUID, consent: Consent) -> None:
    institution = await Institution.visible_to(viewer).get_or_none(institution_id, lock="FOR SHARE")
    if institution is None or institution.status is not InstitutionStatus.APPROVED:
        raise InstitutionNotFound
    shown = shown_name(institution.name, institution.department)
    await SittingRecipient.create(
        sitting_id=sitting_id,
        institution_id=institution_id,
        named_at=viewer.at,
        consent_text=consent_sentence(shown, consent.language),
        consent_version=consent.version,
        consent_language=consent.language,
        institution_name_shown=shown,
    )


# ---- the system check


async def record_system_check(viewer: Viewer, sitting_id: UUID, passed: Sequence[Part]) -> Row:
    """Note a system check: what is not among the parts that passed has failed (H1).

    Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids.
    """
    failed = [part.value for part in Part if part not in passed]
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        act = Act.FAIL_CHECK if failed else Act.PASS_CHECK
        await move(sitting, act, Told(detail=" ".join(failed) or None))
        await SystemCheck.create(sitting_id=sitting_id, checked_at=viewer.at, failed=failed)
        return await _one(viewer, sitting_id)


# ---- reading


async def by_ids(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Those of these sittings that the viewer may see, by key; where each stands, `facts_at` tells."""
    visible = Sitting.visible_to(viewer)
    found = await database.rows(f"{SITTING} WHERE sitting.id = ANY(:ids) AND {visible}", ids=list(ids), **visible.named)
    for row in found:
        viewer.saw(row["candidate_id"])
    return {row["id"]: row for row in found}


async def _one(viewer: Viewer, sitting_id: UUID) -> Row:
    return (await by_ids(viewer, [sitting_id]))[sitting_id]


def facts_at(row: Row, now: datetime) -> Facts:
    """Where a sitting stands at a moment, whether or not anybody has written it down (H11)."""
    return standing(facts_of(row), now)


async def timeline(viewer: Viewer, sitting_id: UUID) -> list[Row]:
    """Everything that happened to a sitting, in order, as far as the viewer may know it (H9)."""
    visible = SittingEvent.visible_to(viewer)
    return await database.rows(
        f"""SELECT kind, state, happened_at, actor, detail FROM sitting_event
            WHERE sitting_id = :id AND {visible} ORDER BY happened_at, xid, id""",
        id=sitting_id,
        **visible.named,
    )


async def recipients(viewer: Viewer, sitting_id: UUID) -> list[Row]:
    """Who is to get the result, in the order in which they were named."""
    visible = SittingRecipient.visible_to(viewer)
    return await database.rows(
        f"""SELECT institution_id, institution_name_shown, consent_text, named_at, share_id FROM sitting_recipient
            WHERE sitting_id = :id AND {visible} ORDER BY named_at, id""",
        id=sitting_id,
        **visible.named,
    )


async def of_viewer(viewer: Viewer) -> list[Row]:
    """A candidate's sittings, newest appointment first; a proctor's own and those that wait, first appointment first.

    A proctor is not shown whose sittings are over.
    """
    visible = Sitting.visible_to(viewer)
    is_proctor = viewer.kind is Kind.PROCTOR
    order = "sitting.proctor_id IS NULL, sitting.appointment_at, sitting.id"
    found = await database.rows(
        f"""{SITTING} WHERE {visible} AND (NOT :is_proctor OR sitting.state <> ALL(:ends))
            ORDER BY {order if is_proctor else "sitting.appointment_at DESC, sitting.id DESC"}
            LIMIT {MOST_SHOWN}""",
        is_proctor=is_proctor,
        ends=[state.value for state in ENDS],
        **visible.named,
    )
    for row in found:
        viewer.saw(row["candidate_id"])
    return found
