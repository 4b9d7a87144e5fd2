"""What proctors order about sittings (H3-H7)."""

from datetime import datetime
from enum import Enum
from typing import Annotated
from uuid import uuid4

import strawberry

from models.sittings.check_in import Step
from models.sittings.reasons import Reason
from resolvers.sittings import check_ins, proctoring, recordings, running
from schema.arguments import Input
from schema.context import Info
from schema.costs import list_of
from schema.ids import global_id, key_of
from schema.refusals import (
    InvalidInput,
    NameDiffers,
    NotAllowed,
    NotLoggedIn,
    SittingNotFound,
    SittingStateForbids,
    StepNotNext,
)
from schema.sittings.answers import SittingPayload, SittingTextPayload, changed, sitting_key, sitting_of, text_key
from schema.sittings.checks import CheckInStepKind
from schema.sittings.inputs import SittingInput, SittingNoteInput
from schema.sittings.sitting import Sitting


@strawberry.enum(description="Why a proctor ends a sitting, or it is declared invalid.")
class SittingEndReason(Enum):
    NAME_DIFFERS = strawberry.enum_value("NAME_DIFFERS", description="Another name on the document; at check-in.")
    DOCUMENT_NOT_ACCEPTED = strawberry.enum_value("DOCUMENT_NOT_ACCEPTED", description="At check-in.")
    RULES_NOT_ACCEPTED = strawberry.enum_value("RULES_NOT_ACCEPTED", description="Not accepted, or not kept.")
    ROOM_NOT_SUITABLE = strawberry.enum_value("ROOM_NOT_SUITABLE", description="Room or desk; at check-in.")
    TECHNICAL_FAULT = strawberry.enum_value("TECHNICAL_FAULT", description="It cannot go on.")
    CANNOT_BE_RESUMED = strawberry.enum_value("CANNOT_BE_RESUMED", description="After the connection was lost.")
    LEFT = strawberry.enum_value("LEFT", description="The candidate left.")
    SUSPICIOUS_CONDUCT = strawberry.enum_value("SUSPICIOUS_CONDUCT", description="Makes the sitting invalid.")
    HELP_BY_OTHERS = strawberry.enum_value("HELP_BY_OTHERS", description="Makes the sitting invalid.")
    FORBIDDEN_OBJECT = strawberry.enum_value("FORBIDDEN_OBJECT", description="Makes the sitting invalid.")


@strawberry.input(description="The viewer takes whoever has waited for a proctor with the first appointment.")
class TakeNextSittingInput:
    confirm: bool = strawberry.field(default=True, description="Nothing is chosen here; leave it out.")


@strawberry.type(description="The viewer watches another sitting, if anybody waited.")
class SittingTaken:
    sitting: Sitting | None = strawberry.field(description="The sitting; null: nobody waits.")


TakeNextSittingPayload = Annotated[
    SittingTaken | NotLoggedIn | NotAllowed | InvalidInput | SittingNotFound | SittingStateForbids,
    strawberry.union("TakeNextSittingPayload", description="The sitting, or why none was taken."),
]


@strawberry.input(description="A step of the check-in that is as it should be.")
class ConfirmCheckInStepInput(SittingInput):
    step: CheckInStepKind = strawberry.field(description="The step.")
    name_on_document: str = strawberry.field(
        default="", description="Of the document: the name exactly as it is spelled there."
    )


@strawberry.type(description="The step is confirmed.")
class CheckInStepConfirmed:
    sitting: Sitting = strawberry.field(description="The sitting as it stands now.")
    next: CheckInStepKind | None = strawberry.field(description="The step that comes next; null: none is left.")
    test_id: str | None = strawberry.field(description="With the last step: the test ID, told once.")
    test_password: str | None = strawberry.field(description="With the last step: the test password, told once.")


ConfirmCheckInStepPayload = Annotated[
    CheckInStepConfirmed | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids | StepNotNext | NameDiffers,
    strawberry.union("ConfirmCheckInStepPayload", description="What comes next, or why it was not confirmed."),
]


@strawberry.type(description="The test is released anew; what was told before opens nothing any more.")
class TestReleased:
    sitting: Sitting = strawberry.field(description="The sitting as it stands now.")
    test_id: str = strawberry.field(description="The test ID, told once.")
    test_password: str = strawberry.field(description="The test password, told once.")


ReleaseTestAgainPayload = Annotated[
    TestReleased | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids,
    strawberry.union("ReleaseTestAgainPayload", description="What opens the test, or why it was not released."),
]


@strawberry.input(description="How a sitting is to end.")
class EndSittingInput(SittingInput):
    reason: SittingEndReason = strawberry.field(description="Why.")
    words: str = strawberry.field(description="What happened, for the candidate to read; at most 1,000 characters.")


@strawberry.input(description="To whom a sitting is given.")
class HandOverSittingInput(SittingInput):
    proctor_id: strawberry.ID = strawberry.field(description="A proctor who is connected.")


@strawberry.type(description="The sitting is handed over.")
class SittingHandedOver:
    message: str = strawberry.field(description="Fit to be shown.")


HandOverSittingPayload = Annotated[
    SittingHandedOver | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids | InvalidInput,
    strawberry.union("HandOverSittingPayload", description="That it was handed over, or why not."),
]


@strawberry.input(description="A recording, as it is called in the store.")
class NameRecordingInput(SittingInput):
    reference: str = strawberry.field(description="Such as `recording/2f0c9a.webm`.")


@strawberry.type(description="The recording is named; it is deleted in time.")
class RecordingNamed:
    sitting: Sitting = strawberry.field(description="The sitting as it stands now.")
    delete_at: datetime = strawberry.field(description="When the recording is deleted, UTC.")


NameRecordingPayload = Annotated[
    RecordingNamed | NotLoggedIn | NotAllowed | SittingNotFound | InvalidInput,
    strawberry.union("NameRecordingPayload", description="Until when it is kept, or why it was not named."),
]


@strawberry.type(description="A proctor who is connected.")
class Proctor:
    id: strawberry.ID = strawberry.field(description="For `handOverSitting`.")
    name: str = strawberry.field(description="Name.")


@strawberry.type
class ProctoringQuery:
    @strawberry.field(
        description="The other proctors who are connected now; empty for everybody but proctors.",
        directives=[list_of(20)],
    )
    async def proctors(self, info: Info) -> list[Proctor]:
        found = await proctoring.others(info.context.viewer)
        return [Proctor(id=global_id("Proctor", one["id"]), name=one["name"]) for one in found]


@strawberry.type
class ProctoringMutation:
    @strawberry.mutation(description="Watch, from now on, whoever waits with the first appointment, as a proctor.")
    async def take_next_sitting(self, info: Info, input: Input[TakeNextSittingInput]) -> TakeNextSittingPayload:
        key = await proctoring.take_next(info.context.viewer)
        return SittingTaken(sitting=None if key is None else await sitting_of(info, key))

    @strawberry.mutation(description="Confirm the next step of a check-in, as its proctor.")
    async def confirm_check_in_step(
        self, info: Info, input: Input[ConfirmCheckInStepInput]
    ) -> ConfirmCheckInStepPayload:
        key, step = sitting_key(input.sitting_id), Step(input.step.value)
        done = await check_ins.confirm_step(info.context.viewer, key, step, input.name_on_document)
        return CheckInStepConfirmed(
            sitting=await sitting_of(info, key),
            next=done.next and CheckInStepKind(done.next.value),
            test_id=done.released.test_id if done.released else None,
            test_password=done.released.password if done.released else None,
        )

    @strawberry.mutation(
        description="Release another test ID and password, as the proctor, where the first ones were lost on the way."
    )
    async def release_test_again(self, info: Info, input: Input[SittingInput]) -> ReleaseTestAgainPayload:
        key = sitting_key(input.sitting_id)
        released = await check_ins.release_again(info.context.viewer, key)
        return TestReleased(
            sitting=await sitting_of(info, key), test_id=released.test_id, test_password=released.password
        )

    @strawberry.mutation(
        description="Say what a recording of a sitting is called in the store, as its proctor or the board; it is kept "
        "for 90 days."
    )
    async def name_recording(self, info: Info, input: Input[NameRecordingInput]) -> NameRecordingPayload:
        key = sitting_key(input.sitting_id)
        delete_at = await recordings.name(info.context.viewer, key, input.reference)
        return RecordingNamed(sitting=await sitting_of(info, key), delete_at=delete_at)

    @strawberry.mutation(description="Let a candidate whose connection is back go on, as the proctor.")
    async def resume_sitting(self, info: Info, input: Input[SittingInput]) -> SittingPayload:
        key = sitting_key(input.sitting_id)
        await running.resume(info.context.viewer, key)
        return await changed(info, key)

    @strawberry.mutation(description="Give a sitting to another proctor who is connected, and finds it in `sittings`.")
    async def hand_over_sitting(self, info: Info, input: Input[HandOverSittingInput]) -> HandOverSittingPayload:
        to = key_of(input.proctor_id, "Proctor") or uuid4()
        await proctoring.hand_over(info.context.viewer, sitting_key(input.sitting_id), to)
        return SittingHandedOver(message="The sitting is handed over.")

    @strawberry.mutation(description="Note what happened, for those who decide; the same under the same key, once.")
    async def note_incident(self, info: Info, input: Input[SittingNoteInput]) -> SittingTextPayload:
        key = sitting_key(input.sitting_id)
        await proctoring.note_incident(info.context.viewer, key, input.text, text_key(input.key))
        return await changed(info, key)

    @strawberry.mutation(description="End a sitting that cannot go on, as its proctor.")
    async def end_sitting(self, info: Info, input: Input[EndSittingInput]) -> SittingTextPayload:
        key = sitting_key(input.sitting_id)
        await proctoring.end(info.context.viewer, key, Reason(input.reason.value), input.words)
        return await changed(info, key)

    @strawberry.mutation(description="Declare a sitting invalid because of conduct, as its proctor or the board.")
    async def invalidate_sitting(self, info: Info, input: Input[EndSittingInput]) -> SittingTextPayload:
        key = sitting_key(input.sitting_id)
        await proctoring.invalidate(info.context.viewer, key, Reason(input.reason.value), input.words)
        return await changed(info, key)
