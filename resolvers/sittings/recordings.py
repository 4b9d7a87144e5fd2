"""Recordings of sittings: kept elsewhere, named here with the day on which they go, and deleted by a job (H4)."""

import re
from datetime import datetime, timedelta
from uuid import UUID

from engine import database
from engine import files as store
from errors import InvalidInput, NotAllowed, Problem, SittingNotFound
from models.base import new_id
from models.viewer import Kind, Viewer
from resolvers.sittings.moves import held

REFERENCE = re.compile(r"recording/[0-9A-Za-z_-]{1,100}(\.[0-9a-z]{1,5})?")
KEPT = timedelta(days=90)  # an appeal is made before
DELETED_AT_ONCE = 100


async def name(viewer: Viewer, sitting_id: UUID, reference: str) -> datetime:
    """Name a recording of a sitting by what it is called in the store; tells when it will be deleted.

    Raises NotLoggedIn, NotAllowed, SittingNotFound or InvalidInput.
    """
    if viewer.kind is not Kind.PROCTOR:
        viewer.must_be(Kind.STAFF)
    if not REFERENCE.fullmatch(reference):  # what it names is deleted one day, and must be no other file of ours
        raise InvalidInput([Problem("reference", "A recording is named such as recording/2f0c9a.webm.")])
    async with database.transaction():
        sitting = await held(viewer, sitting_id)
        if viewer.kind is Kind.STAFF and not viewer.is_board:
            raise NotAllowed
        if viewer.kind is Kind.PROCTOR and sitting.row["proctor_id"] != viewer.id:
            raise SittingNotFound
        await database.rows(
            """INSERT INTO recording (id, sitting_id, reference, recorded_at, delete_at)
               VALUES (:id, :sitting_id, :reference, :now, :delete_at)""",
            id=new_id(),
            sitting_id=sitting_id,
            reference=reference,
            now=viewer.at,
            delete_at=viewer.at + KEPT,
        )
    return viewer.at + KEPT


async def delete_due(now: datetime) -> int:
    """Delete what has been kept long enough, and the reference with it; tells how many. It may run twice."""
    due = await database.rows(
        """SELECT id, reference FROM recording WHERE deleted_at IS NULL AND delete_at <= :now
           ORDER BY delete_at LIMIT :most""",
        now=now,
        most=DELETED_AT_ONCE,
    )
    for one in due:
        await store.delete(one["reference"])
        await database.rows(
            "UPDATE recording SET deleted_at = :now, reference = NULL WHERE id = :id AND deleted_at IS NULL",
            now=now,
            id=one["id"],
        )
    return len(due)
