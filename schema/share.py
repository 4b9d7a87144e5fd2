"""Shares, and opening and marking one; `schema/sending.py` makes them, `schema/inbox.py` lists them."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from engine.database import Row
from models.viewer import Viewer
from resolvers import shares
from resolvers.pages import Page, cursor_of
from schema import candidate, institution, result
from schema.arguments import Id, Input
from schema.context import Info
from schema.ids import global_id, key_named, key_of
from schema.node import LANGUAGE_DESCRIPTION, Node
from schema.pages import PageInfo, page_info
from schema.refusals import (
    NotAllowed,
    NotLoggedIn,
    ShareNotFound,
)

if TYPE_CHECKING:
    from schema.candidate import Candidate
    from schema.institution import Institution
    from schema.result import Result


@strawberry.enum(description="Where a share stands.")
class ShareStatus(Enum):
    UNREAD = strawberry.enum_value("UNREAD", description="No user of the institution has it open or marked read.")
    READ = strawberry.enum_value("READ", description="Opened by a user of the institution.")
    WITHDRAWN = strawberry.enum_value("WITHDRAWN", description="Withdrawn by the candidate.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="Past the moment that the candidate chose.")


@strawberry.type(description="What the candidate agreed to by sending, as shown then.")
class Consent:
    text: str = strawberry.field(description="The sentence.")
    version: str = strawberry.field(description="Its version.")
    language: str = strawberry.field(description=f"Its language, {LANGUAGE_DESCRIPTION}")
    institution_name: str = strawberry.field(description="The institution's name as shown then.")
    given_at: datetime = strawberry.field(description="When, UTC.")


@strawberry.type(description="What of a result goes with a share, and what the institution may do with it.")
class ShareIncludes:
    skills: bool = strawberry.field(
        description="Whether the institution sees the skill scores; where not, `Result.skillScores` is null for it."
    )
    photo: bool = strawberry.field(
        description="Whether the institution sees the test-day photo; where not, or where there is none, it is null."
    )
    downloads: bool = strawberry.field(
        description="Whether the institution may take the result away in a file: as a table or as a statement."
    )


@strawberry.federation.type(
    keys=["id"],
    description="One result sent by its candidate to one institution. Seen by the candidate, and, while it is live, "
    "by the institution's verifiers.",
)
class Share(Node):
    status: ShareStatus = strawberry.field(description="Where it stands now.")
    sent_at: datetime = strawberry.field(description="When it was sent, UTC.")
    opened_at: datetime | None = strawberry.field(description="When a user of the institution first opened it, UTC.")
    result: Annotated["Result", strawberry.lazy("schema.result")] = strawberry.field(description="The result.")
    candidate: Annotated["Candidate", strawberry.lazy("schema.candidate")] = strawberry.field(
        description="The candidate."
    )
    institution: Annotated["Institution", strawberry.lazy("schema.institution")] = strawberry.field(
        description="The institution."
    )
    consent: Consent = strawberry.field(description="What the candidate agreed to.")
    includes: ShareIncludes = strawberry.field(description="What the candidate put in, and allows.")
    purpose: str | None = strawberry.field(description="What the candidate sent it for, in their own words.")
    reference: str | None = strawberry.field(
        description="The candidate's reference at the institution, such as the number of an application."
    )
    expires_at: datetime | None = strawberry.field(
        description="The moment from which the institution sees it no more, UTC; null: none was chosen."
    )
    withdrawn_at: datetime | None = strawberry.field(
        description="When the candidate withdrew it, UTC. The institution sees it no more, and finds its id in "
        "`withdrawnShares`."
    )
    cursor: strawberry.Private[str]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "Share":
        """The share of any row that holds the columns of shares."""
        return cls(
            id=global_id("Share", row["share_id"]),
            status=_status(row, viewer.at),
            sent_at=row["sent_at"],
            opened_at=row["opened_at"],
            result=result.Result.of(row, viewer),
            candidate=candidate.Candidate.of(row, viewer),
            institution=institution.Institution.of(row),
            consent=_consent(row),
            includes=ShareIncludes(
                skills=row["includes_skills"], photo=row["includes_photo"], downloads=row["allows_downloads"]
            ),
            purpose=row["purpose"],
            reference=row["reference"],
            expires_at=row["expires_at"],
            withdrawn_at=row["withdrawn_at"],
            cursor=cursor_of(row["sent_at"], row["share_id"]),
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Share | None":
        """The share with this id, if the viewer may see it."""
        key = key_of(id, "Share")
        row = await info.context.loaders.share.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)


def _status(row: Row, now: datetime) -> ShareStatus:
    if row["withdrawn_at"] is not None:
        return ShareStatus.WITHDRAWN
    if row["expires_at"] is not None and (row["expiry_told_at"] is not None or row["expires_at"] <= now):
        return ShareStatus.EXPIRED
    return ShareStatus.READ if row["is_read"] else ShareStatus.UNREAD


def _consent(row: Row) -> Consent:
    return Consent(
        text=row["consent_text"],
        version=row["consent_version"],
        language=row["consent_language"],
        institution_name=row["institution_name_shown"],
        given_at=row["sent_at"],
    )


@strawberry.type(description="One share of a list.")
class ShareEdge:
    node: Share = strawberry.field(description="The share.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")


@strawberry.type(description="Shares, newest first.")
class ShareConnection:
    edges: list[ShareEdge] = strawberry.field(description="The shares of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page, viewer: Viewer) -> "ShareConnection":
        """A page as a connection."""
        nodes = [Share.of(row, viewer) for row in page.rows]
        return cls(
            edges=[ShareEdge(node=node, cursor=node.cursor) for node in nodes],
            page_info=page_info([node.cursor for node in nodes], page.has_next),
        )


@strawberry.input(description="Open a share.")
class OpenShareInput:
    share_id: strawberry.ID = strawberry.field(description="The share.")


@strawberry.type(description="The share, opened: it counts as read.")
class ShareOpened:
    share: Share = strawberry.field(description="The share.")


OpenSharePayload = Annotated[
    ShareOpened | NotLoggedIn | NotAllowed | ShareNotFound,
    strawberry.union("OpenSharePayload", description="The share, or why it cannot be opened."),
]


@strawberry.input(description="Mark a share read or unread by hand.")
class MarkShareInput:
    share_id: strawberry.ID = strawberry.field(description="The share.")
    is_read: bool = strawberry.field(description="True: read. False: unread; the time of the first opening stays.")


@strawberry.type(description="The share as it is marked now.")
class ShareMarked:
    share: Share = strawberry.field(description="The share.")


MarkSharePayload = Annotated[
    ShareMarked | NotLoggedIn | NotAllowed | ShareNotFound,
    strawberry.union("MarkSharePayload", description="The share, or why it cannot be marked."),
]


@strawberry.type
class ShareQuery:
    @strawberry.field(description="The share with this id, or null if the viewer may not see it. Does not open it.")
    async def share(self, info: Info, id: Id) -> Share | None:
        return await Share.resolve_reference(info, id=id)


@strawberry.type
class ShareMutation:
    @strawberry.mutation(
        description="Open a share: it shows everything, and counts as read; the candidate sees when. A key that reads "
        "shares may, too."
    )
    async def open_share(self, info: Info, input: Input[OpenShareInput]) -> OpenSharePayload:
        row = await shares.open_share(info.context.viewer, key_named(input.share_id, "Share"))
        return ShareOpened(share=Share.of(row, info.context.viewer))

    @strawberry.mutation(
        description="Mark a share read or unread for the whole institution. A key needs the scope MANAGE beside "
        "READ_SHARES."
    )
    async def mark_share(self, info: Info, input: Input[MarkShareInput]) -> MarkSharePayload:
        row = await shares.mark(info.context.viewer, key_named(input.share_id, "Share"), input.is_read)
        return ShareMarked(share=Share.of(row, info.context.viewer))
