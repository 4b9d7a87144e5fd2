"""Candidates invite institutions that have no account yet, and are told when one has (S7)."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from engine import database
from engine.database import Row
from engine.limits import Rate
from errors import AlreadyInvited, InvalidInput, InvitationsDeclined, LinkNotValid, NotLoggedIn, TooManyTries
from models.application import AccountApplication
from models.domains import domain_of_email, domain_of_site, is_free_mail
from models.institution import Institution
from models.institution_form import country_problems, one_line, site_problems, text_problems, written_site
from models.invitation import VALID, Invitation, invitation_of
from models.names import full_name, shown_name
from models.viewer import Kind, Viewer
from resolvers import columns, letters
from resolvers.candidates import email_problems
from resolvers.letters import Receiver
from resolvers.pages import Page, Place, page_of
from resolvers.reading import Source

MOST_A_DAY = 5  # of one candidate; days are UTC's
TRIES = Rate("invitations tried", most=30, window=timedelta(hours=24))  # an answer tells whether others invited
AGAIN_AFTER = timedelta(days=30)
JAPAN = "JP"

SOURCE = Source(
    Invitation,
    f"""SELECT {columns.INVITATION} FROM invitation
        LEFT JOIN application ON application.id = invitation.application_id AND application.status = 'APPROVED'
        LEFT JOIN institution ON institution.id = application.institution_id""",
    "invitation.id",
    "invitation_id",
)
by_ids = SOURCE.by_ids
OPEN = "accepted_at IS NULL AND declined_at IS NULL AND invited_at > :invited_after"


@dataclass(frozen=True, slots=True)
class Form:
    """What a candidate fills in to invite an institution."""

    name: str
    email: str
    website: str
    country: str | None = None

    def tidied(self) -> "Form":
        """The same on one line each."""
        country = one_line(self.country or "") or None
        return Form(one_line(self.name), self.email.strip(), written_site(self.website), country)

    @property
    def language(self) -> str:
        """Japanese for an institution in Japan, English for all others."""
        hosts = (self.email.rpartition("@")[2], domain_of_site(self.website) or "")
        looks_japanese = any(host.lower().endswith(".jp") for host in hosts)
        is_japanese = self.country == JAPAN if self.country else looks_japanese
        return "ja" if is_japanese else "en"


async def invite(viewer: Viewer, form: Form) -> Row:
    """Mail an institution a link by which it can apply for an account; the invitation.

    Raises NotLoggedIn, NotAllowed, InvalidInput, TooManyTries, AlreadyInvited or InvitationsDeclined.
    """
    candidate_id = viewer.must_be(Kind.CANDIDATE)
    form = form.tidied()
    _check(form)
    if not await TRIES.count(str(candidate_id), viewer.at):
        raise TooManyTries(TRIES.ends_at(viewer.at))
    async with database.transaction():
        name = await _held(candidate_id)
        await _check_day(candidate_id, viewer.at)
        await _check_address(form.email, viewer.at)
        made = await _make(viewer, candidate_id, form)
        told = {"invitation_id": str(made), "candidate": name}
        await letters.write("institution_invited", Receiver(form.email, form.language), told, viewer.at)
        return (await by_ids(viewer, [made]))[made]


def _check(form: Form) -> None:
    problems = text_problems("name", form.name) + email_problems(form.email, form.email) + site_problems(form.website)
    if form.country is not None:
        problems += country_problems(form.country)
    if problems:
        raise InvalidInput(problems)


async def _held(candidate_id: UUID) -> str:
    """The candidate's name; two invitations of one candidate wait here for one another. Raises NotLoggedIn."""
    found = await database.row(
        "SELECT given_name, family_name FROM candidate WHERE id = :id AND closed_at IS NULL FOR NO KEY UPDATE",
        id=candidate_id,
    )
    if found is None:
        raise NotLoggedIn
    return full_name(found["given_name"], found["family_name"])


async def _check_day(candidate_id: UUID, now: datetime) -> None:
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    count = await database.value(
        "SELECT count(*) FROM invitation WHERE candidate_id = :id AND invited_at >= :today",
        id=candidate_id,
        today=today,
    )
    if count >= MOST_A_DAY:
        raise TooManyTries(today + timedelta(days=1))


async def _check_address(email: str, now: datetime) -> None:
    """Nobody invites an address twice within 30 days, or one that has declined; whoever tries meanwhile waits here."""
    await database.rows("SELECT pg_advisory_xact_lock(hashtextextended(lower(:email), 0))", email=email)
    found = await database.row(
        """SELECT max(invited_at) AS invited_at, max(declined_at) AS declined_at FROM invitation
           WHERE lower(email) = lower(:email)""",
        email=email,
    )
    if found is None or found["invited_at"] is None:
        return
    if found["declined_at"] is not None:
        raise InvitationsDeclined
    if found["invited_at"] > now - AGAIN_AFTER:
        raise AlreadyInvited(found["invited_at"])


async def _make(viewer: Viewer, candidate_id: UUID, form: Form) -> UUID:
    made = await Invitation.create(
        candidate_id=candidate_id,
        name=form.name,
        email=form.email,
        website=form.website,
        country=form.country,
        language=form.language,
        invited_at=viewer.at,
    )
    return made.id


async def of_candidate(viewer: Viewer, place: Place) -> Page:
    """A page of the viewer's own invitations, newest first."""
    found = await SOURCE.rows(
        viewer,
        f"invitation.candidate_id = :id AND {place.condition('invitation.invited_at', 'invitation.id')}",
        "ORDER BY invitation.invited_at DESC, invitation.id DESC LIMIT :limit",
        id=viewer.id,
        limit=place.first + 1,
        **place.named,
    )
    return page_of(found, place.first)


# ---- the institution's side


async def open_by(viewer: Viewer, token: str) -> Row:
    """The invitation of a mailed link that can still be answered, with its candidate's name; raises LinkNotValid."""
    found = await database.row(
        f"""SELECT invitation.name, invitation.email, invitation.website, invitation.country, invitation.invited_at,
                   invitation.language, candidate.given_name, candidate.family_name
            FROM invitation JOIN candidate ON candidate.id = invitation.candidate_id
            WHERE invitation.id = :id AND {OPEN}""",
        id=invitation_of(token),
        invited_after=viewer.at - VALID,
    )
    if found is None:
        raise LinkNotValid
    return found


async def found_by(viewer: Viewer, token: str) -> Row | None:
    """The same, or None."""
    try:
        return await open_by(viewer, token)
    except LinkNotValid:
        return None


async def accept(viewer: Viewer, token: str, application_id: UUID) -> None:
    """Note that the institution has applied, in the transaction that does so; raises LinkNotValid."""
    accepted = await database.row(
        f"""UPDATE invitation SET accepted_at = :now, application_id = :application_id
            WHERE id = :id AND {OPEN} RETURNING id""",
        now=viewer.at,
        application_id=application_id,
        id=invitation_of(token),
        invited_after=viewer.at - VALID,
    )
    if accepted is None:
        raise LinkNotValid


async def decline(viewer: Viewer, token: str) -> None:
    """Note that the institution wants no account, and no more invitations; late or twice does no harm.

    Raises LinkNotValid.
    """
    declined = await database.row(
        """UPDATE invitation SET declined_at = coalesce(declined_at, :now) WHERE id = :id AND accepted_at IS NULL
           RETURNING id""",
        now=viewer.at,
        id=invitation_of(token),
    )
    if declined is None:
        raise LinkNotValid


async def tell(application: AccountApplication, institution: Institution, now: datetime) -> None:
    """Mail each candidate who invited an institution that its account is open, in the transaction that opens it.

    The application came from the invitation's link, its address, or its domain.
    """
    told = await database.rows(
        """UPDATE invitation SET told_at = :now, application_id = :application_id,
                                 accepted_at = coalesce(accepted_at, :now)
           WHERE told_at IS NULL AND declined_at IS NULL
           AND (application_id = :application_id OR lower(email) = :email
                OR '.' || split_part(lower(email), '@', 2) LIKE ANY(:domains)
                OR '.' || substring(lower(website) FROM '://(?:[^/?#]*@)?([^/:?#]+)') LIKE ANY(:domains))
           RETURNING candidate_id""",
        now=now,
        application_id=application.id,
        email=application.applicant_email.lower(),
        domains=_likes(application, institution),
    )
    shown = shown_name(institution.name, institution.department)
    for receiver in await _receivers([row["candidate_id"] for row in told]):
        await letters.write("institution_joined", receiver, {"institution": shown}, now)


def _likes(application: AccountApplication, institution: Institution) -> list[str]:
    """Patterns for hosts, with a dot before them, of the institution's domains; those of free mail prove nothing."""
    email = application.applicant_email
    domains = {institution.domain, None if is_free_mail(email) else domain_of_email(email)} - {None}
    return [f"%.{domain}" for domain in sorted(map(str, domains)) if not is_free_mail(f"@{domain}")]


async def _receivers(candidate_ids: list[UUID]) -> list[Receiver]:
    found = await database.rows(
        "SELECT id, email, language FROM candidate WHERE id = ANY(:ids) AND closed_at IS NULL ORDER BY id",
        ids=candidate_ids,
    )
    return [Receiver(one["email"], one["language"], candidate_id=one["id"]) for one in found]
