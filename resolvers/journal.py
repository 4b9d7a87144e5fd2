"""Writing the journal, and reading it by a cursor that skips nothing and repeats nothing (N6).

Ids are given when a row is written, but rows become visible when their transaction commits: id 1 can appear after
id 2 was read. So each event carries its transaction's id, and only events below the snapshot's horizon are read:
every transaction there has ended, and nothing can appear among them any more. A cursor is that pair.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine import database
from engine.database import Row
from engine.events import Batch, Bookmark, Cursor, E, Hub
from errors import CursorNotValid
from models.journal import EventKind
from models.scope import Scope
from models.viewer import Viewer
from models.visit import Version
from resolvers.reading import SHARES

CHANNEL = "journal"
HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
BATCH = 100  # well below the queue of a stream: a burst must not look like a stream that nobody reads
FRESH_SECONDS = 1.0  # what waited longer for a slow reader is read again: its share may be gone by now
CURSOR = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """One event, with the share it is about as the institution sees it now, or None if it no longer may."""

    cursor: Cursor
    kind: EventKind
    happened_at: datetime
    share: Row | None


# The events behind a cursor that are settled, of an institution and of accounts that went up in it: what one of those
# was not told before is told to the one that was kept.
SETTLED = """
    SELECT event.xid::text::bigint AS xid, event.id, event.kind, event.share_id, event.result_id, event.result_version,
           event.happened_at
    FROM institution CROSS JOIN LATERAL (
        SELECT * FROM journal WHERE journal.institution_id = institution.id
        AND (journal.xid, journal.id) > (:xid::bigint::text::xid8, :id)
        AND journal.xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY journal.xid, journal.id LIMIT :most) AS event
    WHERE institution.id = :institution_id OR institution.merged_into_id = :institution_id
    ORDER BY event.xid, event.id LIMIT :most"""


async def write(kind: EventKind, institution_id: UUID, share_id: UUID, result_id: UUID, now: datetime) -> None:
    """Write one event into the surrounding transaction, and wake its readers when that commits."""
    await database.rows(
        """WITH event AS (INSERT INTO journal (institution_id, kind, share_id, result_id, result_version, happened_at)
                          VALUES (:institution_id, :kind, :share_id, :result_id,
                                  (SELECT version FROM result WHERE id = :result_id), :now) RETURNING institution_id)
           SELECT pg_notify(:channel, institution_id::text) FROM event""",
        kind=kind.value,
        institution_id=institution_id,
        share_id=share_id,
        result_id=result_id,
        now=now,
        channel=CHANNEL,
    )


async def write_of_shares(kind: EventKind, share_ids: Sequence[UUID], now: datetime) -> None:
    """Write one event for each of these shares, in the order in which they were sent, by one statement."""
    await database.rows(
        """WITH event AS (INSERT INTO journal (institution_id, kind, share_id, result_id, result_version, happened_at)
                          SELECT share.institution_id, :kind, share.id, share.result_id, result.version, :now
                          FROM share JOIN result ON result.id = share.result_id
                          WHERE share.id = ANY(:share_ids) ORDER BY share.sent_at, share.id RETURNING institution_id)
           SELECT pg_notify(:channel, institution_id::text) FROM (SELECT DISTINCT institution_id FROM event) AS told""",
        kind=kind.value,
        share_ids=list(share_ids),
        now=now,
        channel=CHANNEL,
    )


async def write_of_version(
    kind: EventKind, version: Version, shares: Sequence[tuple[UUID, UUID | None]], now: datetime
) -> None:
    """Write for each institution and share (None: it holds the result without one) that this version stands now.

    Each institution is told once of each version, however often and by however many it is tried (a unique index).
    """
    await database.rows(
        """WITH event AS (INSERT INTO journal (institution_id, kind, share_id, result_id, result_version, happened_at)
                          SELECT told.institution_id, :kind, told.share_id, :result_id, :version, :now
                          FROM unnest(:institutions::uuid[], :shares::uuid[]) AS told (institution_id, share_id)
                          ON CONFLICT (result_id, result_version, institution_id) WHERE kind LIKE 'RESULT%' DO NOTHING
                          RETURNING institution_id)
           SELECT pg_notify(:channel, institution_id::text) FROM (SELECT DISTINCT institution_id FROM event) AS told""",
        kind=kind.value,
        institutions=[institution_id for institution_id, _ in shares],
        shares=[share_id for _, share_id in shares],
        result_id=version[0],
        version=version[1],
        now=now,
        channel=CHANNEL,
    )


async def read(viewer: Viewer, after: Cursor | None) -> Batch[JournalEvent]:
    """The viewer's institution's next events behind a cursor; with None, only the present position."""
    if after is None:
        return Batch([], (await position(), 0))
    found = await database.rows(
        f"""SELECT journal.xid::text::bigint AS xid, journal.id, journal.kind, journal.share_id, journal.happened_at,
                   journal.xid < pg_snapshot_xmin(pg_current_snapshot()) AS is_settled
            FROM journal WHERE journal.institution_id = :institution_id
            AND (journal.xid, journal.id) > (:xid::bigint::text::xid8, :id)
            ORDER BY journal.xid, journal.id LIMIT {BATCH}""",
        institution_id=viewer.institution_id,
        xid=after[0],
        id=after[1],
    )
    settled = [event for event in found if event["is_settled"]]
    shares = await SHARES.by_ids(viewer, [event["share_id"] for event in settled]) if settled else {}
    events = [_event(event, shares) for event in settled]
    return Batch(events, events[-1].cursor if events else after, more=len(found) > len(settled) or len(found) == BATCH)


def _event(event: Row, shares: dict[UUID, Row]) -> JournalEvent:
    cursor = (event["xid"], event["id"])
    return JournalEvent(cursor, EventKind(event["kind"]), event["happened_at"], shares.get(event["share_id"]))


async def settled_behind(institution_id: UUID, after: Cursor, most: int) -> list[Row]:
    """The next events of an institution behind a cursor, in order: each is there once, and none can come before it."""
    return await database.rows(SETTLED, institution_id=institution_id, xid=after[0], id=after[1], most=most)


async def position() -> int:
    """The horizon at this moment: events told later lie behind it."""
    horizon: int = await database.value(f"SELECT {HORIZON}")
    return horizon


def cursor_text(cursor: Cursor) -> str:
    """A cursor as clients keep it."""
    return f"{cursor[0]}.{cursor[1]}"


def cursor_from(text: str) -> Cursor:
    """A client's cursor; raises CursorNotValid."""
    match = CURSOR.fullmatch(text)
    if match is None or max(int(match[1]), int(match[2])) >= 2**63:
        raise CursorNotValid
    return int(match[1]), int(match[2])


def follow(viewer: Viewer, hub: Hub[JournalEvent], bookmark: Bookmark) -> AsyncGenerator[JournalEvent, None]:
    """Every event of the viewer's institution behind the bookmark (or from now on); see `follow_topic`.

    Raises NotLoggedIn or NotAllowed.
    """
    institution_id = viewer.must_read(Scope.READ_SHARES)
    return follow_topic(hub, institution_id, viewer.session_id, bookmark)


async def follow_topic(
    hub: Hub[E], topic_id: UUID, session_id: UUID | None, bookmark: Bookmark
) -> AsyncGenerator[E, None]:
    """Every event of a topic behind the bookmark (or from now on), past ones first, for ever.

    The bookmark moves on when the next event is asked for: whoever closes the stream instead was not told.
    Raises StreamEnded when the session ends, SlowSubscriber when events are not taken fast enough.
    """
    assert session_id is not None
    subscriber = await hub.join(topic_id, session_id)
    now = asyncio.get_running_loop().time
    is_behind = bookmark.cursor is not None
    last = bookmark.cursor = bookmark.cursor or subscriber.since
    try:
        if bookmark.is_old:
            await hub.check(subscriber)
        while True:
            if is_behind:
                batch = await hub.read(topic_id, last)
                read_at = now()
            else:
                read_at, queued = await subscriber.next(last)
                batch = Batch([queued], queued.cursor)
            is_behind = bool(batch.events) and batch.more
            for event in batch.events:
                if now() - read_at > FRESH_SECONDS:
                    is_behind = True
                    break
                subscriber.check()
                if event.cursor > last:
                    yield event
                    last = bookmark.cursor = event.cursor
    finally:
        hub.leave(topic_id, subscriber)
