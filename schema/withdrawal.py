"""Withdrawing shares, and what institutions are told of it."""

from datetime import datetime
from typing import Annotated

import strawberry

from engine.database import Row
from models.scope import Scope
from resolvers import withdrawals
from resolvers.pages import cursor_of
from schema.arguments import Input, Language, language_for
from schema.context import Info
from schema.costs import PAGE
from schema.ids import global_id, key_named
from schema.pages import After, First, PageInfo, page_info, place
from schema.refusals import NotAllowed, NotLoggedIn, ShareExpired, ShareNotFound
from schema.share import Share

COPIES_STAY = {
    "en": "From now on the institution cannot see or download this result any more, and is told that a share was "
    "withdrawn. Copies that it has already downloaded stay with it.",
    "ja": "今後、機関はこの結果を閲覧またはダウンロードできなくなり、共有が取り消されたことが通知されます。"
    "すでにダウンロードされた写しは機関に残ります。",
}


@strawberry.input(description="Withdraw a share.")
class WithdrawShareInput:
    share_id: strawberry.ID = strawberry.field(description="The share.")


@strawberry.type(description="The share, withdrawn: no path shows it to the institution any more.")
class ShareWithdrawn:
    share: Share = strawberry.field(description="The share.")
    was_already_withdrawn: bool = strawberry.field(description="Whether it was withdrawn before; then nothing changed.")

    @strawberry.field(description="What to tell the candidate: that copies which were downloaded already stay.")
    def notice(self, info: Info, language: Language = None) -> str:
        return COPIES_STAY[language_for(info.context.viewer, language)]


WithdrawSharePayload = Annotated[
    ShareWithdrawn | NotLoggedIn | NotAllowed | ShareNotFound | ShareExpired,
    strawberry.union("WithdrawSharePayload", description="The share, or why it cannot be withdrawn."),
]


@strawberry.type(description="That a share was withdrawn; nothing else of it is told.")
class WithdrawnShare:
    share_id: strawberry.ID = strawberry.field(
        description="The id that the share had. What was kept under it is to be forgotten; it names nothing any more."
    )
    withdrawn_at: datetime = strawberry.field(description="When its candidate withdrew it, UTC.")


@strawberry.type(description="One withdrawn share of a list.")
class WithdrawnShareEdge:
    node: WithdrawnShare = strawberry.field(description="That a share was withdrawn.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")

    @classmethod
    def of(cls, row: Row) -> "WithdrawnShareEdge":
        """The withdrawn share of a row that holds its id and moment."""
        node = WithdrawnShare(share_id=global_id("Share", row["share_id"]), withdrawn_at=row["withdrawn_at"])
        return cls(node=node, cursor=cursor_of(row["withdrawn_at"], row["share_id"]))


@strawberry.type(description="Withdrawn shares, latest first.")
class WithdrawnShareConnection:
    edges: list[WithdrawnShareEdge] = strawberry.field(description="The withdrawn shares of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")


@strawberry.type
class WithdrawalQuery:
    @strawberry.field(
        description="Shares that were withdrawn from the viewer's institution, latest first: their ids and when, so "
        "that what was kept of them can be dropped. Null for all but verifiers, and keys "
        "that read shares.",
        directives=[PAGE],
    )
    async def withdrawn_shares(
        self, info: Info, first: First = 50, after: After = None
    ) -> WithdrawnShareConnection | None:
        if not info.context.viewer.reads(Scope.READ_SHARES):
            return None
        page = await withdrawals.page(info.context.viewer, place(first, after))
        edges = [WithdrawnShareEdge.of(row) for row in page.rows]
        return WithdrawnShareConnection(
            edges=edges, page_info=page_info([edge.cursor for edge in edges], page.has_next)
        )


@strawberry.type
class WithdrawalMutation:
    @strawberry.mutation(
        description="Withdraw one of one's own shares, whether it was read or not. From that moment no path shows it "
        "to the institution, which is told that one was withdrawn. Copies already downloaded stay with it: show "
        "`notice`. Withdrawing it again changes nothing; the result can be sent there anew."
    )
    async def withdraw_share(self, info: Info, input: Input[WithdrawShareInput]) -> WithdrawSharePayload:
        viewer = info.context.viewer
        withdrawn = await withdrawals.withdraw(viewer, key_named(input.share_id, "Share"))
        return ShareWithdrawn(share=Share.of(withdrawn.share, viewer), was_already_withdrawn=withdrawn.was_withdrawn)
