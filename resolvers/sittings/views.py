"""Sittings and their timelines, as those who may see them see them (H9, H10)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from engine import database
from engine.database import Row
from models.sittings.sitting import Sitting, SittingEvent, facts_of
from models.sittings.states import ENDS
from models.sittings.table import Facts, standing
from models.viewer import Kind, Viewer
from resolvers.sittings import moves

MOST_SHOWN = 100

SITTING = f"""SELECT sitting.*, exam.title AS qualification, candidate.given_name, candidate.family_name,
                     candidate.native_name, {moves.PROCTOR_SEEN}
              FROM sitting JOIN exam ON exam.code = sitting.exam_id
              JOIN candidate ON candidate.id = sitting.candidate_id"""


async def by_ids(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Those of these sittings that the viewer may see, by key; where each stands, `facts_at` tells."""
    visible = Sitting.visible_to(viewer)
    found = await database.rows(f"{SITTING} WHERE sitting.id = ANY(:ids) AND {visible}", ids=list(ids), **visible.named)
    for row in found:
        viewer.saw(row["candidate_id"])
    return {row["id"]: row for row in found}


async def one(viewer: Viewer, sitting_id: UUID) -> Row:
    """One that is known to be there and to be the viewer's."""
    return (await by_ids(viewer, [sitting_id]))[sitting_id]


def facts_at(row: Row, now: datetime) -> Facts:
    """Where a sitting stands at a moment, whether or not anybody has written it down (H11)."""
    return standing(facts_of(row), now)


async def timeline(viewer: Viewer, sitting_id: UUID) -> list[Row]:
    """Everything that happened to a sitting, in order, as far as the viewer may know it (H9)."""
    visible = SittingEvent.visible_to(viewer)
    return await database.rows(
        f"""SELECT kind, state, happened_at, actor, detail FROM sitting_event
            WHERE sitting_id = :id AND {visible} ORDER BY happened_at, xid, id""",
        id=sitting_id,
        **visible.named,
    )


async def of_viewer(viewer: Viewer) -> list[Row]:
    """A candidate's sittings, newest appointment first; a proctor's own and those that wait, first appointment first.

    A proctor is not shown whose sittings are over.
    """
    visible = Sitting.visible_to(viewer)
    is_proctor = viewer.kind is Kind.PROCTOR
    order = "sitting.proctor_id IS NULL, sitting.appointment_at, sitting.id"
    found = await database.rows(
        f"""{SITTING} WHERE {visible} AND (NOT :is_proctor OR sitting.state <> ALL(:ends))
            ORDER BY {order if is_proctor else "sitting.appointment_at DESC, sitting.id DESC"}
            LIMIT {MOST_SHOWN}""",
        is_proctor=is_proctor,
        ends=[state.value for state in ENDS],
        **visible.named,
    )
    for row in found:
        viewer.saw(row["candidate_id"])
    return found
