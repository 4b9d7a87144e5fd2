"""Ordering downloads, and following them (D1, D4)."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from models.template import DownloadFormat as Format
from resolvers.downloads import orders
from resolvers.downloads import progress as download_progress
from resolvers.downloads.choices import Choice
from resolvers.downloads.orders import LayoutWanted
from resolvers.downloads.reading import AT_ONCE
from resolvers.downloads.writing import MOST_STATEMENTS
from schema.arguments import Id, Input
from schema.context import Info
from schema.costs import BULK
from schema.download import Download
from schema.ids import key_named
from schema.inbox import InboxFilter
from schema.layout import DownloadFormat
from schema.refusals import (
    DownloadNotFound,
    DownloadsStillRunning,
    InvalidInput,
    NotAllowed,
    NothingToDownload,
    NotLoggedIn,
    TemplateNotFound,
    TooManyTries,
)


@strawberry.input(description="Download results: those of the shares named, or of all that a filter finds.")
class RequestDownloadInput:
    share_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description=f"The shares, at most {orders.MOST_NAMED}; not together with `filter`."
    )
    filter: InboxFilter | None = strawberry.field(
        default=None,
        description=f"All shares that it finds, at most {orders.MOST}, or {MOST_STATEMENTS} in a PDF. An empty one "
        "finds all; `sentTo` keeps out those that came since the list was shown.",
    )
    template_id: strawberry.ID | None = strawberry.field(
        default=None, description="The template that it is written by; null: the default one, with every column."
    )
    format: DownloadFormat | None = strawberry.field(
        default=None, description="Kind of file; null: that of the template."
    )

    def choice(self) -> Choice:
        """What is wanted."""
        ids = None if self.share_ids is None else dict.fromkeys(key_named(id, "Share") for id in self.share_ids)
        which = self.filter.as_filter() if self.filter else None
        return Choice(share_ids=None if ids is None else tuple(ids), filter=which)

    def layout(self) -> LayoutWanted:
        """How it is to be written."""
        template_id = None if self.template_id is None else key_named(self.template_id, "DownloadTemplate")
        return LayoutWanted(template_id, None if self.format is None else Format(self.format.value))


@strawberry.type(description="The download that was ordered.")
class DownloadRequested:
    download: Download = strawberry.field(
        description=f"The download: of up to {AT_ONCE} results it is made by now, unless it is a PDF; others "
        "are made one after the other, and `downloadProgress` tells how far they have come."
    )
    not_found: int = strawberry.field(
        description="How many of the shares that were named no share of the institution is, or is any more."
    )


RequestDownloadPayload = Annotated[
    DownloadRequested
    | NotLoggedIn
    | NotAllowed
    | InvalidInput
    | TemplateNotFound
    | NothingToDownload
    | DownloadsStillRunning
    | TooManyTries,
    strawberry.union("RequestDownloadPayload", description="The download, or why there is none."),
]


@strawberry.input(description="Order what an earlier download held once more.")
class RepeatDownloadInput:
    id: strawberry.ID = strawberry.field(description="The earlier download, whatever has become of its file.")


@strawberry.type(description="The new download.")
class DownloadRepeated:
    download: Download = strawberry.field(
        description="The new download: the same results in the same template, as they stand now, without those that "
        "were withdrawn or have expired."
    )


RepeatDownloadPayload = Annotated[
    DownloadRepeated
    | NotLoggedIn
    | NotAllowed
    | InvalidInput
    | DownloadNotFound
    | NothingToDownload
    | DownloadsStillRunning
    | TooManyTries,
    strawberry.union("RepeatDownloadPayload", description="The new download, or why there is none."),
]


@strawberry.type
class DownloadMutation:
    @strawberry.mutation(
        description="As a user of an institution who may do more than read, or with a key: order results of the inbox "
        "in a file, in the order of the inbox. Which results they are is fixed now, and what stands in the file when "
        f"it is made. For an institution {orders.DOWNLOADS.most} a day; of large ones, {orders.MOST_RUNNING} "
        "at one time.",
        directives=[BULK],
    )
    async def request_download(self, info: Info, input: Input[RequestDownloadInput]) -> RequestDownloadPayload:
        viewer = info.context.viewer
        ordered = await orders.request(viewer, info.context.clock, input.choice(), input.layout())
        return DownloadRequested(download=Download.of(ordered.download, viewer), not_found=ordered.not_found)

    @strawberry.mutation(
        description="Order the results of an earlier download once more, as they stand now: after a correction, a "
        "withdrawal, or 30 days. It counts as `requestDownload` does.",
        directives=[BULK],
    )
    async def repeat_download(self, info: Info, input: Input[RepeatDownloadInput]) -> RepeatDownloadPayload:
        viewer = info.context.viewer
        ordered = await orders.repeat(viewer, info.context.clock, key_named(input.id, "Download"))
        return DownloadRepeated(download=Download.of(ordered.download, viewer))


@strawberry.type
class DownloadSubscription:
    @strawberry.subscription(
        description="A download of the viewer's institution as it is now, and again whenever it has come further; ends "
        "when it is ready or has failed. Nothing comes of one that the viewer may not see."
    )
    async def download_progress(self, info: Info, id: Id) -> AsyncGenerator[Download, None]:
        key, viewer = key_named(id, "Download"), info.context.viewer
        async for row in download_progress.follow(viewer, info.context.download_hub, key):
            info.context.renew()
            yield Download.of(row, info.context.viewer)
