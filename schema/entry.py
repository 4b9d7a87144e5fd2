"""Entries and centres."""

from datetime import date, datetime

import strawberry

from engine.database import Row
from models.viewer import Viewer
from schema.context import Info
from schema.exam import Exam
from schema.ids import global_id, key_of
from schema.node import Node


@strawberry.type(description="The exam centre that entered the candidate.")
class Centre:
    number: str = strawberry.field(description="Number of the centre.")
    name: str = strawberry.field(description="Name of the centre.")

    @classmethod
    def of(cls, row: Row) -> "Centre":
        """The centre of any row that holds the columns of centres."""
        return cls(number=row["centre_number"], name=row["centre_name"])


@strawberry.federation.type(
    keys=["id"], description="One candidate entered for one exam on one date. Seen by its candidate and staff only."
)
class Entry(Node):
    id_number: str = strawberry.field(description="ID Number, such as `ABC123456`; logs in together with the password.")
    candidate_number: str = strawberry.field(description="Number within centre and session; never a log-in.")
    exam: Exam = strawberry.field(description="The exam.")
    exam_date: date = strawberry.field(description="Date of the exam.")
    centre: Centre = strawberry.field(description="The centre.")
    results_by: date = strawberry.field(description="The date by which results are out.")
    claimed_at: datetime | None = strawberry.field(description="When its candidate claimed it, UTC.")

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "Entry":
        """The entry of any row that holds the columns of entries."""
        viewer.saw(row["candidate_id"])
        return cls(
            id=global_id("Entry", row["entry_id"]),
            id_number=row["id_number"],
            candidate_number=row["candidate_number"],
            exam=Exam.of(row),
            exam_date=row["exam_date"],
            centre=Centre.of(row),
            results_by=row["results_by"],
            claimed_at=row["claimed_at"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Entry | None":
        """The entry with this id, if the viewer may see it."""
        key = key_of(id, "Entry")
        row = await info.context.loaders.entry.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)
