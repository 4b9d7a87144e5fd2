"""How downloads are written: the kinds of files, and what their columns may hold (D2)."""

from enum import Enum

import strawberry

from models import layout as rules
from models import template as rows
from resolvers.template_forms import LONGEST, MOST_COLUMNS, ColumnWish, Wishes
from schema.exam import Skill


@strawberry.enum(description="What kind of file a download is.")
class DownloadFormat(Enum):
    CSV = strawberry.enum_value("CSV", description="Text with a delimiter.")
    XLSX = strawberry.enum_value("XLSX", description="Spreadsheet; dates are dates, scores are numbers.")
    JSON = strawberry.enum_value("JSON", description="One list of objects, whose names are the headings; UTF-8.")
    PDF = strawberry.enum_value("PDF", description="Statements of Results in one file; it has no columns.")


@strawberry.enum(
    description="How the text of a CSV file is written. Nothing is ever replaced: a download with a sign that the "
    "encoding has not is refused, and the candidates are named."
)
class Encoding(Enum):
    UTF_8 = strawberry.enum_value("UTF_8", description="UTF-8.")
    UTF_8_BOM = strawberry.enum_value("UTF_8_BOM", description="UTF-8 with a byte order mark, for spreadsheets.")
    SHIFT_JIS = strawberry.enum_value(
        "SHIFT_JIS",
        description="Shift_JIS as Windows and Excel have it (code page 932), for older Japanese systems; cannot carry "
        "every name: no 𠮷, no Hangul, no é.",
    )


@strawberry.enum(description="The sign between the columns of a CSV file.")
class Delimiter(Enum):
    COMMA = strawberry.enum_value("COMMA", description="`,`")
    SEMICOLON = strawberry.enum_value("SEMICOLON", description="`;`")
    TAB = strawberry.enum_value("TAB", description="A tab.")
    PIPE = strawberry.enum_value("PIPE", description="`|`")


@strawberry.enum(description="How dates are written. Moments are always UTC by ISO 8601: `2026-11-22T09:00:00Z`.")
class DateFormat(Enum):
    ISO = strawberry.enum_value("ISO", description="`2026-02-03`")
    YEAR_FIRST = strawberry.enum_value("YEAR_FIRST", description="`2026/02/03`")
    DAY_FIRST = strawberry.enum_value("DAY_FIRST", description="`03/02/2026`")
    MONTH_FIRST = strawberry.enum_value("MONTH_FIRST", description="`02/03/2026`")
    JAPANESE = strawberry.enum_value("JAPANESE", description="`2026年2月3日`")


@strawberry.enum(description="What a column may hold. Where there is nothing to show the cell is empty, null in JSON.")
class DownloadField(Enum):
    FAMILY_NAME = strawberry.enum_value("FAMILY_NAME", description="Family name in Latin letters.")
    GIVEN_NAME = strawberry.enum_value("GIVEN_NAME", description="Given name in Latin letters; may be empty.")
    NAME = strawberry.enum_value("NAME", description="Whole name in Latin letters, given name first.")
    NATIVE_NAME = strawberry.enum_value("NATIVE_NAME", description="Whole name in the person's own script.")
    DATE_OF_BIRTH = strawberry.enum_value("DATE_OF_BIRTH", description="Date of birth.")
    EXAM_CODE = strawberry.enum_value("EXAM_CODE", description="Code of the exam, such as `C1_ADVANCED`.")
    QUALIFICATION = strawberry.enum_value("QUALIFICATION", description="Name of the qualification.")
    EXAM_DATE = strawberry.enum_value("EXAM_DATE", description="Date of the exam.")
    CENTRE_NUMBER = strawberry.enum_value("CENTRE_NUMBER", description="Number of the exam centre.")
    CENTRE_NAME = strawberry.enum_value("CENTRE_NAME", description="Name of the exam centre.")
    RESULT_STATUS = strawberry.enum_value("RESULT_STATUS", description="A `ResultStatus`, such as `RELEASED`.")
    OUTCOME = strawberry.enum_value("OUTCOME", description="An `Outcome`, such as `GRADE`.")
    HEADLINE = strawberry.enum_value("HEADLINE", description="The grade, or the level that was earned.")
    GRADE = strawberry.enum_value("GRADE", description="Grade as awarded.")
    CEFR = strawberry.enum_value("CEFR", description="CEFR level as awarded.")
    OVERALL_SCORE = strawberry.enum_value("OVERALL_SCORE", description="Overall score, a number.")
    OVERALL_SCORE_SHOWN = strawberry.enum_value(
        "OVERALL_SCORE_SHOWN", description="Overall score with its scale, a text: `85/100`."
    )
    SCALE = strawberry.enum_value("SCALE", description="A `ScaleCode`: the scale of all its scores.")
    SKILL_SCORE = strawberry.enum_value(
        "SKILL_SCORE",
        description="The score for one skill, a number: of one exam, or of any. Empty where the candidate left skill "
        "scores out.",
    )
    STATEMENT_NUMBER = strawberry.enum_value("STATEMENT_NUMBER", description="Number of the Statement of Results.")
    CERTIFICATE_NUMBER = strawberry.enum_value("CERTIFICATE_NUMBER", description="Number of the certificate.")
    VERSION = strawberry.enum_value("VERSION", description="Version of the result: 1, and one more per correction.")
    RELEASED_AT = strawberry.enum_value("RELEASED_AT", description="Moment of release, UTC.")
    SENT_AT = strawberry.enum_value("SENT_AT", description="When the candidate sent it, UTC.")
    READ_STATUS = strawberry.enum_value("READ_STATUS", description="`READ` or `UNREAD`.")
    OPENED_AT = strawberry.enum_value("OPENED_AT", description="When the institution first opened it, UTC.")
    PURPOSE = strawberry.enum_value("PURPOSE", description="What the candidate sent it for.")
    REFERENCE = strawberry.enum_value("REFERENCE", description="The candidate's reference at the institution.")
    EXPIRES_AT = strawberry.enum_value("EXPIRES_AT", description="The moment from which it is shown no more, UTC.")
    INCLUDES_SKILLS = strawberry.enum_value("INCLUDES_SKILLS", description="Whether skill scores were sent.")
    INCLUDES_PHOTO = strawberry.enum_value("INCLUDES_PHOTO", description="Whether the photo was sent.")
    CONSENT_TEXT = strawberry.enum_value("CONSENT_TEXT", description="The sentence that the candidate agreed to.")
    CONSENT_VERSION = strawberry.enum_value("CONSENT_VERSION", description="Version of that sentence.")
    CONSENT_LANGUAGE = strawberry.enum_value("CONSENT_LANGUAGE", description="Language of that sentence.")
    INSTITUTION_NAME_SHOWN = strawberry.enum_value(
        "INSTITUTION_NAME_SHOWN", description="The institution's name as the candidate was shown it."
    )
    SHARE_ID = strawberry.enum_value("SHARE_ID", description="Id of the share, for `node`.")
    RESULT_ID = strawberry.enum_value("RESULT_ID", description="Id of the result, for `node`.")
    CANDIDATE_ID = strawberry.enum_value("CANDIDATE_ID", description="Id of the candidate, for `node`.")


@strawberry.type(description="A column of a template.")
class TemplateColumn:
    field: DownloadField = strawberry.field(description="What the column holds.")
    exam_code: str | None = strawberry.field(description="Of SKILL_SCORE: of this exam alone; null: of any exam.")
    skill: Skill | None = strawberry.field(description="Of SKILL_SCORE: for this skill.")
    heading: str = strawberry.field(description="What stands above it, and names it in JSON.")

    @classmethod
    def of(cls, column: rules.Column) -> "TemplateColumn":
        """A column of a layout."""
        return cls(
            field=DownloadField(column.field.value),
            exam_code=column.exam,
            skill=None if column.skill is None else Skill(column.skill),
            heading=column.heading,
        )


@strawberry.input(description="A column of a template.")
class TemplateColumnInput:
    field: DownloadField = strawberry.field(description="What the column holds.")
    exam_code: str | None = strawberry.field(
        default=None, description="Of SKILL_SCORE: the exam; null: whatever exam it is."
    )
    skill: Skill | None = strawberry.field(default=None, description="Of SKILL_SCORE: the skill.")
    heading: str | None = strawberry.field(
        default=None,
        description=f"What stands above it: one line of 1 to {LONGEST} characters, which no other column has. "
        "Null: the usual heading, in the viewer's language.",
    )

    def wish(self) -> ColumnWish:
        """The column that is wished."""
        skill = None if self.skill is None else str(self.skill.value)
        return ColumnWish(rules.Field(self.field.value), self.exam_code, skill, self.heading)


@strawberry.input(description="How a download is to be written; what is left out or null stays as it is.")
class LayoutInput:
    format: DownloadFormat | None = strawberry.field(default=None, description="Kind of file.")
    columns: list[TemplateColumnInput] | None = strawberry.field(
        default=None, description=f"All columns in order, 1 to {MOST_COLUMNS}."
    )
    delimiter: Delimiter | None = strawberry.field(default=None, description="Sign between the columns of a CSV file.")
    encoding: Encoding | None = strawberry.field(default=None, description="Text encoding of a CSV file.")
    date_format: DateFormat | None = strawberry.field(default=None, description="How dates are written.")
    header: bool | None = strawberry.field(default=None, description="Whether the first row holds the headings.")

    def wishes(self, name: str | None = None) -> Wishes:
        """What is wished."""
        return Wishes(
            name=name,
            format=None if self.format is None else rows.DownloadFormat(self.format.value),
            columns=None if self.columns is None else [column.wish() for column in self.columns],
            delimiter=None if self.delimiter is None else rows.Delimiter[self.delimiter.name],
            encoding=None if self.encoding is None else rows.Encoding(self.encoding.value),
            date_format=None if self.date_format is None else rows.DateFormat[self.date_format.name],
            header=self.header,
        )
