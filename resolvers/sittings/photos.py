"""The photo of a sitting, taken by the proctor at the check-in: it goes the way of test-day photos (H4, R7).

When the scores are reported it becomes the photo of their entry, and is seen with the result from its release on.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from engine import database
from engine.database import Row
from engine.pictures import Picture
from errors import SittingNotFound, SittingStateForbids
from models.sittings.proctoring import APPEAL_WAITS, SittingPhoto
from models.sittings.sitting import Happening, Sitting
from models.sittings.states import SittingState
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import files, photos, trail
from resolvers.files import File, Link
from resolvers.sittings import moves, views

SHOWN, NEW = "sitting-photo", "new-sitting-photo"  # the kinds of address
KEPT = timedelta(days=90)  # after the end of a sitting that was not reported: an appeal is made before
DELETED_AT_ONCE = 100


# ---- taking


async def address_for(viewer: Viewer, sitting_id: UUID) -> Link:
    """Where the photo of this sitting can be sent, once and within 15 minutes, until the test has begun.

    It names the photo that stands now, so whichever photo comes first ends it.
    Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids.
    """
    viewer.must_be(Kind.PROCTOR)
    row = await _row(viewer, sitting_id)
    if row is None:
        raise SittingNotFound
    facts = views.facts_at(row, viewer.at)
    if facts.state is not SittingState.CHECKING_IN:
        raise SittingStateForbids(facts.state.value)
    return files.link(viewer, NEW, sitting_id, photos.mark(row["photo_id"]))


async def is_awaited(viewer: Viewer, sitting_id: UUID, marked: str) -> bool:
    """Whether this viewer may still send a photo to an address with this mark."""
    return await _awaiting(viewer, sitting_id, marked) is not None


async def take(viewer: Viewer, sitting_id: UUID, marked: str, raw: bytes) -> Picture | None:
    """Make the photo anew and keep it in place of the one that the mark names; None if the address has ended.

    Raises NotAPicture or Unavailable.
    """
    return await photos.keep(raw, partial(_replace, viewer, sitting_id, marked))


async def _replace(viewer: Viewer, sitting_id: UUID, marked: str, facts: Mapping[str, Any]) -> bool:
    """Put a row in the place of the one that the mark names; the old file goes after the commit."""
    await Sitting.visible_to(viewer).get_or_none(sitting_id, lock="FOR UPDATE")
    sitting = await _awaiting(viewer, sitting_id, marked)
    if sitting is None:
        return False
    await photos.let_go(
        await database.rows("DELETE FROM sitting_photo WHERE sitting_id = :id RETURNING file", id=sitting_id)
    )
    await SittingPhoto.create(sitting_id=sitting_id, added_at=viewer.at, proctor_id=viewer.id, **facts)
    await moves.tell(sitting_id, Happening.PHOTO_ADDED, views.facts_at(sitting, viewer.at), viewer)
    await trail.note(viewer, TrailAct.CHANGED, [About(sitting["candidate_id"])])
    return True


async def _awaiting(viewer: Viewer, sitting_id: UUID, marked: str) -> Row | None:
    row = await _row(viewer, sitting_id)
    if row is None or photos.mark(row["photo_id"]) != marked:
        return None
    return row if views.facts_at(row, viewer.at).state is SittingState.CHECKING_IN else None


async def _row(viewer: Viewer, sitting_id: UUID) -> Row | None:
    """A sitting that this proctor has, and the photo that it has; none of an account that was closed (G2)."""
    if viewer.kind is not Kind.PROCTOR:
        return None
    visible = Sitting.visible_to(viewer)
    return await database.row(
        f"""SELECT sitting.*, sitting_photo.id AS photo_id, {moves.PROCTOR_SEEN} FROM sitting
            JOIN candidate ON candidate.id = sitting.candidate_id AND candidate.closed_at IS NULL
            LEFT JOIN sitting_photo ON sitting_photo.sitting_id = sitting.id
            WHERE sitting.id = :id AND sitting.proctor_id = :proctor_id AND {visible}""",
        id=sitting_id,
        proctor_id=viewer.id,
        **visible.named,
    )


# ---- showing


async def of_sittings(viewer: Viewer, sitting_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The photo of each of these sittings, by its key, as far as the viewer may see them."""
    visible = SittingPhoto.visible_to(viewer)
    found = await database.rows(
        f"SELECT sitting_id, id FROM sitting_photo WHERE sitting_id = ANY(:ids) AND {visible}",
        ids=list(sitting_ids),
        **visible.named,
    )
    return {one["sitting_id"]: one["id"] for one in found}


async def of_candidate(viewer: Viewer) -> list[Row]:
    """The candidate's own, as long as they are photos of sittings, with the appointments; nothing for others."""
    return await database.rows(
        """SELECT sitting_photo.id, sitting.appointment_at FROM sitting_photo JOIN sitting ON sitting.id = sitting_id
           WHERE sitting.candidate_id = :id ORDER BY sitting.appointment_at""",
        id=viewer.id if viewer.kind is Kind.CANDIDATE else None,
    )


def link(viewer: Viewer, photo_id: UUID | None) -> Link | None:
    """Where the viewer's session sees a photo of a sitting for 15 minutes."""
    return photos.link(viewer, photo_id, SHOWN)


async def file(viewer: Viewer, photo_id: UUID, _detail: str) -> File | None:
    """The photo, if the viewer may see it at this moment; whoever is not its candidate leaves it in the trail (G1)."""
    return await photos.shown(viewer, partial(_shown, viewer, photo_id))


async def _shown(viewer: Viewer, photo_id: UUID) -> Row | None:
    visible = SittingPhoto.visible_to(viewer)
    return await database.row(
        f"""SELECT sitting_photo.id, file, digest, sitting.candidate_id, NULL AS result_id, NULL AS version
            FROM sitting_photo JOIN sitting ON sitting.id = sitting_id
            WHERE sitting_photo.id = :id AND {visible}""",
        id=photo_id,
        **visible.named,
    )


# ---- letting go


async def let_go_due(now: datetime) -> int:
    """Delete the photos of sittings that ended long ago without a report, or were left in the middle; tells how many.

    One that is finished keeps its photo, as it can be reported still, and one with an appeal until it is answered; of a
    cancelled one, undoing is over before.
    """
    count = 0
    while True:
        async with database.transaction():
            gone = await database.rows(
                f"""DELETE FROM sitting_photo WHERE sitting_id IN (
                       SELECT sitting.id FROM sitting JOIN sitting_photo ON sitting_photo.sitting_id = sitting.id
                       WHERE state <> 'FINISHED' AND since <= :before AND NOT {APPEAL_WAITS}
                       ORDER BY sitting.id LIMIT :most FOR UPDATE OF sitting SKIP LOCKED) RETURNING file""",
                before=now - KEPT,
                most=DELETED_AT_ONCE,
            )
            await photos.let_go(gone)
        count += len(gone)
        if len(gone) < DELETED_AT_ONCE:
            return count
