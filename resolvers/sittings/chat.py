"""Chat between a candidate and their proctor: unread ones are signalled, and waiting is measured and shown (H4)."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from engine import database
from engine.database import Row
from engine.limits import Rate
from errors import InvalidInput, NotAllowed, NotLoggedIn, Problem, TooManyTries
from models.base import new_id
from models.sittings.proctoring import Message
from models.sittings.sitting import Happening
from models.viewer import Kind, Viewer
from resolvers.sittings import moves, parts
from resolvers.sittings.moves import Held, held_of
from resolvers.sittings.texts import checked, written

MESSAGES_A_MINUTE = Rate("messages of a sitting", most=20, window=timedelta(minutes=1))  # of each side
MOST_MESSAGES = 300  # of each side, in the whole sitting: it is read as one list


async def send(viewer: Viewer, sitting_id: UUID, text: str, key: UUID | None = None) -> UUID:
    """Write to the other side; a proctor's message answers all that the candidate has written before.

    The same under the same key is written once, and answered with what stands there.

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids, InvalidInput or TooManyTries.
    """
    text = checked(text, "text")
    async with database.transaction():
        sitting = await _partaken(viewer, sitting_id)
        if there := await written("sitting_message", sitting_id, _proctor(viewer), text, key):
            return there
        sitting.must_be_live()
        if not await MESSAGES_A_MINUTE.count(f"{sitting_id}:{viewer.kind.value}", viewer.at):
            raise TooManyTries(MESSAGES_A_MINUTE.ends_at(viewer.at))
        message_id = await _write(sitting_id, viewer, text, key)
        if viewer.kind is Kind.PROCTOR:
            await _answer(sitting_id, viewer)
        await moves.tell(sitting_id, Happening.MESSAGE_SENT, sitting.facts, viewer, str(message_id))
        await moves.note(sitting)
    return message_id


def _proctor(viewer: Viewer) -> UUID | None:
    return viewer.id if viewer.kind is Kind.PROCTOR else None


async def _write(sitting_id: UUID, viewer: Viewer, text: str, key: UUID | None) -> UUID:
    """Raises InvalidInput where this side has written as much as a sitting holds."""
    message_id = new_id()
    rows = await database.rows(
        """INSERT INTO sitting_message (id, sitting_id, proctor_id, text, key, sent_at)
           SELECT :id, :sitting_id, :proctor_id, :text, :key, :now
           WHERE (SELECT count(*) FROM sitting_message
                  WHERE sitting_id = :sitting_id AND (proctor_id IS NULL) = :is_candidate) < :most RETURNING id""",
        id=message_id,
        sitting_id=sitting_id,
        proctor_id=_proctor(viewer),
        is_candidate=viewer.kind is Kind.CANDIDATE,
        text=text,
        key=key,
        now=viewer.at,
        most=MOST_MESSAGES,
    )
    if not rows:
        raise InvalidInput([Problem("text", "You have written as many messages as a sitting can hold.")])
    return message_id


async def _answer(sitting_id: UUID, viewer: Viewer) -> None:
    await database.rows(
        """UPDATE sitting_message SET answered_at = greatest(:now, sent_at), read_at = coalesce(read_at, :now)
           WHERE sitting_id = :id AND proctor_id IS NULL AND answered_at IS NULL""",
        id=sitting_id,
        now=viewer.at,
    )


async def mark_read(viewer: Viewer, sitting_id: UUID) -> int:
    """Mark what the other side has written as read; tells how many.

    Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids.
    """
    async with database.transaction():
        sitting = await _partaken(viewer, sitting_id)
        sitting.must_be_live()
        read = await database.rows(
            """UPDATE sitting_message SET read_at = :now
               WHERE sitting_id = :id AND read_at IS NULL AND (proctor_id IS NULL) = :is_proctor RETURNING id""",
            id=sitting_id,
            now=viewer.at,
            is_proctor=viewer.kind is Kind.PROCTOR,
        )
        if read:
            await moves.tell(sitting_id, Happening.MESSAGES_READ, sitting.facts, viewer)
        return len(read)


async def _partaken(viewer: Viewer, sitting_id: UUID) -> Held:
    if viewer.kind is Kind.ANONYMOUS:
        raise NotLoggedIn
    if viewer.kind not in (Kind.CANDIDATE, Kind.PROCTOR):
        raise NotAllowed
    return await held_of(viewer, viewer.kind, sitting_id)


async def of_sitting(viewer: Viewer, sitting_id: UUID) -> list[Row]:
    """All messages of a sitting, in order."""
    return (await parts.MESSAGES.of(viewer, [sitting_id])).get(sitting_id, [])


async def waits(viewer: Viewer, sitting_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Of each sitting: messages unread by the viewer's side, since when the candidate waits for an answer, and the
    longest and the mean wait of those that were answered, in seconds.
    """
    visible = Message.visible_to(viewer)
    found = await database.rows(
        f"""SELECT sitting_id,
                   count(*) FILTER (WHERE read_at IS NULL AND (proctor_id IS NULL) = :is_proctor) AS unread,
                   min(sent_at) FILTER (WHERE proctor_id IS NULL AND answered_at IS NULL) AS waiting_since,
                   max(extract(epoch FROM answered_at - sent_at))::float AS longest_seconds,
                   avg(extract(epoch FROM answered_at - sent_at))::float AS mean_seconds
            FROM sitting_message WHERE sitting_id = ANY(:ids) AND {visible} GROUP BY sitting_id""",
        ids=list(sitting_ids),
        is_proctor=viewer.kind is Kind.PROCTOR,
        **visible.named,
    )
    return {row["sitting_id"]: row for row in found}
