"""What staff of the board and of centres work with."""

from datetime import datetime
from typing import Annotated

import strawberry

from engine.database import Row
from models.viewer import Kind
from resolvers import applications, exam_sessions, held_jobs, join_requests, parked_mail, releases
from resolvers.sittings import answer_times, awaiting
from schema.application import AccountApplicationConnection
from schema.context import Info
from schema.costs import COUNT, PAGE, list_of
from schema.exam_session import ExamSessionConnection
from schema.join_request import JoinRequestConnection
from schema.letter import ParkedMailConnection, ParkedMailState
from schema.pages import After, First, due_place, place, session_place
from schema.release import Release
from schema.sittings.answer_times import AnswerTimes
from schema.sittings.waiting import SittingConnection

State = Annotated[ParkedMailState | None, strawberry.argument(description="Only parked or only refused ones.")]
LetterKind = Annotated[str | None, strawberry.argument(description="Only this kind, such as `password_reset`.")]


@strawberry.type(description="Jobs of one name that failed ten times and are held: a fault of the service's own.")
class HeldJobs:
    name: str = strawberry.field(description="What the jobs do, such as `letter`.")
    count: int = strawberry.field(description="How many are held.")
    oldest_at: datetime = strawberry.field(description="When the oldest of them was ordered, UTC.")

    @classmethod
    def of(cls, row: Row) -> "HeldJobs":
        """The held jobs of one name."""
        return cls(name=row["name"], count=row["count"], oldest_at=row["oldest_at"])


@strawberry.type(description="What staff see. A centre's staff see only what is about their centre's candidates.")
class Staff:
    @strawberry.field(description="Mails that were parked or refused, newest first.", directives=[PAGE])
    async def parked_mail(
        self, info: Info, first: First = 50, after: After = None, kind: LetterKind = None, state: State = None
    ) -> ParkedMailConnection:
        wanted = str(state.value) if state else None
        found = await parked_mail.page(info.context.viewer, place(first, after), wanted, kind)
        return ParkedMailConnection.of(found, info.context.viewer)

    @strawberry.field(
        description="Applications for an institution's account that are to be decided, the one that is due first; null "
        "for all but the board's staff.",
        directives=[PAGE],
    )
    async def applications(
        self, info: Info, first: First = 50, after: After = None
    ) -> AccountApplicationConnection | None:
        found = await applications.page(info.context.viewer, due_place(first, after))
        return None if found is None else AccountApplicationConnection.of(found, info.context.viewer)

    @strawberry.field(
        description="Sessions, latest exam first; null for all but the board's staff.", directives=[PAGE, COUNT]
    )
    async def sessions(self, info: Info, first: First = 50, after: After = None) -> ExamSessionConnection | None:
        found = await exam_sessions.page(info.context.viewer, session_place(first, after))
        return None if found is None else ExamSessionConnection.of(found)

    @strawberry.field(
        description="Releases that are yet to come, the next one first; null for all but the board's staff.",
        directives=[list_of(20), COUNT],
    )
    async def releases(self, info: Info) -> list[Release] | None:
        rows = await releases.ahead(info.context.viewer)
        return None if rows is None else [Release.of(row) for row in rows]

    @strawberry.field(
        description="Those who ask to join an institution's account and wait for an answer, newest first; null for all "
        "but the board's staff.",
        directives=[PAGE],
    )
    async def join_requests(self, info: Info, first: First = 50, after: After = None) -> JoinRequestConnection | None:
        viewer = info.context.viewer
        if not viewer.is_board:
            return None
        return JoinRequestConnection.of(await join_requests.page(viewer, place(first, after)))

    @strawberry.field(
        description="How long candidates at home waited for their proctors' answers in the last seven days; null for "
        "all but the board's staff.",
        directives=[COUNT],
    )
    async def answer_times(self, info: Info) -> AnswerTimes | None:
        row = await answer_times.of_last_days(info.context.viewer)
        return None if row is None else AnswerTimes.of(row)

    @strawberry.field(
        description="Sittings at home against whose end the candidate has appealed and waits for an answer "
        "(`answerAppeal`), by the day of the appeal; null for all but the board's staff.",
        directives=[PAGE],
    )
    async def appeals(self, info: Info, first: First = 50, after: After = None) -> SittingConnection | None:
        viewer = info.context.viewer
        found = await awaiting.appeals(viewer, due_place(first, after))
        return None if found is None else SittingConnection.of(found, viewer)

    @strawberry.field(
        description="Sittings at home that were reported and wait for their official scores (`recordOfficialScores`, "
        "or `loadResults` by their `entry`), by the day of the sitting; null for all but the board's staff.",
        directives=[PAGE],
    )
    async def held_sittings(self, info: Info, first: First = 50, after: After = None) -> SittingConnection | None:
        viewer = info.context.viewer
        found = await awaiting.official_scores(viewer, due_place(first, after))
        return None if found is None else SittingConnection.of(found, viewer)

    @strawberry.field(
        description="Jobs that are held, by name; null for all but the board's staff.", directives=[list_of(10), COUNT]
    )
    async def held_jobs(self, info: Info) -> list[HeldJobs] | None:
        rows = await held_jobs.by_name(info.context.viewer)
        return None if rows is None else [HeldJobs.of(row) for row in rows]


@strawberry.type
class StaffQuery:
    @strawberry.field(description="What staff work with; null for everybody else.")
    def staff(self, info: Info) -> Staff | None:
        return Staff() if info.context.viewer.kind is Kind.STAFF else None
