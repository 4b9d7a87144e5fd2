"""After the test: unofficial scores, then report or cancel; and undoing a cancellation (H8, H9)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hmac import compare_digest
from uuid import UUID
from zoneinfo import ZoneInfo

from engine import database, keys
from engine.database import Row
from errors import InvalidInput, Problem, SittingStateForbids
from models.base import new_id
from models.entry import HOME, Centre, sealed_secret
from models.id_numbers import new_id_number, new_secret_number
from models.result import Outcome
from models.scores import score_problem
from models.sittings.states import Act, SittingState
from models.sittings.table import is_done
from models.statement_numbers import STATEMENT, new_number
from models.viewer import Kind, Viewer
from resolvers import entering, loading
from resolvers.sittings import parts
from resolvers.sittings.moves import Held, Told, held, held_of, move, note

UNOFFICIAL = ("READING", "LISTENING")
LOWEST, HIGHEST = 0, 30
NUMBER_IS_TAKEN = "SELECT 1 FROM entry WHERE id_number = :number"


async def record_unofficial(viewer: Viewer, sitting_id: UUID, scores: Mapping[str, int]) -> None:
    """Note what the test made of Reading and Listening, which are finished; shown at the end of the sitting.

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids or InvalidInput.
    """
    viewer.must_be_board()
    problems = [Problem(skill, "There is no unofficial score of this.") for skill in scores if skill not in UNOFFICIAL]
    for skill, score in scores.items():
        if problem := score_problem(score, LOWEST, HIGHEST):
            problems.append(Problem(skill, problem))
    if problems:
        raise InvalidInput(problems)
    async with database.transaction():
        sitting = await held(viewer, sitting_id)
        noted = await database.rows(
            """UPDATE sitting_section SET unofficial_score = given.score
               FROM unnest(:skills::text[], :scores::int[]) AS given (skill, score)
               WHERE sitting_id = :id AND sitting_section.skill = given.skill AND ended_at IS NOT NULL
               RETURNING sitting_section.skill""",
            id=sitting_id,
            skills=list(scores),
            scores=list(scores.values()),
        )
        if len(noted) != len(scores):
            raise SittingStateForbids(sitting.facts.state.value)
        await note(sitting)


async def unofficial(viewer: Viewer, sitting_id: UUID) -> dict[str, int]:
    """The unofficial scores of one's own sitting, once it is finished, and unless it was cancelled."""
    found = (await parts.unofficial(viewer, [sitting_id])).get(sitting_id, [])
    return {row["skill"]: row["unofficial_score"] for row in found}


# ---- to report


async def report(viewer: Viewer, sitting_id: UUID) -> UUID:
    """Report the scores: an entry and a result are made, which is held until the official scores are recorded; once.

    Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids.
    """
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if is_done(sitting.facts, Act.REPORT):
            return UUID(str(sitting.row["entry_id"]))
        if sitting.facts.state is not SittingState.FINISHED:
            raise SittingStateForbids(sitting.facts.state.value)
        entry_id = await _enter(sitting)
        await move(sitting, Act.REPORT, Told(sets={"entry_id": entry_id}))
        await _hold_result(entry_id, sitting)
        await _move_photo(sitting_id, entry_id)
        return entry_id


async def _enter(sitting: Held) -> UUID:
    """An entry of the day that it was at the candidate's, through the centre that stands for their homes."""
    for lock in (entering.ONE_AT_A_TIME, loading.ONE_AT_A_TIME):
        await database.rows("SELECT pg_advisory_xact_lock(:lock)", lock=lock)
    centre_id = await _home()
    day = _day(sitting.row)
    entry_id, number = new_id(), await _free(NUMBER_IS_TAKEN, new_id_number)
    taken: int = await database.value(
        "SELECT count(*) FROM entry WHERE centre_id = :centre AND exam_id = :exam AND exam_date = :day",
        centre=centre_id,
        exam=sitting.row["exam_id"],
        day=day,
    )
    await database.rows(
        """INSERT INTO entry (id, candidate_id, exam_id, centre_id, exam_date, candidate_number, id_number,
                              secret_hash, results_by, claimed_at, issue, issued_at)
           VALUES (:id, :candidate_id, :exam, :centre, :day, :candidate_number, :number, :secret, :results_by, :now,
                   1, :now)""",
        id=entry_id,
        candidate_id=sitting.row["candidate_id"],
        exam=sitting.row["exam_id"],
        centre=centre_id,
        day=day,
        candidate_number=f"{taken + 1:04}",
        number=number,
        secret=sealed_secret(number, new_secret_number()),  # told to nobody: the entry is claimed
        results_by=day + entering.RESULTS_AFTER,
        now=sitting.viewer.at,
    )
    return entry_id


def _day(row: Row) -> date:
    at: datetime = row["appointment_at"]
    return at.astimezone(ZoneInfo(row["timezone"])).date()


async def _home() -> UUID:
    centre, _ = await Centre.get_or_create(
        number=HOME, defaults={"name": "At home", "city": "At home", "country": "XX"}
    )
    return centre.id


async def _free(is_taken: str, draw: Callable[[], str]) -> str:
    """A number that is not taken; nobody else draws any meanwhile."""
    number = draw()
    while await database.rows(is_taken, number=number):
        number = draw()
    return number


async def _hold_result(entry_id: UUID, sitting: Held) -> None:
    """A result without an award and without a moment of release, which nobody but the board's staff sees (R3)."""
    day = _day(sitting.row)
    is_taken = "SELECT 1 FROM result WHERE statement_number = :number"
    await database.rows(
        """INSERT INTO result (id, entry_id, outcome, statement_number, version, loaded_at)
           VALUES (:id, :entry_id, :outcome, :number, 1, :now)""",
        id=new_id(),
        entry_id=entry_id,
        outcome=Outcome.PENDING.value,
        number=await _free(is_taken, lambda: new_number(STATEMENT, day)),
        now=sitting.viewer.at,
    )


async def _move_photo(sitting_id: UUID, entry_id: UUID) -> None:
    """From now on the photo goes the way of all test-day photos (R7)."""
    await database.rows(
        """WITH taken AS (DELETE FROM sitting_photo WHERE sitting_id = :sitting_id RETURNING *)
           INSERT INTO photo (id, entry_id, file, width, height, size, digest, added_at, staff_id)
           SELECT id, :entry_id, file, width, height, size, digest, added_at, proctor_id FROM taken""",
        sitting_id=sitting_id,
        entry_id=entry_id,
    )


# ---- to cancel


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """What has to be said once more to cancel (H9)."""

    confirmation: str


async def cancel(viewer: Viewer, sitting_id: UUID, confirmation: str | None = None) -> CancelAsked | None:
    """Cancel all scores; asked the first time, it answers what confirms it, and with that it is done (None).

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids or InvalidInput.
    """
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if confirmation is None:
            done = await move(sitting, Act.ASK_TO_CANCEL)
            return CancelAsked(_confirming(sitting_id, done.cancel_asked_at))
        asked_at = sitting.facts.cancel_asked_at
        if asked_at is not None and not _confirms(confirmation, _confirming(sitting_id, asked_at)):
            raise InvalidInput([Problem("confirmation", "This does not confirm it: ask to cancel once more.")])
        if not is_done(sitting.facts, Act.CANCEL):
            await move(sitting, Act.CANCEL)
        return None


def _confirms(given: str, expected: str) -> bool:
    return compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _confirming(sitting_id: UUID, asked_at: datetime | None) -> str:
    assert asked_at is not None
    return keys.seal("cancel-sitting", f"{sitting_id}:{asked_at.timestamp()}").hex()[:32]


async def undo(viewer: Viewer, sitting_id: UUID) -> None:
    """Undo a cancellation, for 60 days: the scores can be reported again, or cancelled again.

    Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids.
    """
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if not is_done(sitting.facts, Act.UNDO):
            await move(sitting, Act.UNDO)
