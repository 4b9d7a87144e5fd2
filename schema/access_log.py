"""The access log: what a candidate may know of who saw or changed their data."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from engine.database import Row
from models.names import shown_name
from models.viewer import Kind
from resolvers.pages import Page, cursor_of
from schema import institution, result
from schema.context import Info
from schema.pages import PageInfo, page_info

if TYPE_CHECKING:
    from schema.institution import Institution
    from schema.result import Result

STAFF = {"staff": "Staff of the exam board", "centre": "Staff of an exam centre", "worker": "The exam board's service"}
STAFF["proctor"] = "A proctor"
OWN = "You"


@strawberry.enum(description="What was done with a candidate's data.")
class AccessAct(Enum):
    READ = strawberry.enum_value("READ", description="Read, in a list or by itself.")
    OPENED = strawberry.enum_value("OPENED", description="Opened, after which the share counts as read.")
    LOOKED_UP = strawberry.enum_value(
        "LOOKED_UP",
        description="Looked up by numbers that its candidate gave, for the purpose told.",
    )
    DOWNLOADED = strawberry.enum_value("DOWNLOADED", description="Downloaded in a file.")
    PULLED = strawberry.enum_value("PULLED", description="Fetched by a program of the institution.")
    TOLD = strawberry.enum_value("TOLD", description="The institution was told that the result was corrected.")
    CHANGED = strawberry.enum_value(
        "CHANGED",
        description="Changed: by staff, or by the candidate, who sent the result to the institution, withdrew it from "
        "there, or changed the account.",
    )


@strawberry.type(description="One line of the access log.")
class Access:
    act: AccessAct = strawberry.field(description="What was done.")
    by: str = strawberry.field(description="Who did it, to be shown: the institution's name, which staff, or `You`.")
    at: datetime = strawberry.field(description="When, UTC; of several times, the first.")
    last_at: datetime = strawberry.field(description="The last of several times, UTC.")
    times: int = strawberry.field(
        description="How often: reads of one version of a result by one institution on one day, UTC, are one line."
    )
    version: int | None = strawberry.field(description="The version of the result as it was then.")
    purpose: str | None = strawberry.field(description="What it was wanted for, where the institution had to say so.")
    cursor: strawberry.Private[str]
    institution_key: strawberry.Private[UUID | None]
    result_key: strawberry.Private[UUID | None]

    @classmethod
    def of(cls, row: Row) -> "Access":
        """The line of a row of the access log."""
        return cls(
            act=AccessAct[row["act"]],
            by=_by(row),
            at=row["at"],
            last_at=row["last_at"],
            times=row["times"],
            version=row["version"],
            purpose=row["purpose"],
            cursor=cursor_of(row["at"], row["line_id"]),
            institution_key=row["institution_id"],
            result_key=row["result_id"],
        )

    @strawberry.field(description="The institution, if it was one and can be seen.")
    async def institution(self, info: Info) -> Annotated["Institution", strawberry.lazy("schema.institution")] | None:
        key = self.institution_key
        row = await info.context.loaders.institution.load(key) if key else None
        return None if row is None else institution.Institution.of(row)

    @strawberry.field(description="The result as it is now; null where it was about no single result.")
    async def result(self, info: Info) -> Annotated["Result", strawberry.lazy("schema.result")] | None:
        row = await info.context.loaders.result.load(self.result_key) if self.result_key else None
        return None if row is None else result.Result.of(row, info.context.viewer)


def _by(row: Row) -> str:
    if row["viewer_kind"] == Kind.CANDIDATE.value:  # whatever institution it was about
        return OWN
    if row["institution_name"] is not None:
        return shown_name(row["institution_name"], row["department"])
    return STAFF.get(row["viewer_kind"], "Somebody who is no user of an institution")


@strawberry.type(description="One line of the list.")
class AccessEdge:
    node: Access = strawberry.field(description="The line.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")


@strawberry.type(description="Who saw or changed a candidate's data, newest first.")
class AccessConnection:
    edges: list[AccessEdge] = strawberry.field(description="The lines of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page) -> "AccessConnection":
        """A page as a connection."""
        nodes = [Access.of(row) for row in page.rows]
        return cls(
            edges=[AccessEdge(node=node, cursor=node.cursor) for node in nodes],
            page_info=page_info([node.cursor for node in nodes], page.has_next),
        )
