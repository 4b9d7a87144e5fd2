"""Letting things happen in a sandbox, so that programs can be seen to deal with every event of the journal (P4)."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from engine import database
from engine.database import Row
from engine.limits import Rate
from errors import NothingToSimulate, Refusal, TooManyTries
from models.base import required
from models.candidate import LIVE_SHARE
from models.institution import Institution
from models.journal import EventKind
from models.sandbox import MOST_CASES, Case, cases
from models.viewer import Viewer
from resolvers import corrections, sandbox_access, sandbox_rows, shares, withdrawals
from resolvers.corrections import Facts, Order

REASON = "Simulated in the sandbox."
SIMULATED = Rate("simulated events", most=2_000, window=timedelta(days=1))
STANDS = "result.withheld_at IS NULL AND result.revoked_at IS NULL"
# What a share, and its result, must be for each event to happen.
WHERE = {
    EventKind.SHARE_READ: "NOT share.is_read",
    EventKind.SHARE_UNREAD: "share.is_read",
    EventKind.SHARE_EXPIRED: "true",
    EventKind.SHARE_WITHDRAWN: "true",
    EventKind.RESULT_AMENDED: f"{STANDS} AND result.overall_score IS NOT NULL",
    EventKind.RESULT_WITHHELD: f"{STANDS} AND result.headline IS NOT NULL",
    EventKind.RESULT_RELEASED_AGAIN: "result.withheld_at IS NOT NULL AND result.revoked_at IS NULL",
    EventKind.RESULT_REVOKED: "result.revoked_at IS NULL",
}
FIND = """
    SELECT share.id, share.institution_id, share.result_id, share.candidate_id, result.version, result.overall_score,
           (SELECT json_object_agg(skill, score) FROM skill_score WHERE result_id = result.id) AS skills,
           exam.scale_id
    FROM share JOIN result ON result.id = share.result_id JOIN entry ON entry.id = result.entry_id
    JOIN exam ON exam.code = entry.exam_id"""


@dataclass(frozen=True, slots=True)
class Happened:
    """Which share, of which result, something happened to."""

    share_id: UUID
    result_id: UUID


async def simulate(viewer: Viewer, event: EventKind, share_id: UUID | None) -> Happened:
    """Let something happen in the viewer's sandbox: to this share, or to the latest one that it can happen to.

    Raises NotLoggedIn, NotAllowed, InstitutionNotFound, NothingToSimulate or TooManyTries.
    """
    sandbox_access.must_manage(viewer)
    if not await SIMULATED.count(str(viewer.institution_id), viewer.at):
        raise TooManyTries(SIMULATED.ends_at(viewer.at))
    async with database.transaction():
        sandbox = await sandbox_access.locked(viewer)
        try:
            return await _happened(viewer, sandbox, event, share_id)
        except Refusal as refusal:  # nothing is left of it, or it changed while it was looked at
            raise NothingToSimulate from refusal


async def _happened(viewer: Viewer, sandbox: Institution, event: EventKind, share_id: UUID | None) -> Happened:
    if event is EventKind.SHARE_SENT:
        return await _send(viewer, sandbox)
    share = await _share(viewer, sandbox.id, event, "share.id = :which", share_id)
    await _happen(viewer, event, share)
    return Happened(share["id"], share["result_id"])


async def happen_to(viewer: Viewer, sandbox_id: UUID, event: EventKind, result_id: UUID) -> None:
    """The same for the share of a result, within a transaction that made it."""
    await _happen(viewer, event, await _share(viewer, sandbox_id, event, "share.result_id = :which", result_id))


async def _share(viewer: Viewer, sandbox_id: UUID, event: EventKind, which: str, id: UUID | None) -> Row:
    found = await database.row(
        f"""{FIND} WHERE share.institution_id = :sandbox_id AND {LIVE_SHARE} AND {WHERE[event]}
            AND (:which::uuid IS NULL OR {which}) ORDER BY share.sent_at DESC, share.id DESC LIMIT 1""",
        sandbox_id=sandbox_id,
        viewer_at=viewer.at,
        which=id,
    )
    if found is None:
        raise NothingToSimulate
    return found


async def _send(viewer: Viewer, sandbox: Institution) -> Happened:
    """A new candidate sends a result."""
    there = await database.value(
        """SELECT max(right(statement_number, 3)::int) FROM result JOIN entry ON entry.id = result.entry_id
           JOIN candidate ON candidate.id = entry.candidate_id WHERE candidate.sandbox_id = :id""",
        id=sandbox.id,
    )
    number = int(there or 0) + 1
    if number > MOST_CASES:
        raise NothingToSimulate
    (one,) = await sandbox_rows.invent(viewer, sandbox, [(number, _another(number))])
    return Happened(await sandbox_rows.send(viewer, sandbox, one, viewer.at), one.result_id)


def _another(number: int) -> Case:
    plain = [case for case in cases() if case.sent is not None and not case.then and case.days is None]
    return plain[number % len(plain)]


async def _happen(viewer: Viewer, event: EventKind, share: Row) -> None:
    """By the ways in which it really does."""
    sandbox_id: UUID = share["institution_id"]
    if event in CORRECTED:
        await _correct(sandbox_rows.board_of(viewer, sandbox_id), event, share)
    elif event is EventKind.SHARE_WITHDRAWN:
        sender = sandbox_rows.candidate_of(viewer, sandbox_id, share["candidate_id"])
        await withdrawals.withdraw(sender, share["id"])
    elif event is EventKind.SHARE_EXPIRED:
        await database.rows("UPDATE share SET expires_at = :now WHERE id = :id", now=viewer.at, id=share["id"])
        await shares.tell_expired_at([sandbox_id], viewer.at)
    else:
        reader = sandbox_rows.verifier_of(viewer, sandbox_id)
        await shares.mark(reader, share["id"], is_read=event is EventKind.SHARE_READ)


CORRECTED = {
    EventKind.RESULT_AMENDED: None,
    EventKind.RESULT_WITHHELD: corrections.withhold,
    EventKind.RESULT_RELEASED_AGAIN: corrections.release_again,
    EventKind.RESULT_REVOKED: corrections.revoke,
}


async def _correct(board: Viewer, event: EventKind, share: Row) -> None:
    order = Order(share["result_id"], share["version"], REASON)
    correct = CORRECTED[event]
    if correct is None:
        await corrections.amend(board, order, _others(share))
    else:
        await correct(board, order)


def _others(share: Row) -> Facts:
    """A point less for everything, and a point more the next time."""
    point = -1 if share["version"] % 2 else 1
    skills = {skill: score + point for skill, score in (share["skills"] or {}).items()}
    points = point * len(skills) if share["scale_id"] == "IBT120" and skills else point
    return Facts(overall_score=required(share["overall_score"]) + points, skill_scores=skills)
