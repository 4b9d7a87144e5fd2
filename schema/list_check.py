"""Lists of people to verify, handed in as files (V5)."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from engine.database import Row
from engine.languages import told
from engine.sheets import MOST_BYTES
from models.viewer import Viewer
from resolvers import list_checks
from resolvers.list_files import MOST_ROWS
from resolvers.pages import Page, cursor_of
from schema import key, verifier
from schema.arguments import Id, Input
from schema.context import Info
from schema.costs import COUNTED
from schema.file import FileLink
from schema.ids import global_id, key_of
from schema.node import Node
from schema.pages import PageInfo, page_info
from schema.refusals import InvalidInput, NotAllowed, NotLoggedIn, TooManyTries

if TYPE_CHECKING:
    from schema.key import ApiKey
    from schema.verifier import VerifierUser


@strawberry.enum(description="How far a list has come.")
class ListCheckStatus(Enum):
    QUEUED = strawberry.enum_value("QUEUED", description="Waits to be worked through.")
    RUNNING = strawberry.enum_value("RUNNING", description="Is worked through; `done` tells how far.")
    READY = strawberry.enum_value("READY", description="Worked through: `file` is the result, for 30 days.")
    FAILED = strawberry.enum_value("FAILED", description="Cannot be worked through to its end; `failure` tells why.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="The result is deleted.")


@strawberry.federation.type(
    keys=["id"],
    description="A list of people to verify that was handed in as a file. Seen by the users of its institution, "
    "by keys of it that look up, and, without its result, by the board's staff.",
)
class ListCheck(Node):
    status: ListCheckStatus = strawberry.field(description="How far it has come.")
    purpose: str = strawberry.field(description="What it is for; the candidates can read it.")
    file_name: str = strawberry.field(description="The name of the file; may be empty.")
    rows: int = strawberry.field(description="How many rows it has.")
    done: int = strawberry.field(description="How many of them are checked.")
    asked_at: datetime = strawberry.field(description="When it was handed in, UTC.")
    ready_at: datetime | None = strawberry.field(description="When the result was ready, UTC.")
    paused_until: datetime | None = strawberry.field(
        description="A limit of look-ups was reached: it goes on by itself at this moment, UTC. Null: it does not wait."
    )
    failure: str | None = strawberry.field(description="Why it failed, in the viewer's language, fit to be shown.")
    file: FileLink | None = strawberry.field(
        description="The result: the rows as they came, without Secret Numbers, each with its verdict, and with name, "
        "qualification, result and score where it is ours. In the format of the file that was handed in. Null until it "
        "is ready, after 30 days, and for users who may only read."
    )
    cursor: strawberry.Private[str]
    verifier_key: strawberry.Private[UUID | None]
    api_key: strawberry.Private[UUID | None]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "ListCheck":
        """The list of any row that holds the columns of lists."""
        link = list_checks.link(viewer, row)
        return cls(
            id=global_id("ListCheck", row["list_check_id"]),
            status=ListCheckStatus(list_checks.status_of(row, viewer.at).value),
            purpose=row["purpose"],
            file_name=row["file_name"],
            rows=row["rows"],
            done=row["done"],
            asked_at=row["asked_at"],
            ready_at=row["ready_at"],
            paused_until=row["paused_until"],
            failure=row["failure"] and told(row["failure"], viewer.language),
            file=None if link is None else FileLink.of(link),
            cursor=cursor_of(row["asked_at"], row["list_check_id"]),
            verifier_key=row["verifier_id"],
            api_key=row["key_id"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "ListCheck | None":
        """The list with this id, if the viewer may see it."""
        key = key_of(id, "ListCheck")
        row = await info.context.loaders.list_check.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)

    @strawberry.field(description="The user who handed it in, if it was one and the viewer may see them.")
    async def verifier(self, info: Info) -> Annotated["VerifierUser", strawberry.lazy("schema.verifier")] | None:
        row = await info.context.loaders.verifier.load(self.verifier_key) if self.verifier_key else None
        return None if row is None else verifier.VerifierUser.of(row)

    @strawberry.field(description="The key by which a program handed it in, if the viewer may see it.")
    async def key(self, info: Info) -> Annotated["ApiKey", strawberry.lazy("schema.key")] | None:
        row = await info.context.loaders.api_key.load(self.api_key) if self.api_key else None
        return None if row is None else key.ApiKey.of(row, info.context.viewer)


@strawberry.type(description="One list of several.")
class ListCheckEdge:
    node: ListCheck = strawberry.field(description="The list.")
    cursor: str = strawberry.field(description="Its place, for `after`.")


@strawberry.type(description="Lists, newest first.")
class ListCheckConnection:
    edges: list[ListCheckEdge] = strawberry.field(description="The lists of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page, viewer: Viewer) -> "ListCheckConnection":
        """A page as a connection."""
        nodes = [ListCheck.of(row, viewer) for row in page.rows]
        return cls(
            edges=[ListCheckEdge(node=node, cursor=node.cursor) for node in nodes],
            page_info=page_info([node.cursor for node in nodes], page.has_next),
        )


@strawberry.input(description="Hand in a list of people to verify.")
class CheckListInput:
    purpose: str = strawberry.field(
        description="What it is for, 3 to 200 characters; the candidates of the rows that match can read it."
    )
    file_name: str = strawberry.field(
        default="", description="The name of the file, up to 100 characters; the result is named after it."
    )


@strawberry.type(description="Where to send the file.")
class ListAwaited:
    id: strawberry.ID = strawberry.field(
        description="The id of the list, for `listCheck` as soon as its file is taken."
    )
    upload: FileLink = strawberry.field(
        description="`PUT` the CSV or XLSX file itself to this address, with nothing round it. 201 tells how many "
        "`rows` it has; 422 tells what is wrong with it, as JSON: `problems`, each with `line`, `column` and `reason`, "
        "and another may be sent. Nothing is checked before all of it could be read. The address serves for one list."
    )
    most_bytes: int = strawberry.field(description="How large the file may be, in bytes.")
    most_rows: int = strawberry.field(description="How many rows it may have, its headings aside.")


CheckListPayload = Annotated[
    ListAwaited | NotLoggedIn | NotAllowed | InvalidInput | TooManyTries,
    strawberry.union("CheckListPayload", description="Where to send the list, or why none is taken."),
]


@strawberry.type
class ListCheckQuery:
    @strawberry.field(description="A list of the viewer's institution by its id, for its progress and its result.")
    async def list_check(self, info: Info, id: Id) -> ListCheck | None:
        return await ListCheck.resolve_reference(info, id)


@strawberry.type
class ListCheckMutation:
    @strawberry.mutation(
        description="As a user of an institution who may check results, or by a key that looks up: ask where to "
        "send a list. CSV (UTF-8, UTF-16 or Shift_JIS; comma, semicolon or tab) or XLSX, with headings in any order: "
        "Statement number and Date of birth, and Version if you like, or ID Number and Secret Number; in English or "
        "Japanese. Other columns come back as they are. Every row counts as a look-up; where a limit is reached, the "
        "list waits and goes on. 20 lists a day for an institution.",
        directives=[COUNTED],
    )
    async def check_list(self, info: Info, input: Input[CheckListInput]) -> CheckListPayload:
        awaited = await list_checks.address_for(info.context.viewer, input.purpose, input.file_name)
        return ListAwaited(
            id=global_id("ListCheck", awaited.id),
            upload=FileLink.of(awaited.link),
            most_bytes=MOST_BYTES,
            most_rows=MOST_ROWS,
        )
