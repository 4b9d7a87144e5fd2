"""What happened to an institution's shares and results, for its own programs."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from engine.events import Cursor
from models.viewer import Viewer
from resolvers import changes, journal
from schema import share
from schema.context import Info
from schema.costs import CHANGES
from schema.ids import global_id
from schema.pages import bad_input, journal_place

if TYPE_CHECKING:
    from schema.share import Share


@strawberry.enum(description="What happened to a share, or to a result that the institution holds.")
class ChangeKind(Enum):
    SHARE_SENT = strawberry.enum_value(
        "SHARE_SENT", description="A candidate sent a result; or it came with an account that was merged into this one."
    )
    SHARE_READ = strawberry.enum_value("SHARE_READ", description="It was opened or marked read.")
    SHARE_UNREAD = strawberry.enum_value("SHARE_UNREAD", description="It was marked unread.")
    SHARE_EXPIRED = strawberry.enum_value(
        "SHARE_EXPIRED", description="The day that its candidate chose has come: drop what was kept of it."
    )
    SHARE_WITHDRAWN = strawberry.enum_value(
        "SHARE_WITHDRAWN", description="Its candidate withdrew it: drop what was kept of it."
    )
    RESULT_AMENDED = strawberry.enum_value("RESULT_AMENDED", description="Other facts stand in the place of earlier.")
    RESULT_WITHHELD = strawberry.enum_value("RESULT_WITHHELD", description="It is withheld for now.")
    RESULT_RELEASED_AGAIN = strawberry.enum_value(
        "RESULT_RELEASED_AGAIN", description="It was withheld, and stands again."
    )
    RESULT_REVOKED = strawberry.enum_value("RESULT_REVOKED", description="It is revoked, for good.")


@strawberry.type(description="One thing that happened.")
class ChangeEvent:
    cursor: str = strawberry.field(description="The place behind it, for `after`; unique, the same for every reader.")
    kind: ChangeKind = strawberry.field(description="What happened.")
    happened_at: datetime = strawberry.field(description="When, UTC.")
    share: Annotated["Share", strawberry.lazy("schema.share")] | None = strawberry.field(
        description="The share as it is now, not as it was then. Null where it may no longer be seen, withdrawn or "
        "expired, and where a result changed that the institution holds without a share."
    )
    share_id: strawberry.ID | None = strawberry.field(
        description="The id of the share, also once it may no longer be seen."
    )
    result_id: strawberry.ID | None = strawberry.field(
        description="The id of the result, also once it may no longer be seen."
    )
    result_version: int | None = strawberry.field(description="The version of the result that stood after it.")

    @classmethod
    def of(cls, change: changes.Change, viewer: Viewer) -> "ChangeEvent":
        """The change of a resolver."""
        event = change.event
        return cls(
            cursor=journal.cursor_text(change.cursor),
            kind=ChangeKind[change.kind.name],
            happened_at=event["happened_at"],
            share=None if change.share is None else share.Share.of(change.share, viewer),
            share_id=global_id("Share", event["share_id"]) if event["share_id"] else None,
            result_id=global_id("Result", event["result_id"]) if event["result_id"] else None,
            result_version=event["result_version"],
        )


@strawberry.type(description="What happened, in the order in which it was committed.")
class ChangePage:
    nodes: list[ChangeEvent] = strawberry.field(description="The next ones, at most as many as asked for.")
    cursor: str = strawberry.field(
        description="Keep it, once what came with it is stored, and give it as `after` the next time: nothing is "
        "missed, nothing comes twice. It is valid for ever, behind an empty page too."
    )
    has_more: bool = strawberry.field(description="Whether there is more already: ask again at once.")


FirstChanges = Annotated[
    int,
    strawberry.argument(
        description=f"How many at most, 1 to {changes.MOST}; where much is asked of each, the cost allows fewer."
    ),
]
AfterChanges = Annotated[
    str | None,
    strawberry.argument(
        description="The last `cursor`; the one of a webhook's message, of the inbox's `liveCursor` and of `newShares` "
        "serve too. Null: from the beginning."
    ),
]


def place(first: int, after: str | None) -> Cursor | None:
    """A checked place to go on from; a wrong argument is the client's bug, told with code BAD_USER_INPUT."""
    if not 1 <= first <= changes.MOST:
        raise bad_input(f"`first` must be from 1 to {changes.MOST}.")
    return journal_place(after)


@strawberry.type
class ChangeQuery:
    @strawberry.field(
        description="Everything that happened to the institution's shares and results since a cursor, in the order of "
        "commit. For its users and for keys with READ_SHARES; null for all others. The candidates of the shares shown "
        "are told that theirs was pulled.",
        directives=[CHANGES],
    )
    async def changes(self, info: Info, after: AfterChanges = None, first: FirstChanges = 100) -> ChangePage | None:
        viewer = info.context.viewer
        found = await changes.page(viewer, place(first, after), first)
        if found is None:
            return None
        return ChangePage(
            nodes=[ChangeEvent.of(one, viewer) for one in found.changes],
            cursor=journal.cursor_text(found.cursor),
            has_more=found.has_more,
        )
