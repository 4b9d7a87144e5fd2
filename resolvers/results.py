"""Reading results (R3-R6)."""

from collections.abc import Sequence
from uuid import UUID

from engine.database import Row
from models.result import Result
from models.viewer import Viewer
from resolvers import columns
from resolvers.reading import Source, grouped

SOURCE = Source(
    Result,
    f"SELECT {columns.RESULT}, {columns.SCOPE} FROM result {columns.RESULT_JOINS} {columns.SCOPE_JOIN}",
    "result.id",
    "result_id",
)
by_ids = SOURCE.by_ids


async def of_candidates(viewer: Viewer, candidate_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """Each candidate's results that the viewer may see, latest exam first, by one statement."""
    latest_first = "ORDER BY entry.exam_date DESC, result.id DESC"
    found = await SOURCE.rows(viewer, "entry.candidate_id = ANY(:ids)", latest_first, ids=list(candidate_ids))
    return grouped(found, "candidate_id")


async def by_numbers(viewer: Viewer, numbers: Sequence[str]) -> dict[str, Row]:
    """Those of the results with these statement numbers that the viewer may see."""
    found = await SOURCE.rows(viewer, "result.statement_number = ANY(:numbers)", numbers=list(numbers))
    return {result["statement_number"]: result for result in found}
