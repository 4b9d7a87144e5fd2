"""What proctors do: take who has waited longest, watch several, hand over, note incidents, end, invalidate (H4-H7)."""

from collections.abc import Sequence
from uuid import UUID

from engine import database
from engine.database import Row
from errors import InvalidInput, NotAllowed, NotLoggedIn, Problem
from models.base import new_id
from models.sittings.reasons import Reason
from models.sittings.sitting import LIVE_NOW, WAITING, Happening
from models.sittings.states import Act
from models.sittings.table import LOST_AFTER, Facts
from models.viewer import Kind, Viewer
from resolvers.sittings import moves, parts, proctors
from resolvers.sittings.moves import Told, held, held_of, move
from resolvers.sittings.texts import checked, written

MOST_WATCHED = 8  # sittings of one proctor at one time


async def note_presence(viewer: Viewer) -> None:
    """A sign of life of a proctor, for all the sittings that they watch."""
    await proctors.note_presences({viewer.must_be(Kind.PROCTOR): viewer.at})


# ---- the queue


async def queue(viewer: Viewer) -> list[Row]:
    """Who waits for a proctor, first appointment first, as they are taken. Raises NotLoggedIn or NotAllowed."""
    if not viewer.is_board:
        viewer.must_be(Kind.PROCTOR)
    return await database.rows(
        f"""SELECT id, state, appointment_at, check_in_started_at FROM sitting WHERE {WAITING}
            ORDER BY appointment_at, check_in_started_at, id""",
        viewer_at=viewer.at,
    )


async def take_next(viewer: Viewer) -> UUID | None:
    """Watch, from now on, the one whose appointment was first among those who wait; None if nobody does.

    Of two proctors at once each gets another one. Raises NotLoggedIn, NotAllowed or InvalidInput.
    """
    proctor_id = viewer.must_be(Kind.PROCTOR)
    async with database.transaction():
        await note_presence(viewer)
        if await _watched(proctor_id, viewer) >= MOST_WATCHED:
            raise InvalidInput([Problem("proctor", "You watch as many sittings as one person can.")])
        next_id = await database.value(
            f"""SELECT id FROM sitting WHERE {WAITING} ORDER BY appointment_at, check_in_started_at, id
                LIMIT 1 FOR UPDATE OF sitting SKIP LOCKED""",
            viewer_at=viewer.at,
        )
        if next_id is None:
            return None
        await move(await held(viewer, next_id), Act.TAKE, Told(sets={"proctor_id": proctor_id}))
        return UUID(str(next_id))


async def _watched(proctor_id: UUID, viewer: Viewer) -> int:
    """How many live sittings a proctor has; nobody gives them another one meanwhile."""
    await database.rows("SELECT 1 FROM staff_user WHERE id = :id FOR NO KEY UPDATE", id=proctor_id)
    count: int = await database.value(
        f"SELECT count(*) FROM sitting WHERE proctor_id = :id AND {LIVE_NOW}", id=proctor_id, viewer_at=viewer.at
    )
    return count


async def hand_over(viewer: Viewer, sitting_id: UUID, proctor_id: UUID) -> None:
    """Give a sitting to another proctor who is connected; the timeline tells of it.

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids or InvalidInput.
    """
    async with database.transaction():
        sitting = await held_of(viewer, Kind.PROCTOR, sitting_id)
        sitting.must_be_live()
        if proctor_id == viewer.id or not await _is_connected(proctor_id, viewer):
            raise InvalidInput([Problem("proctorId", "There is no such proctor who is connected.")])
        if await _watched(proctor_id, viewer) >= MOST_WATCHED:
            raise InvalidInput([Problem("proctorId", "This proctor watches as many sittings as one person can.")])
        await database.rows("UPDATE sitting SET proctor_id = :to WHERE id = :id", to=proctor_id, id=sitting_id)
        await moves.tell(sitting_id, Happening.HANDED_OVER, sitting.facts, viewer)
        await moves.note(sitting)


async def others(viewer: Viewer) -> list[Row]:
    """The other proctors who are connected, by name, for who hands a sitting over; empty for all but proctors."""
    if viewer.kind is not Kind.PROCTOR:
        return []
    return await database.rows(
        """SELECT staff_user.id, staff_user.name FROM proctor_presence JOIN staff_user ON staff_user.id = staff_id
           WHERE seen_at >= :since AND staff_user.id <> :id AND role = 'PROCTOR' ORDER BY name, staff_user.id""",
        since=viewer.at - LOST_AFTER,
        id=viewer.id,
    )


async def _is_connected(proctor_id: UUID, viewer: Viewer) -> bool:
    return bool(
        await database.rows(
            "SELECT 1 FROM proctor_presence WHERE staff_id = :id AND seen_at >= :since",
            id=proctor_id,
            since=viewer.at - LOST_AFTER,
        )
    )


# ---- incidents, and what may come of them


async def note_incident(viewer: Viewer, sitting_id: UUID, text: str, key: UUID | None = None) -> None:
    """Note what happened, for those who decide; the same under the same key is noted once.

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids or InvalidInput.
    """
    text = checked(text, "text")
    async with database.transaction():
        sitting = await held_of(viewer, Kind.PROCTOR, sitting_id)
        if await written("incident", sitting_id, viewer.id, text, key):
            return
        sitting.must_be_live()
        await database.rows(
            """INSERT INTO incident (id, sitting_id, proctor_id, text, key, noted_at)
               VALUES (:id, :sitting_id, :proctor_id, :text, :key, :now)""",
            id=new_id(),
            sitting_id=sitting_id,
            proctor_id=viewer.id,
            text=text,
            key=key,
            now=viewer.at,
        )
        await moves.tell(sitting_id, Happening.INCIDENT_NOTED, sitting.facts, viewer)
        await moves.note(sitting)


async def incidents(viewer: Viewer, sitting_ids: Sequence[UUID]) -> list[Row]:
    """What was noted in these sittings, in order; nothing for their candidates."""
    found = await parts.INCIDENTS.of(viewer, sitting_ids)
    return [one for sitting_id in sitting_ids for one in found.get(sitting_id, [])]


async def end(viewer: Viewer, sitting_id: UUID, reason: Reason, words: str) -> Facts:
    """End a sitting for a reason that fits where it stands, in words that the candidate reads (H5, H7).

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids or InvalidInput.
    """
    words = checked(words, "words")
    async with database.transaction():
        sitting = await held_of(viewer, Kind.PROCTOR, sitting_id)
        return await move(sitting, Act.END, Told(reason, words, reason.value))


async def invalidate(viewer: Viewer, sitting_id: UUID, reason: Reason, words: str) -> Facts:
    """Declare a sitting invalid because of conduct: its proctor while it runs, the board's staff after it as well.

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids or InvalidInput.
    """
    words = checked(words, "words")
    if viewer.kind is Kind.ANONYMOUS:
        raise NotLoggedIn
    if viewer.kind is not Kind.PROCTOR and not viewer.is_board:
        raise NotAllowed
    async with database.transaction():
        sitting = await held_of(viewer, viewer.kind, sitting_id)
        return await move(sitting, Act.INVALIDATE, Told(reason, words, reason.value))
