"""Download templates (D2)."""

from typing import Annotated
from uuid import UUID, uuid4

import strawberry

from engine.database import Row
from engine.languages import told
from models.base import required
from resolvers import template_previews, templates
from resolvers.template_forms import LONGEST
from schema.arguments import Input
from schema.context import Info
from schema.costs import SEARCH, list_of
from schema.ids import global_id, key_of
from schema.layout import DateFormat, Delimiter, DownloadFormat, Encoding, LayoutInput, TemplateColumn
from schema.node import Node
from schema.refusals import (
    DefaultTemplateStays,
    InvalidInput,
    NotAllowed,
    NotLoggedIn,
    Problem,
    TemplateChangedMeanwhile,
    TemplateNotFound,
)


@strawberry.federation.type(
    keys=["id"],
    description="Which columns a download has and how it is written; shared within an institution. In CSV and XLSX no "
    "cell is ever a formula: in CSV a `'` goes before a text that begins like one (`= + - @`, their full-width forms, "
    "tab, line break, also after blanks).",
)
class DownloadTemplate(Node):
    name: str = strawberry.field(description="Name of the template.")
    is_default: bool = strawberry.field(
        description="Whether it is the default one: with every column, for everybody, in the viewer's language."
    )
    format: DownloadFormat = strawberry.field(description="Kind of file.")
    columns: list[TemplateColumn] = strawberry.field(description="Columns in order.", directives=[list_of(50)])
    delimiter: Delimiter = strawberry.field(description="Sign between the columns of a CSV file; no use to others.")
    encoding: Encoding = strawberry.field(description="Text encoding of a CSV file; no use to others.")
    date_format: DateFormat = strawberry.field(description="How dates are written.")
    header: bool = strawberry.field(description="Whether the first row of a CSV or XLSX file holds the headings.")
    version: int = strawberry.field(description="1, and one more for every change.")

    @classmethod
    def of(cls, row: Row) -> "DownloadTemplate":
        """The template of any row that holds the columns of templates."""
        layout = templates.layout_from(row)
        return cls(
            id=global_id("DownloadTemplate", row["template_id"]),
            name=layout.name,
            is_default=row["institution_id"] is None,
            format=DownloadFormat(layout.format.value),
            columns=[TemplateColumn.of(column) for column in layout.columns],
            delimiter=Delimiter[layout.delimiter.name],
            encoding=Encoding(layout.encoding.value),
            date_format=DateFormat[layout.date_format.name],
            header=layout.header,
            version=row["template_version"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "DownloadTemplate | None":
        """The template with this id, if the viewer may see it."""
        key = key_of(id, "DownloadTemplate")
        row = await info.context.loaders.template.load(key) if key else None
        return None if row is None else cls.of(row)


# ---- orders


@strawberry.input(description="A template that is to be made; what is left out is as in the copied one.")
class CreateTemplateInput(LayoutInput):
    name: str = strawberry.field(
        description=f"Name, 1 to {LONGEST} characters; no other template of the institution may have it, in any case."
    )
    copy_of: strawberry.ID | None = strawberry.field(
        default=None, description="The template to copy; null: the default one."
    )


@strawberry.type(description="The template is there, for all users of the institution.")
class TemplateCreated:
    template: DownloadTemplate = strawberry.field(description="The new template.")


CreateTemplatePayload = Annotated[
    TemplateCreated | NotLoggedIn | NotAllowed | TemplateNotFound | InvalidInput,
    strawberry.union("CreateTemplatePayload", description="The new template, or why there is none."),
]


@strawberry.input(description="What is to be changed of a template; what is left out or null stays as it is.")
class ChangeTemplateInput(LayoutInput):
    id: strawberry.ID = strawberry.field(description="The template.")
    expected_version: int = strawberry.field(
        description="The version that the change was thought of for: if somebody else was faster, nothing is changed."
    )
    name: str | None = strawberry.field(default=None, description="Another name.")


@strawberry.type(description="The template was changed, or is as wanted already. Earlier downloads stay as they are.")
class TemplateChanged:
    template: DownloadTemplate = strawberry.field(description="The template as it is now.")


ChangeTemplatePayload = Annotated[
    TemplateChanged
    | NotLoggedIn
    | NotAllowed
    | TemplateNotFound
    | DefaultTemplateStays
    | InvalidInput
    | TemplateChangedMeanwhile,
    strawberry.union("ChangeTemplatePayload", description="The template as it is now, or why it was not changed."),
]


@strawberry.input(description="A template of the viewer's institution.")
class DeleteTemplateInput:
    id: strawberry.ID = strawberry.field(description="The template.")


@strawberry.type(description="The template is deleted. Downloads that were made by it keep what it was.")
class TemplateDeleted:
    message: str = strawberry.field(description="What has happened, in the viewer's language, fit to be shown.")


DeleteTemplatePayload = Annotated[
    TemplateDeleted | NotLoggedIn | NotAllowed | TemplateNotFound | DefaultTemplateStays,
    strawberry.union("DeleteTemplatePayload", description="That the template was deleted, or why not."),
]


# ---- previews


@strawberry.input(description="A template, saved or not, to be tried on invented candidates.")
class PreviewTemplateInput(LayoutInput):
    template_id: strawberry.ID | None = strawberry.field(
        default=None, description="The template to begin with; null: the default one."
    )


@strawberry.type(description="How a download would look, of invented candidates, one for each exam in order.")
class TemplatePreview:
    headings: list[str] = strawberry.field(description="What stands above the columns.")
    rows: list[list[str]] = strawberry.field(description="The cells of each row, as texts.")
    problems: list[Problem] = strawberry.field(
        description="All that is wrong with it, such as with `columns[3].heading`; nothing is shown of it then."
    )


@strawberry.type
class TemplateQuery:
    @strawberry.field(
        description="What comes of a template, with invented candidates; null for those who have no templates, or not "
        "this one.",
        directives=[SEARCH],
    )
    async def preview_template(self, info: Info, input: Input[PreviewTemplateInput]) -> TemplatePreview | None:
        viewer = info.context.viewer
        key = None if input.template_id is None else _key(input.template_id)
        preview = await template_previews.preview(viewer, input.wishes(), key)
        if preview is None:
            return None
        problems = [Problem(path=one.path, message=told(one.message, viewer.language)) for one in preview.problems]
        return TemplatePreview(headings=preview.headings, rows=preview.rows, problems=problems)


@strawberry.type
class TemplateMutation:
    @strawberry.mutation(
        description="Make a template, from nothing or as a copy: as an officer, the Primary User, or a key with the "
        f"scope MANAGE. An institution has at most {templates.MOST}."
    )
    async def create_template(self, info: Info, input: Input[CreateTemplateInput]) -> CreateTemplatePayload:
        copied = None if input.copy_of is None else _key(input.copy_of)
        key = await templates.create(info.context.viewer, input.wishes(input.name), copied)
        return TemplateCreated(template=await _template(info, key))

    @strawberry.mutation(description="Change a template: as those who may make one.")
    async def change_template(self, info: Info, input: Input[ChangeTemplateInput]) -> ChangeTemplatePayload:
        key = _key(input.id)
        await templates.change(info.context.viewer, key, input.expected_version, input.wishes(input.name))
        return TemplateChanged(template=await _template(info, key))

    @strawberry.mutation(description="Delete a template: as those who may make one.")
    async def delete_template(self, info: Info, input: Input[DeleteTemplateInput]) -> DeleteTemplatePayload:
        await templates.delete(info.context.viewer, _key(input.id))
        return TemplateDeleted(message=told("The template is deleted.", info.context.viewer.language))


def _key(id: strawberry.ID) -> UUID:
    return key_of(id, "DownloadTemplate") or uuid4()  # a fresh key names nothing


async def _template(info: Info, key: UUID) -> DownloadTemplate:
    """The template as it is after the order."""
    info.context.renew()
    return DownloadTemplate.of(required(await info.context.loaders.template.load(key)))
