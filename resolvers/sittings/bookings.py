"""Booking a sitting, and checking the system before it (H1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from engine import database
from engine.database import Row
from engine.limits import Rate
from errors import (
    AlreadyBooked,
    InvalidInput,
    NotLoggedIn,
    Problem,
    TooManyTries,
)
from models.base import new_id
from models.sittings.appointments import Turning, check_bookable, moment
from models.sittings.proctoring import Part, SystemCheck
from models.sittings.sitting import Happening
from models.sittings.states import ENDS, Act, SittingState
from models.sittings.table import START_WITHIN, Facts
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import exams, trail
from resolvers.shares import Consent
from resolvers.sittings import moves, recipients, views
from resolvers.sittings.moves import Told, held_of, move

SCALE_AT_HOME = "IBT120"  # exams in sections are those that can be taken at home
APART = timedelta(hours=4)  # a sitting takes about three
MOST_AHEAD = 10  # booked and not begun, of one candidate
CHECKS_AN_HOUR = Rate("system checks of a sitting", most=20, window=timedelta(hours=1))


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
            return Booked(await views.one(viewer, there["id"]), was_booked=True)
        if await _ahead(candidate_id, viewer.at) >= MOST_AHEAD:
            raise InvalidInput([Problem("startsAt", "You have booked as many sittings as one person can.")])
        sitting_id = await _insert(viewer, appointment, at, sections)
        if institution_ids:
            await recipients.name(viewer, sitting_id, institution_ids, consent)
        return Booked(await views.one(viewer, sitting_id), was_booked=False)


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


async def _ahead(candidate_id: UUID, now: datetime) -> int:
    count: int = await database.value(
        """SELECT count(*) FROM sitting WHERE candidate_id = :id AND state IN ('BOOKED', 'SYSTEM_CHECKED')
           AND appointment_at >= :too_late""",
        id=candidate_id,
        too_late=now - START_WITHIN,
    )
    return count


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
    await moves.tell(sitting_id, Happening.BOOKED, facts, viewer)
    assert viewer.id is not None
    await trail.note(viewer, TrailAct.CHANGED, [About(viewer.id)])
    return sitting_id


# ---- the system check


async def record_system_check(viewer: Viewer, sitting_id: UUID, passed: Sequence[Part]) -> Row:
    """Note a system check: what is not among the parts that passed has failed (H1).

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids or TooManyTries.
    """
    failed = [part.value for part in Part if part not in passed]
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        act = Act.FAIL_CHECK if failed else Act.PASS_CHECK
        opens_check_in = act is Act.PASS_CHECK and sitting.facts.state is SittingState.BOOKED
        if not await CHECKS_AN_HOUR.count(str(sitting_id), viewer.at) and not opens_check_in:
            raise TooManyTries(CHECKS_AN_HOUR.ends_at(viewer.at))  # but nobody misses the start because they tried
        await move(sitting, act, Told(detail=" ".join(failed) or None))
        await SystemCheck.create(sitting_id=sitting_id, checked_at=viewer.at, failed=failed)
        return await views.one(viewer, sitting_id)
