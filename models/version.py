"""Versions of results: what stood before each change, why it was changed, and who was told (R11)."""

from enum import Enum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import Table
from models.institution import Institution
from models.result import Outcome, Result
from models.viewer import Kind, M, Viewer, Visible, visible


class Change(Enum):
    """What ended a version."""

    AMENDED = "AMENDED"
    WITHHELD = "WITHHELD"
    RELEASED_AGAIN = "RELEASED_AGAIN"
    REVOKED = "REVOKED"


class ResultVersion(Table):
    """A result as it stood until a change; the result itself holds what stands now."""

    result: fields.ForeignKeyRelation[Result] = fields.ForeignKeyField(
        "models.Result", related_name="versions", on_delete=fields.RESTRICT
    )
    result_id: UUID
    version = fields.IntField()
    outcome = fields.CharEnumField(Outcome, max_length=20, description="Outcome of the exam")
    headline = fields.TextField(null=True)
    grade = fields.TextField(null=True)
    cefr = fields.CharField(max_length=2, null=True)
    overall_score = fields.IntField(null=True)
    skill_scores = fields.JSONField[dict[str, Any]]()
    certificate_number = fields.CharField(max_length=20, null=True)
    ended_by = fields.CharEnumField(Change, max_length=20, description="What ended it")
    ended_at = fields.DatetimeField()
    reason = fields.TextField()
    staff_id: UUID | None = fields.UUIDField(null=True)

    class Meta:
        table = "result_version"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["ResultVersion"]:
        """Whoever sees the result sees which versions it had since its release; staff see earlier ones too."""
        return _with_result(cls, viewer, "AND result_version.ended_at >= result.released_at")


class HolderNotice(Table):
    """That an institution which read, downloaded or pulled a version was told that it stands no more."""

    result: fields.ForeignKeyRelation[Result] = fields.ForeignKeyField(
        "models.Result", related_name="holder_notices", on_delete=fields.RESTRICT
    )
    result_id: UUID
    version = fields.IntField()
    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="holder_notices", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    change = fields.CharEnumField(Change, max_length=20, description="What ended the version")
    told_at = fields.DatetimeField()
    # And the column `xid`, added by a migration: users are mailed of what lies behind their place in the journal.

    class Meta:
        table = "holder_notice"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["HolderNotice"]:
        """Whoever may see the result sees who was told; an institution sees only that it was told itself.

        A centre's staff see none: where a candidate sends a result is not their business.
        """
        if viewer.kind is Kind.STAFF and not viewer.is_board:
            return visible(cls, viewer, {})
        own = "AND holder_notice.institution_id = :viewer_institution_id"
        return _with_result(cls, viewer, own if viewer.kind in (Kind.VERIFIER, Kind.KEY) else "")


def _with_result(model: type[M], viewer: Viewer, condition: str) -> Visible[M]:
    """Rows of results that the viewer may see, on a condition that staff need not meet."""
    table = model._meta.db_table
    seen = f"""EXISTS (SELECT 1 FROM result WHERE result.id = {table}.result_id
               AND {Result.visible_to(viewer)} {{}})"""
    return visible(
        model,
        viewer,
        {
            Kind.CANDIDATE: seen.format(condition),
            Kind.VERIFIER: seen.format(condition),
            Kind.KEY: seen.format(condition),
            Kind.STAFF: seen.format(""),
        },
    )
