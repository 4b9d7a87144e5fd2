"""Sessions, as the board's staff see them."""

from datetime import date, datetime

import strawberry

from engine.database import Row
from resolvers.exam_sessions import cursor_of
from resolvers.pages import Page
from schema.exam import Exam
from schema.pages import PageInfo, page_info


@strawberry.type(description="One exam on one date.")
class ExamSession:
    exam: Exam = strawberry.field(description="The exam.")
    exam_date: date = strawberry.field(description="Its date.")
    centres: int = strawberry.field(description="How many centres have entered candidates.")
    entries: int = strawberry.field(description="How many candidates are entered.")
    results: int = strawberry.field(description="How many results are loaded.")
    release_at: datetime | None = strawberry.field(
        description="The moment from which its results may be seen, UTC; null: none is set."
    )
    cursor: strawberry.Private[str]

    @classmethod
    def of(cls, row: Row) -> "ExamSession":
        """The session of any row that holds its columns."""
        return cls(
            exam=Exam.of(row),
            exam_date=row["exam_date"],
            centres=row["centres"],
            entries=row["entries"],
            results=row["results"],
            release_at=row["release_at"],
            cursor=cursor_of(row["exam_date"], row["exam_code"]),
        )


@strawberry.type(description="One session of a list.")
class ExamSessionEdge:
    node: ExamSession = strawberry.field(description="The session.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")


@strawberry.type(description="Sessions, latest exam first.")
class ExamSessionConnection:
    edges: list[ExamSessionEdge] = strawberry.field(description="The sessions of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page) -> "ExamSessionConnection":
        """A page as a connection."""
        nodes = [ExamSession.of(row) for row in page.rows]
        return cls(
            edges=[ExamSessionEdge(node=node, cursor=node.cursor) for node in nodes],
            page_info=page_info([node.cursor for node in nodes], page.has_next),
        )
