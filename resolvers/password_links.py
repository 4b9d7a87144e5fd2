"""Links by which users of institutions set a password: the first one (U2), or another one for a forgotten one (A5).

A link works for a user who may log in once it is used, of an institution that is approved: those of users who were
removed or deactivated, or whose institution is suspended, do nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from engine import database, hashing, keys
from engine.database import Row
from engine.jobs import enqueue
from engine.limits import Rate, forget, network
from errors import LinkNotValid, TooManyTries
from models.base import new_id
from models.institution import APPROVED
from models.session import INVITATION_VALID, RESET_VALID, VerifierLink, VerifierLinkKind, verifier_link_of
from models.viewer import Kind, Viewer
from resolvers import letters, links, passwords, sessions
from resolvers.candidates import email_problems

FORGOTTEN = "password forgotten"
RESETS_BY_EMAIL = Rate("password resets by e-mail", most=3, window=timedelta(hours=1))
RESETS_BY_CLIENT = Rate("password resets of users by address", most=30, window=timedelta(hours=1))

# A link that works at this moment, with its user: an invitation for those who have no password yet.
OPEN_LINK = f"""FROM verifier_link JOIN verifier_user ON verifier_user.id = verifier_link.verifier_id
    JOIN institution ON institution.id = verifier_user.institution_id
    WHERE verifier_link.id = :link_id AND verifier_link.used_at IS NULL AND {APPROVED}
    AND ((verifier_link.kind = 'INVITATION' AND verifier_user.status = 'INVITED'
          AND verifier_link.asked_at > :invited_after)
      OR (verifier_link.kind = 'RESET' AND verifier_user.status = 'ACTIVE'
          AND verifier_link.asked_at > :reset_after))"""


async def invite(verifier_id: UUID, now: datetime) -> UUID:
    """Make the link by which a new user sets the first password, in place of any before; its id, for a letter's facts.

    Inside the transaction that makes the user and writes the letter.
    """
    return await _make(verifier_id, VerifierLinkKind.INVITATION, now)


async def _make(verifier_id: UUID, kind: VerifierLinkKind, now: datetime) -> UUID:
    await links.end_of_user(verifier_id, now)
    link = await VerifierLink.create(verifier_id=verifier_id, kind=kind, asked_at=now)
    return link.id


async def set_password(viewer: Viewer, token: str, password: str, again: str) -> None:
    """Set a password by a mailed link, once, within its time; a new user is active from then on.

    Where no active user is the Primary User yet, this one is (U1). Raises LinkNotValid or InvalidInput.
    """
    link_id = verifier_link_of(token)
    found = await _open(link_id, viewer.at) if link_id else None
    if link_id is None or found is None:
        raise LinkNotValid
    await passwords.check(Kind.VERIFIER, found["verifier_id"], password, again)
    await _use(link_id, found, await hashing.hash_password(password), viewer.at)
    await forget(sessions.LOGIN_LOCKS[Kind.VERIFIER], found["email"].strip().casefold())


async def _open(link_id: UUID, now: datetime, lock: str = "") -> Row | None:
    """The user and the institution of a link that works at this moment."""
    return await database.row(
        f"""SELECT verifier_user.id AS verifier_id, verifier_user.institution_id, verifier_user.email,
                   verifier_link.kind {OPEN_LINK} {lock}""",
        link_id=link_id,
        invited_after=now - INVITATION_VALID,
        reset_after=now - RESET_VALID,
    )


async def _use(link_id: UUID, found: Row, password_hash: str, now: datetime) -> None:
    async with database.transaction():
        # First: of two first users at once, of one institution, one waits here for the other.
        await database.rows("SELECT 1 FROM institution WHERE id = :id FOR NO KEY UPDATE", id=found["institution_id"])
        if await _open(link_id, now, "FOR UPDATE OF verifier_link, verifier_user") is None:
            raise LinkNotValid
        await database.rows(
            """UPDATE verifier_user SET password_hash = :hash, status = 'ACTIVE', is_primary = NOT EXISTS (
                   SELECT 1 FROM verifier_user AS other WHERE other.institution_id = verifier_user.institution_id
                   AND other.id <> verifier_user.id AND other.is_primary AND other.status = 'ACTIVE')
               WHERE id = :id""",
            hash=password_hash,
            id=found["verifier_id"],
        )
        if found["kind"] == VerifierLinkKind.RESET.value:
            await passwords.settle(Kind.VERIFIER, found["verifier_id"], now)
        await links.end_of_user(found["verifier_id"], now)


async def request_reset(viewer: Viewer, email: str) -> None:
    """Have a link for another password mailed to a user's address, if there is one; the asker learns nothing (A5).

    A job looks whether there is, and an address that nobody has gets one too, so that the time tells nothing either.
    Raises TooManyTries when this client asks too often.
    """
    if not await RESETS_BY_CLIENT.count(network(viewer.address), viewer.at):
        raise TooManyTries(RESETS_BY_CLIENT.ends_at(viewer.at))
    email = email.strip().casefold()
    wanted = await RESETS_BY_EMAIL.count(keys.hashed(email).hex(), viewer.at)
    verifier_id = await database.value(
        "SELECT id FROM verifier_user WHERE lower(email) = :email AND status = 'ACTIVE'",
        email="" if email_problems(email, email) else email,
    )
    letter_id = str(new_id())
    facts = {"verifier_id": str(verifier_id if verifier_id and wanted else new_id()), "letter_id": letter_id}
    async with database.transaction():
        await enqueue(FORGOTTEN, facts, f"{FORGOTTEN} {letter_id}")


async def write_reset(facts: Mapping[str, Any], now: datetime) -> None:
    """The job: a letter with a link, if there is such a user; it may run twice and writes one."""
    letter_id = UUID(facts["letter_id"])
    async with database.transaction():
        user = await database.row(
            f"""SELECT verifier_user.id, verifier_user.email, verifier_user.language FROM verifier_user
                JOIN institution ON institution.id = verifier_user.institution_id
                WHERE verifier_user.id = :id AND verifier_user.status = 'ACTIVE' AND {APPROVED}
                AND NOT EXISTS (SELECT 1 FROM letter WHERE letter.id = :letter_id)
                FOR NO KEY UPDATE OF verifier_user""",
            id=UUID(facts["verifier_id"]),
            letter_id=letter_id,
        )
        if user is not None:
            link_id = await _make(user["id"], VerifierLinkKind.RESET, now)
            receiver = letters.Receiver(user["email"], user["language"], verifier_id=user["id"])
            await letters.write("password_reset", receiver, {"link_id": str(link_id)}, now, letter_id)
