"""Applications for an institution's account, and what the board's staff decide."""

from datetime import date, datetime
from enum import Enum
from typing import Annotated
from uuid import UUID

import strawberry

from engine.database import Row
from engine.languages import told
from models.institution import InstitutionKind as Sort
from models.institution_form import Details
from models.viewer import Viewer
from resolvers import applications, flags
from resolvers.due_pages import cursor_of
from resolvers.office import office
from resolvers.pages import Page
from schema.arguments import Input
from schema.context import Info
from schema.costs import list_of
from schema.ids import global_id, key_named, key_of
from schema.institution import Institution, InstitutionKind
from schema.node import LANGUAGE_DESCRIPTION, Node
from schema.pages import PageInfo, page_info
from schema.refusals import (
    AlreadyDecided,
    ApplicationNotFound,
    InvalidInput,
    LinkNotValid,
    NotAllowed,
    NotLoggedIn,
    TooManyTries,
)

RECEIVED = (
    "Thank you. A link is on its way to the e-mail address that you gave: open it within 7 days, and your application "
    "goes to the exam board."
)


@strawberry.enum(description="How far an application has come.")
class ApplicationStatus(Enum):
    APPLIED = strawberry.enum_value("APPLIED", description="The applicant has yet to confirm the e-mail address.")
    EMAIL_CONFIRMED = strawberry.enum_value("EMAIL_CONFIRMED", description="To be decided by the board's staff.")
    APPROVED = strawberry.enum_value("APPROVED", description="Approved: the account is open.")
    REFUSED = strawberry.enum_value("REFUSED", description="Refused, with a reason.")


@strawberry.enum(description="What staff should look at before they decide.")
class ApplicationFlagKind(Enum):
    SAME_DOMAIN = strawberry.enum_value(
        "SAME_DOMAIN", description="The website, or the applicant's address, has the domain of another institution."
    )
    SAME_NAME = strawberry.enum_value("SAME_NAME", description="Another institution has the very same name.")
    LOOK_ALIKE = strawberry.enum_value(
        "LOOK_ALIKE", description="The name looks like that of another institution, and is written with other signs."
    )
    FREE_MAIL = strawberry.enum_value(
        "FREE_MAIL", description="Anybody can have an address like the applicant's: it proves nothing."
    )


@strawberry.type(description="One thing that staff should look at before they decide.")
class ApplicationFlag:
    kind: ApplicationFlagKind = strawberry.field(description="What it is.")
    fact: str = strawberry.field(description="The domain or the name it is about.")
    institutions: list[Institution] = strawberry.field(
        description="The other institutions that have it, applied for or with an account, the first ones: at most 20.",
        directives=[list_of(5)],
    )

    @classmethod
    def of(cls, flag: flags.Flag) -> "ApplicationFlag":
        """A flag as its type."""
        return cls(
            kind=ApplicationFlagKind(flag.kind.value),
            fact=flag.fact,
            institutions=[Institution.of(row) for row in flag.institutions],
        )


@strawberry.federation.type(
    keys=["id"], description="An application for an institution's account. Seen by the board's staff alone."
)
class AccountApplication(Node):
    institution: Institution = strawberry.field(description="The institution, as it was applied for or is by now.")
    status: ApplicationStatus = strawberry.field(description="How far it has come.")
    applicant_name: str = strawberry.field(description="Who applied.")
    applicant_email: str = strawberry.field(description="The applicant's e-mail address.")
    language: str = strawberry.field(description=f"Language of letters to the applicant, {LANGUAGE_DESCRIPTION}")
    applied_at: datetime = strawberry.field(description="When, UTC.")
    email_confirmed_at: datetime | None = strawberry.field(description="When the address was confirmed, UTC.")
    due_on: date | None = strawberry.field(
        description="The day by which it is to be decided: five working days after the address was confirmed."
    )
    is_late: bool = strawberry.field(description="Whether it should have been decided before today.")
    decided_at: datetime | None = strawberry.field(description="When it was decided, UTC.")
    reason: str | None = strawberry.field(description="Why it was decided so; the applicant reads that of a refusal.")
    key: strawberry.Private[UUID]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "AccountApplication":
        """The application of any row that holds the columns of applications."""
        due_on, is_open = row["due_on"], row["decided_at"] is None
        return cls(
            id=global_id("AccountApplication", row["application_id"]),
            institution=Institution.of(row),
            status=ApplicationStatus(row["application_status"]),
            applicant_name=row["applicant_name"],
            applicant_email=row["applicant_email"],
            language=row["application_language"],
            applied_at=row["applied_at"],
            email_confirmed_at=row["email_confirmed_at"],
            due_on=due_on,
            is_late=due_on is not None and is_open and office().calendar.is_late(due_on, viewer.at),
            decided_at=row["decided_at"],
            reason=row["reason"],
            key=row["application_id"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "AccountApplication | None":
        """The application with this id, if the viewer may see it."""
        key = key_of(id, "AccountApplication")
        row = await info.context.loaders.application.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)

    @strawberry.field(
        description="What to look at before it is decided: likely duplicates, look-alikes, free mail.",
        directives=[list_of(4)],
    )
    async def flags(self, info: Info) -> list[ApplicationFlag]:
        return [ApplicationFlag.of(one) for one in await info.context.loaders.flags_of.load(self.key) or []]


@strawberry.type(description="One application of a list.")
class AccountApplicationEdge:
    node: AccountApplication = strawberry.field(description="The application.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")


@strawberry.type(description="Applications that are to be decided, the one that is due first.")
class AccountApplicationConnection:
    edges: list[AccountApplicationEdge] = strawberry.field(description="The applications of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page, viewer: Viewer) -> "AccountApplicationConnection":
        """A page as a connection."""
        edges = [
            AccountApplicationEdge(
                node=AccountApplication.of(row, viewer), cursor=cursor_of(row["due_on"], row["application_id"])
            )
            for row in page.rows
        ]
        return cls(edges=edges, page_info=page_info([edge.cursor for edge in edges], page.has_next))


@strawberry.input(description="What an applicant fills in to apply for an institution's account.")
class ApplyForAccountInput:
    name: str = strawberry.field(description="Name of the whole institution.")
    department: str | None = strawberry.field(
        default=None, description="Faculty or department, if the account is for one alone."
    )
    kind: InstitutionKind = strawberry.field(description="What sort of body it is.")
    country: str = strawberry.field(description="Country, ISO 3166 alpha-2.")
    city: str = strawberry.field(description="City.")
    website: str = strawberry.field(description="Address of its site.")
    applicant_name: str = strawberry.field(description="Name of the person who applies, the first user.")
    email: str = strawberry.field(description="E-mail address of that person, at the institution.")
    language: str = strawberry.field(default="en", description=f"Language of letters, {LANGUAGE_DESCRIPTION}")
    parent_id: strawberry.ID | None = strawberry.field(
        default=None, description="The institution that it is a department of, if that has an account."
    )
    invitation: str | None = strawberry.field(
        default=None, description="The token of a candidate's invitation, if it answers one."
    )

    def form(self) -> applications.Form:
        """The form as it is filled in."""
        return applications.Form(
            details=Details(self.name, self.department, self.country, self.city, self.website),
            kind=Sort(self.kind.value),
            applicant_name=self.applicant_name,
            email=self.email,
            language=self.language,
            parent_id=key_named(self.parent_id, "Institution") if self.parent_id else None,
            invitation=self.invitation,
        )


@strawberry.type(description="The answer is the same whether or not the institution or the address is known.")
class ApplicationReceived:
    message: str = strawberry.field(description="What happens now, in the viewer's language, fit to be shown.")


ApplyForAccountPayload = Annotated[
    ApplicationReceived | InvalidInput | LinkNotValid | TooManyTries,
    strawberry.union("ApplyForAccountPayload", description="That it was taken down, or why not."),
]


@strawberry.input(description="What staff decide of an application.")
class DecideApplicationInput:
    id: strawberry.ID = strawberry.field(description="The application.")
    approve: bool = strawberry.field(description="True: open the account. False: refuse it.")
    reason: str = strawberry.field(
        default="", description="Why; needed for a refusal, and mailed to the applicant then."
    )


@strawberry.type(description="The decision; the applicant was mailed.")
class ApplicationDecided:
    application: AccountApplication = strawberry.field(description="The application as it is now.")


DecideApplicationPayload = Annotated[
    ApplicationDecided | NotLoggedIn | NotAllowed | InvalidInput | ApplicationNotFound | AlreadyDecided,
    strawberry.union("DecideApplicationPayload", description="The application, or why it was not decided."),
]


@strawberry.type
class ApplicationMutation:
    @strawberry.mutation(
        description="Apply for an institution's account. A link to confirm the e-mail address is mailed; then the "
        "board's staff decide, within five working days as a rule."
    )
    async def apply_for_account(self, info: Info, input: Input[ApplyForAccountInput]) -> ApplyForAccountPayload:
        await applications.apply(info.context.viewer, input.form())
        return ApplicationReceived(message=told(RECEIVED, info.context.viewer.language))

    @strawberry.mutation(
        description="As the board's staff: approve an application, which opens the account and mails its first user a "
        "link to set a password, or refuse it with a reason. Each is decided once."
    )
    async def decide_application(self, info: Info, input: Input[DecideApplicationInput]) -> DecideApplicationPayload:
        viewer = info.context.viewer
        row = await applications.decide(viewer, key_named(input.id, "AccountApplication"), input.approve, input.reason)
        return ApplicationDecided(application=AccountApplication.of(row, viewer))
