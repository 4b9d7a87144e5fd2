"""Candidates, and what they do with their account."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from engine.database import Row
from engine.languages import told
from models.names import full_name
from models.viewer import Kind, Viewer
from resolvers import access_log as accesses
from resolvers import candidates
from resolvers import invitations as invited
from schema import access_log, invitation, result, share
from schema.arguments import Input
from schema.context import Info
from schema.costs import HASHING, PAGE, list_of
from schema.entry import Entry
from schema.ids import global_id, key_of
from schema.node import LANGUAGE_DESCRIPTION, Node
from schema.pages import After, First, place
from schema.refusals import (
    AccountClosed,
    AlreadyRegistered,
    InvalidInput,
    LinkNotValid,
    RegistrationLocked,
    TooManyTries,
    WrongNumbers,
)
from schema.session import LoggedIn, start_session

if TYPE_CHECKING:
    from schema.access_log import AccessConnection
    from schema.invitation import InvitationConnection
    from schema.result import Result
    from schema.share import ShareConnection

OWN = "Only for the candidate and for staff; null for others."


def _is_own(candidate_id: UUID, viewer: Viewer) -> bool:
    """Whether the account's details are for this viewer."""
    return viewer.kind is Kind.STAFF or viewer.id == candidate_id


@strawberry.federation.type(
    keys=["id"],
    description="A person who sat, or is entered for, an exam. Names are never translated. "
    "Seen by the candidate, by verifiers of institutions that hold a live share, and by staff.",
)
class Candidate(Node):
    family_name: str = strawberry.field(description="Family name as the exam centre wrote it.")
    given_name: str = strawberry.field(description="Given name as the exam centre wrote it; may be empty.")
    name: str = strawberry.field(description="Whole name in Latin letters, given name first.")
    native_name: str | None = strawberry.field(description="Whole name in the person's own script.")
    date_of_birth: date = strawberry.field(description="Date of birth, from the centre.")
    email: str | None = strawberry.field(description=f"E-mail address. {OWN}")
    language: str | None = strawberry.field(description=f"Language of letters, {LANGUAGE_DESCRIPTION} {OWN}")
    wants_updates: bool | None = strawberry.field(description=f"Whether marketing mail is wanted. {OWN}")
    email_refused_at: datetime | None = strawberry.field(
        description="When mail to this address was refused for good, so that letters do not arrive there: give another "
        f"address. UTC; null as long as mail is taken. {OWN}"
    )
    key: strawberry.Private[UUID]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "Candidate":
        """The candidate of any row that holds the columns of candidates; details of the account only for themselves."""
        viewer.saw(row["candidate_id"])
        own = _is_own(row["candidate_id"], viewer)
        return cls(
            id=global_id("Candidate", row["candidate_id"]),
            family_name=row["family_name"],
            given_name=row["given_name"],
            name=full_name(row["given_name"], row["family_name"]),
            native_name=row["native_name"],
            date_of_birth=row["date_of_birth"],
            email=row["candidate_email"] if own else None,
            language=row["candidate_language"] if own else None,
            wants_updates=row["wants_updates"] if own else None,
            email_refused_at=row["candidate_email_refused_at"] if own else None,
            key=row["candidate_id"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Candidate | None":
        """The candidate with this id, if the viewer may see them."""
        key = key_of(id, "Candidate")
        row = await info.context.loaders.candidate.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)

    @strawberry.field(
        description="New e-mail address that was asked for within 24 hours and has yet to be confirmed by the mailed "
        f"link; until then `email` counts. {OWN}"
    )
    async def pending_email(self, info: Info) -> str | None:
        return await info.context.loaders.pending_email.load(self.key)

    @strawberry.field(description=f"Entries, latest exam first. {OWN}", directives=[list_of(20)])
    async def entries(self, info: Info) -> list[Entry] | None:
        if not _is_own(self.key, info.context.viewer):
            return None
        rows = await info.context.loaders.entries_of.load(self.key) or []
        return [Entry.of(row, info.context.viewer) for row in rows]

    @strawberry.field(description="Results that the viewer may see, latest exam first.", directives=[list_of(20)])
    async def results(self, info: Info) -> list[Annotated["Result", strawberry.lazy("schema.result")]]:
        rows = await info.context.loaders.results_of.load(self.key) or []
        return [result.Result.of(row, info.context.viewer) for row in rows]

    @strawberry.field(description="Shares that the viewer may see, newest first.", directives=[PAGE])
    async def shares(
        self, info: Info, first: First = 50, after: After = None
    ) -> Annotated["ShareConnection", strawberry.lazy("schema.share")]:
        page = await info.context.loaders.shares_of_candidate.load((self.key, place(first, after)))
        return share.ShareConnection.of(page, info.context.viewer)

    @strawberry.field(
        description="Institutions that the candidate has invited, newest first. Only for the candidate; null for "
        "others.",
        directives=[PAGE],
    )
    async def invitations(
        self, info: Info, first: First = 50, after: After = None
    ) -> Annotated["InvitationConnection", strawberry.lazy("schema.invitation")] | None:
        viewer = info.context.viewer
        if viewer.id != self.key:
            return None
        return invitation.InvitationConnection.of(await invited.of_candidate(viewer, place(first, after)), viewer)

    @strawberry.field(
        description="Who saw, fetched or changed the candidate's data, and when, newest first. "
        "Only for the candidate; null for others.",
        directives=[PAGE],
    )
    async def access_log(
        self, info: Info, first: First = 50, after: After = None
    ) -> Annotated["AccessConnection", strawberry.lazy("schema.access_log")] | None:
        if info.context.viewer.id != self.key:
            return None
        return access_log.AccessConnection.of(await accesses.page(info.context.viewer, place(first, after)))


@strawberry.input(
    description="What a candidate fills in to register. The form says that a Secret Number is no password."
)
class RegisterInput:
    id_number: str = strawberry.field(description="ID Number from the Confirmation of Entry, such as `ABC123456`.")
    secret_number: str = strawberry.field(description="Secret Number from the Confirmation of Entry, 4 digits.")
    email: str = strawberry.field(description="E-mail address.")
    email_again: str = strawberry.field(description="The e-mail address once more.")
    password: str = strawberry.field(description="8 to 127 characters with letters and at least 2 digits.")
    password_again: str = strawberry.field(description="The password once more.")
    accepts_terms: bool = strawberry.field(description="Agreement to the terms of use; required.")
    wants_updates: bool = strawberry.field(default=False, description="Marketing mail is wanted. False: none, ever.")
    language: str = strawberry.field(default="en", description=f"Language of letters, {LANGUAGE_DESCRIPTION}")
    use_cookie: bool = strawberry.field(
        default=False, description="For browsers: keep the session in an HttpOnly cookie; `token` is null then."
    )


RegisterPayload = Annotated[
    LoggedIn | InvalidInput | WrongNumbers | RegistrationLocked | TooManyTries | AlreadyRegistered | AccountClosed,
    strawberry.union("RegisterPayload", description="A session of the new account, or why there is none."),
]


@strawberry.input(description="Whose password was forgotten.")
class RequestPasswordResetInput:
    id_number: str = strawberry.field(description="ID Number of any of the account's entries.")


@strawberry.type(description="The answer is the same whether or not there is such an account.")
class PasswordResetRequested:
    message: str = strawberry.field(description="What happens now, in the viewer's language, fit to be shown.")


RequestPasswordResetPayload = Annotated[
    PasswordResetRequested | TooManyTries,
    strawberry.union("RequestPasswordResetPayload", description="That it was asked, or why not."),
]


@strawberry.input(description="A new password by a mailed link.")
class ResetPasswordInput:
    token: str = strawberry.field(description="The token of the mailed link; valid 60 minutes, once.")
    password: str = strawberry.field(description="The new password.")
    password_again: str = strawberry.field(description="The new password once more.")


@strawberry.type(description="The password was changed; every open session of the account has ended.")
class PasswordReset:
    message: str = strawberry.field(description="What to do now, in the viewer's language, fit to be shown.")


ResetPasswordPayload = Annotated[
    PasswordReset | InvalidInput | LinkNotValid,
    strawberry.union("ResetPasswordPayload", description="That it was changed, or why not."),
]


@strawberry.type
class CandidateQuery:
    @strawberry.field(description="The candidate who is logged in; null for everybody else.")
    async def me(self, info: Info) -> Candidate | None:
        viewer = info.context.viewer
        if viewer.kind is not Kind.CANDIDATE:
            return None
        row = await info.context.loaders.candidate.load(viewer.must_be(Kind.CANDIDATE))
        return None if row is None else Candidate.of(row, viewer)


@strawberry.type
class CandidateMutation:
    @strawberry.mutation(
        description="Claim an entry with ID Number and Secret Number, make it an account, and log in. "
        "Every try counts: 3 wrong Secret Numbers lock an ID Number for 30 minutes, 10 close it.",
        directives=[HASHING],
    )
    async def register(self, info: Info, input: Input[RegisterInput]) -> RegisterPayload:
        form = candidates.Registration(
            id_number=input.id_number,
            secret_number=input.secret_number,
            email=input.email,
            email_again=input.email_again,
            password=input.password,
            password_again=input.password_again,
            accepts_terms=input.accepts_terms,
            wants_updates=input.wants_updates,
            language=input.language,
        )
        return start_session(info, await candidates.register(info.context.viewer, form), input.use_cookie)

    @strawberry.mutation(description="Have a link to set a new password mailed to the registered address.")
    async def request_password_reset(
        self, info: Info, input: Input[RequestPasswordResetInput]
    ) -> RequestPasswordResetPayload:
        await candidates.request_password_reset(info.context.viewer, input.id_number)
        return PasswordResetRequested(
            message=told(
                "If this ID Number is registered, a link valid for 60 minutes is on its way to its e-mail address.",
                info.context.viewer.language,
            )
        )

    @strawberry.mutation(
        description="Set a new password by a mailed link, and end every open session.", directives=[HASHING]
    )
    async def reset_password(self, info: Info, input: Input[ResetPasswordInput]) -> ResetPasswordPayload:
        await candidates.reset_password(info.context.viewer, input.token, input.password, input.password_again)
        return PasswordReset(
            message=told("The password is changed. Log in with the new one.", info.context.viewer.language)
        )
