"""Pages of sittings that wait for the board's staff."""

import strawberry

from engine.database import Row
from models.viewer import Viewer
from resolvers.due_pages import cursor_of
from resolvers.pages import Page
from schema.pages import PageInfo, page_info
from schema.sittings.sitting import Sitting


@strawberry.type(description="One sitting of a list.")
class SittingEdge:
    node: Sitting = strawberry.field(description="The sitting.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "SittingEdge":
        """The edge of a row of `awaiting`."""
        return cls(node=Sitting.of(row, viewer), cursor=cursor_of(row["waits_since"], row["id"]))


@strawberry.type(description="Sittings that wait for the board's staff, the longest waiting first.")
class SittingConnection:
    edges: list[SittingEdge] = strawberry.field(description="Sittings with their cursors.")
    page_info: PageInfo = strawberry.field(description="Where this page lies.")

    @classmethod
    def of(cls, page: Page, viewer: Viewer) -> "SittingConnection":
        """One page of sittings."""
        edges = [SittingEdge.of(row, viewer) for row in page.rows]
        return cls(edges=edges, page_info=page_info((edge.cursor for edge in edges), page.has_next))
