"""Download templates."""

from enum import Enum

import strawberry

from engine.database import Row
from schema.context import Info
from schema.ids import global_id, key_of
from schema.node import Node


@strawberry.enum(description="What kind of file a download is.")
class DownloadFormat(Enum):
    CSV = strawberry.enum_value("CSV", description="Text with a delimiter.")
    XLSX = strawberry.enum_value("XLSX", description="Spreadsheet.")
    JSON = strawberry.enum_value("JSON", description="JSON.")
    PDF = strawberry.enum_value("PDF", description="Statements of Results in one file.")


@strawberry.enum(description="How the text of a CSV file is written.")
class Encoding(Enum):
    UTF_8 = strawberry.enum_value("UTF_8", description="UTF-8.")
    UTF_8_BOM = strawberry.enum_value("UTF_8_BOM", description="UTF-8 with a byte order mark, for spreadsheets.")
    SHIFT_JIS = strawberry.enum_value("SHIFT_JIS", description="Shift_JIS; cannot carry every name.")


@strawberry.type(description="A column of a template.")
class TemplateColumn:
    field: str = strawberry.field(description="What the column holds, such as `statementNumber`.")
    heading: str = strawberry.field(description="What stands above it.")


@strawberry.federation.type(
    keys=["id"], description="Which columns a download has and how it is written; shared within an institution."
)
class DownloadTemplate(Node):
    name: str = strawberry.field(description="Name of the template.")
    is_default: bool = strawberry.field(description="Whether it is the default one, with every column.")
    format: DownloadFormat = strawberry.field(description="Kind of file.")
    columns: list[TemplateColumn] = strawberry.field(description="Columns in order.")
    delimiter: str = strawberry.field(description="Sign between the columns of a CSV file.")
    encoding: Encoding = strawberry.field(description="Text encoding of a CSV file.")
    date_format: str = strawberry.field(description="How dates are written, such as `YYYY-MM-DD`.")
    header: bool = strawberry.field(description="Whether the first row holds the headings.")

    @classmethod
    def of(cls, row: Row) -> "DownloadTemplate":
        """The template of any row that holds the columns of templates."""
        return cls(
            id=global_id("DownloadTemplate", row["template_id"]),
            name=row["template_name"],
            is_default=row["institution_id"] is None,
            format=DownloadFormat(row["format"]),
            columns=[TemplateColumn(field=one["field"], heading=one["heading"]) for one in row["columns"]],
            delimiter=row["delimiter"],
            encoding=Encoding(row["encoding"]),
            date_format=row["date_format"],
            header=row["header"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "DownloadTemplate | None":
        """The template with this id, if the viewer may see it."""
        key = key_of(id, "DownloadTemplate")
        row = await info.context.loaders.template.load(key) if key else None
        return None if row is None else cls.of(row)
