"""Jobs that failed ten times and wait for us: a fault of ours that staff can see."""

from engine import database
from engine.database import Row
from models.viewer import Viewer


async def by_name(viewer: Viewer) -> list[Row] | None:
    """How many jobs of each name are held, and since when, by name; None for all but the board's staff."""
    if not viewer.is_board:
        return None
    return await database.rows(
        """SELECT entrypoint AS name, count(*) AS count, min(created) AS oldest_at FROM pgqueuer
           WHERE status = 'failed' GROUP BY entrypoint ORDER BY entrypoint"""
    )
