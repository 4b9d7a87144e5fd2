"""Shares: sending, the inbox, opening, and the live alert."""

from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID, uuid4

import strawberry

from engine.database import Row
from models.journal import EventKind
from models.scope import Scope
from models.terms import LONGEST_PURPOSE, LONGEST_REFERENCE, Terms
from models.viewer import Viewer
from resolvers import inboxes, journal, shares
from resolvers.inbox_filters import Filter
from resolvers.pages import Page, cursor_of
from schema import candidate, institution, result
from schema.arguments import Id, Input, language_for
from schema.context import Info
from schema.costs import BULK, COUNT, PAGE
from schema.ids import global_id, key_of
from schema.node import LANGUAGE_DESCRIPTION, Node
from schema.pages import After, First, PageInfo, bad_input, journal_place, page_info, place
from schema.refusals import (
    ConsentOutdated,
    InstitutionNotFound,
    InvalidInput,
    NotAllowed,
    NotLoggedIn,
    ResultNotFound,
    ResultNotSendable,
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


@strawberry.input(description="Send one result to one institution.")
class SendResultInput:
    result_id: strawberry.ID = strawberry.field(description="The result.")
    institution_id: strawberry.ID = strawberry.field(description="The institution, from `institutions(search:)`.")
    consent_version: str = strawberry.field(
        description="Version of the sentence that was shown, from the institution's `consent`. Sending is consent."
    )
    consent_language: str | None = strawberry.field(
        default=None,
        description=f"Language in which the sentence was shown, {LANGUAGE_DESCRIPTION} Null: the viewer's own, as in "
        "`consent`.",
    )
    purpose: str | None = strawberry.field(
        default=None,
        description="What it is sent for, for the institution to read: one line, "
        f"at most {LONGEST_PURPOSE} characters.",
    )
    reference: str | None = strawberry.field(
        default=None,
        description="The candidate's reference at the institution, such as the number of an application: one line, "
        f"at most {LONGEST_REFERENCE} characters.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="The moment from which the institution sees it no more, with its time zone; kept to the second. "
        "In the future, at most 5 years ahead; null: until it is withdrawn.",
    )
    include_skills: bool = strawberry.field(default=True, description="Whether the institution sees the skill scores.")
    include_photo: bool = strawberry.field(
        default=True, description="Whether the institution sees the test-day photo, where there is one."
    )
    allow_downloads: bool = strawberry.field(
        default=True, description="Whether the institution may take the result away in a file."
    )

    def terms(self) -> Terms:
        """The terms of the share that is wanted."""
        return Terms(
            purpose=self.purpose,
            reference=self.reference,
            expires_at=self.expires_at,
            includes_skills=self.include_skills,
            includes_photo=self.include_photo,
            allows_downloads=self.allow_downloads,
        )


@strawberry.type(description="The share that is there now.")
class ResultSent:
    share: Share = strawberry.field(description="The share.")
    was_already_sent: bool = strawberry.field(
        description="Whether this result was sent to this institution before: then this is the share of that time."
    )
    terms_differ: bool = strawberry.field(
        description="Whether the share of that time has other terms (purpose, reference, expiry, what it includes and "
        "allows) than were asked for now. Its own stand: to change them, withdraw it and send again."
    )


SendResultPayload = Annotated[
    ResultSent
    | NotLoggedIn
    | NotAllowed
    | InvalidInput
    | ResultNotFound
    | ResultNotSendable
    | InstitutionNotFound
    | ConsentOutdated,
    strawberry.union("SendResultPayload", description="The share, or why there is none."),
]


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
class ShareQuery:
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

    @strawberry.field(description="The share with this id, or null if the viewer may not see it. Does not open it.")
    async def share(self, info: Info, id: Id) -> Share | None:
        return await Share.resolve_reference(info, id=id)


@strawberry.type
class ShareMutation:
    @strawberry.mutation(
        description="Send a released result to an approved institution, on the candidate's terms. Sending it again "
        "gives the share that is there; once that was withdrawn or has expired, a new one is made."
    )
    async def send_result(self, info: Info, input: Input[SendResultInput]) -> SendResultPayload:
        language = language_for(info.context.viewer, input.consent_language, "consentLanguage")
        sent = await shares.send(
            info.context.viewer,
            key_named(input.result_id, "Result"),
            key_named(input.institution_id, "Institution"),
            shares.Consent(input.consent_version, language),
            input.terms(),
        )
        return ResultSent(
            share=Share.of(sent.share, info.context.viewer),
            was_already_sent=sent.was_there,
            terms_differ=sent.terms_differ,
        )

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


def key_named(id: strawberry.ID, type_name: str) -> UUID:
    """The row's key; an id of another kind names nothing, as a fresh key does."""
    return key_of(id, type_name) or uuid4()


@strawberry.type
class ShareSubscription:
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
