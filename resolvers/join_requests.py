"""Requests to be added to an institution's account (O5): asked by anybody, decided by its Primary User, or by staff."""

from datetime import date, datetime, timedelta
from uuid import UUID

from engine import database, keys
from engine.database import Row
from engine.limits import Rate, network
from errors import (
    AlreadyDecided,
    InstitutionNotFound,
    JoinRequestNotFound,
    NotAllowed,
    NotLoggedIn,
    PrimaryStillAsked,
    TooManyTries,
)
from models.base import new_id, required
from models.institution import APPROVED, REAL, Institution
from models.join_request import JoinRequest, JoinRequestStatus
from models.names import shown_name
from models.verifier import VerifierRole
from models.viewer import Kind, Viewer
from resolvers import columns, letters, users
from resolvers.office import office
from resolvers.pages import Page, Place, page_of
from resolvers.reading import Source
from resolvers.users import NewUser

REQUESTS_BY_CLIENT = Rate("join requests by address", most=10, window=timedelta(hours=1))
REQUESTS_BY_EMAIL = Rate("join requests by e-mail", most=3, window=timedelta(hours=24))
REQUESTS_BY_INSTITUTION = Rate("join requests by institution", most=30, window=timedelta(hours=24))
REQUESTS_IN_ALL = Rate("join requests in all", most=1000, window=timedelta(hours=1))

SOURCE = Source(JoinRequest, f"SELECT {columns.JOIN_REQUEST} FROM join_request", "join_request.id", "join_request_id")
by_ids = SOURCE.by_ids


async def ask(viewer: Viewer, institution_id: UUID, form: NewUser) -> None:
    """Take down a request, and tell the Primary User by mail.

    The answer is the same whether or not the address is known, and whether or not it has asked before: the Primary User
    is told of a request once. Raises InvalidInput, InstitutionNotFound or TooManyTries.
    """
    form = form.tidied()
    await _count(viewer)
    is_wanted = await _is_wanted(institution_id, form.email, viewer.at)
    async with database.transaction():
        institution = await database.row(
            f"SELECT institution.* FROM institution WHERE id = :id AND {APPROVED} AND {REAL} FOR SHARE",
            id=institution_id,
        )
        if institution is None:
            raise InstitutionNotFound
        if is_wanted and await _write_down(institution_id, form, viewer.at):
            await _tell_primary(institution, viewer.at)


async def _count(viewer: Viewer) -> None:
    for rate, subject in ((REQUESTS_BY_CLIENT, network(viewer.address)), (REQUESTS_IN_ALL, "")):
        if not await rate.count(subject, viewer.at):
            raise TooManyTries(rate.ends_at(viewer.at))


async def _is_wanted(institution_id: UUID, email: str, now: datetime) -> bool:
    """Whether neither the address nor the institution has had too many; one more is answered as any other."""
    of_email = await REQUESTS_BY_EMAIL.count(keys.hashed(email.casefold()).hex(), now)
    return of_email and await REQUESTS_BY_INSTITUTION.count(str(institution_id), now)


async def _write_down(institution_id: UUID, form: NewUser, now: datetime) -> bool:
    """Whether it was new: an address asks an institution once at a time."""
    return bool(
        await database.rows(
            """INSERT INTO join_request (id, institution_id, status, name, email, language, asked_at)
               VALUES (:id, :institution_id, 'ASKED', :name, :email, :language, :now)
               ON CONFLICT (institution_id, lower(email)) WHERE status = 'ASKED' DO NOTHING RETURNING id""",
            id=new_id(),
            institution_id=institution_id,
            name=form.name,
            email=form.email,
            language=form.language,
            now=now,
        )
    )


async def _tell_primary(institution: Row, now: datetime) -> None:
    """By a mail with nothing in it that the asker wrote: else the form would mail advertisements."""
    primary = await database.row(
        """SELECT id, email, language FROM verifier_user
           WHERE institution_id = :id AND is_primary AND status = 'ACTIVE'""",
        id=institution["id"],
    )
    if primary is not None:
        receiver = letters.Receiver(primary["email"], primary["language"], verifier_id=primary["id"])
        await letters.write("join_requested", receiver, {"institution": _shown(institution)}, now)


async def decide(viewer: Viewer, request_id: UUID, accepts: bool, role: VerifierRole) -> UUID | None:
    """Make the person a user, whose id this tells, or refuse; the person is told by mail.

    Decided once; by staff once the Primary User's five working days are over, or where there is none.
    Raises NotLoggedIn, NotAllowed, JoinRequestNotFound, AlreadyDecided, PrimaryStillAsked or InvalidInput.
    """
    _must_decide(viewer)
    async with database.transaction():
        institution = await _locked(viewer, request_id)
        request = required(await JoinRequest.visible_to(viewer).get_or_none(request_id, "FOR UPDATE"))
        if request.status is not JoinRequestStatus.ASKED:
            raise AlreadyDecided(request.status.value, required(request.decided_at))
        if viewer.kind is Kind.STAFF:
            await _check_time_is_over(institution.id, request.asked_at, viewer.at)
        status = JoinRequestStatus.ACCEPTED if accepts else JoinRequestStatus.REFUSED
        await JoinRequest.filter(id=request_id).update(status=status, decided_at=viewer.at, decided_by=viewer.id)
        if accepts:
            form = NewUser(request.name, request.email, role, request.language)
            return await users.create(institution, form, viewer.at)
        facts = {"institution": shown_name(institution.name, institution.department)}
        await letters.write("join_refused", letters.Receiver(request.email, request.language), facts, viewer.at)
        return None


def _must_decide(viewer: Viewer) -> None:
    """Raises NotLoggedIn or NotAllowed for all but Primary Users and the board's staff."""
    if viewer.kind is Kind.ANONYMOUS:
        raise NotLoggedIn
    if not (viewer.is_primary or viewer.is_board):
        raise NotAllowed


async def _locked(viewer: Viewer, request_id: UUID) -> Institution:
    """The institution of a request that the viewer may see, kept from others until the transaction ends.

    Raises JoinRequestNotFound, or NotAllowed if the viewer is its Primary User no more.
    """
    found = await JoinRequest.visible_to(viewer).get_or_none(request_id)
    if found is None:
        raise JoinRequestNotFound
    institution = await users.locked(found.institution_id)
    if institution is None:  # requests rest while it is suspended
        raise JoinRequestNotFound
    if viewer.kind is Kind.VERIFIER:
        await users.check_primary(viewer)
    return institution


async def _check_time_is_over(institution_id: UUID, asked_at: datetime, now: datetime) -> None:
    """Raises PrimaryStillAsked while there is a Primary User who has some days left."""
    has_primary = await database.rows(
        "SELECT 1 FROM verifier_user WHERE institution_id = :id AND is_primary AND status = 'ACTIVE'", id=institution_id
    )
    until = answer_until(asked_at)
    if has_primary and not office().calendar.is_late(until, now):
        raise PrimaryStillAsked(until)


def answer_until(asked_at: datetime) -> date:
    """The last day that the Primary User has for an answer, in the board's time zone."""
    return office().calendar.due_on(asked_at)


async def page(viewer: Viewer, place: Place, institution_id: UUID | None = None) -> Page:
    """A page of the requests that wait, of one institution or of all, newest first."""
    found = await SOURCE.rows(
        viewer,
        f"""join_request.status = 'ASKED'
            AND (:institution_id::uuid IS NULL OR join_request.institution_id = :institution_id)
            AND {place.condition("join_request.asked_at", "join_request.id")}""",
        "ORDER BY join_request.asked_at DESC, join_request.id DESC LIMIT :limit",
        institution_id=institution_id,
        limit=place.first + 1,
        **place.named,
    )
    return page_of(found, place.first)


def _shown(institution: Row) -> str:
    return shown_name(institution["name"], institution["department"])
