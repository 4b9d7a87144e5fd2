"""Releases: from when the results of a session may be seen, and the letter that tells of it (R3, N1).

A session is one exam on one date. The moment is written on its results, and whether it has come is decided by the
clock wherever they are read: no job has to run for them to be seen, and none can be late.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from engine import database
from engine.clock import Clock
from engine.database import Row
from errors import AlreadyReleased, InvalidInput, Problem
from models.base import new_id
from models.candidate import OF_REAL_ENTRY
from models.journal import ResultChange
from models.viewer import Viewer
from resolvers import exams, letters, result_changes
from resolvers.loading import ONE_AT_A_TIME

KIND = "result_released"
LONGEST_AHEAD = timedelta(days=365)
AT_ONCE = 1000  # letters of one transaction
OF_CENTRE = "NOT EXISTS (SELECT 1 FROM sitting WHERE sitting.entry_id = entry.id)"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The moment of a session from now on (None: none), and of how many results that are there already."""

    exam_code: str
    exam_date: date
    release_at: datetime | None
    results: int


async def schedule(
    viewer: Viewer, exam_code: str, exam_date: date, release_at: datetime | None, clock: Clock | None = None
) -> Scheduled:
    """Release a session at a moment, or, with None, not yet; as long as no moment that was set before has come.

    By `clock`, which is asked once nobody else loads or releases: one can wait for that past the moment.
    Raises NotLoggedIn, NotAllowed, InvalidInput or AlreadyReleased.
    """
    staff_id = viewer.must_be_board()
    await _check(viewer, exam_code, exam_date, release_at)
    async with database.transaction():
        # One at a time, and no results are loaded meanwhile: none is forgotten, and none gets a moment of before.
        await database.rows("SELECT pg_advisory_xact_lock(:lock)", lock=ONE_AT_A_TIME)
        now = clock() if clock else viewer.at
        await _refuse_if_come(exam_code, exam_date, now)
        await _note(staff_id, exam_code, exam_date, release_at, now)
        return Scheduled(exam_code, exam_date, release_at, await _move(exam_code, exam_date, release_at, now))


async def _check(viewer: Viewer, exam_code: str, exam_date: date, release_at: datetime | None) -> None:
    problems = []
    exam = (await exams.by_codes([exam_code])).get(exam_code)
    if problem := exams.problem_of_date(exam, exam_code, exam_date):
        problems.append(Problem("examDate" if exam else "examCode", problem[1]))
    if release_at is not None and (fault := _fault(exam_date, release_at, viewer.at)):
        problems.append(Problem("releaseAt", fault))
    if problems:
        raise InvalidInput(problems)


def _fault(exam_date: date, release_at: datetime, now: datetime) -> str | None:
    if release_at.tzinfo is None:
        return "`releaseAt` needs its time zone, such as the Z of 2027-01-15T09:00:00Z."
    if release_at <= now:
        return "`releaseAt` must lie in the future."
    if release_at > now + LONGEST_AHEAD:
        return "`releaseAt` may lie at most a year ahead."
    return "`releaseAt` must come after the exam." if release_at.date() < exam_date else None


async def _refuse_if_come(exam_code: str, exam_date: date, now: datetime) -> None:
    come = await database.value(
        """SELECT release_at FROM release WHERE exam_id = :exam AND exam_date = :date AND release_at <= :now""",
        exam=exam_code,
        date=exam_date,
        now=now,
    )
    if come is not None:
        raise AlreadyReleased(come)


async def _note(staff_id: UUID, exam_code: str, exam_date: date, release_at: datetime | None, now: datetime) -> None:
    if release_at is None:
        await database.rows(
            "DELETE FROM release WHERE exam_id = :exam AND exam_date = :date", exam=exam_code, date=exam_date
        )
        return
    await database.rows(
        """INSERT INTO release (id, exam_id, exam_date, release_at, scheduled_at, staff_id)
           VALUES (:id, :exam, :date, :release_at, :now, :staff_id) ON CONFLICT (exam_id, exam_date)
           DO UPDATE SET release_at = excluded.release_at, scheduled_at = excluded.scheduled_at,
                         staff_id = excluded.staff_id""",
        id=new_id(),
        exam=exam_code,
        date=exam_date,
        release_at=release_at,
        now=now,
        staff_id=staff_id,
    )


async def _move(exam_code: str, exam_date: date, release_at: datetime | None, now: datetime) -> int:
    """Write the moment on all results of the session that are not released yet; tells on how many.

    Those of sittings at home are held until their official scores are recorded (H8).
    """
    moved: int = await database.value(
        f"""WITH moved AS (
               UPDATE result SET released_at = :release_at FROM entry
               WHERE entry.id = result.entry_id AND entry.exam_id = :exam AND entry.exam_date = :date
               AND (result.released_at IS NULL OR result.released_at > :now) AND {OF_REAL_ENTRY}
               AND {OF_CENTRE} RETURNING 1)
           SELECT count(*) FROM moved""",
        exam=exam_code,
        date=exam_date,
        release_at=release_at,
        now=now,
    )
    return moved


async def ahead(viewer: Viewer) -> list[Row] | None:
    """The sessions whose moment is yet to come, the next one first; None for all but the board's staff."""
    if not viewer.is_board:
        return None
    return await database.rows(
        f"""SELECT exam_id AS exam_code, exam_date, release_at, (
                  SELECT count(*) FROM result JOIN entry ON entry.id = result.entry_id
                  WHERE entry.exam_id = release.exam_id AND entry.exam_date = release.exam_date
                  AND {OF_REAL_ENTRY} AND {OF_CENTRE}) AS results
           FROM release WHERE release_at > :now ORDER BY release_at, exam_id, exam_date""",
        now=viewer.at,
    )


# ---- telling the candidates


async def tell(now: datetime) -> int:
    """Write the letters of all results that have been released by now; tells how many. Several workers share them."""
    told = 0
    while (batch := await tell_some(now)) is not None:
        told += batch
    return told


async def tell_some(now: datetime) -> int | None:
    """The letters of one batch, in one transaction; None when nothing is left to be told.

    Who registers after the release finds the result when logging in, and gets none; nor does a closed account.
    """
    async with database.transaction():
        released = await database.rows(
            f"""UPDATE result SET release_told_at = :now WHERE id IN (
                    SELECT id FROM result WHERE released_at <= :now AND release_told_at IS NULL
                    ORDER BY released_at LIMIT {AT_ONCE} FOR NO KEY UPDATE SKIP LOCKED) RETURNING id""",
            now=now,
        )
        if not released:
            return None
        receivers = await database.rows(
            """SELECT result.id AS result_id, candidate.id, candidate.email, candidate.language FROM result
               JOIN entry ON entry.id = result.entry_id JOIN candidate ON candidate.id = entry.candidate_id
               WHERE result.id = ANY(:ids) AND candidate.closed_at IS NULL
               AND candidate.registered_at <= greatest(result.released_at, result.loaded_at)""",
            ids=[result["id"] for result in released],
        )
        await letters.write_all(
            KIND, [letters.Receiver(one["email"], one["language"], candidate_id=one["id"]) for one in receivers], now
        )
        await result_changes.write(ResultChange.RELEASED, [one["result_id"] for one in receivers], now)
        return len(receivers)
