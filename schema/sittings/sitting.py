"""At-home sittings: where one stands, what can be done about it, and everything that happened to it (H1-H10)."""

from datetime import datetime, timedelta

import strawberry

from engine.database import Row
from engine.languages import told
from models.names import full_name
from models.sittings.reasons import WORDS
from models.sittings.states import SittingState as State
from models.sittings.table import BREAK, START_WITHIN, UNDO_WITHIN, Facts, possible
from models.viewer import Kind, Viewer
from resolvers.sittings import chat, photos, proctoring, recipients, scores, views
from schema.arguments import Id
from schema.context import Info
from schema.file import FileLink
from schema.ids import global_id, key_of
from schema.node import Node
from schema.sittings.events import SittingEvent
from schema.sittings.parts import (
    Incident,
    SittingChat,
    SittingEnd,
    SittingMessage,
    SittingRecipient,
    UnofficialScore,
)
from schema.sittings.states import SittingActor, SittingState


@strawberry.federation.type(
    keys=["id"],
    description="One at-home, proctored taking of an exam. Seen by its candidate, by proctors who watch it or could, "
    "and by the board's staff.",
)
class Sitting(Node):
    qualification: str = strawberry.field(description="Title of the exam.")
    candidate_name: str = strawberry.field(description="The candidate's name, as the account spells it.")
    appointment_at: datetime = strawberry.field(description="When check-in opens, UTC.")
    start_by: datetime = strawberry.field(description="The last moment to start check-in, UTC.")
    timezone: str = strawberry.field(description="Time zone of the candidate, such as Asia/Tokyo.")
    state: SittingState = strawberry.field(description="Where it stands at this moment.")
    since: datetime = strawberry.field(description="Since when, UTC.")
    steps_confirmed: int = strawberry.field(description="Steps of the check-in that are confirmed, of seven.")
    sections: list[str] = strawberry.field(description="The sections of the test, in order.")
    sections_done: int = strawberry.field(description="How many of them are finished.")
    break_ends_at: datetime | None = strawberry.field(description="The last moment to be back, UTC; null: no break.")
    undo_until: datetime | None = strawberry.field(
        description="The last moment to undo the cancellation, UTC; null: it is not cancelled."
    )
    end: SittingEnd | None = strawberry.field(description="Why it ended; null: it has not.")
    possible: list[str] = strawberry.field(description="What can be done now, by whomever, such as `START_BREAK`.")
    row: strawberry.Private[Row]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "Sitting":
        """The sitting of a row of `sittings.by_ids`, as it stands at the viewer's moment."""
        facts = views.facts_at(row, viewer.at)
        is_on_break, is_cancelled = facts.state is State.ON_BREAK, facts.state is State.CANCELLED
        return cls(
            id=global_id("Sitting", row["id"]),
            qualification=row["qualification"],
            candidate_name=full_name(row["given_name"], row["family_name"]),
            appointment_at=row["appointment_at"],
            start_by=row["appointment_at"] + START_WITHIN,
            timezone=row["timezone"],
            state=SittingState(facts.state.value),
            since=facts.since,
            steps_confirmed=facts.steps,
            sections=list(facts.sections),
            sections_done=facts.sections_done,
            break_ends_at=_later(facts.break_started_at, BREAK) if is_on_break else None,
            undo_until=facts.since + UNDO_WITHIN if is_cancelled else None,
            end=_end(facts, row, viewer),
            possible=[act.value for act in possible(facts, viewer.at)],
            row=row,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Sitting | None":
        """The sitting with this id, if the viewer may see it."""
        return await shown(info, id)

    @strawberry.field(description="Everything that happened to it, in order.")
    async def timeline(self, info: Info) -> list[SittingEvent]:
        found = await views.timeline(info.context.viewer, self.row["id"])
        return [
            SittingEvent(
                kind=one["kind"],
                state=SittingState(one["state"]),
                happened_at=one["happened_at"],
                actor=SittingActor(one["actor"]),
                detail=one["detail"],
            )
            for one in found
        ]

    @strawberry.field(description="The messages between candidate and proctor, in order.")
    async def messages(self, info: Info) -> list[SittingMessage]:
        found = await chat.of_sitting(info.context.viewer, self.row["id"])
        return [
            SittingMessage(
                text=one["text"],
                is_by_proctor=one["proctor_id"] is not None,
                sent_at=one["sent_at"],
                read_at=one["read_at"],
            )
            for one in found
        ]

    @strawberry.field(description="What proctors noted, for them and the board's staff; empty for the candidate.")
    async def incidents(self, info: Info) -> list[Incident]:
        found = await proctoring.incidents(info.context.viewer, [self.row["id"]])
        return [Incident(text=one["text"], noted_at=one["noted_at"]) for one in found]

    @strawberry.field(description="What is unread and unanswered.")
    async def chat(self, info: Info) -> SittingChat:
        found = (await chat.waits(info.context.viewer, [self.row["id"]])).get(self.row["id"])
        if found is None:
            return SittingChat(unread=0, waiting_since=None, longest_seconds=None, mean_seconds=None)
        return SittingChat(
            unread=found["unread"],
            waiting_since=found["waiting_since"],
            longest_seconds=found["longest_seconds"],
            mean_seconds=found["mean_seconds"],
        )

    @strawberry.field(
        description="The photo that was taken at the check-in, a JPEG, for the candidate, the board's staff, and the "
        "proctor while they watch. Null where there is none, and once the scores are reported: it is `Result.photo` "
        "then."
    )
    async def photo(self, info: Info) -> FileLink | None:
        photo_id = await info.context.loaders.photo_of_sitting.load(self.row["id"])
        link = photos.link(info.context.viewer, photo_id)
        return None if link is None else FileLink.of(link)

    @strawberry.field(description="Unofficial scores of Reading and Listening, for the candidate, once it is over.")
    async def unofficial_scores(self, info: Info) -> list[UnofficialScore]:
        found = await scores.unofficial(info.context.viewer, self.row["id"])
        return [UnofficialScore(skill=skill, score=score) for skill, score in found.items()]

    @strawberry.field(description="Who gets the result; for the candidate and the board's staff.")
    async def recipients(self, info: Info) -> list[SittingRecipient]:
        found = await recipients.of_sitting(info.context.viewer, self.row["id"])
        return [
            SittingRecipient(
                institution_name=one["institution_name_shown"],
                consent=one["consent_text"],
                named_at=one["named_at"],
                is_sent=one["share_id"] is not None,
            )
            for one in found
        ]


def _later(at: datetime | None, duration: timedelta) -> datetime | None:
    return None if at is None else at + duration


def _end(facts: Facts, row: Row, viewer: Viewer) -> SittingEnd | None:
    if facts.reason is None:
        return None
    words = WORDS[facts.reason]
    reason, remedy = (told(one, viewer.language) for one in (words.reason, words.remedy))
    return SittingEnd(code=facts.reason.value, reason=reason, words=row["words"], remedy=remedy)


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
        "after them, those that wait, first appointment first. Empty for everybody else."
    )
    async def sittings(self, info: Info) -> list[Sitting]:
        viewer = info.context.viewer
        if viewer.kind not in (Kind.CANDIDATE, Kind.PROCTOR):
            return []
        return [Sitting.of(row, viewer) for row in await views.of_viewer(viewer)]
