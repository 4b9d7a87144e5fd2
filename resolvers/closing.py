"""Closing an account: what is erased, what is withdrawn, and what stays (G2)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine import database
from engine.database import Row
from errors import InvalidInput, Problem, WrongPassword
from models.base import required
from models.journal import EventKind
from models.share import BLOCKING
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import journal, letters, photos, sessions, trail
from resolvers.sittings import closing as sittings

# All that holds an address, or opens the account. Shares, results and entries are not among it: they are the record.
ERASED = (
    "DELETE FROM letter WHERE candidate_id = :id",
    "DELETE FROM email_change WHERE candidate_id = :id",
    "DELETE FROM password_reset WHERE candidate_id = :id",
    "DELETE FROM session WHERE candidate_id = :id",
    "DELETE FROM sitting_message USING sitting WHERE sitting.id = sitting_id AND sitting.candidate_id = :id",
    """DELETE FROM sitting_recipient USING sitting
       WHERE sitting.id = sitting_id AND sitting.candidate_id = :id AND share_id IS NULL""",
    """UPDATE recording SET delete_at = :now FROM sitting WHERE sitting.id = sitting_id
       AND sitting.candidate_id = :id AND deleted_at IS NULL AND delete_at > :now""",
    """UPDATE candidate SET email = NULL, email_refused_at = NULL, password_hash = NULL, wants_updates = false,
                            closed_at = :now WHERE id = :id""",
)


@dataclass(frozen=True, slots=True)
class Closed:
    """That an account is closed, since when (UTC), and how many shares that withdrew."""

    closed_at: datetime
    shares_withdrawn: int


async def close(viewer: Viewer, password: str, is_confirmed: bool) -> Closed:
    """Close the viewer's account: all of it or nothing. Of two at once, the second finds it closed.

    Raises NotLoggedIn, NotAllowed, InvalidInput, WrongPassword, LoginLocked or TooManyTries.
    """
    candidate_id = viewer.must_be(Kind.CANDIDATE)
    if not is_confirmed:
        raise InvalidInput([Problem("confirm", "Confirm that the account is to be closed.")])
    proved = await sessions.prove(viewer, password)
    async with database.transaction():
        account = await _held(candidate_id)
        if account["closed_at"] is not None:
            return Closed(account["closed_at"], 0)
        if account["password_hash"] != proved["password_hash"]:
            raise WrongPassword
        await sittings.cancel_open(viewer)  # first: one that is reported meanwhile has its photo and result by then
        withdrawn = await _withdraw(candidate_id, viewer.at)
        await _erase(candidate_id, viewer.at)
        await letters.write("account_closed", letters.Receiver(account["email"], account["language"]), {}, viewer.at)
        await trail.note(viewer, TrailAct.CHANGED, [About(candidate_id)])
    return Closed(viewer.at, withdrawn)


async def _held(candidate_id: UUID) -> Row:
    """The account, held until the transaction ends; its letters first, as the worker has it that sends them.

    Its sittings too, before any result of theirs: whoever takes a photo or records scores is waited for, or waits.
    """
    await database.rows("SELECT 1 FROM letter WHERE candidate_id = :id ORDER BY id FOR UPDATE", id=candidate_id)
    found: Row = required(
        await database.row(
            "SELECT email, language, password_hash, closed_at FROM candidate WHERE id = :id FOR NO KEY UPDATE",
            id=candidate_id,
        )
    )
    await database.rows("SELECT 1 FROM sitting WHERE candidate_id = :id ORDER BY id FOR UPDATE", id=candidate_id)
    return found


async def _withdraw(candidate_id: UUID, now: datetime) -> int:
    """Withdraw every share that is not over, as `withdrawals` does; whoever sends a result meanwhile waits for it."""
    await database.rows(
        """SELECT 1 FROM result JOIN entry ON entry.id = result.entry_id WHERE entry.candidate_id = :id
           ORDER BY result.id FOR NO KEY UPDATE OF result""",
        id=candidate_id,
    )
    withdrawn = await database.rows(
        f"""UPDATE share SET withdrawn_at = greatest(:now, sent_at) WHERE id IN (
                SELECT id FROM share WHERE candidate_id = :id AND {BLOCKING}
                AND (expires_at IS NULL OR expires_at > :now) ORDER BY id FOR UPDATE)
            RETURNING id, institution_id, result_id""",
        id=candidate_id,
        now=now,
    )
    for share in withdrawn:
        kind = EventKind.SHARE_WITHDRAWN
        await journal.write(kind, share["institution_id"], share["id"], share["result_id"], now)
    return len(withdrawn)


async def _erase(candidate_id: UUID, now: datetime) -> None:
    """Erase address, passwords and tries, sessions, links, letters and photos; files of photos go after the commit.

    The entries are held, as by whoever keeps a photo: one that comes in meanwhile is erased too, or not kept.
    """
    await database.rows("SELECT 1 FROM entry WHERE candidate_id = :id ORDER BY id FOR NO KEY UPDATE", id=candidate_id)
    erased = await database.rows(
        "DELETE FROM photo USING entry WHERE entry.id = photo.entry_id AND entry.candidate_id = :id RETURNING file",
        id=candidate_id,
    )
    erased += await database.rows(
        """DELETE FROM sitting_photo USING sitting
           WHERE sitting.id = sitting_id AND sitting.candidate_id = :id RETURNING file""",
        id=candidate_id,
    )
    await photos.let_go(erased)
    await sessions.forget_wrong_passwords(candidate_id)
    for statement in ERASED:
        await database.rows(statement, id=candidate_id, **({"now": now} if ":now" in statement else {}))
