"""Security notices: what the owner of an account is told by mail, whoever did it (N1)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import database
from engine.jobs import enqueue
from models.base import new_id
from models.viewer import Kind
from resolvers import letters
from resolvers.letters import Receiver

LOCKED = "login locked"
STAFF_LANGUAGE = "en"
OWNERS = {
    Kind.CANDIDATE: "SELECT email, language FROM candidate WHERE id = :id AND closed_at IS NULL",
    Kind.VERIFIER: "SELECT email, language FROM verifier_user WHERE id = :id AND status = 'ACTIVE'",
    Kind.STAFF: f"SELECT email, '{STAFF_LANGUAGE}' AS language FROM staff_user WHERE id = :id",
}


async def password_changed(kind: Kind, account_id: UUID, now: datetime) -> None:
    """Tell the owner, in the transaction that set the new password."""
    if owner := await _owner(kind, account_id):
        await letters.write("password_changed", owner, {"account": kind.name}, now)


async def login_locked(kind: Kind, account_id: UUID | None, locked_until: datetime) -> None:
    """Have the owner told by a job; a name that nobody has gets one too, so that nothing tells the two apart (A4).

    The job holds no name: what was typed may have been a password.
    """
    letter_id = str(new_id())
    facts = {
        "kind": kind.name,
        "account_id": str(account_id or new_id()),
        "locked_until": locked_until.isoformat(),
        "letter_id": letter_id,  # chosen here, so that a job that runs twice writes one letter
    }
    async with database.transaction():
        await enqueue(LOCKED, facts, f"{LOCKED} {letter_id}")


async def write_of_lock(facts: Mapping[str, Any], now: datetime) -> None:
    """The job: a letter, if there is an account."""
    kind = Kind[facts["kind"]]
    told = {"account": kind.name, "locked_until": facts["locked_until"]}
    async with database.transaction():
        if owner := await _owner(kind, UUID(facts["account_id"])):
            await letters.write("login_locked", owner, told, now, UUID(facts["letter_id"]))


async def _owner(kind: Kind, account_id: UUID) -> Receiver | None:
    found = await database.row(OWNERS[kind], id=account_id)
    if found is None:
        return None
    return Receiver(
        found["email"],
        found["language"],
        candidate_id=account_id if kind is Kind.CANDIDATE else None,
        verifier_id=account_id if kind is Kind.VERIFIER else None,
    )
