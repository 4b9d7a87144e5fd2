"""Mail that was not taken: how staff see it, and have it sent again."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID, uuid4

import strawberry

from engine.database import Row
from models.viewer import Viewer
from resolvers import parked_mail
from resolvers.pages import Page, cursor_of
from schema import candidate, verifier
from schema.arguments import Input
from schema.context import Info
from schema.ids import global_id, key_of
from schema.node import LANGUAGE_DESCRIPTION, Node
from schema.pages import PageInfo, page_info
from schema.refusals import InvalidInput, NotAllowed, NotLoggedIn

if TYPE_CHECKING:
    from schema.candidate import Candidate
    from schema.verifier import VerifierUser

PARKED = "Not taken in ten tries; it waits for staff."
REFUSED = "Refused for good by the receiver's mail server."


@strawberry.enum(description="How far a mail has come.")
class LetterState(Enum):
    WAITING = strawberry.enum_value("WAITING", description="To be tried, for the first time or again.")
    SENT = strawberry.enum_value("SENT", description="Taken by the receiver's mail server.")
    PARKED = strawberry.enum_value("PARKED", description=PARKED)
    REFUSED = strawberry.enum_value("REFUSED", description=REFUSED)


@strawberry.enum(description="Which of the mails that were not taken.")
class ParkedMailState(Enum):
    PARKED = strawberry.enum_value("PARKED", description=PARKED)
    REFUSED = strawberry.enum_value("REFUSED", description=REFUSED)


@strawberry.federation.type(
    keys=["id"],
    description="One mail to one address; never what it says. Seen by the board's staff, and, where it goes to a "
    "candidate of their centre, by a centre's.",
)
class Letter(Node):
    kind: str = strawberry.field(description="What it is about, such as `password_reset`; more kinds will come.")
    state: LetterState = strawberry.field(description="How far it has come.")
    address: str = strawberry.field(description="The address that it goes to.")
    language: str = strawberry.field(description=f"Its language, {LANGUAGE_DESCRIPTION}")
    written_at: datetime = strawberry.field(description="When it was written, UTC.")
    tries: int = strawberry.field(description="How often it was tried since it was written or sent again.")
    last_error: str | None = strawberry.field(
        description="What the mail server said to the last try, without the address; null if it took the mail."
    )
    sent_at: datetime | None = strawberry.field(description="When it was taken, UTC.")
    parked_at: datetime | None = strawberry.field(description="When it was parked, UTC; null if it is not.")
    refused_at: datetime | None = strawberry.field(description="When it was refused for good, UTC; null if it is not.")
    cursor: strawberry.Private[str]
    candidate_key: strawberry.Private[UUID | None]
    verifier_key: strawberry.Private[UUID | None]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "Letter":
        """The mail of any row that holds the columns of letters."""
        if row["candidate_id"] is not None:
            viewer.saw(row["candidate_id"])
        return cls(
            id=global_id("Letter", row["letter_id"]),
            kind=row["letter_kind"],
            state=_state(row),
            address=row["address"],
            language=row["letter_language"],
            written_at=row["written_at"],
            tries=row["tries"],
            last_error=row["last_error"],
            sent_at=row["sent_at"],
            parked_at=row["parked_at"],
            refused_at=row["refused_at"],
            cursor=cursor_of(row["written_at"], row["letter_id"]),
            candidate_key=row["candidate_id"],
            verifier_key=row["verifier_id"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Letter | None":
        """The mail with this id, if the viewer may see it."""
        key = key_of(id, "Letter")
        row = await info.context.loaders.letter.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)

    @strawberry.field(description="The candidate whose account it goes to, if it is one's.")
    async def candidate(self, info: Info) -> Annotated["Candidate", strawberry.lazy("schema.candidate")] | None:
        row = await info.context.loaders.candidate.load(self.candidate_key) if self.candidate_key else None
        return None if row is None else candidate.Candidate.of(row, info.context.viewer)

    @strawberry.field(description="The user of an institution whose account it goes to, if it is one's.")
    async def verifier(self, info: Info) -> Annotated["VerifierUser", strawberry.lazy("schema.verifier")] | None:
        row = await info.context.loaders.verifier.load(self.verifier_key) if self.verifier_key else None
        return None if row is None else verifier.VerifierUser.of(row)


def _state(row: Row) -> LetterState:
    if row["sent_at"] is not None:
        return LetterState.SENT
    if row["parked_at"] is not None:
        return LetterState.PARKED
    return LetterState.REFUSED if row["refused_at"] is not None else LetterState.WAITING


@strawberry.type(description="One mail of a list.")
class ParkedMailEdge:
    node: Letter = strawberry.field(description="The mail.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")


@strawberry.type(description="Mails that were not taken, newest first.")
class ParkedMailConnection:
    edges: list[ParkedMailEdge] = strawberry.field(description="The mails of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page, viewer: Viewer) -> "ParkedMailConnection":
        """A page as a connection."""
        nodes = [Letter.of(row, viewer) for row in page.rows]
        return cls(
            edges=[ParkedMailEdge(node=node, cursor=node.cursor) for node in nodes],
            page_info=page_info([node.cursor for node in nodes], page.has_next),
        )


@strawberry.input(description="Send mails again that were not taken.")
class ResendMailInput:
    ids: list[strawberry.ID] = strawberry.field(description=f"Their ids, 1 to {parked_mail.MOST_AT_ONCE}.")


@strawberry.enum(description="Why a mail was not sent again.")
class NotResentReason(Enum):
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="There is no such mail for the viewer.")
    ALREADY_SENT = strawberry.enum_value("ALREADY_SENT", description="It has been taken by now.")
    STILL_WAITING = strawberry.enum_value(
        "STILL_WAITING", description="It will be tried by itself; somebody may just have sent it again."
    )
    TOO_OLD = strawberry.enum_value(
        "TOO_OLD", description="The link in it does not work any more, or was used: ask for a new one."
    )
    ACCOUNT_CLOSED = strawberry.enum_value(
        "ACCOUNT_CLOSED", description="The account it goes to was closed, deactivated or removed."
    )


@strawberry.type(description="A mail that was not sent again.")
class NotResent:
    id: strawberry.ID = strawberry.field(description="The id that was given.")
    reason: NotResentReason = strawberry.field(description="Why not.")


@strawberry.type(description="What becomes of each of the mails; to send one again once more does no harm.")
class MailResent:
    resent: int = strawberry.field(description="How many wait to be sent now, from the first try.")
    not_resent: list[NotResent] = strawberry.field(description="The others, each once, in the order given.")


ResendMailPayload = Annotated[
    MailResent | NotLoggedIn | NotAllowed | InvalidInput,
    strawberry.union("ResendMailPayload", description="What became of the mails, or why nothing was done."),
]


@strawberry.type
class LetterMutation:
    @strawberry.mutation(
        description="Send mails again that were parked or refused. They go to the address that the account has now; "
        "only mails about an address itself (`confirm_address`, `address_changed`) go to the one they were written to."
    )
    async def resend_mail(self, info: Info, input: Input[ResendMailInput]) -> ResendMailPayload:
        keys = {id: key_of(id, "Letter") or uuid4() for id in input.ids}  # a fresh key names nothing
        done = await parked_mail.resend(info.context.viewer, list(keys.values()))
        return MailResent(
            resent=len(done.ids),
            not_resent=[
                NotResent(id=id, reason=NotResentReason(done.not_resent[key].value))
                for id, key in keys.items()
                if key in done.not_resent
            ],
        )
