"""Downloads, and their history (D3)."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from engine.database import Row
from models import layout as layouts
from models.viewer import Viewer
from resolvers.downloads import failures as download_failures
from resolvers.downloads import files as download_files
from resolvers.downloads import history as download_history
from resolvers.downloads.history import Standing
from resolvers.pages import Page, cursor_of
from schema import key, share, verifier
from schema.arguments import Id
from schema.context import Info
from schema.costs import list_of
from schema.file import FileLink
from schema.ids import global_id, key_of
from schema.layout import DateFormat, Delimiter, DownloadFormat, Encoding, TemplateColumn
from schema.node import Node
from schema.pages import PageInfo, page_info

if TYPE_CHECKING:
    from schema.key import ApiKey
    from schema.share import Share
    from schema.verifier import VerifierUser


@strawberry.enum(description="How far a download has come.")
class DownloadStatus(Enum):
    QUEUED = strawberry.enum_value("QUEUED", description="Waits to be made.")
    RUNNING = strawberry.enum_value("RUNNING", description="Is being made; `done` tells how far.")
    READY = strawberry.enum_value("READY", description="Made: `file` gives it, for 30 days.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="The file is deleted.")
    FAILED = strawberry.enum_value("FAILED", description="Cannot be made; `failure` tells why.")


@strawberry.enum(description="Why a download has no file to fetch.")
class NoFile(Enum):
    NOT_READY = strawberry.enum_value("NOT_READY", description="It is not made yet.")
    FAILED = strawberry.enum_value("FAILED", description="It cannot be made.")
    WITHDRAWN = strawberry.enum_value(
        "WITHDRAWN",
        description="A share in it was withdrawn, or has expired: `repeatDownload` gives the others. Copies that were "
        "fetched before stay.",
    )
    EXPIRED = strawberry.enum_value("EXPIRED", description="It was kept for 30 days.")


@strawberry.type(description="A template as it was when a download was ordered.")
class DownloadLayout:
    name: str = strawberry.field(description="Name of the template.")
    columns: list[TemplateColumn] = strawberry.field(description="Columns in order; of no use to a PDF.")
    delimiter: Delimiter = strawberry.field(description="Sign between the columns of a CSV file.")
    encoding: Encoding = strawberry.field(description="Text encoding of a CSV file.")
    date_format: DateFormat = strawberry.field(description="How dates are written.")
    header: bool = strawberry.field(description="Whether the first row holds the headings.")

    @classmethod
    def of(cls, layout: layouts.Layout) -> "DownloadLayout":
        """A layout that a download keeps."""
        return cls(
            name=layout.name,
            columns=[TemplateColumn.of(column) for column in layout.columns],
            delimiter=Delimiter[layout.delimiter.name],
            encoding=Encoding(layout.encoding.value),
            date_format=DateFormat[layout.date_format.name],
            header=layout.header,
        )


@strawberry.type(description="What of the results that were chosen a download does not hold.")
class LeftOut:
    not_allowed: int = strawberry.field(description="How many their candidates have not allowed to be downloaded.")
    without_statement: int = strawberry.field(
        description="Of a PDF: how many have no statement, because they are pending, withheld or revoked, or because "
        "the candidate left the skill scores out."
    )
    gone: int = strawberry.field(description="How many were withdrawn, or expired, before the file was made.")


@strawberry.type(description="Something that cannot be written in the file as it was ordered.")
class FailedCell:
    column: str = strawberry.field(description="The heading of its column.")
    signs: str = strawberry.field(description="The signs at fault; empty where the text is too long.")
    place: strawberry.Private[int]
    download_key: strawberry.Private[UUID]

    @strawberry.field(description="The share that it is of; null if the viewer sees it no more.")
    async def share(self, info: Info) -> Annotated["Share", strawberry.lazy("schema.share")] | None:
        row = await info.context.loaders.share_of_download.load((self.download_key, self.place))
        return None if row is None else share.Share.of(row, info.context.viewer)


@strawberry.federation.type(
    keys=["id"],
    description="Results in a file. Seen by the users of its institution who may do more than read, by its keys with "
    "the scope DOWNLOAD, and, without the file, by the board's staff.",
)
class Download(Node):
    status: DownloadStatus = strawberry.field(description="How far it has come.")
    format: DownloadFormat = strawberry.field(description="Kind of file.")
    template: DownloadLayout = strawberry.field(description="The template as it was then.")
    asked_at: datetime = strawberry.field(description="When it was ordered, UTC.")
    asked_by: str = strawberry.field(description="Who ordered it: the name of the user, or of the key.")
    ready_at: datetime | None = strawberry.field(description="When it was ready, UTC.")
    rows: int = strawberry.field(description="How many results it holds.")
    done: int = strawberry.field(description="How many of them are written.")
    left_out: LeftOut = strawberry.field(description="What was chosen and is not in it.")
    size: int | None = strawberry.field(description="How large the file is, in bytes; null until it is ready.")
    sha256: str | None = strawberry.field(description="SHA-256 of the file, in hexadecimal; null until it is ready.")
    failure: str | None = strawberry.field(description="Why it failed, in the viewer's language, fit to be shown.")
    failed_cells: list[FailedCell] = strawberry.field(
        description="What could not be written, of a download that failed for it: the first 20.",
        directives=[list_of(20)],
    )
    cursor: strawberry.Private[str]
    row: strawberry.Private[Row]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "Download":
        """The download of any row that holds the columns of downloads."""
        failure = row["failure"]
        cells = download_failures.cells_of(failure) if failure else []
        return cls(
            id=global_id("Download", row["download_id"]),
            status=DownloadStatus(download_history.status_of(row, viewer.at).value),
            format=DownloadFormat(row["format"]),
            template=DownloadLayout.of(layouts.Layout.from_json(row["template"])),
            asked_at=row["asked_at"],
            asked_by=row["asked_by"],
            ready_at=row["ready_at"],
            rows=row["rows"],
            done=row["done"],
            left_out=LeftOut(
                not_allowed=row["not_allowed"], without_statement=row["without_statement"], gone=row["gone"]
            ),
            size=row["size"],
            sha256=row["digest"].hex() if row["digest"] else None,
            failure=download_failures.said(failure, viewer.language) if failure else None,
            failed_cells=[
                FailedCell(column=one.column, signs=one.signs, place=one.place, download_key=row["download_id"])
                for one in cells
            ],
            cursor=cursor_of(row["asked_at"], row["download_id"]),
            row=row,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Download | None":
        """The download with this id, if the viewer may see it."""
        key = key_of(id, "Download")
        row = await info.context.loaders.download.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)

    async def _standing(self, info: Info) -> Standing:
        found = await info.context.loaders.standing_of_download.load(self.row["download_id"])
        return found or Standing(False, False)

    @strawberry.field(
        description="Whether a result in the file has been amended, withheld, released again or revoked since: "
        "`repeatDownload` gives it as it stands now."
    )
    async def is_out_of_date(self, info: Info) -> bool:
        return self.row["ready_at"] is not None and (await self._standing(info)).is_out_of_date

    @strawberry.field(
        description="The file: however often it is fetched, the very same bytes. Fetching it leaves a line in the "
        "access log of every candidate in it. Null where there is none, which `noFile` explains, and for staff."
    )
    async def file(self, info: Info) -> FileLink | None:
        link = download_files.link(info.context.viewer, self.row, await self._standing(info))
        return None if link is None else FileLink.of(link)

    @strawberry.field(description="Why there is no file to fetch; null if there is one.")
    async def no_file(self, info: Info) -> NoFile | None:
        reason = download_history.why_no_file(self.row, await self._standing(info), info.context.viewer.at)
        return None if reason is None else NoFile(reason.value)

    @strawberry.field(description="The user who ordered it; null if it was a key.")
    async def verifier(self, info: Info) -> Annotated["VerifierUser", strawberry.lazy("schema.verifier")] | None:
        row = await info.context.loaders.verifier.load(self.row["verifier_id"]) if self.row["verifier_id"] else None
        return None if row is None else verifier.VerifierUser.of(row)

    @strawberry.field(description="The key that ordered it; null if it was a user, or if the viewer may not see keys.")
    async def key(self, info: Info) -> Annotated["ApiKey", strawberry.lazy("schema.key")] | None:
        row = await info.context.loaders.api_key.load(self.row["key_id"]) if self.row["key_id"] else None
        return None if row is None else key.ApiKey.of(row, info.context.viewer)

    @strawberry.field(description="The download that this one repeats.")
    async def repeats(self, info: Info) -> "Download | None":
        row = await info.context.loaders.download.load(self.row["repeated_id"]) if self.row["repeated_id"] else None
        return None if row is None else Download.of(row, info.context.viewer)


@strawberry.type(description="One download of several.")
class DownloadEdge:
    node: Download = strawberry.field(description="The download.")
    cursor: str = strawberry.field(description="Its place, for `after`.")


@strawberry.type(description="Downloads, newest first.")
class DownloadConnection:
    edges: list[DownloadEdge] = strawberry.field(description="The downloads of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page, viewer: Viewer) -> "DownloadConnection":
        """A page as a connection."""
        nodes = [Download.of(row, viewer) for row in page.rows]
        return cls(
            edges=[DownloadEdge(node=node, cursor=node.cursor) for node in nodes],
            page_info=page_info([node.cursor for node in nodes], page.has_next),
        )


@strawberry.type
class DownloadQuery:
    @strawberry.field(description="A download of the viewer's institution by its id, for its progress and its file.")
    async def download(self, info: Info, id: Id) -> Download | None:
        return await Download.resolve_reference(info, id)
