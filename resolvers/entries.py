"""Reading entries."""

from collections.abc import Sequence
from uuid import UUID

from engine.database import Row
from models.entry import Entry
from models.viewer import Viewer
from resolvers import columns
from resolvers.reading import Source, grouped

SOURCE = Source(Entry, f"SELECT {columns.ENTRY} FROM entry {columns.ENTRY_JOINS}", "entry.id", "entry_id")
by_ids = SOURCE.by_ids


async def of_candidates(viewer: Viewer, candidate_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """Each candidate's entries that the viewer may see, latest exam first."""
    latest_first = "ORDER BY entry.exam_date DESC, entry.id DESC"
    found = await SOURCE.rows(viewer, "entry.candidate_id = ANY(:ids)", latest_first, ids=list(candidate_ids))
    return grouped(found, "candidate_id")
