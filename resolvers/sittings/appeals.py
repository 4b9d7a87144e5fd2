"""Appeals: a candidate's word against the end of a sitting, and the board's answer; both stand in its timeline (H9)."""

from uuid import UUID

from engine import database
from engine.database import Row
from errors import AlreadyDecided, Sentence, SittingNotFound, SittingStateForbids
from models.sittings.proctoring import Appeal, AppealOutcome
from models.sittings.sitting import Happening
from models.sittings.states import SittingState
from models.viewer import Kind, Viewer
from resolvers.sittings import moves, parts
from resolvers.sittings.moves import held, held_of
from resolvers.sittings.texts import checked

# What the candidate did not choose.
APPEALABLE = frozenset(
    {SittingState.MISSED, SittingState.BREAK_OVERRUN, SittingState.INVALIDATED, SittingState.ENDED_BY_PROCTOR}
)


async def make(viewer: Viewer, sitting_id: UUID, text: str) -> None:
    """Appeal against how a sitting ended, once.

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids or InvalidInput.
    """
    text = checked(text, "text")
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if sitting.facts.state not in APPEALABLE:
            raise SittingStateForbids(sitting.facts.state.value)
        there = await of_sitting(viewer, sitting_id)
        if there is not None:
            raise SittingStateForbids(sitting.facts.state.value, Sentence.of("You have appealed already."))
        await Appeal.create(sitting_id=sitting_id, text=text, made_at=viewer.at)
        await moves.tell(sitting_id, Happening.APPEALED, sitting.facts, viewer)
        await moves.note(sitting)


async def answer(viewer: Viewer, sitting_id: UUID, outcome: AppealOutcome, text: str) -> None:
    """Answer an appeal; the end stays an end, and the candidate reads what came of it.

    Raises NotLoggedIn, NotAllowed, SittingNotFound, AlreadyDecided or InvalidInput.
    """
    staff_id = viewer.must_be_board()
    text = checked(text, "answer")
    async with database.transaction():
        sitting = await held(viewer, sitting_id)
        there = await of_sitting(viewer, sitting_id)
        if there is None:
            raise SittingNotFound
        if there["outcome"] is not None:
            raise AlreadyDecided(there["outcome"], there["answered_at"])
        await Appeal.filter(sitting_id=sitting_id).update(
            outcome=outcome, answer=text, answered_at=viewer.at, staff_id=staff_id
        )
        await moves.tell(sitting_id, Happening.APPEAL_ANSWERED, sitting.facts, viewer, detail=outcome.value)
        await moves.note(sitting)


async def of_sitting(viewer: Viewer, sitting_id: UUID) -> Row | None:
    """The appeal against the end of a sitting, if there is one that the viewer may see."""
    found = (await parts.APPEALS.of(viewer, [sitting_id])).get(sitting_id)
    return found[0] if found else None
