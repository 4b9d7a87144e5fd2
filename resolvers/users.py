"""Users of an institution's account, as their Primary User keeps them (U1, U2).

Every order locks the institution first, so that those about one institution come one behind the other, and looks
whether whoever asks is still its Primary User: the role may have been handed over a moment ago.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from engine import database
from engine.database import Row
from engine.limits import Rate
from errors import (
    InvalidInput,
    NotAllowed,
    NotLoggedIn,
    PrimaryStays,
    Problem,
    TooManyTries,
    UserNotFound,
    UserStateForbids,
    WrongPassword,
)
from models.base import new_id, required
from models.candidate import LANGUAGES
from models.institution import APPROVED, Institution
from models.institution_form import one_line, text_problems
from models.names import shown_name
from models.verifier import VerifierRole, VerifierStatus
from models.viewer import Kind, Viewer
from resolvers import letters, links, news, password_links, sessions
from resolvers.candidates import email_problems

INVITATIONS_BY_INSTITUTION = Rate("users invited by institution", most=200, window=timedelta(hours=24))
EMAIL_TAKEN = "This address cannot be used: it has an account of this service already."


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who is to be a user of an account."""

    name: str
    email: str
    role: VerifierRole = VerifierRole.OFFICER
    language: str = "en"

    def tidied(self) -> "NewUser":
        """The same without blanks round name and address; raises InvalidInput if something is wrong."""
        tidy = NewUser(one_line(self.name), self.email.strip(), self.role, self.language)
        problems = text_problems("name", tidy.name) + email_problems(tidy.email, tidy.email)
        if tidy.language not in LANGUAGES:
            problems.append(Problem("language", "The language must be en or ja."))
        if problems:
            raise InvalidInput(problems)
        return tidy


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be changed of a user; None stays as it is."""

    name: str | None = None
    email: str | None = None
    role: VerifierRole | None = None
    language: str | None = None
    is_active: bool | None = None
    password: str | None = None  # the asker's own, for another address of theirs

    @property
    def is_of_language_alone(self) -> bool:
        """Whether nothing is asked for but another language, which everybody may choose for themselves."""
        return (self.name, self.email, self.role, self.is_active) == (None, None, None, None)


# ---- adding


async def add(viewer: Viewer, form: NewUser) -> UUID:
    """Make a user, who is mailed a link to set a password; the new user's id.

    Raises NotLoggedIn, NotAllowed, InvalidInput or TooManyTries.
    """
    viewer.must_be_primary()
    form = form.tidied()
    await _count(viewer)
    async with database.transaction():
        institution = await _locked_by_primary(viewer)
        return await create(institution, form, viewer.at)


async def create(institution: Institution, form: NewUser, now: datetime) -> UUID:
    """Make a user with a link to set a password, inside the transaction that locked the institution.

    Raises InvalidInput if the address is in use, by whomever: that is not told.
    """
    user_id = new_id()
    await _check_free(form.email, user_id)
    chosen = await news.starting(institution, now)
    made = await database.rows(
        """INSERT INTO verifier_user (id, institution_id, name, email, role, status, language, is_primary, created_at,
                                      notify, news_due_at, news_xid, news_id)
           VALUES (:id, :institution_id, :name, :email, :role, 'INVITED', :language, false, :now,
                   :notify, :news_due_at, :news_xid, :news_id)
           ON CONFLICT (lower(email)) WHERE status <> 'REMOVED' DO NOTHING RETURNING id""",
        id=user_id,
        institution_id=institution.id,
        name=form.name,
        email=form.email,
        role=form.role.value,
        language=form.language,
        now=now,
        **chosen | {"notify": chosen["notify"].value},
    )
    if not made:  # somebody else was faster
        raise InvalidInput([Problem("email", EMAIL_TAKEN)])
    await _send_invitation(institution, {"id": user_id, "email": form.email, "language": form.language}, now)
    return user_id


async def _check_free(email: str, user_id: UUID) -> None:
    """Raises InvalidInput if another user, of any institution, has this address.

    The address is locked until the transaction ends: of two who want it at once, one waits here and finds it taken.
    """
    await database.rows("SELECT pg_advisory_xact_lock(hashtextextended('e-mail ' || lower(:email), 0))", email=email)
    taken = await database.rows(
        "SELECT 1 FROM verifier_user WHERE lower(email) = lower(:email) AND status <> 'REMOVED' AND id <> :id",
        email=email,
        id=user_id,
    )
    if taken:
        raise InvalidInput([Problem("email", EMAIL_TAKEN)])


async def _send_invitation(institution: Institution, user: Row | dict[str, Any], now: datetime) -> None:
    link_id = await password_links.invite(user["id"], now)
    facts = {"link_id": str(link_id), "institution": shown_name(institution.name, institution.department)}
    await letters.write("user_invited", _receiver(user), facts, now)


async def resend_invitation(viewer: Viewer, user_id: UUID) -> None:
    """Mail a fresh link to somebody who has set no password yet; the old one ends.

    The board's staff may, too: a first user whose link has ended has no Primary User to ask.
    Raises NotLoggedIn, NotAllowed, UserNotFound, UserStateForbids or TooManyTries.
    """
    if not viewer.is_board:
        viewer.must_be_primary()
    await _count(viewer)
    async with database.transaction():
        institution = await (_locked_of_user(user_id) if viewer.is_board else _locked_by_primary(viewer))
        user = await _locked_user(institution, user_id)
        if user["status"] != VerifierStatus.INVITED.value:
            raise UserStateForbids(user["status"])
        await _send_invitation(institution, user, viewer.at)


# ---- changing


async def change(viewer: Viewer, user_id: UUID, wishes: Wishes) -> None:
    """Change a user, at once; another address ends open links, and the old one is told.

    Raises NotLoggedIn, NotAllowed, UserNotFound, InvalidInput, PrimaryStays, WrongPassword, LoginLocked or
    TooManyTries.
    """
    asker = viewer.must_be(Kind.VERIFIER)
    if not (viewer.is_primary or (user_id == asker and wishes.is_of_language_alone)):
        raise NotAllowed
    account = await _proved(viewer, wishes) if user_id == asker and wishes.email is not None else None
    if wishes.email is not None:
        await _count(viewer)
    async with database.transaction():
        institution = await (_locked_by_primary(viewer) if viewer.is_primary else _locked_of_user(user_id))
        if account is not None and not await sessions.is_unchanged(Kind.VERIFIER, account):
            raise WrongPassword
        user = await _locked_user(institution, user_id)
        form = NewUser(
            user["name"] if wishes.name is None else wishes.name,
            user["email"] if wishes.email is None else wishes.email,
            VerifierRole(user["role"]) if wishes.role is None else wishes.role,
            user["language"] if wishes.language is None else wishes.language,
        ).tidied()
        if user["is_primary"] and (wishes.is_active is False or wishes.role is VerifierRole.READER):
            raise PrimaryStays
        if form.email.lower() != user["email"].lower():
            await _check_free(form.email, user_id)
        await _write_down(user, form)
        if wishes.is_active is not None:
            await _set_active(user, wishes.is_active, viewer.at)
        await _tell_of_change(institution, user, form, wishes, viewer.at)


async def _proved(viewer: Viewer, wishes: Wishes) -> Row:
    """The viewer's own account, by its password: a session that was stolen must not become the account (A9)."""
    if not wishes.password:
        raise InvalidInput([Problem("password", "A new e-mail address needs your current password.")])
    return await sessions.prove(viewer, wishes.password)


async def _write_down(user: Row, form: NewUser) -> None:
    await database.rows(
        """UPDATE verifier_user SET name = :name, email = :email, role = :role, language = :language,
                  email_refused_at = CASE WHEN email = :email THEN email_refused_at END WHERE id = :id""",
        id=user["id"],
        name=form.name,
        email=form.email,
        role=form.role.value,
        language=form.language,
    )


async def _set_active(user: Row, is_active: bool, now: datetime) -> None:
    """Let somebody log in no more, or again; who has no password yet is invited again."""
    is_off = user["status"] == VerifierStatus.DEACTIVATED.value
    if is_active and is_off:
        status = VerifierStatus.ACTIVE if user["password_hash"] else VerifierStatus.INVITED
        await database.rows(
            "UPDATE verifier_user SET status = :status, deactivated_at = NULL WHERE id = :id",
            id=user["id"],
            status=status.value,
        )
    elif not is_active and not is_off:
        await database.rows(
            "UPDATE verifier_user SET status = 'DEACTIVATED', deactivated_at = :now WHERE id = :id",
            id=user["id"],
            now=now,
        )
        await _shut_out(user["id"], now)


async def _tell_of_change(institution: Institution, user: Row, form: NewUser, wishes: Wishes, now: datetime) -> None:
    """Invite whoever has no password yet to the new address, or anew; tell an old address that it is one no more."""
    is_new = form.email != user["email"]
    status = await database.value("SELECT status FROM verifier_user WHERE id = :id", id=user["id"])
    if is_new:
        await links.end_of_user(user["id"], now)
    if is_new and user["status"] == VerifierStatus.ACTIVE.value:
        await letters.write("address_changed", _receiver(user), {"account": "VERIFIER"}, now)
    was_off = user["status"] == VerifierStatus.DEACTIVATED.value
    if status == VerifierStatus.INVITED.value and (is_new or was_off):
        changed = {"id": user["id"], "email": form.email, "language": form.language}
        await _send_invitation(institution, changed, now)


async def remove(viewer: Viewer, user_id: UUID) -> None:
    """Remove a user for good; the row stays, for the history's sake.

    Raises NotLoggedIn, NotAllowed, UserNotFound or PrimaryStays.
    """
    viewer.must_be_primary()
    async with database.transaction():
        user = await _locked_user(await _locked_by_primary(viewer), user_id)
        if user["is_primary"]:
            raise PrimaryStays
        await database.rows(
            "UPDATE verifier_user SET status = 'REMOVED', removed_at = :now, news_due_at = NULL WHERE id = :id",
            id=user_id,
            now=viewer.at,
        )
        await _shut_out(user_id, viewer.at)


async def hand_over(viewer: Viewer, user_id: UUID) -> None:
    """Make another active user the Primary User in the viewer's place; both are told by mail (U1).

    Raises NotLoggedIn, NotAllowed, UserNotFound or UserStateForbids.
    """
    asker = viewer.must_be_primary()
    async with database.transaction():
        institution = await _locked_by_primary(viewer)
        user = await _locked_user(institution, user_id)
        if user["status"] != VerifierStatus.ACTIVE.value:
            raise UserStateForbids(user["status"])
        if user_id == asker:
            return
        old = required(await database.row("SELECT * FROM verifier_user WHERE id = :id", id=asker))
        await database.rows("UPDATE verifier_user SET is_primary = false WHERE id = :id", id=asker)
        await database.rows("UPDATE verifier_user SET is_primary = true, role = 'OFFICER' WHERE id = :id", id=user_id)
        facts = {"institution": shown_name(institution.name, institution.department), "name": user["name"]}
        for one in (old, user):
            await letters.write("primary_changed", _receiver(one), facts, viewer.at)


async def _shut_out(user_id: UUID, now: datetime) -> None:
    """End the sessions of somebody who may log in no more, and with them their streams and files; and open links."""
    await sessions.end_all(Kind.VERIFIER, [user_id], now)
    await links.end_of_user(user_id, now)


# ---- what the orders have in common


async def _locked_by_primary(viewer: Viewer) -> Institution:
    """The viewer's institution, kept from others until the transaction ends, if they are still its Primary User.

    Raises NotLoggedIn or NotAllowed.
    """
    institution = await locked(viewer.institution_id)
    if institution is None:
        raise NotLoggedIn
    await check_primary(viewer)
    return institution


async def check_primary(viewer: Viewer) -> None:
    """Raises NotAllowed if the viewer is the Primary User no more; inside what locked the institution."""
    if not await database.rows(
        "SELECT 1 FROM verifier_user WHERE id = :id AND is_primary AND status = 'ACTIVE'", id=viewer.id
    ):
        raise NotAllowed


async def _locked_of_user(user_id: UUID) -> Institution:
    """The same, of the user's institution, for whoever need not be its Primary User. Raises UserNotFound."""
    found = await database.value("SELECT institution_id FROM verifier_user WHERE id = :id", id=user_id)
    institution = await locked(found)
    if institution is None:
        raise UserNotFound
    return institution


async def locked(institution_id: UUID | None) -> Institution | None:
    """An institution that sees anything now, kept from others until the transaction ends."""
    found = await database.row(
        f"SELECT institution.* FROM institution WHERE id = :id AND {APPROVED} FOR NO KEY UPDATE", id=institution_id
    )
    return None if found is None else Institution._init_from_db(**found)


async def _locked_user(institution: Institution, user_id: UUID) -> Row:
    """A user of the institution, kept from others. Raises UserNotFound."""
    found = await database.row(
        """SELECT * FROM verifier_user WHERE id = :id AND institution_id = :institution_id AND status <> 'REMOVED'
           FOR NO KEY UPDATE""",
        id=user_id,
        institution_id=institution.id,
    )
    if found is None:
        raise UserNotFound
    return found


async def _count(viewer: Viewer) -> None:
    """Raises TooManyTries when an institution, or a member of staff, has people mailed without end."""
    if not await INVITATIONS_BY_INSTITUTION.count(str(viewer.institution_id or viewer.id), viewer.at):
        raise TooManyTries(INVITATIONS_BY_INSTITUTION.ends_at(viewer.at))


def _receiver(user: Row | dict[str, Any]) -> letters.Receiver:
    return letters.Receiver(user["email"], user["language"], verifier_id=user["id"])
