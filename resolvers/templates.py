"""Download templates (D2): which columns a download has, and how it is written; kept by an institution.

One template belongs to nobody and is there for all: see `default_template`.
"""

from collections.abc import Sequence
from uuid import UUID

from engine.database import Row
from errors import TemplateNotFound
from models.layout import Layout, columns_from
from models.template import DateFormat, Delimiter, DownloadFormat, DownloadTemplate, Encoding
from models.viewer import Viewer
from resolvers import columns, default_template
from resolvers.reading import Source

SOURCE = Source(
    DownloadTemplate, f"SELECT {columns.TEMPLATE} FROM download_template", "download_template.id", "template_id"
)
MOST = 200  # of an institution


async def every(viewer: Viewer) -> list[Row]:
    """The default template first, then the institution's own by name."""
    own = await SOURCE.rows(viewer, "true", f"ORDER BY lower(download_template.name) LIMIT {MOST}")
    return [await default_template.row(viewer.language), *own]


async def by_ids(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """The templates with these keys that the viewer may see, the default one among them."""
    found = await SOURCE.by_ids(viewer, ids)
    if default_template.ID in ids and DownloadTemplate.are_for(viewer):
        found[default_template.ID] = await default_template.row(viewer.language)
    return found


async def layout_of(viewer: Viewer, template_id: UUID | None = None) -> Layout:
    """A template as it is now, for a download to keep; the default one if none is named. Raises TemplateNotFound."""
    key = default_template.ID if template_id is None else template_id
    row = (await by_ids(viewer, [key])).get(key)
    if row is None:
        raise TemplateNotFound
    return layout_from(row)


def layout_from(row: Row) -> Layout:
    """The layout of any row that holds the columns of templates."""
    return Layout(
        name=row["template_name"],
        format=DownloadFormat(row["format"]),
        columns=columns_from(row["columns"]),
        delimiter=Delimiter(row["delimiter"]),
        encoding=Encoding(row["encoding"]),
        date_format=DateFormat(row["date_format"]),
        header=row["header"],
    )
