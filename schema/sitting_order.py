"""What candidates order about their sittings (H1-H9)."""

from datetime import datetime
from enum import Enum
from typing import Annotated
from uuid import UUID, uuid4

import strawberry

from models.base import required
from models.sittings.appointments import Turning as TurningOf
from models.sittings.proctoring import Part
from resolvers.shares import Consent
from resolvers.sittings import appeals, bookings, chat, check_ins, recipients, running, scores, views
from resolvers.sittings.bookings import Appointment
from schema.arguments import Input
from schema.context import Info
from schema.ids import key_of
from schema.pages import bad_input
from schema.refusals import (
    AlreadyBooked,
    ConsentOutdated,
    InstitutionNotFound,
    InvalidInput,
    NotAllowed,
    NotLoggedIn,
    SittingNotFound,
    SittingStateForbids,
    TooManyTries,
    WrongTestPassword,
)
from schema.sitting import Sitting

SITTING = "The sitting."


@strawberry.enum(description="Which of two is meant where clocks are put back and show one time twice.")
class Turning(Enum):
    FIRST = strawberry.enum_value("FIRST", description="The earlier one, still in summer time.")
    SECOND = strawberry.enum_value("SECOND", description="The later one.")


@strawberry.enum(description="What a system check looks at.")
class SystemPart(Enum):
    CAMERA = strawberry.enum_value("CAMERA", description="The camera.")
    MICROPHONE = strawberry.enum_value("MICROPHONE", description="The microphone.")
    SPEAKER = strawberry.enum_value("SPEAKER", description="The speaker; no headset.")
    SCREEN = strawberry.enum_value("SCREEN", description="The screen, and access to it.")
    NETWORK = strawberry.enum_value("NETWORK", description="The line.")
    BROWSER = strawberry.enum_value("BROWSER", description="The browser.")


@strawberry.input(description="What is agreed to when institutions are named to get the result.")
class SittingConsentInput:
    version: str = strawberry.field(description="Version of the consent sentence that was shown.")
    language: str = strawberry.field(description="Language in which it was shown, `en` or `ja`.")


@strawberry.input(description="A sitting that is to be booked.")
class BookSittingInput:
    exam_code: str = strawberry.field(description="The exam, one that can be taken at home.")
    starts_at: str = strawberry.field(
        description="What the clock on the candidate's wall will show, such as 2027-01-15T09:00, without an offset."
    )
    timezone: str = strawberry.field(description="Where that wall is, such as Asia/Tokyo.")
    turning: Turning | None = strawberry.field(default=None, description="Needed only where a time comes twice.")
    institution_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Institutions that get the result once it is released, at most 10."
    )
    consent: SittingConsentInput | None = strawberry.field(
        default=None, description="Needed where institutions are named."
    )


@strawberry.type(description="The sitting is booked.")
class SittingBooked:
    sitting: Sitting = strawberry.field(description=SITTING)
    was_booked: bool = strawberry.field(description="Whether it was booked before.")


BookSittingPayload = Annotated[
    SittingBooked | NotLoggedIn | NotAllowed | InvalidInput | AlreadyBooked | ConsentOutdated | InstitutionNotFound,
    strawberry.union("BookSittingPayload", description="The booked sitting, or why there is none."),
]


@strawberry.type(description="It is done.")
class SittingChanged:
    sitting: Sitting = strawberry.field(description="The sitting as it stands now.")


SittingPayload = Annotated[
    SittingChanged | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids,
    strawberry.union("SittingPayload", description="The sitting as it stands now, or why nothing was done."),
]


@strawberry.input(description="One sitting.")
class SittingInput:
    sitting_id: strawberry.ID = strawberry.field(description=SITTING)


@strawberry.input(description="Who is to get the result of a sitting.")
class NameRecipientsInput(SittingInput):
    institution_ids: list[strawberry.ID] = strawberry.field(description="All of them, at most 10; others are dropped.")
    consent: SittingConsentInput | None = strawberry.field(default=None, description="Needed for new ones.")


NameRecipientsPayload = Annotated[
    SittingChanged
    | NotLoggedIn
    | NotAllowed
    | SittingNotFound
    | SittingStateForbids
    | InvalidInput
    | ConsentOutdated
    | InstitutionNotFound,
    strawberry.union("NameRecipientsPayload", description="The sitting, or why nobody was named."),
]


@strawberry.input(description="What came of a system check.")
class RecordSystemCheckInput(SittingInput):
    passed: list[SystemPart] = strawberry.field(description="What passed; all else failed.")


@strawberry.input(description="What opens the test.")
class EnterTestInput(SittingInput):
    test_id: str = strawberry.field(description="The test ID that the proctor released.")
    password: str = strawberry.field(description="The test password that the proctor released; it works once.")


EnterTestPayload = Annotated[
    SittingChanged
    | NotLoggedIn
    | NotAllowed
    | SittingNotFound
    | SittingStateForbids
    | WrongTestPassword
    | TooManyTries,
    strawberry.union("EnterTestPayload", description="The sitting, or why the test did not open."),
]


@strawberry.input(description="A text for a sitting.")
class SittingTextInput(SittingInput):
    text: str = strawberry.field(description="The text, at most 1,000 characters.")


SittingTextPayload = Annotated[
    SittingChanged | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids | InvalidInput,
    strawberry.union("SittingTextPayload", description="The sitting, or why nothing was written."),
]


@strawberry.input(description="Scores that are to be cancelled.")
class CancelScoresInput(SittingInput):
    confirmation: str | None = strawberry.field(
        default=None, description="What the first call answered; null: the first call."
    )


@strawberry.type(description="The scores are cancelled, or will be once it is confirmed.")
class ScoresCancelled:
    sitting: Sitting = strawberry.field(description="The sitting as it stands now.")
    confirmation: str | None = strawberry.field(description="Call again with this to cancel; null: it is done.")


CancelScoresPayload = Annotated[
    ScoresCancelled | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids | InvalidInput,
    strawberry.union("CancelScoresPayload", description="What has to be confirmed, or that it is done, or why not."),
]


async def changed(info: Info, key: UUID) -> SittingChanged:
    """The sitting after an order about it, by whoever could give it."""
    return SittingChanged(sitting=await sitting_of(info, key))


async def sitting_of(info: Info, key: UUID) -> Sitting:
    """A sitting that the viewer has just changed."""
    found = await views.by_ids(info.context.viewer, [key])
    return Sitting.of(required(found.get(key)), info.context.viewer)


def sitting_key(id: strawberry.ID) -> UUID:
    """The key in an id; one that names nothing for any other id."""
    return key_of(id, "Sitting") or uuid4()


def _institutions(ids: list[strawberry.ID]) -> list[UUID]:
    return [key_of(id, "Institution") or uuid4() for id in ids]


def _consent(given: SittingConsentInput | None) -> Consent | None:
    return None if given is None else Consent(given.version, given.language)


def _appointment(input: BookSittingInput) -> Appointment:
    turning = None if input.turning is None else TurningOf(input.turning.value)
    return Appointment(input.exam_code, _local(input.starts_at), input.timezone, turning)


def _local(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise bad_input("`startsAt` must be a local time such as 2027-01-15T09:00.") from None


@strawberry.type
class SittingMutation:
    @strawberry.mutation(description="Book a sitting at home, as a candidate; the same once more changes nothing.")
    async def book_sitting(self, info: Info, input: Input[BookSittingInput]) -> BookSittingPayload:
        named = _institutions(input.institution_ids)
        booked = await bookings.book(info.context.viewer, _appointment(input), named, _consent(input.consent))
        return SittingBooked(sitting=Sitting.of(booked.sitting, info.context.viewer), was_booked=booked.was_booked)

    @strawberry.mutation(description="Say who gets the result, until it is released.")
    async def name_recipients(self, info: Info, input: Input[NameRecipientsInput]) -> NameRecipientsPayload:
        key, named = sitting_key(input.sitting_id), _institutions(input.institution_ids)
        await recipients.change(info.context.viewer, key, named, _consent(input.consent))
        return await changed(info, key)

    @strawberry.mutation(description="Note what came of a system check, which must pass before check-in.")
    async def record_system_check(self, info: Info, input: Input[RecordSystemCheckInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await bookings.record_system_check(info.context.viewer, key, [Part(part.value) for part in input.passed])
        return await changed(info, key)

    @strawberry.mutation(description="Begin the test with what the proctor released.")
    async def enter_test(self, info: Info, input: Input[EnterTestInput]) -> EnterTestPayload:
        key = sitting_key(input.sitting_id)
        await check_ins.enter_test(info.context.viewer, key, input.test_id, input.password)
        return await changed(info, key)

    @strawberry.mutation(description="Write to the other side, as candidate or proctor.")
    async def send_message(self, info: Info, input: Input[SittingTextInput]) -> SittingTextPayload:
        key = sitting_key(input.sitting_id)
        await chat.send(info.context.viewer, key, input.text)
        return await changed(info, key)

    @strawberry.mutation(description="Appeal against how a sitting ended, once; the board's staff answer.")
    async def appeal_sitting(self, info: Info, input: Input[SittingTextInput]) -> SittingTextPayload:
        key = sitting_key(input.sitting_id)
        await appeals.make(info.context.viewer, key, input.text)
        return await changed(info, key)

    @strawberry.mutation(description="Cancel all scores of a finished sitting; it asks twice, and can be undone.")
    async def cancel_scores(self, info: Info, input: Input[CancelScoresInput]) -> CancelScoresPayload:
        key = sitting_key(input.sitting_id)
        asked = await scores.cancel(info.context.viewer, key, input.confirmation)
        return ScoresCancelled(sitting=await sitting_of(info, key), confirmation=asked.confirmation if asked else None)

    @strawberry.mutation(description="Start check-in, from the appointment on, for 15 minutes.")
    async def start_check_in(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await check_ins.start(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(description="Start the next section of the test.")
    async def start_section(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await running.start_section(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(description="Finish the section that is open.")
    async def finish_section(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await running.finish_section(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(description="Begin the one break, of ten minutes, after Listening.")
    async def start_break(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await running.start_break(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(description="Come back from the break.")
    async def end_break(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await running.end_break(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(
        description="A sign of life, of candidate or proctor, every five seconds; after 15 without one, the "
        "connection is lost."
    )
    async def report_connection(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await running.report_connection(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(description="End the test, after its last section.")
    async def finish_sitting(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await running.finish(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(description="Mark what the other side has written as read.")
    async def mark_messages_read(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await chat.mark_read(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(
        description="Report the scores: a result is made, and held until the official scores are recorded."
    )
    async def report_scores(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await scores.report(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(description="Undo a cancellation, within 60 days.")
    async def undo_cancellation(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await scores.undo(info.context.viewer, key)
        return await changed(info, key)
