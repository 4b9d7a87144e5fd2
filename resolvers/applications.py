"""Applying for an institution's account, and what staff decide (O2, O4)."""

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from engine import database, keys
from engine.database import Row
from engine.limits import Rate, network
from errors import AlreadyDecided, ApplicationNotFound, InvalidInput, LinkNotValid, Problem, TooManyTries
from models import timezones
from models.application import CONFIRM_VALID, AccountApplication, ApplicationStatus
from models.base import new_id
from models.candidate import LANGUAGES
from models.domains import domain_of_site
from models.institution import Institution, InstitutionKind, InstitutionName, InstitutionStatus
from models.institution_form import Details, one_line, text_problems
from models.likeness import skeleton
from models.names import shown_name
from models.verifier import VerifierStatus, VerifierUser
from models.viewer import Viewer
from resolvers import columns, institutions, invitations, letters, news, password_links
from resolvers.candidates import email_problems
from resolvers.due_pages import DuePlace
from resolvers.letters import Receiver
from resolvers.office import office
from resolvers.pages import Page, page_of
from resolvers.reading import Source

APPLICATIONS_BY_CLIENT = Rate("applications by address", most=10, window=timedelta(hours=1))
APPLICATIONS_BY_EMAIL = Rate("applications by e-mail", most=3, window=timedelta(hours=24))
APPLICATIONS_IN_ALL = Rate("applications in all", most=1000, window=timedelta(hours=1))
LONGEST_REASON = 1000

SOURCE = Source(
    AccountApplication,
    f"SELECT {columns.APPLICATION} FROM application JOIN institution ON institution.id = application.institution_id",
    "application.id",
    "application_id",
)
by_ids = SOURCE.by_ids


@dataclass(frozen=True, slots=True)
class Form:
    """What an applicant fills in; with the token of an invitation, where it answers one (S7)."""

    details: Details
    kind: InstitutionKind
    applicant_name: str
    email: str
    language: str
    parent_id: UUID | None = None
    invitation: str | None = None


async def apply(viewer: Viewer, form: Form) -> None:
    """Take down an application, and mail a link that confirms the address.

    The answer is the same whether or not the address or the institution is known: only the mail tells.
    Raises InvalidInput, LinkNotValid or TooManyTries.
    """
    details, name, email = form.details.tidied(), one_line(form.applicant_name), form.email.strip()
    await _check(viewer, form, details, name, email)
    if form.invitation is not None:
        await invitations.open_by(viewer, form.invitation)
    await _count(viewer)
    wanted = await APPLICATIONS_BY_EMAIL.count(keys.hashed(email.casefold()).hex(), viewer.at)
    async with database.transaction():
        to = Receiver(email, form.language)
        if not wanted:
            return
        if await _is_user(email):
            await letters.write("application_known", to, {}, viewer.at)
            return
        made = await _make(viewer, form, details, name, email)
        if form.invitation is not None:
            await invitations.accept(viewer, form.invitation, made)
        await letters.write("application_confirm", to, {"application_id": str(made)}, viewer.at)


async def _check(viewer: Viewer, form: Form, details: Details, name: str, email: str) -> None:
    problems = details.problems() + text_problems("applicantName", name) + email_problems(email, email)
    if form.language not in LANGUAGES:
        problems.append(Problem("language", "The language must be en or ja."))
    if form.parent_id is not None and not await _is_approved(viewer, form.parent_id):
        problems.append(Problem("parentId", "There is no such institution with an account."))
    if problems:
        raise InvalidInput(problems)


async def _is_approved(viewer: Viewer, institution_id: UUID) -> bool:
    found = await Institution.visible_to(viewer).get_or_none(institution_id)
    return found is not None and found.status is InstitutionStatus.APPROVED


async def _count(viewer: Viewer) -> None:
    for rate, subject in ((APPLICATIONS_BY_CLIENT, network(viewer.address)), (APPLICATIONS_IN_ALL, "")):
        if not await rate.count(subject, viewer.at):
            raise TooManyTries(rate.ends_at(viewer.at))


async def _is_user(email: str) -> bool:
    """Whether the address belongs to a user of an account, who needs no other."""
    return bool(
        await database.rows(
            "SELECT 1 FROM verifier_user WHERE lower(email) = lower(:email) AND status <> 'REMOVED'", email=email
        )
    )


async def _make(viewer: Viewer, form: Form, details: Details, name: str, email: str) -> UUID:
    institution = await Institution.create(
        **asdict(details),
        kind=form.kind,
        parent_id=form.parent_id,
        timezone=timezones.of_country(details.country),
        status=InstitutionStatus.APPLIED,
        applied_at=viewer.at,
        domain=domain_of_site(details.website),
        skeleton=skeleton(details.name),
    )
    application = await AccountApplication.create(
        institution_id=institution.id,
        status=ApplicationStatus.APPLIED,
        applicant_name=name,
        applicant_email=email,
        language=form.language,
        applied_at=viewer.at,
    )
    return application.id


async def confirm_email(viewer: Viewer, application_id: UUID) -> date:
    """Confirm an applicant's address by the mailed link, once, within 7 days; the day by which staff mean to decide.

    Raises LinkNotValid.
    """
    due_on = office().calendar.due_on(viewer.at)
    async with database.transaction():
        confirmed = await database.row(
            """UPDATE application SET status = 'EMAIL_CONFIRMED', email_confirmed_at = :now, due_on = :due_on
               WHERE id = :id AND status = 'APPLIED' AND applied_at > :applied_after
               RETURNING institution_id, applicant_email, language""",
            id=application_id,
            now=viewer.at,
            due_on=due_on,
            applied_after=viewer.at - CONFIRM_VALID,
        )
        if confirmed is None:
            raise LinkNotValid
        institution = await Institution.get(id=confirmed["institution_id"])
        institution.status = InstitutionStatus.EMAIL_CONFIRMED
        await institution.save(update_fields=["status"])
        told = {"institution": _shown(institution), "due_on": due_on.isoformat()}
        to = Receiver(confirmed["applicant_email"], confirmed["language"])
        await letters.write("application_received", to, told, viewer.at)
    return due_on


def _shown(institution: Institution) -> str:
    return shown_name(institution.name, institution.department)


# ---- staff


async def page(viewer: Viewer, place: DuePlace) -> Page | None:
    """A page of applications that are to be decided, the one due first; None for all but the board's staff."""
    if not viewer.is_board:
        return None
    found = await SOURCE.rows(
        viewer,
        f"application.status = 'EMAIL_CONFIRMED' AND {place.condition('application.due_on', 'application.id')}",
        "ORDER BY application.due_on, application.id LIMIT :limit",
        limit=place.first + 1,
        **place.named,
    )
    return page_of(found, place.first)


async def decide(viewer: Viewer, application_id: UUID, approve: bool, reason: str) -> Row:
    """Approve or refuse an application, once, and tell the applicant; the application as it is now.

    Raises NotLoggedIn, NotAllowed, InvalidInput, ApplicationNotFound or AlreadyDecided.
    """
    viewer.must_be_board()
    reason = checked_reason(reason, is_needed=not approve)
    async with database.transaction():
        application = await _held(viewer, application_id)
        institution = await Institution.get(id=application.institution_id)
        await (_approve if approve else _refuse)(viewer, application, institution, reason)
        return (await by_ids(viewer, [application_id]))[application_id]


def checked_reason(reason: str, is_needed: bool = True) -> str:
    """A reason, tidied; raises InvalidInput."""
    reason = one_line(reason)
    if (is_needed or reason) and (problems := text_problems("reason", reason, LONGEST_REASON)):
        raise InvalidInput(problems)
    return reason


async def _held(viewer: Viewer, application_id: UUID) -> AccountApplication:
    """The application, to be decided by nobody else meanwhile."""
    found = await AccountApplication.visible_to(viewer).get_or_none(application_id, lock="FOR NO KEY UPDATE")
    if found is None:
        raise ApplicationNotFound
    if found.decided_at is not None:
        raise AlreadyDecided(found.status.value, found.decided_at)
    if found.status is not ApplicationStatus.EMAIL_CONFIRMED:
        raise InvalidInput([Problem("id", "The applicant has not confirmed the e-mail address yet.")])
    return found


async def _settle(viewer: Viewer, application: AccountApplication, status: ApplicationStatus, reason: str) -> None:
    application.status, application.decided_at, application.decided_by = status, viewer.at, viewer.id
    application.reason = reason or None
    await application.save(update_fields=["status", "decided_at", "decided_by", "reason"])


async def _refuse(viewer: Viewer, application: AccountApplication, institution: Institution, reason: str) -> None:
    await _settle(viewer, application, ApplicationStatus.REFUSED, reason)
    institution.status = InstitutionStatus.REFUSED
    await institution.save(update_fields=["status"])
    told = {"institution": _shown(institution), "reason": reason}
    await letters.write(
        "application_refused", Receiver(application.applicant_email, application.language), told, viewer.at
    )


async def _approve(viewer: Viewer, application: AccountApplication, institution: Institution, reason: str) -> None:
    """Open the account: it is found from now on, its first user gets a link, and who invited it is told (S7)."""
    await _settle(viewer, application, ApplicationStatus.APPROVED, reason)
    institution.status, institution.approved_at = InstitutionStatus.APPROVED, viewer.at
    await institution.save(update_fields=["status", "approved_at"])
    aliases = await InstitutionName.filter(institution_id=institution.id, is_alias=True)
    await institutions.name_for_search(institution, [one.written for one in aliases])
    verifier_id = await _first_user(viewer, application, institution)
    told = {"institution": _shown(institution), "link_id": str(await password_links.invite(verifier_id, viewer.at))}
    to = Receiver(application.applicant_email, application.language, verifier_id=verifier_id)
    await letters.write("application_approved", to, told, viewer.at)
    await invitations.tell(application, institution, viewer.at)


async def _first_user(viewer: Viewer, application: AccountApplication, institution: Institution) -> UUID:
    """The applicant as a user, who becomes the Primary User by setting a password; raises InvalidInput."""
    facts: dict[str, Any] = await news.starting(institution, viewer.at)
    user = VerifierUser(
        id=new_id(),
        institution_id=institution.id,
        name=application.applicant_name,
        email=application.applicant_email,
        language=application.language,
        status=VerifierStatus.INVITED,
        created_at=viewer.at,
        **facts,
    )
    await VerifierUser.bulk_create([user], ignore_conflicts=True)
    if not await VerifierUser.filter(id=user.id).exists():
        raise InvalidInput([Problem("id", "The applicant's address belongs to a user of another account by now.")])
    return user.id
