"""At-home sittings: where one stands, what can be done about it, and everything that happened to it (H1-H10)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import strawberry

from engine.database import Row
from engine.languages import told
from models.base import required
from models.names import full_name
from models.sittings.reasons import Reason
from models.sittings.table import START_WITHIN, UNDO_WITHIN, Facts, hindered, is_connected, possible
from models.viewer import Kind, Viewer
from resolvers.sittings import photos, views
from resolvers.sittings.appeals import APPEALABLE
from schema import entry, result
from schema.arguments import Id
from schema.context import Info
from schema.costs import list_of
from schema.exam import Exam, Skill
from schema.file import FileLink
from schema.ids import global_id, key_of
from schema.node import Node
from schema.sittings.checks import CheckInStep, SystemCheck, check_in_steps
from schema.sittings.events import SittingEvent
from schema.sittings.parts import (
    Appeal,
    Break,
    Incident,
    Message,
    Recording,
    Section,
    SittingChat,
    SittingEnd,
    SittingHindrance,
    SittingProctor,
    SittingQueue,
    SittingRecipient,
    UnofficialScore,
    sections_of,
)
from schema.sittings.states import SittingAct, SittingState

if TYPE_CHECKING:
    from schema.entry import Entry
    from schema.result import Result


@strawberry.federation.type(
    keys=["id"],
    description="One at-home, proctored taking of an exam. Seen by its candidate, by proctors who watch it or could, "
    "and by the board's staff.",
)
class Sitting(Node):
    qualification: str = strawberry.field(description="Title of the exam.")
    candidate_name: str = strawberry.field(description="The candidate's name, as the account spells it.")
    appointment_at: datetime = strawberry.field(description="When check-in opens, UTC.")
    appointment_local: str = strawberry.field(
        description="The same as the clock on the candidate's wall shows it, such as 2027-01-15T09:00:00+09:00."
    )
    start_by: datetime = strawberry.field(description="The last moment to start check-in, UTC.")
    timezone: str = strawberry.field(description="Time zone of the candidate, such as Asia/Tokyo.")
    state: SittingState = strawberry.field(description="Where it stands at this moment.")
    since: datetime = strawberry.field(description="Since when, UTC.")
    steps_confirmed: int = strawberry.field(description="Steps of the check-in that are confirmed, of seven.")
    sections_done: int = strawberry.field(description="How many of them are finished.")
    undo_until: datetime | None = strawberry.field(
        description="The last moment to undo the cancellation, UTC; null: the scores are not cancelled."
    )
    end: SittingEnd | None = strawberry.field(description="Why it ended; null: it has not.")
    possible: list[SittingAct] = strawberry.field(
        description="What this viewer can do with it now; beside that, write while it runs."
    )
    hindered: list[SittingHindrance] = strawberry.field(
        description="What this viewer could do where it stands, but not at this moment, and why not.",
        directives=[list_of(4)],
    )
    is_connected: bool = strawberry.field(
        description="Whether the candidate gave a sign of life in the last 15 seconds."
    )
    proctor: SittingProctor | None = strawberry.field(description="The proctor who watches it; null: none yet.")
    row: strawberry.Private[Row]
    facts: strawberry.Private[Facts]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "Sitting":
        """The sitting of a row of `sittings.by_ids`, as it stands at the viewer's moment."""
        facts = views.facts_at(row, viewer.at)
        is_cancelled = facts.reason is Reason.CHOSE_TO_CANCEL
        return cls(
            id=global_id("Sitting", row["id"]),
            qualification=row["qualification"],
            candidate_name=full_name(row["given_name"], row["family_name"]),
            appointment_at=row["appointment_at"],
            appointment_local=row["appointment_at"].astimezone(ZoneInfo(row["timezone"])).isoformat(),
            start_by=row["appointment_at"] + START_WITHIN,
            timezone=row["timezone"],
            state=SittingState(facts.state.value),
            since=facts.since,
            steps_confirmed=facts.steps,
            sections_done=facts.sections_done,
            undo_until=facts.since + UNDO_WITHIN if is_cancelled else None,
            end=SittingEnd.of(facts, row, viewer),
            possible=_acts(facts, row, viewer),
            hindered=_hindrances(facts, row, viewer),
            is_connected=is_connected(facts, viewer.at),
            proctor=SittingProctor.of(facts, row, viewer),
            row=row,
            facts=facts,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Sitting | None":
        """The sitting with this id, if the viewer may see it."""
        return await shown(info, id)

    @strawberry.field(description="The exam.")
    async def exam(self, info: Info) -> Exam:
        return Exam.of(required(await info.context.loaders.exam.load(self.row["exam_id"])))

    @strawberry.field(description="The last system check; null: there was none.")
    async def system_check(self, info: Info) -> SystemCheck | None:
        found = await info.context.loaders.checks_of.load(self.row["id"])
        return SystemCheck.of(found[0], info.context.viewer) if found else None

    @strawberry.field(description="The steps of the check-in, in order.", directives=[list_of(7)])
    async def check_in_steps(self, info: Info) -> list[CheckInStep]:
        found = await info.context.loaders.steps_of.load(self.row["id"])
        return check_in_steps(found or [], self.facts, info.context.viewer)

    @strawberry.field(description="The place in the queue for a proctor; null: it does not wait for one.")
    async def queue(self, info: Info) -> SittingQueue | None:
        row = await info.context.loaders.queue_place.load(self.row["id"])
        return None if row is None else SittingQueue(place=row["place"], waiting_since=row["waiting_since"])

    @strawberry.field(description="The sections of the test, in order.", directives=[list_of(4)])
    async def sections(self, info: Info) -> list[Section]:
        found = await info.context.loaders.sections_of.load(self.row["id"])
        return sections_of(self.facts, found or [])

    @strawberry.field(name="break", description="The one break; null: it has not begun.")
    async def break_(self, info: Info) -> Break | None:
        found = await info.context.loaders.break_of.load(self.row["id"])
        return Break.of(found[0]) if found else None

    @strawberry.field(description="Everything that happened to it, in order.", directives=[list_of(50)])
    async def timeline(self, info: Info) -> list[SittingEvent]:
        found = await info.context.loaders.timeline_of.load(self.row["id"])
        return [SittingEvent.of(one) for one in found or []]

    @strawberry.field(description="The messages between candidate and proctor, in order.", directives=[list_of(50)])
    async def messages(self, info: Info) -> list[Message]:
        found = await info.context.loaders.messages_of.load(self.row["id"])
        return [Message.of(one) for one in found or []]

    @strawberry.field(description="What is unread and unanswered.")
    async def chat(self, info: Info) -> SittingChat:
        row = await info.context.loaders.chat_of.load(self.row["id"])
        return SittingChat.of(row, self.facts, info.context.viewer.at)

    @strawberry.field(
        description="What proctors noted, for them and the board's staff; empty for the candidate.",
        directives=[list_of(10)],
    )
    async def incidents(self, info: Info) -> list[Incident]:
        found = await info.context.loaders.incidents_of.load(self.row["id"])
        return [Incident(text=one["text"], noted_at=one["noted_at"]) for one in found or []]

    @strawberry.field(
        description="The photo that was taken at the check-in, a JPEG, for the candidate, the board's staff, and the "
        "proctor while they watch. Null where there is none, and once the scores are reported: it is `Result.photo` "
        "then."
    )
    async def photo(self, info: Info) -> FileLink | None:
        photo_id = await info.context.loaders.photo_of_sitting.load(self.row["id"])
        link = photos.link(info.context.viewer, photo_id)
        return None if link is None else FileLink.of(link)

    @strawberry.field(
        description="Unofficial scores of Reading and Listening, for the candidate, once it is over.",
        directives=[list_of(2)],
    )
    async def unofficial_scores(self, info: Info) -> list[UnofficialScore]:
        found = await info.context.loaders.unofficial_of.load(self.row["id"])
        return [UnofficialScore(skill=Skill[one["skill"]], score=one["unofficial_score"]) for one in found or []]

    @strawberry.field(
        description="Who gets the result; for the candidate and the board's staff.", directives=[list_of(10)]
    )
    async def recipients(self, info: Info) -> list[SittingRecipient]:
        found = await info.context.loaders.recipients_of.load(self.row["id"])
        return [SittingRecipient.of(one) for one in found or []]

    @strawberry.field(
        description="The entry that was made when the scores were reported, for the candidate and the board's staff; "
        "null before."
    )
    async def entry(self, info: Info) -> Annotated["Entry", strawberry.lazy("schema.entry")] | None:
        row = await info.context.loaders.entry.load(self.row["entry_id"]) if self.row["entry_id"] else None
        return None if row is None else entry.Entry.of(row, info.context.viewer)

    @strawberry.field(description="The result, for those who may see it; null until it is released.")
    async def result(self, info: Info) -> Annotated["Result", strawberry.lazy("schema.result")] | None:
        row = await info.context.loaders.result.load(self.row["result_id"]) if self.row["result_id"] else None
        return None if row is None else result.Result.of(row, info.context.viewer)

    @strawberry.field(description="The appeal against its end, for the candidate and the board's staff; null: none.")
    async def appeal(self, info: Info) -> Appeal | None:
        found = await info.context.loaders.appeal_of.load(self.row["id"])
        return Appeal.of(found[0]) if found else None

    @strawberry.field(description="Whether the viewer can appeal against its end: its candidate, once.")
    async def can_appeal(self, info: Info) -> bool:
        if info.context.viewer.kind is not Kind.CANDIDATE or self.facts.state not in APPEALABLE:
            return False
        return not await info.context.loaders.appeal_of.load(self.row["id"])

    @strawberry.field(
        description="Until when its recording is kept, UTC, and longer while an appeal waits for its answer; null: "
        "there is none, or not any more."
    )
    async def recorded_until(self, info: Info) -> datetime | None:
        row = await info.context.loaders.recorded_until.load(self.row["id"])
        return None if row is None else row["kept_until"]

    @strawberry.field(
        description="Its recordings, for the board's staff; empty for everybody else.", directives=[list_of(2)]
    )
    async def recordings(self, info: Info) -> list[Recording]:
        found = await info.context.loaders.recordings_of.load(self.row["id"])
        return [Recording.of(one) for one in found or []]


def _acts(facts: Facts, row: Row, viewer: Viewer) -> list[SittingAct]:
    return [SittingAct(act.value) for act in possible(facts, viewer.at) if views.may(viewer, row, act)]


def _hindrances(facts: Facts, row: Row, viewer: Viewer) -> list[SittingHindrance]:
    return [
        SittingHindrance(act=SittingAct(act.value), reason=told(reason, viewer.language))
        for act, reason in hindered(facts, viewer.at).items()
        if views.may(viewer, row, act)
    ]


async def shown(info: Info, id: strawberry.ID) -> "Sitting | None":
    """The sitting with this id, if the viewer may see it."""
    key = key_of(id, "Sitting")
    row = await info.context.loaders.sitting.load(key) if key else None
    return None if row is None else Sitting.of(row, info.context.viewer)


@strawberry.type
class SittingQuery:
    @strawberry.field(description="A sitting, for its candidate, its proctor or the board's staff; else null.")
    async def sitting(self, info: Info, id: Id) -> Sitting | None:
        return await shown(info, id)

    @strawberry.field(
        description="The candidate's own sittings, newest appointment first; for proctors those that they watch and, "
        "after them, those that wait, first appointment first, but before all others those whose candidate has waited "
        "more than 30 seconds for an answer, longest first. Empty for everybody else.",
        directives=[list_of(10)],
    )
    async def sittings(self, info: Info) -> list[Sitting]:
        viewer = info.context.viewer
        if viewer.kind not in (Kind.CANDIDATE, Kind.PROCTOR):
            return []
        return [Sitting.of(row, viewer) for row in await views.of_viewer(viewer)]
