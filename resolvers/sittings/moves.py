"""The one way in which a sitting changes: hold its row, let the clock go on, ask the table, write it with its events.

What the clock has done by the moment of an act is written with the act; where nobody acts, a job writes it (H11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from engine import database
from engine.database import Row
from errors import SittingNotFound, SittingStateForbids
from models.sittings.reasons import Reason
from models.sittings.sitting import Happening, Sitting, facts_of, written
from models.sittings.states import LIVE, Act, Actor, SittingState
from models.sittings.table import (
    BREAK,
    LOST_AFTER,
    START_WITHIN,
    Facts,
    after,
    closed,
    interval,
    standing,
    turns,
)
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import trail

CHANNEL = "sitting_events"
DUE_AT_ONCE = 100
# What was asked in time may have to wait before it is done: the job lets it go first, and an end, which is for good,
# waits for as long as a statement may take.
GRACE = timedelta(seconds=2)
GRACE_OF_ENDS = timedelta(seconds=30)

PROCTOR_SEEN = "(SELECT seen_at FROM proctor_presence WHERE staff_id = sitting.proctor_id) AS proctor_seen_at"
HELD = f"SELECT sitting.*, {PROCTOR_SEEN} FROM sitting"
HAPPENINGS = {
    Act.PASS_CHECK: Happening.SYSTEM_CHECK_PASSED,
    Act.FAIL_CHECK: Happening.SYSTEM_CHECK_FAILED,
    Act.START_CHECK_IN: Happening.CHECK_IN_STARTED,
    Act.TAKE: Happening.TAKEN,
    Act.CONFIRM_STEP: Happening.STEP_CONFIRMED,
    Act.ENTER_TEST: Happening.TEST_ENTERED,
    Act.START_SECTION: Happening.SECTION_STARTED,
    Act.FINISH_SECTION: Happening.SECTION_FINISHED,
    Act.START_BREAK: Happening.BREAK_STARTED,
    Act.END_BREAK: Happening.BREAK_ENDED,
    Act.RESUME: Happening.RESUMED,
    Act.FINISH: Happening.FINISHED,
    Act.REPORT: Happening.REPORTED,
    Act.ASK_TO_CANCEL: Happening.CANCEL_ASKED,
    Act.CANCEL: Happening.CANCELLED,
    Act.UNDO: Happening.CANCEL_UNDONE,
    Act.END: Happening.ENDED_BY_PROCTOR,
    Act.INVALIDATE: Happening.INVALIDATED,
    Act.CLOSE_ACCOUNT: Happening.CANCELLED,
    Act.MISS: Happening.MISSED,
    Act.LOSE: Happening.CONNECTION_LOST,
    Act.OVERRUN: Happening.BREAK_OVERRUN,
}
By = tuple[Actor, UUID | None]
BY_CLOCK: By = (Actor.CLOCK, None)
ACTORS = {Kind.CANDIDATE: Actor.CANDIDATE, Kind.PROCTOR: Actor.PROCTOR, Kind.STAFF: Actor.STAFF}


@dataclass(slots=True)
class Held:
    """A sitting whose row is ours until the transaction ends, and what stands there as the viewer acts."""

    viewer: Viewer
    row: Row
    written: Facts  # as they are in the table
    facts: Facts  # as they are at this moment

    @property
    def id(self) -> UUID:
        """The sitting's key."""
        id: UUID = self.row["id"]
        return id

    def must_be_live(self) -> None:
        """Raises SittingStateForbids unless the candidate has begun and is not at the end."""
        if self.facts.state not in LIVE:
            raise SittingStateForbids(self.facts.state.value)


@dataclass(frozen=True, slots=True)
class Told:
    """What belongs to an act beside itself: why it ends, in whose words, a detail for the timeline, columns to set."""

    reason: Reason | None = None
    words: str | None = None
    detail: str | None = None
    sets: Mapping[str, Any] = field(default_factory=dict)


NOTHING_TOLD = Told()


async def held(viewer: Viewer, sitting_id: UUID) -> Held:
    """A sitting that the viewer may see, held until the surrounding transaction ends. Raises SittingNotFound."""
    visible = Sitting.visible_to(viewer)
    row = await database.row(
        f"{HELD} WHERE sitting.id = :id AND {visible} FOR UPDATE OF sitting", id=sitting_id, **visible.named
    )
    if row is None:
        raise SittingNotFound
    return _held(viewer, row)


async def held_of(viewer: Viewer, kind: Kind, sitting_id: UUID) -> Held:
    """The same, for a viewer who has a part in it: its candidate, or the proctor who has it now.

    Raises NotLoggedIn, NotAllowed or SittingNotFound.
    """
    viewer_id = viewer.must_be(kind)
    found = await held(viewer, sitting_id)
    if kind is Kind.PROCTOR and found.row["proctor_id"] != viewer_id:
        raise SittingNotFound
    return found


async def held_all(viewer: Viewer) -> list[Held]:
    """All sittings of a candidate, held until the surrounding transaction ends. Raises NotLoggedIn or NotAllowed."""
    found = await database.rows(
        f"{HELD} WHERE sitting.candidate_id = :id ORDER BY sitting.id FOR UPDATE OF sitting",
        id=viewer.must_be(Kind.CANDIDATE),
    )
    return [_held(viewer, row) for row in found]


async def held_of_entries(viewer: Viewer, entry_ids: Sequence[UUID]) -> list[Held]:
    """The sittings of which these entries came, held until the surrounding transaction ends; for the board's staff."""
    visible = Sitting.visible_to(viewer)
    found = await database.rows(
        f"{HELD} WHERE sitting.entry_id = ANY(:ids) AND {visible} ORDER BY sitting.id FOR UPDATE OF sitting",
        ids=list(entry_ids),
        **visible.named,
    )
    return [_held(viewer, row) for row in found]


def _held(viewer: Viewer, row: Row) -> Held:
    """Whoever had to wait for the row acts after what was done meanwhile: no sitting goes back in time."""
    facts = facts_of(row)
    viewer = replace(viewer, at=max(viewer.at, facts.since, *filter(None, (facts.seen_at, facts.lost_at))))
    return Held(viewer, row, facts, standing(facts, viewer.at))


async def move(sitting: Held, act: Act, told: Told = NOTHING_TOLD) -> Facts:
    """Do one act, if the table allows it: state, counts and events are written together. Raises SittingStateForbids."""
    done = after(sitting.facts, act, sitting.viewer.at, told.reason)
    await _write(sitting, act, done, told)
    return done


async def cancel_if_open(sitting: Held) -> None:
    """Cancel a sitting with the account of its candidate, unless it is over (G2)."""
    done = closed(sitting.facts, sitting.viewer.at)
    if done is not None:
        await _write(sitting, Act.CLOSE_ACCOUNT, done)


async def _write(sitting: Held, act: Act, done: Facts, told: Told = NOTHING_TOLD) -> None:
    viewer, before = sitting.viewer, sitting.facts
    await _write_turns(sitting)
    await _set(sitting.id, written(done) | _ended(done, told) | dict(told.sets))
    if before.lost_at and not done.lost_at:
        await tell(sitting.id, Happening.CONNECTION_BACK, before, viewer)
    if act is not Act.GIVE_SIGN:
        await tell(sitting.id, HAPPENINGS[act], done, viewer, told.detail)
        await note(sitting)
    sitting.written = sitting.facts = done


def _ended(done: Facts, told: Told) -> dict[str, Any]:
    """The words of an end; and no test password behind the check-in, where none can be used any more (G3)."""
    sets: dict[str, Any] = {"words": told.words if done.reason else None}
    return sets if done.state is SittingState.CHECKING_IN else sets | {"test_password_seal": None}


async def note(sitting: Held) -> None:
    """Leave in the trail that this viewer has changed what is held about a candidate (G1)."""
    await trail.note(sitting.viewer, TrailAct.CHANGED, [About(sitting.row["candidate_id"])])


async def tell(sitting_id: UUID, kind: Happening, facts: Facts, viewer: Viewer, detail: str | None = None) -> None:
    """Write one event into the surrounding transaction; streams of the sitting wake when it commits (H10)."""
    await _write_event(sitting_id, kind, facts, viewer.at, (ACTORS[viewer.kind], viewer.id), detail)


async def _write_turns(sitting: Held) -> None:
    """Write what the clock has done, as it fell due."""
    for turn in turns(sitting.written, sitting.viewer.at):
        await _write_event(sitting.id, HAPPENINGS[turn.act], turn.facts, turn.at, BY_CLOCK)


async def _write_event(
    sitting_id: UUID, kind: Happening, facts: Facts, at: datetime, by: By, detail: str | None = None
) -> None:
    await database.rows(
        """WITH event AS (INSERT INTO sitting_event (sitting_id, kind, state, happened_at, actor, actor_id, detail)
                          VALUES (:id, :kind, :state, :at, :actor, :actor_id, :detail) RETURNING sitting_id)
           SELECT pg_notify(:channel, sitting_id::text) FROM event""",
        id=sitting_id,
        kind=kind.value,
        state=facts.state.value,
        at=at,
        actor=by[0].value,
        actor_id=by[1],
        detail=detail,
        channel=CHANNEL,
    )


async def _set(sitting_id: UUID, columns: Mapping[str, Any]) -> None:
    named = ", ".join(f"{name} = :{name}" for name in columns)
    await database.rows(f"UPDATE sitting SET {named} WHERE id = :id", id=sitting_id, **columns)


# ---- the clock, where nobody acts


# Each with an index of its own: what is over is never looked at again, however much of it there is.
DUE = {
    f"state IN ('BOOKED', 'SYSTEM_CHECKED') AND appointment_at < :now::timestamptz - {interval(START_WITHIN)}"
    " ORDER BY appointment_at": GRACE_OF_ENDS,
    "state IN ('CHECKING_IN', 'IN_PROGRESS', 'INTERRUPTED', 'ON_BREAK') AND lost_at IS NULL"
    f" AND (state <> 'ON_BREAK' OR break_started_at >= :now::timestamptz - {interval(BREAK)})"
    f" AND seen_at < :now::timestamptz - {interval(LOST_AFTER)} ORDER BY seen_at": GRACE,
    f"state = 'ON_BREAK' AND break_started_at < :now::timestamptz - {interval(BREAK)}"
    " ORDER BY break_started_at": GRACE_OF_ENDS,
}


async def settle(now: datetime) -> int:
    """Write down what the clock has ended or interrupted; tells of how many. Several workers share them."""
    return sum([await _settle_all(due, now - grace) for due, grace in DUE.items()])


async def _settle_all(due: str, now: datetime) -> int:
    count = 0
    while True:
        batch = await _settle_some(due, now)
        count += batch
        if batch < DUE_AT_ONCE:
            return count


async def _settle_some(due: str, now: datetime) -> int:
    worker = Viewer(Kind.WORKER, now)
    async with database.transaction():
        found = await database.rows(
            f"{HELD} WHERE {due} LIMIT {DUE_AT_ONCE} FOR UPDATE OF sitting SKIP LOCKED", now=now
        )
        for sitting in [_held(worker, row) for row in found]:
            await _write_turns(sitting)
            await _set(sitting.id, written(sitting.facts))
        return len(found)
