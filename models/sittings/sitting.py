"""At-home sittings (H1-H9): a row holds the facts that `models/sittings/table.py` decides by, and what came of it."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from models.base import Table
from models.candidate import Candidate
from models.entry import Entry
from models.exam import Exam
from models.institution import Institution
from models.share import Share
from models.sittings.reasons import Reason
from models.sittings.states import Actor, SittingState
from models.sittings.table import BREAK, LOST_AFTER, Facts, interval
from models.verifier import StaffUser
from models.viewer import Kind, M, Viewer, Visible, visible

# Begun and not at its end, also where the end of a break was not written yet (H6).
LIVE_NOW = f"""sitting.state IN ('CHECKING_IN', 'IN_PROGRESS', 'INTERRUPTED', 'ON_BREAK') AND NOT (
    sitting.state = 'ON_BREAK' AND sitting.break_started_at < :viewer_at::timestamptz - {interval(BREAK)})"""
# A candidate who has begun and whom nobody watches: any proctor may take the sitting (H5).
WAITING = f"""{LIVE_NOW} AND NOT EXISTS (
    SELECT 1 FROM proctor_presence WHERE proctor_presence.staff_id = sitting.proctor_id
    AND proctor_presence.seen_at >= :viewer_at::timestamptz - {interval(LOST_AFTER)})"""
# A proctor's own: while it runs, and for a day once the test is over, but not what the candidate chose then (H8); and
# nothing at all for whoever is no proctor any more, also in streams that were open before.
WATCHED = f"""EXISTS (SELECT 1 FROM staff_user WHERE staff_user.id = :viewer_id AND staff_user.role = 'PROCTOR')
    AND (({WAITING}) OR (sitting.proctor_id = :viewer_id AND (
        sitting.state IN ('CHECKING_IN', 'IN_PROGRESS', 'INTERRUPTED', 'ON_BREAK')
        OR (sitting.state IN ('FINISHED', 'BREAK_OVERRUN', 'INVALIDATED', 'ENDED_BY_PROCTOR')
            AND sitting.since > :viewer_at::timestamptz - interval '1 day'))))"""


class Sitting(Table):
    """One at-home, proctored taking of an exam. `entry` is made when its candidate reports the scores (H8)."""

    candidate: fields.ForeignKeyRelation[Candidate] = fields.ForeignKeyField(
        "models.Candidate", related_name="sittings", on_delete=fields.RESTRICT
    )
    candidate_id: UUID
    exam: fields.ForeignKeyRelation[Exam] = fields.ForeignKeyField(
        "models.Exam", related_name="sittings", on_delete=fields.RESTRICT
    )
    exam_id: str
    appointment_at = fields.DatetimeField()
    timezone = fields.TextField()
    booked_at = fields.DatetimeField()
    state = fields.CharEnumField(SittingState, max_length=20, description="Where it stands")
    since = fields.DatetimeField()
    reason = fields.CharEnumField(Reason, max_length=30, null=True, description="Why it ended")
    words = fields.TextField(null=True)  # of whoever ended it, for the candidate
    steps = fields.IntField(default=0, db_default=0)
    sections = ArrayField(element_type="text")
    sections_done = fields.IntField(default=0, db_default=0)
    is_in_section = fields.BooleanField(default=False, db_default=False)
    seen_at = fields.DatetimeField(null=True)
    lost_at = fields.DatetimeField(null=True)
    proctor: fields.ForeignKeyNullableRelation[StaffUser] = fields.ForeignKeyField(
        "models.StaffUser", related_name="sittings", null=True, on_delete=fields.RESTRICT
    )
    proctor_id: UUID | None
    check_in_started_at = fields.DatetimeField(null=True)
    test_id = fields.CharField(max_length=12, null=True)
    test_password_seal = fields.BinaryField(null=True)  # while it can be used
    break_started_at = fields.DatetimeField(null=True)
    cancel_asked_at = fields.DatetimeField(null=True)
    entry: fields.OneToOneNullableRelation[Entry] = fields.OneToOneField(
        "models.Entry", related_name="sitting", null=True, on_delete=fields.RESTRICT
    )
    entry_id: UUID | None

    class Meta:
        table = "sitting"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Sitting"]:
        """One's own; for a proctor those that they watch, or did until a day ago, or that wait for one; all, for the
        board's staff.

        Institutions see what came of it, as the share of a result, and a centre's staff have no part in it.
        """
        return visible(
            cls,
            viewer,
            {
                Kind.CANDIDATE: "sitting.candidate_id = :viewer_id",
                Kind.PROCTOR: WATCHED,
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )


# The facts that stand on a sitting's row under the same name.
ON_ROW = (
    "state", "since", "appointment_at", "steps", "sections_done", "is_in_section", "seen_at", "lost_at",
    "break_started_at", "cancel_asked_at", "reason",
)  # fmt: skip


def facts_of(row: Mapping[str, Any]) -> Facts:
    """What decides about a sitting, from its row with `proctor_seen_at`."""
    known = {name: row[name] for name in ON_ROW}
    known["state"] = SittingState(row["state"])
    known["reason"] = Reason(row["reason"]) if row["reason"] else None
    return Facts(
        **known,
        sections=tuple(row["sections"]),
        has_proctor=row["proctor_id"] is not None,
        proctor_seen_at=row["proctor_seen_at"],
    )


def written(facts: Facts) -> dict[str, Any]:
    """What is written of these facts on a sitting's row."""
    columns = {name: getattr(facts, name) for name in ON_ROW}
    return columns | {"state": facts.state.value, "reason": facts.reason and facts.reason.value}


def with_sitting(model: type[M], viewer: Viewer, *kinds: Kind) -> Visible[M]:
    """Rows of sittings that the viewer may see, for viewers of these kinds."""
    table = model._meta.db_table
    seen = f"""EXISTS (SELECT 1 FROM sitting WHERE sitting.id = {table}.sitting_id
               AND {Sitting.visible_to(viewer)})"""
    return visible(model, viewer, dict.fromkeys(kinds, seen))


class SittingRecipient(Table):
    """An institution that is to get the result, and the candidate's consent of the moment it was named (S3, H8)."""

    sitting: fields.ForeignKeyRelation[Sitting] = fields.ForeignKeyField(
        "models.Sitting", related_name="recipients", on_delete=fields.CASCADE
    )
    sitting_id: UUID
    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="sitting_recipients", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    named_at = fields.DatetimeField()
    consent_text = fields.TextField()
    consent_version = fields.CharField(max_length=20)
    consent_language = fields.CharField(max_length=2)
    institution_name_shown = fields.TextField()
    share: fields.ForeignKeyNullableRelation[Share] = fields.ForeignKeyField(
        "models.Share", related_name="recipients", null=True, on_delete=fields.RESTRICT
    )
    share_id: UUID | None

    class Meta:
        table = "sitting_recipient"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["SittingRecipient"]:
        """The candidate's own; all, for the board's staff. Where a result is sent is no proctor's business."""
        return with_sitting(cls, viewer, Kind.CANDIDATE, Kind.STAFF)


class Happening(Enum):
    """What happened to a sitting."""

    BOOKED = "BOOKED"
    SYSTEM_CHECK_PASSED = "SYSTEM_CHECK_PASSED"
    SYSTEM_CHECK_FAILED = "SYSTEM_CHECK_FAILED"
    CHECK_IN_STARTED = "CHECK_IN_STARTED"
    TAKEN = "TAKEN"
    HANDED_OVER = "HANDED_OVER"
    STEP_CONFIRMED = "STEP_CONFIRMED"
    PHOTO_ADDED = "PHOTO_ADDED"
    TEST_ENTERED = "TEST_ENTERED"
    SECTION_STARTED = "SECTION_STARTED"
    SECTION_FINISHED = "SECTION_FINISHED"
    MESSAGE_SENT = "MESSAGE_SENT"
    MESSAGES_READ = "MESSAGES_READ"
    INCIDENT_NOTED = "INCIDENT_NOTED"
    CONNECTION_LOST = "CONNECTION_LOST"
    CONNECTION_BACK = "CONNECTION_BACK"
    RESUMED = "RESUMED"
    PROCTOR_LOST = "PROCTOR_LOST"
    PROCTOR_BACK = "PROCTOR_BACK"
    BREAK_STARTED = "BREAK_STARTED"
    BREAK_ENDED = "BREAK_ENDED"
    BREAK_OVERRUN = "BREAK_OVERRUN"
    FINISHED = "FINISHED"
    REPORTED = "REPORTED"
    CANCEL_ASKED = "CANCEL_ASKED"
    CANCELLED = "CANCELLED"
    CANCEL_UNDONE = "CANCEL_UNDONE"
    MISSED = "MISSED"
    ENDED_BY_PROCTOR = "ENDED_BY_PROCTOR"
    INVALIDATED = "INVALIDATED"
    RECIPIENTS_CHANGED = "RECIPIENTS_CHANGED"
    SCORES_RECORDED = "SCORES_RECORDED"
    APPEALED = "APPEALED"
    APPEAL_ANSWERED = "APPEAL_ANSWERED"


NOT_FOR_CANDIDATES = frozenset({Happening.INCIDENT_NOTED})
# What is between the candidate and the board: nobody else is told whether scores were reported or cancelled (H8).
NOT_FOR_PROCTORS = frozenset(
    {
        Happening.REPORTED,
        Happening.CANCEL_ASKED,
        Happening.CANCELLED,
        Happening.CANCEL_UNDONE,
        Happening.RECIPIENTS_CHANGED,
        Happening.SCORES_RECORDED,
        Happening.APPEALED,
        Happening.APPEAL_ANSWERED,
    }
)
HIDDEN = {Kind.CANDIDATE: NOT_FOR_CANDIDATES, Kind.PROCTOR: NOT_FOR_PROCTORS}


class SittingEvent(Model):
    """One event, written with the change. `xid`, added by the migration, is as in the journal (H10)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    sitting_id: UUID = fields.UUIDField()
    kind = fields.CharEnumField(Happening, max_length=30, description="What happened")
    state = fields.CharEnumField(SittingState, max_length=20, description="Where it stood then")
    happened_at: datetime = fields.DatetimeField()
    actor = fields.CharEnumField(Actor, max_length=20, description="Who did it")
    actor_id: UUID | None = fields.UUIDField(null=True)
    detail = fields.TextField(null=True)  # such as a step or a section; never a text of a person, or a secret

    class Meta:
        table = "sitting_event"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["SittingEvent"]:
        """With the sitting; candidates are told why it ended, and not what a proctor noted on the way, and proctors not
        what the candidate does after the test.
        """
        seen = with_sitting(cls, viewer, Kind.CANDIDATE, Kind.PROCTOR, Kind.STAFF)
        if viewer.kind not in HIDDEN:
            return seen
        hidden = ", ".join(sorted(f"'{kind.value}'" for kind in HIDDEN[viewer.kind]))
        return Visible(cls, f"{seen.condition} AND sitting_event.kind NOT IN ({hidden})", seen.named)
