"""What candidates order about their sittings (H1-H9)."""

from datetime import datetime
from uuid import UUID, uuid4

import strawberry

from models.sittings.appointments import Turning as TurningOf
from models.sittings.proctoring import Part
from resolvers.shares import Consent
from resolvers.sittings import appeals, bookings, chat, check_ins, recipients, running, scores
from resolvers.sittings.bookings import Appointment
from schema.arguments import Input, language_for
from schema.context import Info
from schema.ids import key_of
from schema.pages import bad_input
from schema.sittings.answers import (
    BookSittingPayload,
    CancelScoresPayload,
    EnterTestPayload,
    NameRecipientsPayload,
    RecordSystemCheckPayload,
    ScoresCancelled,
    SendMessagePayload,
    SittingBooked,
    SittingPayload,
    SittingTextPayload,
    changed,
    sitting_key,
    sitting_of,
    text_key,
)
from schema.sittings.inputs import (
    BookSittingInput,
    CancelScoresInput,
    EnterTestInput,
    NameRecipientsInput,
    RecordSystemCheckInput,
    SittingConsentInput,
    SittingInput,
    SittingNoteInput,
    SittingTextInput,
)
from schema.sittings.sitting import Sitting


def _institutions(ids: list[strawberry.ID]) -> list[UUID]:
    return [key_of(id, "Institution") or uuid4() for id in ids]


def _consent(info: Info, given: SittingConsentInput | None) -> Consent | None:
    return None if given is None else Consent(given.version, language_for(info.context.viewer, given.language))


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
    @strawberry.mutation(
        description="Book a sitting at home, as a candidate: ten ahead at most, four hours apart; the same once more "
        "changes nothing."
    )
    async def book_sitting(self, info: Info, input: Input[BookSittingInput]) -> BookSittingPayload:
        named = _institutions(input.institution_ids)
        booked = await bookings.book(info.context.viewer, _appointment(input), named, _consent(info, input.consent))
        return SittingBooked(sitting=Sitting.of(booked.sitting, info.context.viewer), was_booked=booked.was_booked)

    @strawberry.mutation(description="Say who gets the result, until it is released.")
    async def name_recipients(self, info: Info, input: Input[NameRecipientsInput]) -> NameRecipientsPayload:
        key, named = sitting_key(input.sitting_id), _institutions(input.institution_ids)
        await recipients.change(info.context.viewer, key, named, _consent(info, input.consent))
        return await changed(info, key)

    @strawberry.mutation(description="Note what came of a system check, which must pass before check-in.")
    async def record_system_check(self, info: Info, input: Input[RecordSystemCheckInput]) -> RecordSystemCheckPayload:
        key = sitting_key(input.sitting_id)
        await bookings.record_system_check(info.context.viewer, key, [Part(part.value) for part in input.passed])
        return await changed(info, key)

    @strawberry.mutation(description="Begin the test with what the proctor released.")
    async def enter_test(self, info: Info, input: Input[EnterTestInput]) -> EnterTestPayload:
        key = sitting_key(input.sitting_id)
        await check_ins.enter_test(info.context.viewer, key, input.test_id, input.password)
        return await changed(info, key)

    @strawberry.mutation(
        description="Write to the other side, as candidate or proctor: at most 20 messages a minute, and 300 in all; "
        "the same under the same key is written once."
    )
    async def send_message(self, info: Info, input: Input[SittingNoteInput]) -> SendMessagePayload:
        key = sitting_key(input.sitting_id)
        await chat.send(info.context.viewer, key, input.text, text_key(input.key))
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
