"""Reading download templates."""

from engine.database import Row
from models.template import DownloadTemplate
from models.viewer import Viewer
from resolvers import columns
from resolvers.reading import Source

SOURCE = Source(
    DownloadTemplate, f"SELECT {columns.TEMPLATE} FROM download_template", "download_template.id", "template_id"
)
by_ids = SOURCE.by_ids


async def every(viewer: Viewer) -> list[Row]:
    """The default template first, then the institution's own by name."""
    default_first = "ORDER BY download_template.institution_id NULLS FIRST, download_template.name LIMIT 500"
    return await SOURCE.rows(viewer, "true", default_first)
