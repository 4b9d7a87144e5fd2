"""Whether proctors are there: when each was last seen; to their sittings it is told who is lost, and back (H5, H10)."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from engine import database
from models.sittings.sitting import Happening
from models.sittings.states import LIVE, Actor
from models.sittings.table import LOST_AFTER
from resolvers.sittings import moves

# Every live sitting of those proctors that have changed is told, as of that moment; held, so that none is told to run
# that has just ended.
TELL = """
    event AS (INSERT INTO sitting_event (sitting_id, kind, state, happened_at, actor, actor_id)
              SELECT sitting.id, :kind, sitting.state, changed.at, :actor, {actor_id}
              FROM sitting JOIN changed ON changed.staff_id = sitting.proctor_id
              WHERE sitting.state = ANY(:live) ORDER BY sitting.id
              FOR NO KEY UPDATE OF sitting RETURNING sitting_id)
    SELECT pg_notify(:channel, sitting_id::text) FROM event"""
LOST = f"""
    WITH changed AS (
        UPDATE proctor_presence SET lost_at = seen_at + :lost_after::interval WHERE staff_id IN (
            SELECT staff_id FROM proctor_presence
            WHERE lost_at IS NULL AND seen_at < :now::timestamptz - :lost_after::interval
            ORDER BY staff_id FOR UPDATE SKIP LOCKED)
        RETURNING staff_id, lost_at AS at), {TELL.format(actor_id="NULL")}"""
BACK = f"""
    WITH changed AS (
        UPDATE proctor_presence SET lost_at = NULL WHERE staff_id = ANY(:ids) AND lost_at IS NOT NULL
        RETURNING staff_id, seen_at AS at), {TELL.format(actor_id="changed.staff_id")}"""


async def note_presences(seen: Mapping[UUID, datetime]) -> None:
    """When each of these proctors was last seen, by one statement; and by another who of them is back."""
    known = await database.rows(
        """INSERT INTO proctor_presence (staff_id, seen_at)
           SELECT * FROM unnest(:ids::uuid[], :moments::timestamptz[]) AS sign (staff_id, seen_at) ORDER BY staff_id
           ON CONFLICT (staff_id) DO UPDATE SET seen_at = greatest(proctor_presence.seen_at, excluded.seen_at)
           RETURNING staff_id, lost_at""",
        ids=list(seen),
        moments=list(seen.values()),
    )
    back = [row["staff_id"] for row in known if row["lost_at"] is not None]
    if back:
        await database.rows(BACK, ids=back, **_told(Happening.PROCTOR_BACK, Actor.PROCTOR))


async def tell_of_lost(now: datetime) -> None:
    """Tell the sittings of proctors who have been silent for too long by now; of each silence once."""
    told = _told(Happening.PROCTOR_LOST, Actor.CLOCK)
    await database.rows(LOST, now=now - moves.GRACE, lost_after=LOST_AFTER, **told)


def _told(kind: Happening, actor: Actor) -> dict[str, object]:
    live = [state.value for state in LIVE]
    return {"kind": kind.value, "actor": actor.value, "live": live, "channel": moves.CHANNEL}
