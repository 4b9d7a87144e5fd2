"""Download templates: which columns a download has, and how it is written."""

from enum import Enum
from uuid import UUID

from tortoise import fields

from models.base import Table
from models.institution import Institution
from models.viewer import Kind, Viewer, Visible, visible


class DownloadFormat(Enum):
    """What kind of file a download is."""

    CSV = "CSV"
    XLSX = "XLSX"
    JSON = "JSON"
    PDF = "PDF"


class Encoding(Enum):
    """How the text of a CSV download is written."""

    UTF_8 = "UTF_8"
    UTF_8_BOM = "UTF_8_BOM"
    SHIFT_JIS = "SHIFT_JIS"


class DownloadTemplate(Table):
    """A template; the one without an institution is everybody's default, with every column (D2)."""

    institution: fields.ForeignKeyNullableRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="templates", null=True, on_delete=fields.CASCADE
    )
    institution_id: UUID | None
    name = fields.TextField()
    format = fields.CharEnumField(DownloadFormat, max_length=10, description="Kind of file")
    columns = fields.JSONField[list[dict[str, str]]]()
    delimiter = fields.CharField(max_length=1, default=",")
    encoding = fields.CharEnumField(Encoding, max_length=20, default=Encoding.UTF_8, description="Text encoding")
    date_format = fields.TextField(default="YYYY-MM-DD")
    header = fields.BooleanField(default=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "download_template"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["DownloadTemplate"]:
        """The default one and those of one's own institution; all, for the board's staff."""
        return visible(
            cls,
            viewer,
            {
                Kind.VERIFIER: """download_template.institution_id IS NULL
                                  OR download_template.institution_id = :viewer_institution_id""",
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )
