"""How long candidates waited for their proctors' answers, for the board's staff (H4)."""

from datetime import timedelta

from engine import database
from engine.database import Row
from models.sittings.answering import AT_LATEST, SOON
from models.viewer import Viewer

DAYS = timedelta(days=7)


async def of_last_days(viewer: Viewer) -> Row | None:
    """The messages that candidates wrote in the last seven days, and how long each waited, in seconds; no texts.

    None for all but the board's staff.
    """
    if not viewer.is_board:
        return None
    return await database.row(
        """SELECT count(*) AS asked, count(seconds) AS answered,
                  count(*) FILTER (WHERE seconds <= :soon) AS soon,
                  count(*) FILTER (WHERE seconds <= :at_latest) AS in_time,
                  percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median_seconds,
                  max(seconds) AS longest_seconds
           FROM (SELECT extract(epoch FROM answered_at - sent_at)::float AS seconds FROM sitting_message
                 WHERE proctor_id IS NULL AND sent_at > :since) AS waits""",
        soon=SOON.total_seconds(),
        at_latest=AT_LATEST.total_seconds(),
        since=viewer.at - DAYS,
    )
