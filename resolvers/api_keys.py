"""Keys with which an institution's own programs use the API: made, listed and revoked by its Primary User (P1).

Who is behind a key is asked in `key_viewers`, and when its Primary User is told that it ends in `key_endings`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from engine import database, keys
from engine.database import Row
from engine.limits import Rate
from errors import InvalidInput, KeyNotFound, NotLoggedIn, Problem, Sentence, TooManyTries
from models import key_token
from models.base import new_id, required
from models.institution import Institution
from models.institution_form import one_line, text_problems
from models.key import LONGEST_LIFE, MOST_AT_ONCE, USUAL_LIFE, ApiKey
from models.names import shown_name
from models.scope import Scope
from models.viewer import Viewer
from resolvers import letters, sandbox_access, users
from resolvers.office import office
from resolvers.pages import Page, Place, page_of
from resolvers.reading import Source

MADE_BY_INSTITUTION = Rate("keys made by institution", most=50, window=timedelta(hours=24))
LONGEST_NAME = 100
SOURCE = Source(
    ApiKey,
    """SELECT api_key.id AS key_id, api_key.institution_id, api_key.name AS key_name, api_key.prefix, api_key.scopes,
              api_key.created_by_id, api_key.created_at, api_key.expires_at, api_key.last_used_at, api_key.revoked_at
       FROM api_key""",
    "api_key.id",
    "key_id",
)
by_ids = SOURCE.by_ids


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is wanted, to the institution or to its sandbox; without a moment it is good for a year."""

    name: str
    scopes: Sequence[Scope]
    expires_at: datetime | None = None
    is_for_sandbox: bool = False

    def problems(self, now: datetime) -> list[Problem]:
        """All that is wrong with it."""
        found = text_problems("name", one_line(self.name), LONGEST_NAME)
        if not self.scopes:
            found.append(Problem("scopes", "Choose at least one scope: a key without any may do nothing."))
        if self.expires_at is not None and (fault := _fault_of(self.expires_at, now)):
            found.append(Problem("expiresAt", fault))
        return found


def _fault_of(expires_at: datetime, now: datetime) -> str | None:
    if expires_at.tzinfo is None:
        return "`expiresAt` needs its time zone, such as the Z of 2027-03-31T12:00:00Z."
    if expires_at <= now:
        return "`expiresAt` must lie in the future."
    if expires_at > now + LONGEST_LIFE:
        return "`expiresAt` may lie at most 2 years ahead."
    return None


@dataclass(frozen=True, slots=True)
class Made:
    """A new key's id, and the key itself, which is told once."""

    id: UUID
    secret: str


async def make(viewer: Viewer, wanted: NewKey) -> Made:
    """Make a key; the Primary User is told by mail, whoever it was that made it.

    Raises NotLoggedIn, NotAllowed, InvalidInput or TooManyTries.
    """
    viewer.must_be_primary()
    if problems := wanted.problems(viewer.at):
        raise InvalidInput(problems)
    if not await MADE_BY_INSTITUTION.count(str(viewer.institution_id), viewer.at):
        raise TooManyTries(MADE_BY_INSTITUTION.ends_at(viewer.at))
    made = Made(new_id(), key_token.new(office().is_production))
    async with database.transaction():
        institution = await _locked(viewer)
        holder = await _holder(viewer, institution, wanted)
        await _check_room(holder, viewer.at)
        await ApiKey.create(
            id=made.id,
            institution_id=holder,
            name=one_line(wanted.name),
            prefix=key_token.shown(made.secret),
            hash=keys.hashed(made.secret),
            scopes=[scope.value for scope in Scope if scope in wanted.scopes],
            created_by_id=viewer.id,
            created_at=viewer.at,
            expires_at=wanted.expires_at or viewer.at + USUAL_LIFE,
        )
        await tell("key_created", [made.id], viewer.at)
    return made


async def _locked(viewer: Viewer) -> Institution:
    """The institution of its Primary User, kept from others until the transaction ends.

    Raises NotLoggedIn or NotAllowed, if that has changed.
    """
    institution = await users.locked(viewer.institution_id)
    if institution is None:
        raise NotLoggedIn
    await users.check_primary(viewer)
    return institution


async def _holder(viewer: Viewer, institution: Institution, wanted: NewKey) -> UUID:
    """The institution that a key lets into. Raises InvalidInput."""
    if not wanted.is_for_sandbox:
        return institution.id
    sandbox_id = await sandbox_access.of(viewer)
    if sandbox_id is None:
        raise InvalidInput([Problem("sandbox", "There is no sandbox yet: make one first.")])
    return sandbox_id


async def _check_room(institution_id: UUID, now: datetime) -> None:
    good = await database.value(
        "SELECT count(*) FROM api_key WHERE institution_id = :id AND revoked_at IS NULL AND expires_at > :now",
        id=institution_id,
        now=now,
    )
    if good >= MOST_AT_ONCE:
        told = Sentence.of("At most {most} keys are good at one time: revoke one first.", most=MOST_AT_ONCE)
        raise InvalidInput([Problem("name", told)])


async def revoke(viewer: Viewer, key_id: UUID) -> None:
    """End a key: from the commit on nobody is let in by it, and its streams end. Once more changes nothing.

    Raises NotLoggedIn, NotAllowed or KeyNotFound.
    """
    viewer.must_be_primary()
    async with database.transaction():
        await _locked(viewer)
        key = await ApiKey.visible_to(viewer).get_or_none(key_id, lock="FOR NO KEY UPDATE")
        if key is None:
            raise KeyNotFound
        if key.revoked_at is None:
            await database.rows("UPDATE api_key SET revoked_at = :now WHERE id = :id", now=viewer.at, id=key_id)
            await tell("key_revoked", [key_id], viewer.at)


async def end_of_merged(duplicate_id: UUID, into_id: UUID, now: datetime) -> None:
    """Inside the transaction that merges: a duplicate's keys end, and stay in the history of the account that is kept.

    They were made to see what the duplicate was sent; what the kept account is sent, its own Primary User lets out.
    """
    ended = await database.rows(
        """UPDATE api_key SET institution_id = :into_id, revoked_at = :now
           WHERE institution_id = :duplicate_id AND revoked_at IS NULL RETURNING id, expires_at""",
        duplicate_id=duplicate_id,
        into_id=into_id,
        now=now,
    )
    await database.rows(
        "UPDATE api_key SET institution_id = :into_id WHERE institution_id = :duplicate_id",
        duplicate_id=duplicate_id,
        into_id=into_id,
    )
    await tell("key_revoked", [key["id"] for key in ended if key["expires_at"] > now], now)


async def tell(kind: str, key_ids: Sequence[UUID], now: datetime) -> None:
    """Write to the Primary User of each key's institution, in the transaction that did it; never the key itself.

    A sandbox has no users: of its keys, the Primary User of its institution is told.
    """
    found = await database.rows(
        """SELECT api_key.name, api_key.prefix, api_key.expires_at, institution.name AS institution_name,
                  institution.department, verifier_user.id AS verifier_id, verifier_user.email, verifier_user.language
           FROM api_key JOIN institution ON institution.id = api_key.institution_id
           JOIN verifier_user ON verifier_user.institution_id = coalesce(institution.sandbox_of_id, institution.id)
           AND verifier_user.is_primary AND verifier_user.status = 'ACTIVE'
           WHERE api_key.id = ANY(:ids) ORDER BY api_key.id""",
        ids=list(key_ids),
    )
    for key in found:
        receiver = letters.Receiver(key["email"], key["language"], verifier_id=key["verifier_id"])
        await letters.write(kind, receiver, _facts(key), now)


def _facts(key: Row) -> dict[str, str]:
    return {
        "institution": shown_name(key["institution_name"], key["department"]),
        "key": key["name"],
        "prefix": key["prefix"],
        "expires_at": key["expires_at"].isoformat(),
    }


async def one(viewer: Viewer, key_id: UUID) -> Row:
    """A key that this viewer has just made or revoked."""
    found: Row = required((await by_ids(viewer, [key_id])).get(key_id))
    return found


async def page(viewer: Viewer, place: Place) -> Page:
    """A page of the keys of the viewer's institution, newest first; those that have ended stay in it."""
    found = await SOURCE.rows(
        viewer,
        place.condition("api_key.created_at", "api_key.id"),
        "ORDER BY api_key.created_at DESC, api_key.id DESC LIMIT :limit",
        limit=place.first + 1,
        **place.named,
    )
    return page_of(found, place.first)
