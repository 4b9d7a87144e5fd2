"""Test-day photos (R7): a row here, the picture in the file store. Another photo is another row."""

from uuid import UUID

from tortoise import fields

from models.base import Table
from models.entry import Entry
from models.result import Result
from models.share import Part, Share
from models.viewer import Kind, Viewer, Visible, visible


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

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Photo"]:
        """Those of results that the viewer may see, as far as the share goes (S9); for the board's staff, all.

        A centre's staff add photos of their candidates, and see none.
        """
        with_result = f"""EXISTS (SELECT 1 FROM result WHERE result.entry_id = photo.entry_id
                          AND {Result.visible_to(viewer)} AND {Share.allows(viewer, Part.PHOTO)})"""
        return visible(
            cls,
            viewer,
            {
                Kind.CANDIDATE: with_result,
                Kind.VERIFIER: with_result,
                Kind.KEY: with_result,
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )
