"""Releasing the results of a session: one exam on one date (R3)."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from engine.database import Row
from resolvers import releases
from schema.arguments import Input
from schema.context import Info
from schema.refusals import AlreadyReleased, InvalidInput, NotAllowed, NotLoggedIn


@strawberry.type(description="When the results of one session, an exam on one date, may be seen.")
class Release:
    exam_code: str = strawberry.field(description="The exam.")
    exam_date: date = strawberry.field(description="Date of the exam.")
    at: datetime | None = strawberry.field(description="The moment, UTC; null: none is set.")
    results: int = strawberry.field(description="How many results of the session are loaded; later ones follow it too.")

    @classmethod
    def of(cls, row: Row) -> "Release":
        """The release of any row that holds its columns."""
        return cls(
            exam_code=row["exam_code"],
            exam_date=row["exam_date"],
            at=row["release_at"],
            results=row["results"],
        )


@strawberry.input(description="Set, move or cancel the release of one session.")
class ScheduleReleaseInput:
    exam_code: str = strawberry.field(description="The exam.")
    exam_date: date = strawberry.field(description="Date of the exam.")
    release_at: datetime | None = strawberry.field(
        description="The moment from which its results may be seen, within a year; null cancels what was set."
    )


@strawberry.type(description="What holds from now on. Candidates are mailed when the moment has come.")
class ReleaseScheduled:
    release: Release = strawberry.field(description="The release.")


ScheduleReleasePayload = Annotated[
    ReleaseScheduled | NotLoggedIn | NotAllowed | InvalidInput | AlreadyReleased,
    strawberry.union("ScheduleReleasePayload", description="What holds now, or why nothing was changed."),
]


@strawberry.type
class ReleaseMutation:
    @strawberry.mutation(
        description="Say when the results of a session are released, for the board's staff. It can be moved and "
        "cancelled until it has come; results that are loaded later follow it."
    )
    async def schedule_release(self, info: Info, input: Input[ScheduleReleaseInput]) -> ScheduleReleasePayload:
        context, moment = info.context, input.release_at
        done = await releases.schedule(context.viewer, input.exam_code, input.exam_date, moment, context.clock)
        return ReleaseScheduled(
            release=Release(
                exam_code=done.exam_code, exam_date=done.exam_date, at=done.release_at, results=done.results
            )
        )
