"""Official scores of one reported sitting, recorded by the board as a file of one row would be (H8)."""

from collections.abc import Mapping
from uuid import UUID

from engine import database
from engine.database import Row
from errors import InvalidInput, Problem, Sentence, SittingStateForbids
from models.scores import SKILL_COLUMNS
from models.sittings.states import SittingState
from models.viewer import Viewer
from resolvers import loading
from resolvers.rows import Given
from resolvers.sittings import parts
from resolvers.sittings.moves import Held, held

ENTRY = """SELECT centre.number AS centre, entry.exam_id, entry.exam_date, entry.candidate_number, entry.candidate_id,
                  result.released_at FROM entry JOIN centre ON centre.id = entry.centre_id
           JOIN result ON result.entry_id = entry.id WHERE entry.id = :id FOR UPDATE OF result"""

RECORDED = Sentence.of("The official scores are recorded: amend the result.")


async def record(viewer: Viewer, sitting_id: UUID, overall: int, skills: Mapping[str, int]) -> list[UUID]:
    """Record the official scores of a reported sitting, and release its result to the candidate, who gets the letter
    of every release, and to those that the candidate named; tells the new shares.

    A result that was released is amended as any other. Raises NotLoggedIn, NotAllowed, SittingNotFound,
    SittingStateForbids or InvalidInput.
    """
    viewer.must_be_board()
    async with database.transaction():
        sitting = await held(viewer, sitting_id)
        if sitting.facts.state is not SittingState.REPORTED:
            raise SittingStateForbids(sitting.facts.state.value)
        _check_skills(sitting, skills)
        # Before the result, as whoever loads or amends results does.
        await database.rows("SELECT pg_advisory_xact_lock(:lock)", lock=loading.ONE_AT_A_TIME)
        entry = await _entry(sitting)
        await _load(viewer, entry, overall, skills)  # which releases it
        sent = await parts.RECIPIENTS.of(viewer, [sitting_id])
        return [one["share_id"] for one in sent.get(sitting_id, []) if one["share_id"]]


def _check_skills(sitting: Held, skills: Mapping[str, int]) -> None:
    """Raises InvalidInput unless there is one score of each section; other names would be other columns."""
    problems = [
        Problem(skill, "This sitting has no such section.") for skill in skills if skill not in sitting.facts.sections
    ]
    problems += [
        Problem(skill, "The score of this section is missing.")
        for skill in sitting.facts.sections
        if skill not in skills
    ]
    if problems:
        raise InvalidInput(problems)


async def _entry(sitting: Held) -> Row:
    """The entry of a sitting whose result is held; it stays so until the transaction ends."""
    entry = await database.row(ENTRY, id=sitting.row["entry_id"])
    if entry is None or entry["released_at"] is not None:
        raise SittingStateForbids(sitting.facts.state.value, RECORDED)
    return entry


async def _load(viewer: Viewer, entry: Row, overall: int, skills: Mapping[str, int]) -> None:
    """As any other result is loaded, in place of the one that is held (R2)."""
    texts = {
        "centre": entry["centre"],
        "examCode": entry["exam_id"],
        "examDate": entry["exam_date"].isoformat(),
        "candidateNumber": entry["candidate_number"],
        "overallScore": str(overall),
        **{SKILL_COLUMNS[skill]: str(score) for skill, score in skills.items()},
    }
    async for loaded in loading.load(viewer, [Given(1, texts)], replaces=True):
        faults = [fault for bad in loaded.bad for fault in bad.faults]
        if faults:
            raise InvalidInput([Problem(fault.column, fault.reason) for fault in faults])
