"""Download templates: which columns a download has, and how it is written."""

from enum import Enum
from uuid import UUID

from tortoise import fields

from models.base import Table
from models.institution import Institution
from models.scope import Scope
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


class Delimiter(Enum):
    """What stands between the columns of a CSV download."""

    COMMA = ","
    SEMICOLON = ";"
    TAB = "\t"
    PIPE = "|"


class DateFormat(Enum):
    """How a download writes dates."""

    ISO = "YYYY-MM-DD"
    YEAR_FIRST = "YYYY/MM/DD"
    DAY_FIRST = "DD/MM/YYYY"
    MONTH_FIRST = "MM/DD/YYYY"
    JAPANESE = "YYYY年M月D日"


class DownloadTemplate(Table):
    """A template of an institution; `version` is one more after each change (D2)."""

    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="templates", on_delete=fields.CASCADE
    )
    institution_id: UUID
    name = fields.TextField()
    format = fields.CharEnumField(DownloadFormat, max_length=10, description="Kind of file")
    columns = fields.JSONField[list[dict[str, str]]]()
    delimiter = fields.CharField(max_length=1, default=",")
    encoding = fields.CharEnumField(Encoding, max_length=20, default=Encoding.UTF_8, description="Text encoding")
    date_format = fields.TextField(default="YYYY-MM-DD")
    header = fields.BooleanField(default=True)
    version = fields.IntField(default=1, db_default=1)
    created_at = fields.DatetimeField()

    class Meta:
        table = "download_template"

    @staticmethod
    def are_for(viewer: Viewer) -> bool:
        """Whether the viewer has templates at all: an institution's users and some keys, and the board."""
        is_key = viewer.has(Scope.DOWNLOAD) or viewer.has(Scope.MANAGE)
        return viewer.kind is Kind.VERIFIER or is_key or viewer.is_board

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["DownloadTemplate"]:
        """Those of one's own institution; all, for the board's staff."""
        own = "download_template.institution_id = :viewer_institution_id"
        return visible(
            cls,
            viewer,
            {
                Kind.VERIFIER: own,
                Kind.KEY: own if cls.are_for(viewer) else "false",
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )
