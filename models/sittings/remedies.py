"""What can be done about the end of a sitting as things stand: after an appeal, or a release (H9)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from errors import Sentence
from models.sittings.proctoring import AppealOutcome
from models.sittings.reasons import WORDS, Reason
from models.sittings.table import Facts, can_be_undone

APPEALED = Sentence.of("You have appealed: our staff look at it, and you read their answer here.")
ANSWERED = {
    AppealOutcome.STANDS: Sentence.of(
        "Your appeal is answered, and the end stands. Book another sitting; the fee of this one is not returned."
    ),
    AppealOutcome.NEW_SITTING: Sentence.of("Your appeal is answered: book another sitting, without a fee."),
    AppealOutcome.FEE_RETURNED: Sentence.of("Your appeal is answered: the fee of this sitting is returned."),
}
FINAL = Sentence.of("The 60 days in which you could undo this are over: it is final. You can book another sitting.")
RELEASED = Sentence.of(
    "Your result was released, and sent to those you named who could receive it then. "
    "You can send it to others, and to whoever did not get it."
)


def at_present(facts: Facts, appeal: Mapping[str, Any] | None, is_released: bool, now: datetime) -> str:
    """What the candidate reads of a sitting that has come to an end, and of the appeal against it if there is one."""
    assert facts.reason is not None
    if appeal is not None:
        return ANSWERED[AppealOutcome(appeal["outcome"])] if appeal["outcome"] else APPEALED
    if facts.reason is Reason.CHOSE_TO_CANCEL and not can_be_undone(facts, now):
        return FINAL
    return RELEASED if is_released else WORDS[facts.reason].remedy
