"""Sittings and their timelines, as those who may see them see them (H9, H10)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from engine import database, keys
from engine.database import Row
from models.sittings.answering import SOON
from models.sittings.sitting import Sitting, facts_of
from models.sittings.states import ENDS, LIVE, Act, SittingState, actors
from models.sittings.table import Facts, standing
from models.viewer import Kind, Viewer
from resolvers.sittings import moves, parts

MOST_SHOWN = 100

COLUMNS = f"""sitting.*, exam.title AS qualification, candidate.given_name, candidate.family_name,
              candidate.native_name, {moves.PROCTOR_SEEN},
              (SELECT name FROM staff_user WHERE staff_user.id = sitting.proctor_id) AS proctor_name,
              result.id AS result_id, result.released_at"""
TABLES = """sitting JOIN exam ON exam.code = sitting.exam_id
            JOIN candidate ON candidate.id = sitting.candidate_id
            LEFT JOIN result ON result.entry_id = sitting.entry_id"""
SITTING = f"SELECT {COLUMNS} FROM {TABLES}"

LIVE_STATES = ", ".join(f"'{state.value}'" for state in SittingState if state in LIVE)
FOR_PROCTORS = f"""ORDER BY (
    SELECT min(sent_at) FROM sitting_message WHERE sitting_id = sitting.id AND sitting.state IN ({LIVE_STATES})
    AND sitting_message.proctor_id IS NULL AND answered_at IS NULL AND sent_at < :long_ago),
    sitting.proctor_id IS DISTINCT FROM :proctor_id::uuid, sitting.appointment_at, sitting.id"""


async def by_ids(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Those of these sittings that the viewer may see, by key; where each stands, `facts_at` tells."""
    visible = Sitting.visible_to(viewer)
    found = await database.rows(f"{SITTING} WHERE sitting.id = ANY(:ids) AND {visible}", ids=list(ids), **visible.named)
    for row in found:
        viewer.saw(row["candidate_id"])
    return {row["id"]: row for row in found}


async def one(viewer: Viewer, sitting_id: UUID) -> Row:
    """One that is known to be there and to be the viewer's."""
    return (await by_ids(viewer, [sitting_id]))[sitting_id]


def facts_at(row: Row, now: datetime) -> Facts:
    """Where a sitting stands at a moment, whether or not anybody has written it down (H11)."""
    return standing(facts_of(row), now)


def may(viewer: Viewer, row: Row, act: Act) -> bool:
    """Whether this viewer is one of those who do this with the sitting, if it can be done at all."""
    if viewer.kind is Kind.PROCTOR and (act is Act.TAKE) is (row["proctor_id"] == viewer.id):
        return False  # what one has is not taken, and with what one has not nothing else is done
    return moves.ACTORS.get(viewer.kind) in actors(act)


def proctor_number(row: Row) -> int | None:
    """A number from 1,000 on that stands for the proctor in this sitting alone: candidates are told no name."""
    if row["proctor_id"] is None:
        return None
    sealed = keys.seal("proctor-number", f"{row['id']}:{row['proctor_id']}")
    return 1000 + int.from_bytes(sealed[:4]) % 9000


async def timeline(viewer: Viewer, sitting_id: UUID) -> list[Row]:
    """Everything that happened to a sitting, in order, as far as the viewer may know it (H9)."""
    return (await parts.EVENTS.of(viewer, [sitting_id])).get(sitting_id, [])


async def of_viewer(viewer: Viewer) -> list[Row]:
    """A candidate's sittings, newest appointment first; a proctor's own and those that wait, first appointment first.

    A proctor is not shown whose sittings are over, and first of all who has waited for an answer for more than 30
    seconds, the longest first (H4).
    """
    visible = Sitting.visible_to(viewer)
    chosen, named = "ORDER BY sitting.appointment_at DESC, sitting.id DESC", visible.named
    if viewer.kind is Kind.PROCTOR:
        chosen = f"AND sitting.state <> ALL(:ends) {FOR_PROCTORS}"
        ends = [state.value for state in ENDS]
        named = {**visible.named, "ends": ends, "proctor_id": viewer.id, "long_ago": viewer.at - SOON}
    found = await database.rows(f"{SITTING} WHERE {visible} {chosen} LIMIT {MOST_SHOWN}", **named)
    for row in found:
        viewer.saw(row["candidate_id"])
    return found
