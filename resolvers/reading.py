"""Reading rows that a viewer may see, by one statement: the place where `visible_to` meets the columns of a type."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from engine import database
from engine.database import Row
from models.share import Share
from models.viewer import Viewer, Visible
from resolvers import columns


class Seen(Protocol):
    """A table whose rows not everybody may see."""

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible[Any]:
        """The rows that this viewer may see."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a type is read from: `SELECT … FROM … JOIN …`, the table's key, and the column that holds it in a row."""

    table: type[Seen]
    select: str
    key: str
    column: str

    async def rows(self, viewer: Viewer, condition: str, rest: str = "", **named: Any) -> list[Row]:
        """The visible rows that meet a condition; `rest` is their order and limit."""
        visible = self.table.visible_to(viewer)
        statement = f"{self.select} WHERE {condition} AND {visible} {rest}"
        return await database.rows(statement, **named, **viewer.named)

    async def by_ids(self, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Row]:
        """The visible rows with these keys, by key."""
        found = await self.rows(viewer, f"{self.key} = ANY(:ids)", ids=list(ids))
        return {row[self.column]: row for row in found}


SHARES = Source(  # both `shares` and `journal` read them
    Share, f"SELECT {columns.SHARE} FROM share {columns.SHARE_JOINS}", "share.id", "share_id"
)


def grouped(rows: list[Row], owner: str) -> dict[Any, list[Row]]:
    """One list of rows per value of the column `owner`, in the order in which they came."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[owner]].append(row)
    return groups
