"""Results: what the board awarded for one entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from errors import ResultNotSendable
from models.base import Table
from models.candidate import LIVE_SHARE, OF_WORLD, RELEASED
from models.entry import Entry
from models.scope import Scope
from models.viewer import Kind, Viewer, Visible, visible


class Outcome(Enum):
    """What came out of the exam (R6)."""

    GRADE = "GRADE"
    LEVEL = "LEVEL"
    FAIL = "FAIL"
    PENDING = "PENDING"
    WITHHELD = "WITHHELD"
    ABSENT_FROM_PART = "ABSENT_FROM_PART"
    ABSENT_FROM_ALL = "ABSENT_FROM_ALL"

    @property
    def has_award(self) -> bool:
        """Whether there is anything to show beside the outcome: a headline, scores, a certificate."""
        return self in (Outcome.GRADE, Outcome.LEVEL, Outcome.FAIL)


class ResultStatus(Enum):
    """Where a result stands at one moment."""

    LOADED = "LOADED"
    PENDING = "PENDING"
    RELEASED = "RELEASED"
    WITHHELD = "WITHHELD"
    REVOKED = "REVOKED"


class Result(Table):
    """A result as awarded (R5). `released_at` is the moment from which it may be seen, UTC; it can lie ahead."""

    entry: fields.OneToOneRelation[Entry] = fields.OneToOneField(
        "models.Entry", related_name="result", on_delete=fields.RESTRICT
    )
    entry_id: UUID
    outcome = fields.CharEnumField(Outcome, max_length=20, description="Outcome of the exam")
    statement_number = fields.CharField(max_length=20, unique=True)
    certificate_number = fields.CharField(max_length=20, null=True)
    headline = fields.TextField(null=True)
    grade = fields.TextField(null=True)
    cefr = fields.CharField(max_length=2, null=True)
    overall_score = fields.IntField(null=True)
    version = fields.IntField(default=1)
    loaded_at = fields.DatetimeField()
    released_at = fields.DatetimeField(null=True)
    withheld_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    release_told_at = fields.DatetimeField(null=True)  # when the candidate's letter about the release was written

    class Meta:
        table = "result"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Result"]:
        """One's own and results with a live share to the institution of a verifier or of a key that reads shares, once
        released; for staff, all.

        A centre's staff see those of their centre, and not before the release (R3).
        """
        of_centre = f"""{RELEASED} AND EXISTS (SELECT 1 FROM entry JOIN candidate ON candidate.id = entry.candidate_id
                        WHERE entry.id = result.entry_id AND entry.centre_id = :viewer_centre_id AND {OF_WORLD})"""
        of_world = f"""EXISTS (SELECT 1 FROM entry JOIN candidate ON candidate.id = entry.candidate_id
                       WHERE entry.id = result.entry_id AND {OF_WORLD})"""
        shared = f"""{RELEASED} AND EXISTS (SELECT 1 FROM share WHERE share.result_id = result.id
                     AND share.institution_id = :viewer_institution_id AND {LIVE_SHARE})"""
        return visible(
            cls,
            viewer,
            {
                Kind.CANDIDATE: f"""{RELEASED} AND EXISTS (SELECT 1 FROM entry WHERE entry.id = result.entry_id
                                    AND entry.candidate_id = :viewer_id)""",
                Kind.VERIFIER: shared,
                Kind.KEY: shared if viewer.has(Scope.READ_SHARES) else "false",
                Kind.STAFF: of_world if viewer.is_board else of_centre,
            },
        )

    def status_at(self, now: datetime) -> ResultStatus:
        """Where the result stands at this moment."""
        return status(self.outcome, Moments(self.released_at, self.withheld_at, self.revoked_at), now)

    def check_sendable(self, now: datetime) -> None:
        """Raises ResultNotSendable unless released, not pending, withheld or revoked (S8)."""
        stands = self.status_at(now)
        if stands is not ResultStatus.RELEASED:
            raise ResultNotSendable(stands.value)


@dataclass(frozen=True, slots=True)
class Moments:
    """When a result was released, withheld after its release, and revoked; UTC."""

    released_at: datetime | None
    withheld_at: datetime | None = None
    revoked_at: datetime | None = None


def status(outcome: Outcome, moments: Moments, now: datetime) -> ResultStatus:
    """Where a result with these facts stands at a moment.

    What was withheld or revoked is so for everybody who can read that it was: a request that began a moment earlier,
    or on a machine whose clock is behind, must not send it or show it any more.
    """
    if moments.released_at is None or now < moments.released_at:
        return ResultStatus.LOADED
    if moments.revoked_at is not None:
        return ResultStatus.REVOKED
    if moments.withheld_at is not None:
        return ResultStatus.WITHHELD
    if outcome in (Outcome.PENDING, Outcome.WITHHELD):
        return ResultStatus(outcome.value)
    return ResultStatus.RELEASED


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a result may be shown: where it stands, its outcome unless it is revoked, and whether its award is."""

    status: ResultStatus
    outcome: Outcome | None
    has_award: bool


def standing(row: Mapping[str, Any], now: datetime) -> Standing:
    """The standing at a moment of any row that holds the columns of results (R6, R11)."""
    outcome = Outcome[row["outcome"]]
    stands = status(outcome, Moments(row["released_at"], row["withheld_at"], row["revoked_at"]), now)
    if stands is ResultStatus.REVOKED:
        return Standing(stands, None, has_award=False)
    if stands is ResultStatus.WITHHELD:
        outcome = Outcome.WITHHELD
    return Standing(stands, outcome, outcome.has_award)


class SkillScore(Model):
    """The score for one skill of a result, on the scale of its exam."""

    id = fields.BigIntField(primary_key=True, generated=True)
    result: fields.ForeignKeyRelation[Result] = fields.ForeignKeyField(
        "models.Result", related_name="skill_scores", on_delete=fields.CASCADE
    )
    result_id: UUID
    skill = fields.CharField(max_length=30)
    score = fields.IntField()

    class Meta:
        table = "skill_score"
        unique_together = (("result", "skill"),)
