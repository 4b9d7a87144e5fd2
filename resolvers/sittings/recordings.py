"""Recordings of sittings: put into the file store by whatever records, named here with the day on which they go (H4).

A job deletes each with its name, but not before an appeal is answered. One whose account was closed goes at once, and
one that nobody ever named no later than the others.
"""

import re
from datetime import datetime, timedelta
from uuid import UUID

from engine import database
from engine import files as store
from errors import InvalidInput, Problem, SittingNotFound
from models.base import new_id
from models.sittings.proctoring import APPEAL_WAITS
from models.viewer import Kind, Viewer
from resolvers.sittings.moves import held, note

FOLDER = "recording"
REFERENCE = re.compile(rf"{FOLDER}/[0-9A-Za-z_-]{{1,100}}(\.[0-9a-z]{{1,5}})?")
KEPT = timedelta(days=90)  # an appeal is made before
DELETED_AT_ONCE = 100
DUE = f"""SELECT recording.id, reference FROM recording JOIN sitting ON sitting.id = sitting_id
          JOIN candidate ON candidate.id = candidate_id WHERE deleted_at IS NULL AND delete_at <= :now
          AND (closed_at IS NOT NULL OR NOT {APPEAL_WAITS}) ORDER BY delete_at LIMIT :most"""


async def name(viewer: Viewer, sitting_id: UUID, reference: str) -> datetime:
    """Name a recording of a sitting by what it is called in the store; tells when it will be deleted.

    The same once more changes nothing. Raises NotLoggedIn, NotAllowed, SittingNotFound or InvalidInput.
    """
    if viewer.kind is not Kind.PROCTOR:
        viewer.must_be_board()
    if not REFERENCE.fullmatch(reference):  # what it names is deleted one day, and must be no other file of ours
        raise InvalidInput([Problem("reference", "A recording is named such as recording/2f0c9a.webm.")])
    async with database.transaction():
        sitting = await held(viewer, sitting_id)
        if viewer.kind is Kind.PROCTOR and sitting.row["proctor_id"] != viewer.id:
            raise SittingNotFound
        await note(sitting)
        return await _kept(viewer, sitting_id, reference)


async def _kept(viewer: Viewer, sitting_id: UUID, reference: str) -> datetime:
    """Until when the recording is kept; of a closed account it goes at once (G2)."""
    await database.rows(
        """INSERT INTO recording (id, sitting_id, reference, recorded_at, delete_at)
           SELECT :id::uuid, sitting.id, :reference::text, :now::timestamptz,
                  CASE WHEN closed_at IS NULL THEN :later::timestamptz ELSE :now END
           FROM sitting JOIN candidate ON candidate.id = candidate_id WHERE sitting.id = :sitting_id
           ON CONFLICT (reference) DO NOTHING""",
        id=new_id(),
        sitting_id=sitting_id,
        reference=reference,
        now=viewer.at,
        later=viewer.at + KEPT,
    )
    there = await database.row("SELECT sitting_id, delete_at FROM recording WHERE reference = :name", name=reference)
    if there is None or there["sitting_id"] != sitting_id:
        raise InvalidInput([Problem("reference", "This is the recording of another sitting.")])
    delete_at: datetime = there["delete_at"]
    return delete_at


async def delete_due(now: datetime) -> int:
    """Delete what has been kept long enough, and the reference after it; tells how many. It may run twice.

    Raises Unavailable: what is left then is due the next time.
    """
    count = 0
    while due := await database.rows(DUE, now=now, most=DELETED_AT_ONCE):
        for one in due:
            await store.delete(one["reference"])
            await database.rows(
                "UPDATE recording SET deleted_at = :now, reference = NULL WHERE id = :id AND deleted_at IS NULL",
                now=now,
                id=one["id"],
            )
        count += len(due)
    return count


async def purge(now: datetime) -> None:
    """Delete recordings that were put into the store long ago and that no sitting names. Raises Unavailable."""
    async for names in store.older_than(now - KEPT, FOLDER):
        named = await database.rows("SELECT reference FROM recording WHERE reference = ANY(:names)", names=names)
        for name in set(names) - {one["reference"] for one in named}:
            await store.delete(name)
