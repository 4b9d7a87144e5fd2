"""Asking to be added to an institution's account (O5); schema/user.py has the answers."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID, uuid4

import strawberry

from engine.database import Row
from engine.languages import told
from resolvers import join_requests
from resolvers.pages import Page, cursor_of
from resolvers.users import NewUser
from schema.arguments import Input
from schema.context import Info
from schema.ids import global_id, key_of
from schema.institution import Institution
from schema.node import LANGUAGE_DESCRIPTION, Node
from schema.pages import PageInfo, page_info
from schema.refusals import InstitutionNotFound, InvalidInput, TooManyTries


@strawberry.federation.type(
    keys=["id"],
    description="Somebody who asks to join an institution's account. Seen by its Primary User and the board's staff.",
)
class JoinRequest(Node):
    name: str = strawberry.field(description="Name, as it was given.")
    email: str = strawberry.field(description="E-mail address, as it was given; nobody has confirmed it.")
    language: str = strawberry.field(description=f"Language of letters, {LANGUAGE_DESCRIPTION}")
    asked_at: datetime = strawberry.field(description="When it was asked, UTC.")
    answer_until: date = strawberry.field(
        description="The last of the Primary User's five working days; afterwards the board's staff may answer."
    )
    institution_key: strawberry.Private[UUID]

    @classmethod
    def of(cls, row: Row) -> "JoinRequest":
        """The request of any row that holds its columns."""
        return cls(
            id=global_id("JoinRequest", row["join_request_id"]),
            name=row["asker_name"],
            email=row["asker_email"],
            language=row["asker_language"],
            asked_at=row["asked_at"],
            answer_until=join_requests.answer_until(row["asked_at"]),
            institution_key=row["institution_id"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "JoinRequest | None":
        """The request with this id, if the viewer may see it."""
        key = key_of(id, "JoinRequest")
        row = await info.context.loaders.join_request.load(key) if key else None
        return None if row is None else cls.of(row)

    @strawberry.field(description="The institution.")
    async def institution(self, info: Info) -> Institution | None:
        row = await info.context.loaders.institution.load(self.institution_key)
        return None if row is None else Institution.of(row)


@strawberry.type(description="One request of a list.")
class JoinRequestEdge:
    node: JoinRequest = strawberry.field(description="The request.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")

    @classmethod
    def of(cls, row: Row) -> "JoinRequestEdge":
        """The edge of any row that holds the columns of requests."""
        return cls(node=JoinRequest.of(row), cursor=cursor_of(row["asked_at"], row["join_request_id"]))


@strawberry.type(description="Requests that wait for an answer, newest first.")
class JoinRequestConnection:
    edges: list[JoinRequestEdge] = strawberry.field(description="Requests with their cursors.")
    page_info: PageInfo = strawberry.field(description="Where this page lies.")

    @classmethod
    def of(cls, page: Page) -> "JoinRequestConnection":
        """One page of requests."""
        edges = [JoinRequestEdge.of(row) for row in page.rows]
        return cls(edges=edges, page_info=page_info((edge.cursor for edge in edges), page.has_next))


@strawberry.input(description="Who asks to be a user of which institution's account.")
class RequestToJoinInput:
    institution_id: strawberry.ID = strawberry.field(description="The institution.")
    name: str = strawberry.field(description="Name.")
    email: str = strawberry.field(description="E-mail address at the institution; the answer goes there.")
    language: str = strawberry.field(default="en", description=f"Language of letters, {LANGUAGE_DESCRIPTION}")


@strawberry.type(description="The answer is the same whether or not the address is known or has asked before.")
class JoinRequested:
    message: str = strawberry.field(description="What happens now, in the viewer's language, fit to be shown.")


RequestToJoinPayload = Annotated[
    JoinRequested | InvalidInput | InstitutionNotFound | TooManyTries,
    strawberry.union("RequestToJoinPayload", description="That it was asked, or why not."),
]


@strawberry.type
class JoinRequestMutation:
    @strawberry.mutation(
        description="As anybody: ask to be added to the account of an approved institution. Its Primary User is told "
        "by mail, and answers; the board's staff may where no answer comes within five working days."
    )
    async def request_to_join(self, info: Info, input: Input[RequestToJoinInput]) -> RequestToJoinPayload:
        institution = key_of(input.institution_id, "Institution") or uuid4()  # a fresh key names nothing
        await join_requests.ask(
            info.context.viewer, institution, NewUser(input.name, input.email, language=input.language)
        )
        return JoinRequested(
            message=told(
                "Your request is on its way to the institution's Primary User. The answer comes by mail.",
                info.context.viewer.language,
            )
        )
