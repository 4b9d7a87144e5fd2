"""What happens to results, told to their candidates: written with the change, read by a cursor as the journal is (R11).

An event belongs to its result, and is told to whoever the result belongs to when it is read: an entry that is claimed
brings its events along (A11).
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine import database
from engine.database import Row
from engine.events import Batch, Bookmark, Cursor, Hub
from models.journal import ResultChange
from models.viewer import Kind, Viewer
from resolvers import journal, results

CHANNEL = "result_events"


@dataclass(frozen=True, slots=True)
class ResultEvent:
    """One change, with the result as its candidate sees it now, or None if they no longer may."""

    cursor: Cursor
    kind: ResultChange
    version: int
    happened_at: datetime
    result: Row | None


async def write(kind: ResultChange, result_ids: Sequence[UUID], now: datetime) -> None:
    """Write one event for each of these results, as they stand, into the surrounding transaction; a release happened
    at the result's own moment. Their candidates' streams wake when it commits.
    """
    await database.rows(
        """WITH event AS (INSERT INTO result_event (result_id, kind, version, happened_at)
                          SELECT id, :kind, version, CASE WHEN :is_release THEN released_at ELSE :now END
                          FROM result WHERE id = ANY(:ids) ORDER BY id RETURNING result_id)
           SELECT pg_notify(:channel, candidate_id::text) FROM (
               SELECT DISTINCT entry.candidate_id FROM event JOIN result ON result.id = event.result_id
               JOIN entry ON entry.id = result.entry_id) AS woken""",
        kind=kind.value,
        is_release=kind is ResultChange.RELEASED,
        ids=list(result_ids),
        now=now,
        channel=CHANNEL,
    )


async def read(viewer: Viewer, after: Cursor | None) -> Batch[ResultEvent]:
    """The next events of the candidate's results behind a cursor; with None, only the present position."""
    if after is None:
        return Batch([], (await journal.position(), 0))
    found = await database.rows(
        f"""SELECT result_event.xid::text::bigint AS xid, result_event.id, result_event.kind, result_event.version,
                   result_event.result_id, result_event.happened_at,
                   result_event.xid < pg_snapshot_xmin(pg_current_snapshot()) AS is_settled
            FROM entry JOIN result ON result.entry_id = entry.id JOIN result_event ON result_event.result_id = result.id
            WHERE entry.candidate_id = :candidate_id
            AND (result_event.xid, result_event.id) > (:xid::bigint::text::xid8, :id)
            ORDER BY result_event.xid, result_event.id LIMIT {journal.BATCH}""",
        candidate_id=viewer.id,
        xid=after[0],
        id=after[1],
    )
    settled = [event for event in found if event["is_settled"]]
    seen = await results.by_ids(viewer, [event["result_id"] for event in settled]) if settled else {}
    events = [_event(event, seen) for event in settled]
    more = len(found) > len(settled) or len(found) == journal.BATCH
    return Batch(events, events[-1].cursor if events else after, more)


def _event(event: Row, seen: dict[UUID, Row]) -> ResultEvent:
    cursor, kind = (event["xid"], event["id"]), ResultChange(event["kind"])
    return ResultEvent(cursor, kind, event["version"], event["happened_at"], seen.get(event["result_id"]))


def follow(viewer: Viewer, hub: Hub[ResultEvent], bookmark: Bookmark) -> AsyncGenerator[ResultEvent, None]:
    """Every change of the candidate's own results behind the bookmark (or from now on); see `journal.follow_topic`.

    Raises NotLoggedIn or NotAllowed.
    """
    return journal.follow_topic(hub, viewer.must_be(Kind.CANDIDATE), viewer.session_id, bookmark)
