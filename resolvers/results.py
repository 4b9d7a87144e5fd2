"""Reading results (R3-R6)."""

from uuid import UUID

from engine import database
from engine.database import Row
from models.result import Result
from models.viewer import Viewer
from resolvers import columns
from resolvers.grouping import grouped


async def by_ids(viewer: Viewer, ids: list[UUID]) -> dict[UUID, Row]:
    """Those of these results that the viewer may see, by one statement."""
    visible = Result.visible_to(viewer)
    found = await database.rows(
        f"SELECT {columns.RESULT} FROM result {columns.RESULT_JOINS} WHERE result.id = ANY(:ids) AND {visible}",
        ids=ids,
        **visible.named,
    )
    return {one["result_id"]: one for one in found}


async def of_candidates(viewer: Viewer, candidate_ids: list[UUID]) -> dict[UUID, list[Row]]:
    """Each candidate's results that the viewer may see, latest exam first, by one statement."""
    visible = Result.visible_to(viewer)
    found = await database.rows(
        f"""SELECT {columns.RESULT} FROM result {columns.RESULT_JOINS}
            WHERE entry.candidate_id = ANY(:ids) AND {visible} ORDER BY entry.exam_date DESC, result.id DESC""",
        ids=candidate_ids,
        **visible.named,
    )
    return grouped(found, "candidate_id")


async def by_numbers(viewer: Viewer, numbers: list[str]) -> dict[str, Row]:
    """Those of the results with these statement numbers that the viewer may see."""
    visible = Result.visible_to(viewer)
    found = await database.rows(
        f"""SELECT {columns.RESULT} FROM result {columns.RESULT_JOINS}
            WHERE result.statement_number = ANY(:numbers) AND {visible}""",
        numbers=numbers,
        **visible.named,
    )
    return {one["statement_number"]: one for one in found}
