"""What can be done about the end of a sitting as things stand: after an appeal, or a release (H9)."""

from errors import Sentence
from models.sittings.proctoring import AppealOutcome
from models.sittings.reasons import WORDS, Reason

APPEALED = Sentence.of("You have appealed: our staff look at it, and you read their answer here.")
ANSWERED = {
    AppealOutcome.STANDS: Sentence.of(
        "Your appeal is answered, and the end stands. Book another sitting; the fee of this one is not returned."
    ),
    AppealOutcome.NEW_SITTING: Sentence.of("Your appeal is answered: book another sitting, without a fee."),
    AppealOutcome.FEE_RETURNED: Sentence.of("Your appeal is answered: the fee of this sitting is returned."),
}
RELEASED = Sentence.of(
    "Your result was released, and sent to those you named who could receive it then. "
    "You can send it to others, and to whoever did not get it."
)


def at_present(reason: Reason, has_appealed: bool, outcome: AppealOutcome | None, is_released: bool) -> str:
    """What the candidate reads; the outcome is None until an appeal is answered."""
    if has_appealed:
        return ANSWERED[outcome] if outcome else APPEALED
    return RELEASED if is_released else WORDS[reason].remedy
