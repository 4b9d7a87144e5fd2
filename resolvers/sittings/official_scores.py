"""Official scores of reported sittings: recorded by the board, released at once, and sent to who was named (H8)."""

from collections.abc import Mapping
from uuid import UUID

from engine import database
from engine.database import Row
from errors import InvalidInput, NotAllowed, Problem, SittingStateForbids
from models.base import new_id
from models.journal import EventKind
from models.scores import SKILL_COLUMNS
from models.share import BLOCKING
from models.sittings.sitting import Happening
from models.sittings.states import SittingState
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import journal, loading, trail
from resolvers.rows import Given
from resolvers.sittings import moves
from resolvers.sittings.moves import Held, held

ENTRY = """SELECT centre.number AS centre, entry.exam_id, entry.exam_date, entry.candidate_number, entry.candidate_id,
                  result.id AS result_id, result.released_at FROM entry JOIN centre ON centre.id = entry.centre_id
           JOIN result ON result.entry_id = entry.id WHERE entry.id = :id FOR UPDATE OF result"""

# Held in one order, as by whoever merges two of them; a merger that was under way is over then.
NAMED_ONES = """SELECT 1 FROM institution WHERE id IN (
                    SELECT institution_id FROM sitting_recipient WHERE sitting_id = :id) ORDER BY id FOR SHARE"""


async def record(viewer: Viewer, sitting_id: UUID, overall: int, skills: Mapping[str, int]) -> list[UUID]:
    """Record the official scores of a reported sitting, and release its result to the candidate, who gets the letter
    of every release, and to those that the candidate named; tells the new shares.

    A result that was released is amended as any other. Raises NotLoggedIn, NotAllowed, SittingNotFound,
    SittingStateForbids or InvalidInput.
    """
    viewer.must_be(Kind.STAFF)
    if not viewer.is_board:
        raise NotAllowed
    async with database.transaction():
        sitting = await held(viewer, sitting_id)
        if sitting.facts.state is not SittingState.REPORTED:
            raise SittingStateForbids(sitting.facts.state.value)
        _check_skills(sitting, skills)
        # Before the result, as whoever loads or amends results does.
        await database.rows("SELECT pg_advisory_xact_lock(:lock)", lock=loading.ONE_AT_A_TIME)
        entry = await _entry(sitting)
        await _load(viewer, entry, overall, skills)
        await database.rows("UPDATE result SET released_at = :now WHERE id = :id", now=viewer.at, id=entry["result_id"])
        shares = await _share(sitting, entry)
        await moves.tell(sitting_id, Happening.SCORES_RECORDED, sitting.facts, viewer)
        return shares


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
        raise SittingStateForbids(sitting.facts.state.value)
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


async def _share(sitting: Held, entry: Row) -> list[UUID]:
    """A share for each institution that was named and is approved now, resting on the consent of that moment (S3).

    Of one that went up in another, the other has it, as it has all that was sent before. None of an account that was
    closed: whoever closes it holds the result before, or withdraws what is shared (G2).
    """
    await database.rows(NAMED_ONES, id=sitting.id)
    named = await database.rows(
        """SELECT sitting_recipient.*, institution.id AS receiver_id FROM sitting_recipient
           JOIN institution AS named ON named.id = institution_id
           JOIN institution ON institution.id = coalesce(named.merged_into_id, named.id)
           WHERE sitting_id = :id AND institution.status = 'APPROVED'
           AND EXISTS (SELECT 1 FROM candidate WHERE candidate.id = :candidate_id AND candidate.closed_at IS NULL)
           ORDER BY named_at, sitting_recipient.id
           FOR SHARE OF institution""",
        id=sitting.id,
        candidate_id=entry["candidate_id"],
    )
    made = [share_id for one in named if (share_id := await _made(sitting, entry, one))]
    await journal.write_of_shares(EventKind.SHARE_SENT, made, sitting.viewer.at)
    about = About(entry["candidate_id"], entry["result_id"], 1)
    for one in named:
        await trail.note(sitting.viewer, TrailAct.CHANGED, [about], institution_id=one["receiver_id"])
    return made


async def _made(sitting: Held, entry: Row, recipient: Row) -> UUID | None:
    share_id: UUID | None = await database.value(
        f"""INSERT INTO share (id, result_id, institution_id, candidate_id, sent_at, is_read, consent_text,
                               consent_version, consent_language, institution_name_shown)
            VALUES (:id, :result_id, :institution_id, :candidate_id, :now, false, :text, :version, :language, :shown)
            ON CONFLICT (result_id, institution_id) WHERE {BLOCKING} DO NOTHING RETURNING id""",
        id=new_id(),
        result_id=entry["result_id"],
        institution_id=recipient["receiver_id"],
        candidate_id=entry["candidate_id"],
        now=sitting.viewer.at,
        text=recipient["consent_text"],
        version=recipient["consent_version"],
        language=recipient["consent_language"],
        shown=recipient["institution_name_shown"],
    )
    await database.rows(
        f"""UPDATE sitting_recipient SET share_id = share.id FROM share WHERE sitting_recipient.id = :id
            AND share.result_id = :result_id AND share.institution_id = :receiver_id AND {BLOCKING}""",
        id=recipient["id"],
        result_id=entry["result_id"],
        receiver_id=recipient["receiver_id"],
    )
    return share_id
