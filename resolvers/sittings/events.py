"""What happens to a sitting, told to its candidate and to proctors: read by a cursor as the journal is (H10)."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine import database
from engine.database import Row
from engine.events import Batch, Bookmark, Cursor, Hub
from models.sittings.sitting import HIDDEN, Happening, Sitting
from models.sittings.states import Actor, SittingState
from models.viewer import Kind, Viewer
from resolvers import journal


@dataclass(frozen=True, slots=True)
class SittingEvent:
    """One event, as those who may read it read it."""

    cursor: Cursor
    kind: Happening
    state: SittingState
    happened_at: datetime
    actor: Actor
    detail: str | None


async def read(sitting_id: UUID, after: Cursor | None) -> Batch[SittingEvent]:
    """The next events of a sitting behind a cursor; with None, only the present position."""
    if after is None:
        return Batch([], (await journal.position(), 0))
    found = await database.rows(
        f"""SELECT xid::text::bigint AS xid, id, kind, state, happened_at, actor, detail,
                   xid < pg_snapshot_xmin(pg_current_snapshot()) AS is_settled
            FROM sitting_event WHERE sitting_id = :id AND (xid, id) > (:xid::bigint::text::xid8, :after)
            ORDER BY xid, id LIMIT {journal.BATCH}""",
        id=sitting_id,
        xid=after[0],
        after=after[1],
    )
    events = [_event(row) for row in found if row["is_settled"]]
    more = len(found) > len(events) or len(found) == journal.BATCH
    return Batch(events, events[-1].cursor if events else after, more)


def _event(row: Row) -> SittingEvent:
    return SittingEvent(
        (row["xid"], row["id"]),
        Happening(row["kind"]),
        SittingState(row["state"]),
        row["happened_at"],
        Actor(row["actor"]),
        row["detail"],
    )


async def follow(
    viewer: Viewer, hub: Hub[SittingEvent], sitting_id: UUID, bookmark: Bookmark
) -> AsyncGenerator[SittingEvent, None]:
    """Every event of a sitting behind the bookmark (or from now on) that this viewer may know; see `follow_topic`.

    Whoever may not see the sitting, or not any more, as a proctor who handed it over, is told nothing. Candidates keep
    what is theirs, and so does the board; of a proctor it is asked with every event.
    """
    visible = Sitting.visible_to(viewer)
    sitting = await visible.get_or_none(sitting_id)
    if sitting is None:
        return
    viewer.saw(sitting.candidate_id)
    hidden = HIDDEN.get(viewer.kind, frozenset())
    async for event in journal.follow_topic(hub, sitting_id, viewer.session_id, bookmark):
        if viewer.kind is Kind.PROCTOR and not await visible.holds(sitting_id):
            return
        if event.kind not in hidden:
            yield event
