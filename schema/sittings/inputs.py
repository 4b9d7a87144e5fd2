"""What candidates hand in with an order about a sitting."""

from enum import Enum

import strawberry

from schema.sittings.checks import SystemPart

SITTING = "The sitting."


@strawberry.enum(description="Which of two is meant where clocks are put back and show one time twice.")
class Turning(Enum):
    FIRST = strawberry.enum_value("FIRST", description="The earlier one, still in summer time.")
    SECOND = strawberry.enum_value("SECOND", description="The later one.")


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


@strawberry.input(description="One sitting.")
class SittingInput:
    sitting_id: strawberry.ID = strawberry.field(description=SITTING)


@strawberry.input(description="Who is to get the result of a sitting.")
class NameRecipientsInput(SittingInput):
    institution_ids: list[strawberry.ID] = strawberry.field(description="All of them, at most 10; others are dropped.")
    consent: SittingConsentInput | None = strawberry.field(default=None, description="Needed for new ones.")


@strawberry.input(description="What came of a system check.")
class RecordSystemCheckInput(SittingInput):
    passed: list[SystemPart] = strawberry.field(description="What passed; all else failed.")


@strawberry.input(description="What opens the test.")
class EnterTestInput(SittingInput):
    test_id: str = strawberry.field(description="The test ID that the proctor released.")
    password: str = strawberry.field(description="The test password that the proctor released; it works once.")


@strawberry.input(description="A text for a sitting.")
class SittingTextInput(SittingInput):
    text: str = strawberry.field(description="The text, at most 1,000 characters.")


@strawberry.input(description="A text for a sitting that is written once, however often it is sent.")
class SittingNoteInput(SittingTextInput):
    key: strawberry.ID | None = strawberry.field(
        default=None,
        description="A UUID that your program makes for this text. Where the answer is lost, send both again.",
    )


@strawberry.input(description="Scores that are to be cancelled.")
class CancelScoresInput(SittingInput):
    confirmation: str | None = strawberry.field(
        default=None, description="What the first call answered; null: the first call."
    )
