"""Test-day photos (R7): a row here, the picture in the file store."""

from uuid import UUID

from tortoise import fields

from models.base import Table
from models.entry import Entry


class Photo(Table):
    """The photo of one entry, re-encoded by us; `file` is its name in the store."""

    entry: fields.OneToOneRelation[Entry] = fields.OneToOneField(
        "models.Entry", related_name="photo", on_delete=fields.RESTRICT
    )
    entry_id: UUID
    file = fields.TextField()
    width = fields.IntField()
    height = fields.IntField()
    size = fields.IntField()
    digest = fields.BinaryField()
    added_at = fields.DatetimeField()
    staff_id: UUID | None = fields.UUIDField(null=True)

    class Meta:
        table = "photo"
