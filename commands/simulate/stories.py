"""What is played: how each sitting goes, and what of it the proctor sees and hears past the service."""

import asyncio
from dataclasses import dataclass, field

REPORTED, CANCELLED, MISSED = "REPORTED", "CANCELLED", "MISSED"
BREAK_OVERRUN, INVALIDATED, ENDED = "BREAK_OVERRUN", "INVALIDATED", "ENDED_BY_PROCTOR"


@dataclass(frozen=True, slots=True)
class Story:
    """How one sitting goes. `checks_failed` is how many system checks fail before one passes."""

    name: str
    end: str = REPORTED
    reason: str = "CHOSE_TO_REPORT"
    comes: bool = True
    checks_failed: int = 0
    questions: int = 1
    misspelled: int = 0  # documents that are shown with a name that is nearly the right one
    drops: bool = False
    comes_back: bool = True
    takes_break: bool = False
    back_in_time: bool = True
    incident: bool = False
    cheats: bool = False
    handed_over: bool = False
    cancels: bool = False
    undoes: bool = False

    @property
    def needs_the_clock(self) -> bool:
        """Whether it ends only once many minutes have passed in which nothing is done."""
        return not self.comes or not self.back_in_time


PLAIN = Story("reported", questions=2)
NEVER = 9  # documents in a row with a wrong name: none is right
# Dealt in this order, again and again: any five in a row differ.
DECK = (
    Story("a break", checks_failed=1, takes_break=True),
    Story("cancelled, undone, reported", misspelled=1, cancels=True, undoes=True),
    Story("break overrun", BREAK_OVERRUN, "BACK_LATE", takes_break=True, back_in_time=False),
    Story("another name", ENDED, "NAME_DIFFERS", misspelled=NEVER),
    Story("invalidated", INVALIDATED, "SUSPICIOUS_CONDUCT", incident=True, cheats=True),
    Story("dropped, resumed", drops=True),
    Story("cancelled", CANCELLED, "CHOSE_TO_CANCEL", cancels=True),
    Story("missed", MISSED, "NOT_STARTED_IN_TIME", comes=False),
    Story("dropped for ever", ENDED, "CANNOT_BE_RESUMED", drops=True, comes_back=False),
    Story("handed over", handed_over=True),
    Story("an incident", checks_failed=2, incident=True),
    PLAIN,
    PLAIN,
    Story("a break, dropped, resumed", takes_break=True, drops=True),
    PLAIN,
    PLAIN,
    Story("misspelled once", misspelled=1),
    PLAIN,
    PLAIN,
    PLAIN,
)


def dealt(count: int, with_clock: bool) -> list[Story]:
    """So many stories; without those that need the clock where it cannot be put forward."""
    deck = [story for story in DECK if with_clock or not story.needs_the_clock]
    return [deck[number % len(deck)] for number in range(count)]


@dataclass(slots=True)
class Room:
    """A candidate's room, as the proctor sees and hears it by the camera: nothing of this goes through the service."""

    story: Story
    given: str
    family: str
    nearly: str  # what a document says that is nearly the name
    documents_shown: int = 0
    is_noted: bool = False  # the incident
    is_handed_over: bool = False
    is_empty: bool = False  # the candidate has gone, and answers no telephone
    opens: "asyncio.Queue[tuple[str, str]]" = field(default_factory=asyncio.Queue)  # test ID and password, read out

    has_heard: bool = False

    @property
    def name(self) -> str:
        """As the account spells it."""
        return f"{self.given} {self.family}"

    def read_out(self, test_id: str, password: str) -> None:
        """The proctor tells what opens the test."""
        self.has_heard = True
        self.opens.put_nowait((test_id, password))

    def document(self) -> str:
        """The name on the document that is held up next."""
        self.documents_shown += 1
        return self.nearly if self.documents_shown <= self.story.misspelled else self.name

    @property
    def is_hopeless(self) -> bool:
        """Whether the candidate has no better document."""
        return self.story.misspelled >= NEVER
