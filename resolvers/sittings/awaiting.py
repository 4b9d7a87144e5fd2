"""What waits for the board's staff: appeals, and reported sittings without official scores (H8, H9)."""

from engine import database
from models.sittings.sitting import Sitting
from models.viewer import Viewer
from resolvers.due_pages import DuePlace
from resolvers.pages import Page, page_of
from resolvers.sittings.views import COLUMNS, TABLES

APPEALED = """JOIN appeal ON appeal.sitting_id = sitting.id AND appeal.outcome IS NULL
              CROSS JOIN LATERAL (SELECT (appeal.made_at AT TIME ZONE 'UTC')::date AS waits_since) AS due"""
HELD = """JOIN entry ON entry.id = sitting.entry_id
          JOIN result AS held ON held.entry_id = entry.id AND held.released_at IS NULL
          CROSS JOIN LATERAL (SELECT entry.exam_date AS waits_since) AS due"""


async def appeals(viewer: Viewer, place: DuePlace) -> Page | None:
    """Sittings whose appeal is not answered, the longest waiting first; None for all but the board's staff."""
    return await _page(viewer, place, APPEALED)


async def official_scores(viewer: Viewer, place: DuePlace) -> Page | None:
    """Reported sittings whose result is held, first sitting first; None for all but the board's staff."""
    return await _page(viewer, place, HELD)


async def _page(viewer: Viewer, place: DuePlace, due: str) -> Page | None:
    """By the day since which they wait, each row with it as `waits_since`."""
    if not viewer.is_board:
        return None
    visible = Sitting.visible_to(viewer)
    found = await database.rows(
        f"""SELECT {COLUMNS}, due.waits_since FROM {TABLES} {due}
            WHERE {place.condition("due.waits_since", "sitting.id")} AND {visible}
            ORDER BY due.waits_since, sitting.id LIMIT :limit""",
        limit=place.first + 1,
        **place.named,
        **visible.named,
    )
    for row in found:
        viewer.saw(row["candidate_id"])
    return page_of(found, place.first)
