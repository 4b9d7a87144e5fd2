"""Reading entries."""

from uuid import UUID

from engine import database
from engine.database import Row
from models.entry import Entry
from models.viewer import Viewer
from resolvers import columns
from resolvers.grouping import grouped


async def by_ids(viewer: Viewer, ids: list[UUID]) -> dict[UUID, Row]:
    """Those of these entries that the viewer may see."""
    visible = Entry.visible_to(viewer)
    found = await database.rows(
        f"SELECT {columns.ENTRY} FROM entry {columns.ENTRY_JOINS} WHERE entry.id = ANY(:ids) AND {visible}",
        ids=ids,
        **visible.named,
    )
    return {one["entry_id"]: one for one in found}


async def of_candidates(viewer: Viewer, candidate_ids: list[UUID]) -> dict[UUID, list[Row]]:
    """Each candidate's entries that the viewer may see, latest exam first."""
    visible = Entry.visible_to(viewer)
    found = await database.rows(
        f"""SELECT {columns.ENTRY} FROM entry {columns.ENTRY_JOINS}
            WHERE entry.candidate_id = ANY(:ids) AND {visible} ORDER BY entry.exam_date DESC, entry.id DESC""",
        ids=candidate_ids,
        **visible.named,
    )
    return grouped(found, "candidate_id")
