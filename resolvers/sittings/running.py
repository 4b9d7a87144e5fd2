"""The test itself: sections in order, the break, signs of life, and going on after the connection was lost (H4-H6).

What was done already is answered as it was the first time: an answer can be lost.
"""

from uuid import UUID

from engine import database
from models.base import new_id
from models.sittings.states import Act
from models.sittings.table import Facts, is_done
from models.viewer import Kind, Viewer
from resolvers.sittings import proctoring
from resolvers.sittings.moves import Held, Told, held_of, move


async def start_section(viewer: Viewer, sitting_id: UUID) -> Facts:
    """Start the next section. Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids."""
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if is_done(sitting.facts, Act.START_SECTION):
            return sitting.facts
        place = sitting.facts.sections_done
        skill = sitting.facts.sections[place] if place < len(sitting.facts.sections) else None
        done = await move(sitting, Act.START_SECTION, Told(detail=skill))
        await database.rows(
            """INSERT INTO sitting_section (id, sitting_id, place, skill, started_at)
               VALUES (:id, :sitting_id, :place, :skill, :now)""",
            id=new_id(),
            sitting_id=sitting_id,
            place=place,
            skill=skill,
            now=sitting.viewer.at,
        )
        return done


async def finish_section(viewer: Viewer, sitting_id: UUID) -> Facts:
    """Finish the section that is open. Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids."""
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if is_done(sitting.facts, Act.FINISH_SECTION):
            return sitting.facts
        place = sitting.facts.sections_done
        skill = sitting.facts.sections[place] if sitting.facts.is_in_section else None
        done = await move(sitting, Act.FINISH_SECTION, Told(detail=skill))
        await database.rows(
            "UPDATE sitting_section SET ended_at = :now WHERE sitting_id = :id AND place = :place",
            id=sitting_id,
            place=place,
            now=sitting.viewer.at,
        )
        return done


async def start_break(viewer: Viewer, sitting_id: UUID) -> Facts:
    """Begin the one break, after Listening. Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids."""
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if is_done(sitting.facts, Act.START_BREAK):
            return sitting.facts
        done = await move(sitting, Act.START_BREAK)
        await database.rows(
            "INSERT INTO sitting_break (id, sitting_id, started_at) VALUES (:id, :sitting_id, :now)",
            id=new_id(),
            sitting_id=sitting_id,
            now=sitting.viewer.at,
        )
        return done


async def end_break(viewer: Viewer, sitting_id: UUID) -> Facts:
    """Come back from the break. Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids."""
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if is_done(sitting.facts, Act.END_BREAK):
            return sitting.facts
        done = await move(sitting, Act.END_BREAK)
        await database.rows(
            "UPDATE sitting_break SET ended_at = :now WHERE sitting_id = :id", id=sitting_id, now=sitting.viewer.at
        )
        return done


async def report_connection(viewer: Viewer, sitting_id: UUID) -> Facts:
    """A sign of life, of the candidate or of the proctor who watches; to be given every five seconds or so.

    Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids.
    """
    if viewer.kind is Kind.PROCTOR:
        await proctoring.note_presence(viewer)  # in all that they watch, whatever is the matter with this one
    async with database.transaction():
        if viewer.kind is Kind.PROCTOR:
            return _live(await held_of(viewer, Kind.PROCTOR, sitting_id))
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        return await move(sitting, Act.GIVE_SIGN)


def _live(sitting: Held) -> Facts:
    sitting.must_be_live()
    return sitting.facts


async def resume(viewer: Viewer, sitting_id: UUID) -> Facts:
    """Let a candidate who is back go on. Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids."""
    async with database.transaction():
        sitting = await held_of(viewer, Kind.PROCTOR, sitting_id)
        return await move(sitting, Act.RESUME)


async def finish(viewer: Viewer, sitting_id: UUID) -> Facts:
    """End the test, after its last section. Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids."""
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if is_done(sitting.facts, Act.FINISH):
            return sitting.facts
        return await move(sitting, Act.FINISH)
