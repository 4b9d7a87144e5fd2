"""Where a sitting stands, what can be done with it, what happens to it, and by whom."""

from enum import Enum

import strawberry


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
    CANCELLED = strawberry.enum_value(
        "CANCELLED", description="The candidate cancelled the scores, or closed the account before."
    )
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


@strawberry.enum(description="What can be done with a sitting.")
class SittingAct(Enum):
    PASS_CHECK = strawberry.enum_value("PASS_CHECK", description="Record a system check that passed.")
    FAIL_CHECK = strawberry.enum_value("FAIL_CHECK", description="Record a system check of which a part failed.")
    START_CHECK_IN = strawberry.enum_value("START_CHECK_IN", description="Start the check-in.")
    TAKE = strawberry.enum_value("TAKE", description="As a proctor: it waits to be taken, in its turn.")
    CONFIRM_STEP = strawberry.enum_value("CONFIRM_STEP", description="Confirm the next step of the check-in.")
    ENTER_TEST = strawberry.enum_value("ENTER_TEST", description="Begin the test.")
    START_SECTION = strawberry.enum_value("START_SECTION", description="Start the next section.")
    FINISH_SECTION = strawberry.enum_value("FINISH_SECTION", description="Finish the section that is open.")
    START_BREAK = strawberry.enum_value("START_BREAK", description="Begin the break.")
    END_BREAK = strawberry.enum_value("END_BREAK", description="Come back from the break.")
    GIVE_SIGN = strawberry.enum_value("GIVE_SIGN", description="Give a sign of life (`reportConnection`).")
    RESUME = strawberry.enum_value("RESUME", description="Let the candidate go on.")
    FINISH = strawberry.enum_value("FINISH", description="End the test.")
    REPORT = strawberry.enum_value("REPORT", description="Report the scores.")
    ASK_TO_CANCEL = strawberry.enum_value("ASK_TO_CANCEL", description="Cancel the scores: ask the first time.")
    CANCEL = strawberry.enum_value("CANCEL", description="Cancel the scores: confirm it.")
    UNDO = strawberry.enum_value("UNDO", description="Undo the cancellation.")
    END = strawberry.enum_value("END", description="End the sitting for a reason.")
    INVALIDATE = strawberry.enum_value("INVALIDATE", description="Declare it invalid because of conduct.")


@strawberry.enum(description="What happened to a sitting.")
class SittingEventKind(Enum):
    BOOKED = strawberry.enum_value("BOOKED", description="It was booked.")
    SYSTEM_CHECK_PASSED = strawberry.enum_value("SYSTEM_CHECK_PASSED", description="A system check passed.")
    SYSTEM_CHECK_FAILED = strawberry.enum_value(
        "SYSTEM_CHECK_FAILED", description="A system check failed; the detail names the parts."
    )
    CHECK_IN_STARTED = strawberry.enum_value("CHECK_IN_STARTED", description="The check-in was started.")
    TAKEN = strawberry.enum_value("TAKEN", description="A proctor watches it from now on.")
    HANDED_OVER = strawberry.enum_value("HANDED_OVER", description="Another proctor watches it from now on.")
    STEP_CONFIRMED = strawberry.enum_value("STEP_CONFIRMED", description="A step was confirmed; the detail names it.")
    PHOTO_ADDED = strawberry.enum_value("PHOTO_ADDED", description="The photo of the candidate was taken.")
    TEST_ENTERED = strawberry.enum_value("TEST_ENTERED", description="The test was begun.")
    SECTION_STARTED = strawberry.enum_value(
        "SECTION_STARTED", description="A section was started; the detail names it."
    )
    SECTION_FINISHED = strawberry.enum_value(
        "SECTION_FINISHED", description="A section was finished; the detail names it."
    )
    MESSAGE_SENT = strawberry.enum_value(
        "MESSAGE_SENT", description="A message was written; the detail is the id of it in `messages`."
    )
    MESSAGES_READ = strawberry.enum_value("MESSAGES_READ", description="The other side has read what was written.")
    INCIDENT_NOTED = strawberry.enum_value("INCIDENT_NOTED", description="The proctor noted something.")
    CONNECTION_LOST = strawberry.enum_value(
        "CONNECTION_LOST", description="15 seconds passed without a sign of life of the candidate."
    )
    CONNECTION_BACK = strawberry.enum_value("CONNECTION_BACK", description="The candidate is back.")
    RESUMED = strawberry.enum_value("RESUMED", description="The proctor let the candidate go on.")
    PROCTOR_LOST = strawberry.enum_value("PROCTOR_LOST", description="15 seconds passed without one of the proctor.")
    PROCTOR_BACK = strawberry.enum_value("PROCTOR_BACK", description="The proctor is back.")
    BREAK_STARTED = strawberry.enum_value("BREAK_STARTED", description="The break began.")
    BREAK_ENDED = strawberry.enum_value("BREAK_ENDED", description="The candidate was back in time.")
    BREAK_OVERRUN = strawberry.enum_value("BREAK_OVERRUN", description="The candidate was not back in time.")
    FINISHED = strawberry.enum_value("FINISHED", description="The test was ended.")
    REPORTED = strawberry.enum_value("REPORTED", description="The scores were reported.")
    CANCEL_ASKED = strawberry.enum_value("CANCEL_ASKED", description="The first of two words to cancel the scores.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="The scores were cancelled.")
    CANCEL_UNDONE = strawberry.enum_value("CANCEL_UNDONE", description="The cancellation was undone.")
    MISSED = strawberry.enum_value("MISSED", description="The check-in was not started in time.")
    ENDED_BY_PROCTOR = strawberry.enum_value("ENDED_BY_PROCTOR", description="The proctor ended it.")
    INVALIDATED = strawberry.enum_value("INVALIDATED", description="It was declared invalid.")
    RECIPIENTS_CHANGED = strawberry.enum_value("RECIPIENTS_CHANGED", description="Others get the result from now on.")
    SCORES_RECORDED = strawberry.enum_value("SCORES_RECORDED", description="The official scores were recorded.")
    APPEALED = strawberry.enum_value("APPEALED", description="The candidate appealed.")
    APPEAL_ANSWERED = strawberry.enum_value(
        "APPEAL_ANSWERED", description="The appeal was answered; the detail names the outcome."
    )
