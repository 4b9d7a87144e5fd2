"""What is checked before the test: the system, and then, step by step, the candidate and the room (H1, H3)."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum

import strawberry

from engine.database import Row
from engine.languages import told
from models.sittings.check_in import STEPS, next_step
from models.sittings.guidance import MENDS, SHOWS
from models.sittings.proctoring import Part
from models.sittings.states import SittingState
from models.sittings.table import Facts
from models.viewer import Viewer
from schema.sittings.rules import AcceptedRules


@strawberry.enum(description="What a system check looks at.")
class SystemPart(Enum):
    CAMERA = strawberry.enum_value("CAMERA", description="The camera.")
    MICROPHONE = strawberry.enum_value("MICROPHONE", description="The microphone.")
    SPEAKER = strawberry.enum_value("SPEAKER", description="The speaker; no headset.")
    SCREEN = strawberry.enum_value("SCREEN", description="The screen, and access to it.")
    NETWORK = strawberry.enum_value("NETWORK", description="The line.")
    BROWSER = strawberry.enum_value("BROWSER", description="The browser.")


@strawberry.enum(description="The steps of a check-in, in order.")
class CheckInStepKind(Enum):
    DOCUMENT = strawberry.enum_value("DOCUMENT", description="The identity document, with the name of the account.")
    RULES = strawberry.enum_value("RULES", description="The rules are read and accepted.")
    SCREEN = strawberry.enum_value("SCREEN", description="Access to the screen.")
    MIRROR = strawberry.enum_value("MIRROR", description="The screen shown by a mirror or phone.")
    ROOM = strawberry.enum_value("ROOM", description="The whole room and the desk.")
    BROWSER = strawberry.enum_value("BROWSER", description="The test browser runs.")
    PASSWORD = strawberry.enum_value("PASSWORD", description="Test ID and test password are released.")


@strawberry.type(description="What came of the check of one part.")
class SystemPartChecked:
    part: SystemPart = strawberry.field(description="The part.")
    has_passed: bool = strawberry.field(description="Whether it passed.")
    what_to_do: str | None = strawberry.field(
        description="What to do about it, in the viewer's language; null: it passed."
    )


@strawberry.type(description="A system check: camera, microphone, speaker, screen, network and browser.")
class SystemCheck:
    checked_at: datetime = strawberry.field(description="When, UTC.")
    has_passed: bool = strawberry.field(description="Whether all parts passed; the last check before check-in must.")
    parts: list[SystemPartChecked] = strawberry.field(description="Each part.")

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "SystemCheck":
        """The check of a row of `parts.CHECKS`."""
        failed = {Part(part) for part in row["failed"]}
        return cls(
            checked_at=row["checked_at"],
            has_passed=not failed,
            parts=[
                SystemPartChecked(
                    part=SystemPart(part.value),
                    has_passed=part not in failed,
                    what_to_do=told(MENDS[part], viewer.language) if part in failed else None,
                )
                for part in Part
            ],
        )


@strawberry.type(description="A step of the check-in.")
class CheckInStep:
    kind: CheckInStepKind = strawberry.field(description="Which step.")
    what_to_do: str = strawberry.field(description="What the candidate shows or does, in the viewer's language.")
    confirmed_at: datetime | None = strawberry.field(description="When the proctor confirmed it, UTC; null: not yet.")
    is_next: bool = strawberry.field(description="Whether it is the one to be confirmed now.")
    accepted: AcceptedRules | None = strawberry.field(
        description="Of the step `RULES`: what the candidate accepted; null before, and for every other step."
    )


def check_in_steps(confirmed: Sequence[Row], facts: Facts, viewer: Viewer) -> list[CheckInStep]:
    """All steps in order, from the rows of those that are confirmed."""
    rows = {row["step"]: row for row in confirmed}
    next = next_step(facts.steps) if facts.state is SittingState.CHECKING_IN else None
    return [
        CheckInStep(
            kind=CheckInStepKind(step.value),
            what_to_do=told(SHOWS[step], viewer.language),
            confirmed_at=row["confirmed_at"] if row else None,
            is_next=step is next,
            accepted=AcceptedRules.of(row) if row else None,
        )
        for step, row in ((step, rows.get(step.value)) for step in STEPS)
    ]
