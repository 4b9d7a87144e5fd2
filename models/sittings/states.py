"""What a sitting can be, what can be done with it, and by whom; the rules are in `models/sittings/table.py` (H1-H9)."""

from enum import Enum


class SittingState(Enum):
    """Where a sitting stands."""

    BOOKED = "BOOKED"
    SYSTEM_CHECKED = "SYSTEM_CHECKED"
    CHECKING_IN = "CHECKING_IN"
    IN_PROGRESS = "IN_PROGRESS"
    INTERRUPTED = "INTERRUPTED"
    ON_BREAK = "ON_BREAK"
    FINISHED = "FINISHED"
    REPORTED = "REPORTED"
    CANCELLED = "CANCELLED"
    MISSED = "MISSED"
    BREAK_OVERRUN = "BREAK_OVERRUN"
    INVALIDATED = "INVALIDATED"
    ENDED_BY_PROCTOR = "ENDED_BY_PROCTOR"


ENDS = frozenset(
    {
        SittingState.REPORTED,
        SittingState.CANCELLED,
        SittingState.MISSED,
        SittingState.BREAK_OVERRUN,
        SittingState.INVALIDATED,
        SittingState.ENDED_BY_PROCTOR,
    }
)
# While a proctor watches, or is waited for: there is chat, and the candidate's browser gives signs of life.
LIVE = frozenset({SittingState.CHECKING_IN, SittingState.IN_PROGRESS, SittingState.INTERRUPTED, SittingState.ON_BREAK})


class Act(Enum):
    """What can be done with a sitting, or happen to it."""

    PASS_CHECK = "PASS_CHECK"  # noqa: S105  # it is no password
    FAIL_CHECK = "FAIL_CHECK"
    START_CHECK_IN = "START_CHECK_IN"
    TAKE = "TAKE"
    CONFIRM_STEP = "CONFIRM_STEP"
    ENTER_TEST = "ENTER_TEST"
    START_SECTION = "START_SECTION"
    FINISH_SECTION = "FINISH_SECTION"
    START_BREAK = "START_BREAK"
    END_BREAK = "END_BREAK"
    GIVE_SIGN = "GIVE_SIGN"  # of life: a heartbeat
    RESUME = "RESUME"
    FINISH = "FINISH"
    REPORT = "REPORT"
    ASK_TO_CANCEL = "ASK_TO_CANCEL"
    CANCEL = "CANCEL"
    UNDO = "UNDO"
    END = "END"
    INVALIDATE = "INVALIDATE"
    CLOSE_ACCOUNT = "CLOSE_ACCOUNT"
    MISS = "MISS"
    LOSE = "LOSE"
    OVERRUN = "OVERRUN"


class Actor(Enum):
    """Who does it."""

    CANDIDATE = "CANDIDATE"
    PROCTOR = "PROCTOR"
    STAFF = "STAFF"
    CLOCK = "CLOCK"


BY_PROCTOR = frozenset({Act.TAKE, Act.CONFIRM_STEP, Act.RESUME, Act.END})
BY_PROCTOR_OR_STAFF = frozenset({Act.INVALIDATE})
BY_CLOCK = frozenset({Act.MISS, Act.LOSE, Act.OVERRUN})
BESIDE = frozenset({Act.CLOSE_ACCOUNT})  # what comes of something else that the candidate does (G2)


def actors(act: Act) -> frozenset[Actor]:
    """Who may do this at all."""
    if act in BY_CLOCK:
        return frozenset({Actor.CLOCK})
    if act in BY_PROCTOR:
        return frozenset({Actor.PROCTOR})
    return frozenset({Actor.PROCTOR, Actor.STAFF}) if act in BY_PROCTOR_OR_STAFF else frozenset({Actor.CANDIDATE})
