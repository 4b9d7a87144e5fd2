"""The checklist of rules that candidates read before a sitting and accept at the check-in (H1, H3)."""

from enum import Enum

from engine.languages import told
from errors import Sentence

# A changed sentence gets a new version; check-ins keep what was accepted.
RULES_VERSION = "2026-11-22"


class Rule(Enum):
    """What a rule is about."""

    ROOM = "ROOM"
    DESK = "DESK"
    ALONE = "ALONE"
    DOCUMENT = "DOCUMENT"
    NOTES = "NOTES"
    MIRROR = "MIRROR"
    HEADSET = "HEADSET"
    EARS = "EARS"
    PROGRAMS = "PROGRAMS"
    LINE = "LINE"


RULES = {
    Rule.ROOM: Sentence.of("My room is quiet and bright, and its door is closed."),
    Rule.DESK: Sentence.of("My desk is clear: nothing lies on it that is not named here."),
    Rule.ALONE: Sentence.of("Nobody else is in the room or comes in until the test is over."),
    Rule.DOCUMENT: Sentence.of(
        "I have an accepted identity document at hand, valid and with a photo: a passport, a national identity card, "
        "a residence card or a driving licence. The name in it is the one of my account."
    ),
    Rule.NOTES: Sentence.of(
        "I make notes on a small whiteboard, or with an erasable pen on a sheet in a clear cover, and wipe them off in "
        "front of the camera at the end; I use no paper."
    ),
    Rule.MIRROR: Sentence.of(
        "I use a mirror or a phone at the check-in only, to show my own screen, and put it out of reach after that."
    ),
    Rule.HEADSET: Sentence.of("I wear no headset and no earphones: the sound comes from a speaker."),
    Rule.EARS: Sentence.of("I wear no jewellery, and my ears can be seen all the time."),
    Rule.PROGRAMS: Sentence.of("All programs but the test browser are closed."),
    Rule.LINE: Sentence.of("No other device uses my line during the test."),
}


def rules_text(language: str) -> str:
    """All rules in one language, one a line, as they are kept with a check-in."""
    return "\n".join(told(RULES[rule], language) for rule in Rule)
