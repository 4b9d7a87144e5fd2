"""The inbox of an institution: its filter, pages, counts, marking many at once, and the live alert."""

from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime
from enum import Enum
from typing import Annotated

import strawberry

from models.journal import EventKind
from models.scope import Scope
from resolvers import inboxes, journal
from resolvers.inbox_filters import Filter
from schema.arguments import Input
from schema.context import Info
from schema.costs import BULK, COUNT, PAGE
from schema.ids import key_named
from schema.pages import After, First, PageInfo, bad_input, journal_place, place
from schema.refusals import InvalidInput, NotAllowed, NotLoggedIn
from schema.share import Share, ShareConnection, ShareEdge

MOST_NAMED = 100


@strawberry.enum(description="Which shares of the inbox.")
class InboxStatus(Enum):
    UNREAD = strawberry.enum_value("UNREAD", description="Those that nobody has read.")
    READ = strawberry.enum_value("READ", description="Those that were read.")


@strawberry.input(description="Which shares of the inbox; what is left out does not matter.")
class InboxFilter:
    status: InboxStatus | None = strawberry.field(default=None, description="Read or unread ones.")
    name: str | None = strawberry.field(
        default=None,
        description="Words of the candidate's name, Latin or native, in any order; each may stand anywhere in it. Any "
        "case, accents, width, hiragana or katakana; native names also without their blank. At least two letters, or "
        "one of a CJK script: nothing is found by less.",
    )
    exams: list[str] | None = strawberry.field(
        default=None, description=f"Codes of exams, one of which it is of; at most {MOST_NAMED}."
    )
    cefr: list[str] | None = strawberry.field(
        default=None, description=f"CEFR levels, one of which was awarded, such as `B2`; at most {MOST_NAMED}."
    )
    exam_date_from: date | None = strawberry.field(default=None, description="The first date of the exam.")
    exam_date_to: date | None = strawberry.field(default=None, description="The last date of the exam.")
    sent_from: datetime | None = strawberry.field(
        default=None, description="Sent at this moment or later, with its time zone."
    )
    sent_to: datetime | None = strawberry.field(
        default=None, description="Sent at this moment or earlier, with its time zone."
    )
    statement_number: str | None = strawberry.field(default=None, description="The whole statement number.")
    reference: str | None = strawberry.field(
        default=None, description="The whole of the candidate's reference at the institution, in any case."
    )

    def as_filter(self) -> Filter:
        """The filter; what no client should ask is its bug, told with code BAD_USER_INPUT."""
        for name, listed in (("exams", self.exams), ("cefr", self.cefr)):
            if len(listed or ()) > MOST_NAMED:
                raise bad_input(f"`{name}` has at most {MOST_NAMED} values.")
        return Filter(
            is_read=None if self.status is None else self.status is InboxStatus.READ,
            name=self.name,
            exams=tuple(self.exams or ()),
            cefr=tuple(self.cefr or ()),
            exam_date_from=self.exam_date_from,
            exam_date_to=self.exam_date_to,
            sent_from=_zoned(self.sent_from, "sentFrom"),
            sent_to=_zoned(self.sent_to, "sentTo"),
            statement_number=self.statement_number,
            reference=self.reference,
        )


def _zoned(moment: datetime | None, name: str) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise bad_input(f"`{name}` needs its time zone, such as the Z of 2026-11-22T12:00:00Z.")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise bad_input(f"`{name}` lies outside of all times.") from None


FilterArgument = Annotated[InboxFilter | None, strawberry.argument(description="Only these; null: all.")]


@strawberry.type(description="How many shares a filter finds.")
class InboxMatches:
    count: int = strawberry.field(description=f"How many there are, counted up to {inboxes.MOST_COUNTED}.")
    is_at_least: bool = strawberry.field(description="Whether there are more than were counted.")


@strawberry.type(description="Shares to the viewer's institution, newest first.")
class InboxConnection:
    edges: list[ShareEdge] = strawberry.field(description="The shares of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    live_cursor: str = strawberry.field(
        description="Give it to `newShares(after:)`: every share that is too new for this page comes there, once. "
        "One that is on the page may come there too, while an older order is still under way: compare ids."
    )

    filter: strawberry.Private[Filter]

    @strawberry.field(
        description="How many shares the institution has at this moment, whatever the filter: exactly.",
        directives=[COUNT],
    )
    async def total_count(self, info: Info) -> int:
        return (await _counts(info)).total

    @strawberry.field(description="How many of all of them nobody has read: exactly.", directives=[COUNT])
    async def unread_count(self, info: Info) -> int:
        return (await _counts(info)).unread

    @strawberry.field(description="How many shares the filter finds, or that there are many.", directives=[COUNT])
    async def matches(self, info: Info) -> InboxMatches:
        found = await inboxes.matches(info.context.viewer, self.filter)
        return InboxMatches(count=found.count, is_at_least=found.is_at_least)


async def _counts(info: Info) -> inboxes.Counts:
    institution_id = info.context.viewer.institution_id
    found = await info.context.loaders.inbox_counts.load(institution_id) if institution_id else None
    return found or inboxes.Counts(0, 0)


@strawberry.input(description="Mark many shares read or unread: those named, or all that a filter finds.")
class MarkSharesInput:
    is_read: bool = strawberry.field(description="True: read. False: unread; the time of the first opening stays.")
    share_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description=f"The shares, at most {inboxes.MOST_AT_ONCE}; not together with `filter`."
    )
    filter: InboxFilter | None = strawberry.field(
        default=None,
        description=f"All shares that it finds, at most {inboxes.MOST_IN_AN_ORDER} in one order. An empty one finds "
        "all; `sentTo` keeps out those that came since the list was shown.",
    )


@strawberry.type(description="How the shares are marked now; those that were so before stay as they are.")
class SharesMarked:
    changed: int = strawberry.field(description="How many are marked otherwise than before.")
    not_found: list[strawberry.ID] = strawberry.field(
        description="Those of the ids given that no share of the institution has, or has any more."
    )
    has_more: bool = strawberry.field(
        description="Whether the filter finds more than one order marks: give the same order again."
    )


MarkSharesPayload = Annotated[
    SharesMarked | NotLoggedIn | NotAllowed | InvalidInput,
    strawberry.union("MarkSharesPayload", description="What was marked, or why nothing was."),
]


@strawberry.type(description="A new share, pushed within a second of being sent.")
class NewShare:
    cursor: str = strawberry.field(description="Keep it, and give it as `after` when you come back.")
    share: Share = strawberry.field(description="The share.")


@strawberry.type
class InboxQuery:
    @strawberry.field(
        description="The inbox of the viewer's institution; null for all but verifiers, and keys that read shares.",
        directives=[PAGE],
    )
    async def inbox(
        self, info: Info, filter: FilterArgument = None, first: First = 50, after: After = None
    ) -> InboxConnection | None:
        viewer = info.context.viewer
        if not viewer.reads(Scope.READ_SHARES):
            return None
        wanted = filter.as_filter() if filter else inboxes.ALL
        found = await inboxes.page(viewer, place(first, after), wanted)
        page = ShareConnection.of(found.page, viewer)
        return InboxConnection(
            edges=page.edges,
            page_info=page.page_info,
            live_cursor=journal.cursor_text((found.position, 0)),
            filter=wanted,
        )


@strawberry.type
class InboxMutation:
    @strawberry.mutation(
        description="Mark many shares read or unread for the whole institution. The candidates see when theirs was "
        "first marked read.",
        directives=[BULK],
    )
    async def mark_shares(self, info: Info, input: Input[MarkSharesInput]) -> MarkSharesPayload:
        keys = None if input.share_ids is None else {key_named(id, "Share"): id for id in input.share_ids}
        which = input.filter.as_filter() if input.filter else None
        done = await inboxes.mark(info.context.viewer, input.is_read, None if keys is None else list(keys), which)
        return SharesMarked(
            changed=done.changed, not_found=[(keys or {})[key] for key in done.not_found], has_more=done.has_more
        )


@strawberry.type
class InboxSubscription:
    @strawberry.subscription(
        description="Each new share to the viewer's institution, once. With `after`, first all that came since."
    )
    async def new_shares(
        self,
        info: Info,
        after: Annotated[
            str | None, strawberry.argument(description="The last `cursor` you have, or the inbox's `liveCursor`.")
        ] = None,
    ) -> AsyncGenerator[NewShare, None]:
        bookmark = info.context.begin(journal_place(after))
        async for event in journal.follow(info.context.viewer, info.context.hub, bookmark):
            if event.kind is EventKind.SHARE_SENT and event.share is not None:
                info.context.renew()
                yield NewShare(
                    cursor=journal.cursor_text(event.cursor), share=Share.of(event.share, info.context.viewer)
                )
