"""Releases: when the results of one exam and date may be seen (R3)."""

from uuid import UUID

from tortoise import fields

from models.base import Table
from models.exam import Exam


class Release(Table):
    """The release of one session. Results get its moment as their own, those loaded later too."""

    exam: fields.ForeignKeyRelation[Exam] = fields.ForeignKeyField(
        "models.Exam", related_name="releases", on_delete=fields.RESTRICT
    )
    exam_id: str
    exam_date = fields.DateField()
    release_at = fields.DatetimeField()
    scheduled_at = fields.DatetimeField()
    staff_id: UUID | None = fields.UUIDField(null=True)

    class Meta:
        table = "release"
