"""My details: what candidates change of their account themselves (A9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from engine import database
from engine.database import Row
from engine.limits import Rate, network
from errors import InvalidInput, LinkNotValid, NotLoggedIn, Problem, TooManyTries, WrongPassword
from models.candidate import LANGUAGES, Candidate
from models.session import EMAIL_CHANGE_VALID, EmailChange, email_change_of
from models.viewer import Kind, Viewer
from resolvers import letters, links, sessions, trail
from resolvers.candidates import email_problems

LINKS_BY_ACCOUNT = Rate("e-mail changes by account", most=5, window=timedelta(hours=24))
LINKS_BY_CLIENT = Rate("e-mail changes by address", most=30, window=timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a candidate wants to have changed; None stays as it is."""

    email: str | None = None
    email_again: str | None = None
    language: str | None = None
    wants_updates: bool | None = None
    password: str | None = None

    @property
    def has_email(self) -> bool:
        """Whether an address was typed, the first or the second time."""
        return self.email is not None or self.email_again is not None


@dataclass(frozen=True, slots=True)
class LinkSent:
    """Where a link to confirm a new address was sent, and until when it works (UTC)."""

    address: str
    valid_until: datetime


async def change(viewer: Viewer, wishes: Wishes) -> LinkSent | None:
    """Change language and wishes at once, and the address once the link is used that is mailed to it (A9).

    Raises NotLoggedIn, NotAllowed, InvalidInput, WrongPassword, LoginLocked or TooManyTries.
    """
    candidate_id = viewer.must_be(Kind.CANDIDATE)
    address = (wishes.email or "").strip()
    is_new = wishes.has_email and address != await _address(candidate_id)
    _check(wishes, is_new)
    account = await _proved(viewer, wishes.password or "") if is_new else None
    async with database.transaction():
        if account is not None and not await sessions.is_unchanged(Kind.CANDIDATE, account):
            raise WrongPassword
        language = await _write_down(candidate_id, wishes)
        await trail.note_own(viewer, candidate_id)
        if wishes.has_email:  # the newest wish counts, and the present address ends all
            await links.end(candidate_id, viewer.at, "email_change")
        return await _send_link(viewer, address, language) if is_new else None


async def _address(candidate_id: UUID) -> str | None:
    found: str | None = await database.value("SELECT email FROM candidate WHERE id = :id", id=candidate_id)
    return found


def _check(wishes: Wishes, is_new: bool) -> None:
    problems = email_problems(wishes.email or "", wishes.email_again or "") if wishes.has_email else []
    if wishes.language not in (None, *LANGUAGES):
        problems.append(Problem("language", "The language must be en or ja."))
    if is_new and not wishes.password:
        problems.append(Problem("password", "A new e-mail address needs your current password."))
    if problems:
        raise InvalidInput(problems)


async def _proved(viewer: Viewer, password: str) -> Row:
    """The account, if the password is right and nobody is flooded with mail: a stolen session must not be enough."""
    account = await sessions.prove(viewer, password)
    for rate, subject in ((LINKS_BY_CLIENT, network(viewer.address)), (LINKS_BY_ACCOUNT, str(viewer.id))):
        if not await rate.count(subject, viewer.at):
            raise TooManyTries(rate.ends_at(viewer.at))
    return account


async def _write_down(candidate_id: UUID, wishes: Wishes) -> str:
    """Write what counts at once, and lock the row: of two wishes at once one waits here for the other."""
    row = await database.row(
        """UPDATE candidate SET language = coalesce(:language, language),
                                wants_updates = coalesce(:wants_updates, wants_updates)
           WHERE id = :id AND closed_at IS NULL RETURNING language""",
        language=wishes.language,
        wants_updates=wishes.wants_updates,
        id=candidate_id,
    )
    if row is None:  # closed meanwhile
        raise NotLoggedIn
    language: str = row["language"]
    return language


async def _send_link(viewer: Viewer, address: str, language: str) -> LinkSent:
    wanted = await EmailChange.create(candidate_id=viewer.id, new_email=address, asked_at=viewer.at)
    receiver = letters.Receiver(address, language, candidate_id=viewer.id)
    await letters.write("confirm_address", receiver, {"change_id": str(wanted.id)}, viewer.at)
    return LinkSent(address, viewer.at + EMAIL_CHANGE_VALID)


async def confirm_email(viewer: Viewer, token: str) -> None:
    """Set the new address by its mailed link, once, within 24 hours, whoever is logged in; tells the old address.

    Raises LinkNotValid.
    """
    change_id = email_change_of(token)
    found = await database.row("SELECT id, candidate_id FROM email_change WHERE id = :id", id=change_id)
    if found is None:
        raise LinkNotValid
    candidate_id = found["candidate_id"]
    async with database.transaction():
        # First, so that of two links used at once one waits here for the other.
        account = await database.row(
            "SELECT email, language FROM candidate WHERE id = :id AND closed_at IS NULL FOR NO KEY UPDATE",
            id=candidate_id,
        )
        if account is None:
            raise LinkNotValid
        confirmed = await links.use("email_change", found["id"], viewer.at)
        await links.end(candidate_id, viewer.at)  # a password reset that waits in the old letter-box, too
        await Candidate.filter(id=candidate_id).update(email=confirmed["new_email"], email_refused_at=None)
        old = letters.Receiver(account["email"], account["language"], candidate_id=candidate_id)
        await letters.write("address_changed", old, {}, viewer.at)
        await trail.note_own(viewer, candidate_id)


async def pending_emails(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The new address of each candidate that waits to be confirmed; only one's own, or for staff."""
    if viewer.kind not in (Kind.CANDIDATE, Kind.STAFF):
        return {}
    visible = Candidate.visible_to(viewer)
    found = await database.rows(
        f"""SELECT DISTINCT ON (candidate.id) candidate.id, email_change.new_email
            FROM email_change JOIN candidate ON candidate.id = email_change.candidate_id
            WHERE candidate.id = ANY(:ids) AND email_change.used_at IS NULL AND email_change.asked_at > :asked_after
            AND {visible} ORDER BY candidate.id, email_change.asked_at DESC, email_change.id DESC""",
        ids=list(ids),
        asked_after=viewer.at - EMAIL_CHANGE_VALID,
        **visible.named,
    )
    return {row["id"]: row["new_email"] for row in found}
