"""Download templates (D2): which columns a download has, and how it is written; kept by an institution.

One template belongs to nobody and is there for all: see `default_template`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog

from engine import database
from engine.database import Row
from errors import (
    DefaultTemplateStays,
    InvalidInput,
    NotAllowed,
    Problem,
    Sentence,
    TemplateChangedMeanwhile,
    TemplateNotFound,
)
from models.base import new_id
from models.institution import APPROVED
from models.layout import Layout, columns_from
from models.scope import Scope
from models.template import DateFormat, Delimiter, DownloadFormat, DownloadTemplate, Encoding
from models.viewer import Viewer
from resolvers import columns, default_template, template_forms
from resolvers.reading import Source
from resolvers.template_forms import Form, Wishes

SOURCE = Source(
    DownloadTemplate, f"SELECT {columns.TEMPLATE} FROM download_template", "download_template.id", "template_id"
)
MOST = 200  # of an institution; two that were merged may have more

log = structlog.get_logger()


# ---- reading


async def every(viewer: Viewer) -> list[Row]:
    """The default template first, then those of the viewer's institution by name; none for whom there are none."""
    if not DownloadTemplate.are_for(viewer):
        return []
    own = "download_template.institution_id = :viewer_institution_id"
    found = await SOURCE.rows(viewer, own, "ORDER BY lower(download_template.name) LIMIT 2000")
    return [await default_template.row(viewer.language), *found]


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


async def layout_wished(viewer: Viewer, wishes: Wishes, template_id: UUID | None = None) -> Layout:
    """A template with other wishes put in, for one download. Raises TemplateNotFound or InvalidInput."""
    form = await template_forms.filled_in(await layout_of(viewer, template_id), wishes, viewer.language)
    if form.problems:
        raise InvalidInput(form.problems)
    return form.layout


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


# ---- changing; whoever does locks the institution first, so that names and numbers hold


async def create(viewer: Viewer, wishes: Wishes, copied_id: UUID | None = None) -> UUID:
    """Make a template; what is not wished is as in the copied one, or as in the default one. Its id.

    Raises NotLoggedIn, NotAllowed, TemplateNotFound or InvalidInput.
    """
    institution_id = viewer.must_act(Scope.MANAGE)
    base = replace(await layout_of(viewer, copied_id), name="")
    form = await template_forms.filled_in(base, wishes, viewer.language)
    async with database.transaction():
        await _lock(institution_id)
        template_id = new_id()
        await _check(form, institution_id, template_id)
        if await _count(institution_id) >= MOST:
            told = Sentence.of("Your organisation has {most} templates already: delete one first.", most=MOST)
            raise InvalidInput([Problem("name", told)])
        await database.rows(
            """INSERT INTO download_template (id, institution_id, name, format, columns, delimiter, encoding,
                                              date_format, header, version, created_at)
               VALUES (:id, :institution_id, :name, :format, :columns, :delimiter, :encoding,
                       :date_format, :header, 1, :now)""",
            id=template_id,
            institution_id=institution_id,
            now=viewer.at,
            **_written(form.layout),
        )
    log.info("template.created", template=str(template_id), institution=str(institution_id), viewer=str(viewer.id))
    return template_id


async def change(viewer: Viewer, template_id: UUID, expected_version: int, wishes: Wishes) -> None:
    """Change a template that is as it was when the change was thought of; one that is made already is fine.

    Raises NotLoggedIn, NotAllowed, DefaultTemplateStays, TemplateNotFound, InvalidInput or TemplateChangedMeanwhile.
    """
    institution_id = viewer.must_act(Scope.MANAGE)
    async with database.transaction():
        await _lock(institution_id)
        row = await _own(viewer, template_id)
        stands = layout_from(row)
        form = await template_forms.filled_in(stands, wishes, viewer.language)
        await _check(form, institution_id, template_id)
        if form.layout == stands:
            return
        if row["template_version"] != expected_version:
            raise TemplateChangedMeanwhile(row["template_version"])
        await database.rows(
            """UPDATE download_template SET name = :name, format = :format, columns = :columns,
                      delimiter = :delimiter, encoding = :encoding, date_format = :date_format, header = :header,
                      version = version + 1 WHERE id = :id""",
            id=template_id,
            **_written(form.layout),
        )
    log.info("template.changed", template=str(template_id), institution=str(institution_id), viewer=str(viewer.id))


async def delete(viewer: Viewer, template_id: UUID) -> None:
    """Delete a template; downloads that were made by it keep what it was.

    Raises NotLoggedIn, NotAllowed, DefaultTemplateStays or TemplateNotFound.
    """
    institution_id = viewer.must_act(Scope.MANAGE)
    async with database.transaction():
        await _lock(institution_id)
        await _own(viewer, template_id)
        await database.rows("DELETE FROM download_template WHERE id = :id", id=template_id)
    log.info("template.deleted", template=str(template_id), institution=str(institution_id), viewer=str(viewer.id))


async def _lock(institution_id: UUID) -> None:
    """Have the institution wait for this order; raises NotAllowed if it was suspended a moment ago (O3)."""
    statement = f"SELECT id FROM institution WHERE id = :id AND {APPROVED} FOR NO KEY UPDATE"
    if not await database.rows(statement, id=institution_id):
        raise NotAllowed


async def _own(viewer: Viewer, template_id: UUID) -> Row:
    if template_id == default_template.ID:
        raise DefaultTemplateStays
    row = (await SOURCE.by_ids(viewer, [template_id])).get(template_id)
    if row is None:
        raise TemplateNotFound
    return row


async def _check(form: Form, institution_id: UUID, template_id: UUID) -> None:
    """Raises InvalidInput with all that is wrong, a name that another template has among it."""
    problems = form.problems
    taken = await database.rows(
        """SELECT 1 FROM download_template
           WHERE institution_id = :institution_id AND lower(name) = lower(:name) AND id <> :id""",
        institution_id=institution_id,
        name=form.layout.name,
        id=template_id,
    )
    if taken:
        problems = [Problem("name", "Your organisation has a template with this name already."), *problems]
    if problems:
        raise InvalidInput(problems)


async def _count(institution_id: UUID) -> int:
    counted = "SELECT count(*) FROM download_template WHERE institution_id = :id"
    return int(await database.value(counted, id=institution_id))


def _written(layout: Layout) -> dict[str, Any]:
    return {
        "name": layout.name,
        "format": layout.format.value,
        "columns": [column.as_json() for column in layout.columns],
        "delimiter": layout.delimiter.value,
        "encoding": layout.encoding.value,
        "date_format": layout.date_format.value,
        "header": layout.header,
    }
