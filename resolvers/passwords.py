"""New passwords, and what comes with each of them (A2, A5, A9, N1)."""

from datetime import datetime
from uuid import UUID

from engine import database, hashing
from engine.database import Row
from errors import InvalidInput, NotAllowed, NotLoggedIn, Problem, WrongPassword
from models.base import required
from models.passwords import LONGEST, forms_of_name, is_personal, password_problems
from models.viewer import Kind, Viewer
from resolvers import links, notices, sessions, trail

OWNERS = {
    Kind.CANDIDATE: """SELECT given_name, family_name, native_name, email,
                       array(SELECT id_number FROM entry WHERE entry.candidate_id = candidate.id) AS numbers
                       FROM candidate WHERE id = :id""",
    Kind.VERIFIER: """SELECT verifier_user.name, verifier_user.email, institution.name AS institution_name,
                      institution.department FROM verifier_user
                      JOIN institution ON institution.id = verifier_user.institution_id WHERE verifier_user.id = :id""",
    Kind.STAFF: "SELECT name, email FROM staff_user WHERE id = :id",
}


async def check(kind: Kind, account_id: UUID, password: str, again: str) -> None:
    """Raises InvalidInput if the account may not have this password (A2)."""
    owner = required(await database.row(OWNERS[kind], id=account_id))
    problems = password_problems(password, again, _personal(kind, owner))
    office = [owner["institution_name"], owner["department"] or ""] if kind is Kind.VERIFIER else []
    if len(password) <= LONGEST and is_personal(password, office):
        problems.append(Problem("password", "The password may not be the name of your institution."))
    if problems:
        raise InvalidInput(problems)


def _personal(kind: Kind, owner: Row) -> list[str]:
    """What the owner's password may not be."""
    if kind is Kind.CANDIDATE:
        names = forms_of_name(owner["given_name"], owner["family_name"], owner["native_name"])
        return [*names, owner["email"] or "", *owner["numbers"]]
    parts = owner["name"].split()
    return [owner["name"], " ".join(reversed(parts)), *parts, owner["email"]]


async def change(viewer: Viewer, old: str, password: str, again: str) -> int:
    """Set a new password in place of the old one, and end all other sessions; tells how many (A9).

    Raises NotLoggedIn, NotAllowed, InvalidInput, WrongPassword, LoginLocked or TooManyTries.
    """
    if viewer.id is None:
        raise NotLoggedIn
    if viewer.kind is Kind.KEY:
        raise NotAllowed
    await check(viewer.account, viewer.id, password, again)
    account = await sessions.prove(viewer, old)
    password_hash = await hashing.hash_password(password)
    async with database.transaction():
        if not await sessions.is_unchanged(viewer.account, account):
            raise WrongPassword
        table = sessions.TABLES[viewer.account]
        await database.rows(
            f"UPDATE {table} SET password_hash = :hash WHERE id = :id", hash=password_hash, id=viewer.id
        )
        if viewer.kind is Kind.CANDIDATE:
            await trail.note_own(viewer, viewer.id)
        return await settle(viewer.account, viewer.id, viewer.at, viewer.session_id)


async def settle(kind: Kind, account_id: UUID, now: datetime, kept: UUID | None = None) -> int:
    """What comes with a new password: sessions end, all but the one that is kept, open links end, its owner is told.

    Inside the transaction that sets it. Tells how many sessions ended.
    """
    ended = await database.rows(
        f"""UPDATE session SET ended_at = :now WHERE {sessions.OWNER_COLUMNS[kind]} = :id
            AND ended_at IS NULL AND id IS DISTINCT FROM :kept RETURNING id""",
        now=now,
        id=account_id,
        kept=kept,
    )
    if kind is Kind.CANDIDATE:
        await links.end(account_id, now)
    if kind is Kind.VERIFIER:
        await links.end_of_user(account_id, now)
    await notices.password_changed(kind, account_id, now)
    return len(ended)
