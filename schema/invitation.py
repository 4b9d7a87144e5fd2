"""Invitations by candidates to institutions that have no account yet."""

from datetime import datetime
from enum import Enum
from typing import Annotated
from uuid import UUID

import strawberry

from engine.database import Row
from engine.languages import told
from models.invitation import VALID, status
from models.names import full_name
from models.viewer import Viewer
from resolvers import invitations
from resolvers.pages import Page, cursor_of
from schema.arguments import Input
from schema.context import Info
from schema.ids import global_id, key_of
from schema.institution import Institution
from schema.node import LANGUAGE_DESCRIPTION, Node
from schema.pages import PageInfo, page_info
from schema.refusals import (
    AlreadyInvited,
    InvalidInput,
    InvitationsDeclined,
    LinkNotValid,
    NotAllowed,
    NotLoggedIn,
    TooManyTries,
)

Token = Annotated[str, strawberry.argument(description="The token of the mailed link.")]


@strawberry.enum(description="How far an invitation has come.")
class InvitationStatus(Enum):
    SENT = strawberry.enum_value("SENT", description="Mailed, and not answered yet.")
    ACCEPTED = strawberry.enum_value("ACCEPTED", description="The institution has applied for an account.")
    DECLINED = strawberry.enum_value("DECLINED", description="The institution does not want an account.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="Not answered within 30 days.")


@strawberry.federation.type(
    keys=["id"],
    description="A candidate's invitation to an institution that has no account yet. Seen by the candidate and by the "
    "board's staff.",
)
class Invitation(Node):
    name: str = strawberry.field(description="Name of the institution, as the candidate wrote it.")
    email: str = strawberry.field(description="The address that was invited.")
    website: str = strawberry.field(description="Address of the institution's site.")
    country: str | None = strawberry.field(description="Country, ISO 3166 alpha-2; null: not given.")
    language: str = strawberry.field(description=f"Language of the mail, {LANGUAGE_DESCRIPTION}")
    status: InvitationStatus = strawberry.field(description="How far it has come.")
    invited_at: datetime = strawberry.field(description="When it was mailed, UTC.")
    expires_at: datetime = strawberry.field(description="The moment from which its link works no more, UTC.")
    cursor: strawberry.Private[str]
    institution_key: strawberry.Private[UUID | None]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "Invitation":
        """The invitation of any row that holds the columns of invitations."""
        viewer.saw(row["candidate_id"])
        now = status(row["invited_at"], row["accepted_at"], row["declined_at"], viewer.at)
        return cls(
            id=global_id("Invitation", row["invitation_id"]),
            name=row["invited_name"],
            email=row["invited_email"],
            website=row["invited_website"],
            country=row["invited_country"],
            language=row["invited_language"],
            status=InvitationStatus(now.value),
            invited_at=row["invited_at"],
            expires_at=row["invited_at"] + VALID,
            cursor=cursor_of(row["invited_at"], row["invitation_id"]),
            institution_key=row["institution_id"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Invitation | None":
        """The invitation with this id, if the viewer may see it."""
        key = key_of(id, "Invitation")
        row = await info.context.loaders.invitation.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)

    @strawberry.field(description="The institution, once its account is open: results can be sent to it.")
    async def institution(self, info: Info) -> Institution | None:
        row = await info.context.loaders.institution.load(self.institution_key) if self.institution_key else None
        return None if row is None else Institution.of(row)


@strawberry.type(description="One invitation of a list.")
class InvitationEdge:
    node: Invitation = strawberry.field(description="The invitation.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")


@strawberry.type(description="Invitations, newest first.")
class InvitationConnection:
    edges: list[InvitationEdge] = strawberry.field(description="The invitations of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page, viewer: Viewer) -> "InvitationConnection":
        """A page as a connection."""
        nodes = [Invitation.of(row, viewer) for row in page.rows]
        return cls(
            edges=[InvitationEdge(node=node, cursor=node.cursor) for node in nodes],
            page_info=page_info([node.cursor for node in nodes], page.has_next),
        )


@strawberry.type(description="An invitation as the institution sees it that was invited.")
class ReceivedInvitation:
    candidate_name: str = strawberry.field(description="Who invites: a candidate who would like to send a result.")
    name: str = strawberry.field(description="Name of the institution, as the candidate wrote it.")
    email: str = strawberry.field(description="The address that was invited.")
    website: str = strawberry.field(description="Address of the institution's site.")
    country: str | None = strawberry.field(description="Country, ISO 3166 alpha-2; null: not given.")
    expires_at: datetime = strawberry.field(description="The moment from which the link works no more, UTC.")


@strawberry.input(description="Invite an institution that cannot be found.")
class InviteInstitutionInput:
    name: str = strawberry.field(description="Name of the institution.")
    email: str = strawberry.field(description="Its e-mail address, best that of its admissions office.")
    website: str = strawberry.field(description="Address of its site.")
    country: str | None = strawberry.field(
        default=None, description="Country, ISO 3166 alpha-2. Institutions in Japan are written to in Japanese."
    )


@strawberry.type(description="The institution was mailed. It is told the candidate's name, and nothing of a result.")
class InstitutionInvited:
    invitation: Invitation = strawberry.field(description="The invitation.")


InviteInstitutionPayload = Annotated[
    InstitutionInvited | NotLoggedIn | NotAllowed | InvalidInput | TooManyTries | AlreadyInvited | InvitationsDeclined,
    strawberry.union("InviteInstitutionPayload", description="The invitation, or why there is none."),
]


@strawberry.input(description="Decline an invitation by its mailed link.")
class DeclineInvitationInput:
    token: str = strawberry.field(description="The token of the mailed link.")


@strawberry.type(description="The invitation is declined, and the address gets no further ones.")
class InvitationDeclined:
    message: str = strawberry.field(description="What has happened, in the viewer's language, fit to be shown.")


DeclineInvitationPayload = Annotated[
    InvitationDeclined | LinkNotValid,
    strawberry.union("DeclineInvitationPayload", description="That it is declined, or why not."),
]


@strawberry.type
class InvitationQuery:
    @strawberry.field(
        description="The invitation of a mailed link, for the form that answers it; null if it works no more."
    )
    async def invitation(self, info: Info, token: Token) -> ReceivedInvitation | None:
        row = await invitations.found_by(info.context.viewer, token)
        if row is None:
            return None
        return ReceivedInvitation(
            candidate_name=full_name(row["given_name"], row["family_name"]),
            name=row["name"],
            email=row["email"],
            website=row["website"],
            country=row["country"],
            expires_at=row["invited_at"] + VALID,
        )


@strawberry.type
class InvitationMutation:
    @strawberry.mutation(
        description="As a candidate: invite an institution that has no account. It is mailed a link to apply for one, "
        "and the candidate is mailed when its account is open. 5 a day; an address is invited once in 30 days."
    )
    async def invite_institution(self, info: Info, input: Input[InviteInstitutionInput]) -> InviteInstitutionPayload:
        viewer = info.context.viewer
        form = invitations.Form(input.name, input.email, input.website, input.country)
        return InstitutionInvited(invitation=Invitation.of(await invitations.invite(viewer, form), viewer))

    @strawberry.mutation(
        description="As the institution that was invited: decline, by the mailed link. The address gets no further "
        "invitations."
    )
    async def decline_invitation(self, info: Info, input: Input[DeclineInvitationInput]) -> DeclineInvitationPayload:
        await invitations.decline(info.context.viewer, input.token)
        return InvitationDeclined(
            message=told("You will get no more invitations at this address.", info.context.viewer.language)
        )
