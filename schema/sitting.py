"""At-home sittings: where one stands, what can be done about it, and everything that happened to it (H1-H10)."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated

import strawberry

from engine.database import Row
from engine.languages import told
from models.names import full_name
from models.sittings.reasons import WORDS
from models.sittings.states import SittingState as State
from models.sittings.table import BREAK, START_WITHIN, UNDO_WITHIN, Facts, possible
from models.viewer import Kind, Viewer
from resolvers import journal
from resolvers.sittings import chat, proctoring, recipients, scores, views
from resolvers.sittings import events as sitting_events
from schema.arguments import Id
from schema.context import Info
from schema.ids import global_id, key_of
from schema.node import Node
from schema.pages import journal_place


@strawberry.enum(description="Where a sitting stands.")
class SittingState(Enum):
    BOOKED = strawberry.enum_value("BOOKED", description="Booked; its last system check failed, or there was none.")
    SYSTEM_CHECKED = strawberry.enum_value("SYSTEM_CHECKED", description="The system check passed.")
    CHECKING_IN = strawberry.enum_value("CHECKING_IN", description="Waiting for a proctor, or being checked in.")
    IN_PROGRESS = strawberry.enum_value("IN_PROGRESS", description="The test runs.")
    INTERRUPTED = strawberry.enum_value("INTERRUPTED", description="The connection was lost.")
    ON_BREAK = strawberry.enum_value("ON_BREAK", description="The one break, of ten minutes.")
    FINISHED = strawberry.enum_value("FINISHED", description="Over: the candidate reports or cancels the scores.")
    REPORTED = strawberry.enum_value("REPORTED", description="The scores are reported.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="The candidate cancelled the scores.")
    MISSED = strawberry.enum_value("MISSED", description="Not started within 15 minutes of the appointment.")
    BREAK_OVERRUN = strawberry.enum_value("BREAK_OVERRUN", description="Not back from the break in time.")
    INVALIDATED = strawberry.enum_value("INVALIDATED", description="Declared invalid because of conduct.")
    ENDED_BY_PROCTOR = strawberry.enum_value("ENDED_BY_PROCTOR", description="Ended by the proctor.")


@strawberry.enum(description="The kinds of people who do something in a sitting, and the clock.")
class SittingActor(Enum):
    CANDIDATE = strawberry.enum_value("CANDIDATE", description="The candidate.")
    PROCTOR = strawberry.enum_value("PROCTOR", description="A proctor.")
    STAFF = strawberry.enum_value("STAFF", description="The board's staff.")
    CLOCK = strawberry.enum_value("CLOCK", description="The service, because a time had passed.")


@strawberry.type(description="Why a sitting ended, in the viewer's language.")
class SittingEnd:
    code: str = strawberry.field(description="A name for the reason, such as `NOT_STARTED_IN_TIME`.")
    reason: str = strawberry.field(description="Why it ended.")
    words: str | None = strawberry.field(description="What the proctor or staff wrote about it; null: nobody ended it.")
    remedy: str = strawberry.field(description="What can be done about it.")


@strawberry.type(description="Something that happened to a sitting.")
class SittingEvent:
    kind: str = strawberry.field(description="What happened, such as `CHECK_IN_STARTED`.")
    state: SittingState = strawberry.field(description="Where the sitting stood after it.")
    happened_at: datetime = strawberry.field(description="When, UTC.")
    actor: SittingActor = strawberry.field(description="Who did it.")
    detail: str | None = strawberry.field(description="Such as the step or the section.")
    cursor: str | None = strawberry.field(
        default=None, description="In a stream: keep it, and give it as `after` when you come back; else null."
    )


@strawberry.type(description="A message of the chat between candidate and proctor.")
class SittingMessage:
    text: str = strawberry.field(description="What was written.")
    is_by_proctor: bool = strawberry.field(description="Whether the proctor wrote it.")
    sent_at: datetime = strawberry.field(description="When, UTC.")
    read_at: datetime | None = strawberry.field(description="When the other side read it, UTC; null: unread.")


@strawberry.type(description="How the chat of a sitting stands.")
class SittingChat:
    unread: int = strawberry.field(description="Messages that the viewer's side has not read.")
    waiting_since: datetime | None = strawberry.field(
        description="Since when the candidate waits for an answer, UTC; null: nothing is unanswered."
    )
    longest_seconds: float | None = strawberry.field(description="The longest wait for an answer so far.")
    mean_seconds: float | None = strawberry.field(description="The mean wait for an answer so far.")


@strawberry.type(description="What a proctor noted; candidates are told the reason that comes of it.")
class Incident:
    text: str = strawberry.field(description="What happened.")
    noted_at: datetime = strawberry.field(description="When, UTC.")


@strawberry.type(description="A score of the test that is not official.")
class UnofficialScore:
    skill: str = strawberry.field(description="The skill.")
    score: int = strawberry.field(description="The score, on the scale of the exam.")


@strawberry.type(description="An institution that gets the result once it is released.")
class SittingRecipient:
    institution_name: str = strawberry.field(description="Its name, as it was shown when it was named.")
    consent: str = strawberry.field(description="The sentence that was agreed to.")
    named_at: datetime = strawberry.field(description="When, UTC.")
    is_sent: bool = strawberry.field(description="Whether the result was sent.")


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


@strawberry.type
class SittingSubscription:
    @strawberry.subscription(
        description="Each event of a sitting, once, within a second; with `after`, first all that came since. It ends "
        "for a proctor who hands the sitting over."
    )
    async def sitting_events(
        self,
        info: Info,
        sitting_id: Annotated[strawberry.ID, strawberry.argument(description="The sitting.")],
        after: Annotated[
            str | None,
            strawberry.argument(description="The last `cursor` you have, or `0.0` for all that ever came; null: none."),
        ] = None,
    ) -> AsyncGenerator[SittingEvent, None]:
        key = key_of(sitting_id, "Sitting")
        if key is None:
            return
        bookmark = info.context.begin(journal_place(after))
        async for event in sitting_events.follow(info.context.viewer, info.context.sitting_hub, key, bookmark):
            info.context.renew()
            yield SittingEvent(
                kind=event.kind.value,
                state=SittingState(event.state.value),
                happened_at=event.happened_at,
                actor=SittingActor(event.actor.value),
                detail=event.detail,
                cursor=journal.cursor_text(event.cursor),
            )
