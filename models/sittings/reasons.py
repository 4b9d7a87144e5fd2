"""Why a sitting ended, and what its candidate can do about it, in words for the candidate (H9)."""

from dataclasses import dataclass
from enum import Enum

from errors import Sentence


class Reason(Enum):
    """Why a sitting ended."""

    NOT_STARTED_IN_TIME = "NOT_STARTED_IN_TIME"
    BACK_LATE = "BACK_LATE"
    CHOSE_TO_REPORT = "CHOSE_TO_REPORT"
    CHOSE_TO_CANCEL = "CHOSE_TO_CANCEL"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    NAME_DIFFERS = "NAME_DIFFERS"
    DOCUMENT_NOT_ACCEPTED = "DOCUMENT_NOT_ACCEPTED"
    RULES_NOT_ACCEPTED = "RULES_NOT_ACCEPTED"
    ROOM_NOT_SUITABLE = "ROOM_NOT_SUITABLE"
    TECHNICAL_FAULT = "TECHNICAL_FAULT"
    CANNOT_BE_RESUMED = "CANNOT_BE_RESUMED"
    LEFT = "LEFT"
    SUSPICIOUS_CONDUCT = "SUSPICIOUS_CONDUCT"
    HELP_BY_OTHERS = "HELP_BY_OTHERS"
    FORBIDDEN_OBJECT = "FORBIDDEN_OBJECT"


# What a proctor may end a sitting with: at the check-in, later, and while the connection is lost.
AT_CHECK_IN = (
    Reason.NAME_DIFFERS,
    Reason.DOCUMENT_NOT_ACCEPTED,
    Reason.RULES_NOT_ACCEPTED,
    Reason.ROOM_NOT_SUITABLE,
    Reason.TECHNICAL_FAULT,
    Reason.LEFT,
)
DURING_THE_TEST = (Reason.RULES_NOT_ACCEPTED, Reason.TECHNICAL_FAULT, Reason.LEFT)
WHILE_INTERRUPTED = (Reason.CANNOT_BE_RESUMED, *DURING_THE_TEST)
CONDUCT = (Reason.SUSPICIOUS_CONDUCT, Reason.HELP_BY_OTHERS, Reason.FORBIDDEN_OBJECT)
# Whoever gives these says in their own words what happened: the candidate reads it (H7).
IN_OWN_WORDS = frozenset({*AT_CHECK_IN, *WHILE_INTERRUPTED, *CONDUCT})


@dataclass(frozen=True, slots=True)
class Words:
    """What the candidate reads: why it ended, and what can be done about it."""

    reason: str
    remedy: str


BOOK_OR_APPEAL = Sentence.of(
    "Book another sitting. The fee of this one is not returned; "
    "if it was not in your hands, appeal here and say what happened."
)
APPEAL = Sentence.of("If this is wrong, appeal here and say what happened: our staff look at it and answer you.")
RETURNED = Sentence.of("Book another sitting. If the fault was ours, appeal here and the fee is returned.")

WORDS = {
    Reason.NOT_STARTED_IN_TIME: Words(
        Sentence.of("You did not start the check-in within 15 minutes of your appointment."), BOOK_OR_APPEAL
    ),
    Reason.BACK_LATE: Words(
        Sentence.of("You were not back from the break within 10 minutes: your sitting was cancelled."), BOOK_OR_APPEAL
    ),
    Reason.CHOSE_TO_REPORT: Words(
        Sentence.of("You chose to report your scores."),
        Sentence.of("Your result is released, and sent to those you named, once the official scores are recorded."),
    ),
    Reason.CHOSE_TO_CANCEL: Words(
        Sentence.of("You chose to cancel your scores: no section is scored, and nobody is told of this sitting."),
        Sentence.of("You can undo this for 60 days; after that it is final."),
    ),
    Reason.ACCOUNT_CLOSED: Words(
        Sentence.of("You closed your account before the test was over."),
        Sentence.of("Book another sitting. The fee of this one is not returned."),
    ),
    Reason.NAME_DIFFERS: Words(
        Sentence.of("The name on your document is not the name of your account, exactly as spelled."),
        Sentence.of(
            "Ask your exam centre to correct your name, or book again with a document that bears it. "
            "If this is wrong, appeal here and say what happened."
        ),
    ),
    Reason.DOCUMENT_NOT_ACCEPTED: Words(
        Sentence.of("Your identity document could not be accepted."),
        Sentence.of(
            "Book another sitting with a valid passport, or another document of the list of accepted ones. "
            "If this is wrong, appeal here and say what happened."
        ),
    ),
    Reason.RULES_NOT_ACCEPTED: Words(
        Sentence.of("The rules of the sitting were not accepted, or not kept."), BOOK_OR_APPEAL
    ),
    Reason.ROOM_NOT_SUITABLE: Words(
        Sentence.of("Your room or your desk did not meet the rules."),
        Sentence.of(
            "Book another sitting and read the list of rules for the room before it. "
            "If this is wrong, appeal here and say what happened."
        ),
    ),
    Reason.TECHNICAL_FAULT: Words(Sentence.of("A technical fault made it impossible to go on."), RETURNED),
    Reason.CANNOT_BE_RESUMED: Words(
        Sentence.of("Your connection was lost, and the test could not be resumed."), RETURNED
    ),
    Reason.LEFT: Words(Sentence.of("You left the sitting before its end."), BOOK_OR_APPEAL),
    Reason.SUSPICIOUS_CONDUCT: Words(
        Sentence.of("The sitting was declared invalid because of what the proctor saw or heard."), APPEAL
    ),
    Reason.HELP_BY_OTHERS: Words(
        Sentence.of("The sitting was declared invalid because somebody else was there or helped."), APPEAL
    ),
    Reason.FORBIDDEN_OBJECT: Words(
        Sentence.of("The sitting was declared invalid because of an object that is not allowed."), APPEAL
    ),
}
