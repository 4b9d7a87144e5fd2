"""Where a sitting stands, and who does something in it."""

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
