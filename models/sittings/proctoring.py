"""What belongs to a sitting: checks, steps, sections, chat, incidents, the break, the photo, the recording, appeals.

There is no biometric data anywhere: a person compares the face with the document, and nothing of that is kept (H3).
"""

from enum import Enum
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from models.base import Table
from models.sittings.check_in import Step
from models.sittings.sitting import Sitting, with_sitting
from models.sittings.states import LIVE, SittingState
from models.viewer import Kind, Viewer, Visible

EVERYBODY = (Kind.CANDIDATE, Kind.PROCTOR, Kind.STAFF)
RUNNING = ", ".join(f"'{state.value}'" for state in SittingState if state in LIVE)


class Part(Enum):
    """What a system check looks at (H1)."""

    CAMERA = "CAMERA"
    MICROPHONE = "MICROPHONE"
    SPEAKER = "SPEAKER"
    SCREEN = "SCREEN"
    NETWORK = "NETWORK"
    BROWSER = "BROWSER"


def of_sitting(related_name: str) -> Any:
    return fields.ForeignKeyField("models.Sitting", related_name=related_name, on_delete=fields.CASCADE)


class SystemCheck(Table):
    """One system check; it passed if nothing failed."""

    sitting: fields.ForeignKeyRelation[Sitting] = of_sitting("checks")
    sitting_id: UUID
    checked_at = fields.DatetimeField()
    failed = ArrayField(element_type="text")

    class Meta:
        table = "system_check"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["SystemCheck"]:
        """With the sitting."""
        return with_sitting(cls, viewer, *EVERYBODY)


class CheckInStep(Table):
    """One confirmed step of a check-in (H3)."""

    sitting: fields.ForeignKeyRelation[Sitting] = of_sitting("check_in_steps")
    sitting_id: UUID
    step = fields.CharEnumField(Step, max_length=20, description="Which step")
    confirmed_at = fields.DatetimeField()
    proctor_id: UUID = fields.UUIDField()
    rules_version = fields.CharField(max_length=20, null=True)  # of the rules that were accepted, with that step
    rules_text = fields.TextField(null=True)
    rules_language = fields.CharField(max_length=2, null=True)

    class Meta:
        table = "check_in_step"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["CheckInStep"]:
        """With the sitting."""
        return with_sitting(cls, viewer, *EVERYBODY)


class Section(Table):
    """One section of the test, at its place (counted from 0), and its unofficial score where there is one (H8)."""

    sitting: fields.ForeignKeyRelation[Sitting] = of_sitting("section_rows")
    sitting_id: UUID
    place = fields.IntField()
    skill = fields.CharField(max_length=30)
    started_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    unofficial_score = fields.IntField(null=True)

    class Meta:
        table = "sitting_section"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Section"]:
        """With the sitting; scores are the candidate's and the board's alone, which whoever shows them sees to."""
        return with_sitting(cls, viewer, *EVERYBODY)


class Message(Table):
    """One message of the chat; `answered_at` is when the proctor wrote next after the candidate had (H4)."""

    sitting: fields.ForeignKeyRelation[Sitting] = of_sitting("messages")
    sitting_id: UUID
    proctor_id: UUID | None = fields.UUIDField(null=True)  # None: the candidate wrote it
    text = fields.TextField()
    key: UUID | None = fields.UUIDField(null=True)  # of its writer's program, which sends it again under the same one
    sent_at = fields.DatetimeField()
    read_at = fields.DatetimeField(null=True)
    answered_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sitting_message"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Message"]:
        """With the sitting."""
        return with_sitting(cls, viewer, *EVERYBODY)


class Incident(Table):
    """What a proctor noted (H7)."""

    sitting: fields.ForeignKeyRelation[Sitting] = of_sitting("incidents")
    sitting_id: UUID
    proctor_id: UUID = fields.UUIDField()
    text = fields.TextField()
    key: UUID | None = fields.UUIDField(null=True)  # as of a message
    noted_at = fields.DatetimeField()

    class Meta:
        table = "incident"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Incident"]:
        """For those who watch and decide; the candidate reads the reason that comes of it."""
        return with_sitting(cls, viewer, Kind.PROCTOR, Kind.STAFF)


class Break(Table):
    """The one break (H6); without `ended_at` it is not over, or was overrun."""

    sitting: fields.OneToOneRelation[Sitting] = fields.OneToOneField(
        "models.Sitting", related_name="break_row", on_delete=fields.CASCADE
    )
    sitting_id: UUID
    started_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sitting_break"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Break"]:
        """With the sitting."""
        return with_sitting(cls, viewer, *EVERYBODY)


class ProctorPresence(Model):
    """When a proctor's page last gave a sign of life, which is of all the sittings that they watch."""

    staff_id: UUID = fields.UUIDField(primary_key=True)
    seen_at = fields.DatetimeField()
    lost_at = fields.DatetimeField(null=True)  # that it is lost was told; not yet, or it is not: None

    class Meta:
        table = "proctor_presence"


class SittingPhoto(Table):
    """The photo taken at the check-in, as `Photo`, until the sitting has an entry that it goes to (R7, H4)."""

    sitting: fields.OneToOneRelation[Sitting] = fields.OneToOneField(
        "models.Sitting", related_name="photo", on_delete=fields.CASCADE
    )
    sitting_id: UUID
    file = fields.TextField()
    width = fields.IntField()
    height = fields.IntField()
    size = fields.IntField()
    digest = fields.BinaryField()
    added_at = fields.DatetimeField()
    proctor_id: UUID | None = fields.UUIDField(null=True)

    class Meta:
        table = "sitting_photo"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["SittingPhoto"]:
        """With the sitting; for a proctor, of those alone that they watch at this time."""
        seen = with_sitting(cls, viewer, *EVERYBODY)
        if viewer.kind is not Kind.PROCTOR:
            return seen
        watched = f"""EXISTS (SELECT 1 FROM sitting WHERE sitting.id = sitting_photo.sitting_id
                      AND sitting.proctor_id = :viewer_id AND sitting.state IN ({RUNNING}))"""
        return Visible(cls, f"{seen.condition} AND {watched}", seen.named)


class Recording(Table):
    """A reference to a recording, which is kept elsewhere, and until when; the reference goes with it."""

    sitting: fields.ForeignKeyRelation[Sitting] = of_sitting("recordings")
    sitting_id: UUID
    reference = fields.TextField(null=True)
    recorded_at = fields.DatetimeField()
    delete_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "recording"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Recording"]:
        """All, for the board's staff, who answer appeals; candidates read until when it is kept on the sitting."""
        return with_sitting(cls, viewer, Kind.STAFF)


class AppealOutcome(Enum):
    """What came of an appeal."""

    STANDS = "STANDS"  # the decision does
    NEW_SITTING = "NEW_SITTING"  # without a fee
    FEE_RETURNED = "FEE_RETURNED"


# What a decision may rest on stays until it is made, whatever its day.
APPEAL_WAITS = "EXISTS (SELECT 1 FROM appeal WHERE appeal.sitting_id = sitting.id AND appeal.outcome IS NULL)"


class Appeal(Table):
    """A candidate's word against the end of a sitting, and the board's answer (H9); one a sitting."""

    sitting: fields.OneToOneRelation[Sitting] = fields.OneToOneField(
        "models.Sitting", related_name="appeal", on_delete=fields.CASCADE
    )
    sitting_id: UUID
    text = fields.TextField()
    made_at = fields.DatetimeField()
    outcome = fields.CharEnumField(AppealOutcome, max_length=20, null=True, description="What came of it")
    answer = fields.TextField(null=True)
    answered_at = fields.DatetimeField(null=True)
    staff_id: UUID | None = fields.UUIDField(null=True)

    class Meta:
        table = "appeal"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Appeal"]:
        """The candidate's own; all, for the board's staff."""
        return with_sitting(cls, viewer, Kind.CANDIDATE, Kind.STAFF)
