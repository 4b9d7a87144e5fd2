"""How a download is written: the frozen snapshot of a template, and what of a share stands in its columns (D2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

from models import global_ids
from models.grades import shown_score
from models.names import full_name
from models.result import standing
from models.template import DateFormat, Delimiter, DownloadFormat, Encoding

Row = Mapping[str, Any]  # one that holds the columns of shares (resolvers/columns.py)
Cell = str | int | bool | date | datetime | None
Key = str | tuple[str | None, str | None]  # what a column holds: a field, or the score of an exam for a skill


class Field(Enum):
    """What a column of a download may hold: whatever an institution may see of a share."""

    FAMILY_NAME = "FAMILY_NAME"
    GIVEN_NAME = "GIVEN_NAME"
    NAME = "NAME"
    NATIVE_NAME = "NATIVE_NAME"
    DATE_OF_BIRTH = "DATE_OF_BIRTH"
    EXAM_CODE = "EXAM_CODE"
    QUALIFICATION = "QUALIFICATION"
    EXAM_DATE = "EXAM_DATE"
    CENTRE_NUMBER = "CENTRE_NUMBER"
    CENTRE_NAME = "CENTRE_NAME"
    RESULT_STATUS = "RESULT_STATUS"
    OUTCOME = "OUTCOME"
    HEADLINE = "HEADLINE"
    GRADE = "GRADE"
    CEFR = "CEFR"
    OVERALL_SCORE = "OVERALL_SCORE"
    OVERALL_SCORE_SHOWN = "OVERALL_SCORE_SHOWN"
    SCALE = "SCALE"
    SKILL_SCORE = "SKILL_SCORE"
    STATEMENT_NUMBER = "STATEMENT_NUMBER"
    CERTIFICATE_NUMBER = "CERTIFICATE_NUMBER"
    VERSION = "VERSION"
    RELEASED_AT = "RELEASED_AT"
    SENT_AT = "SENT_AT"
    READ_STATUS = "READ_STATUS"
    OPENED_AT = "OPENED_AT"
    PURPOSE = "PURPOSE"
    REFERENCE = "REFERENCE"
    EXPIRES_AT = "EXPIRES_AT"
    INCLUDES_SKILLS = "INCLUDES_SKILLS"
    INCLUDES_PHOTO = "INCLUDES_PHOTO"
    CONSENT_TEXT = "CONSENT_TEXT"
    CONSENT_VERSION = "CONSENT_VERSION"
    CONSENT_LANGUAGE = "CONSENT_LANGUAGE"
    INSTITUTION_NAME_SHOWN = "INSTITUTION_NAME_SHOWN"
    SHARE_ID = "SHARE_ID"
    RESULT_ID = "RESULT_ID"
    CANDIDATE_ID = "CANDIDATE_ID"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; of SKILL_SCORE with its skill, and with the exam that it is of unless any will do."""

    field: Field
    heading: str
    exam: str | None = None
    skill: str | None = None

    @property
    def key(self) -> Key:
        """What it holds; no two columns of a template need to hold the same, but they may."""
        return (self.exam, self.skill) if self.field is Field.SKILL_SCORE else self.field.value

    def as_json(self) -> dict[str, str]:
        """As it is kept."""
        facts = {"field": self.field.value, "heading": self.heading, "exam": self.exam, "skill": self.skill}
        return {name: fact for name, fact in facts.items() if fact is not None}

    @classmethod
    def from_json(cls, kept: Mapping[str, str]) -> "Column":
        """What `as_json` made."""
        return cls(Field(kept["field"]), kept["heading"], kept.get("exam"), kept.get("skill"))


@dataclass(frozen=True, slots=True)
class Layout:
    """What a template is at one moment; a download keeps it, whatever becomes of the template.

    XLSX, JSON and PDF have no use for delimiter and encoding, JSON none for the header, PDF none for the columns.
    """

    name: str
    format: DownloadFormat
    columns: tuple[Column, ...]
    delimiter: Delimiter = Delimiter.COMMA
    encoding: Encoding = Encoding.UTF_8
    date_format: DateFormat = DateFormat.ISO
    header: bool = True
    keys: tuple[Key, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(column.key for column in self.columns))

    @property
    def headings(self) -> list[str]:
        """What stands above the columns."""
        return [column.heading for column in self.columns]

    def as_json(self) -> dict[str, Any]:
        """As a download keeps it."""
        return {
            "name": self.name,
            "format": self.format.value,
            "columns": [column.as_json() for column in self.columns],
            "delimiter": self.delimiter.value,
            "encoding": self.encoding.value,
            "dateFormat": self.date_format.value,
            "header": self.header,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Layout":
        """What `as_json` made."""
        return cls(
            name=kept["name"],
            format=DownloadFormat(kept["format"]),
            columns=columns_from(kept["columns"]),
            delimiter=Delimiter(kept["delimiter"]),
            encoding=Encoding(kept["encoding"]),
            date_format=DateFormat(kept["dateFormat"]),
            header=kept["header"],
        )

    def cells(self, row: Row) -> list[Cell]:
        """What stands in the columns for one share, in order."""
        facts = _facts(row)
        return [facts.get(key) for key in self.keys]

    def person(self, row: Row) -> str:
        """The candidate of one share, where a row has to be named."""
        return full_name(row["given_name"], row["family_name"])


def columns_from(kept: Iterable[Mapping[str, str]]) -> tuple[Column, ...]:
    """The columns as they are kept."""
    return tuple(Column.from_json(one) for one in kept)


def _facts(row: Row) -> dict[Key, Cell]:
    """Everything that may stand in a column, of a share that its institution may see at this moment."""
    return {**_of_result(row), **_of_share(row)}


def _of_result(row: Row) -> dict[Key, Cell]:
    stands = standing(row, row["released_at"])  # whoever may see the share sees that it is released
    awarded = stands.has_award
    score = row["overall_score"] if awarded else None
    facts: dict[Key, Cell] = {
        "EXAM_CODE": row["exam_code"],
        "QUALIFICATION": row["exam_title"],
        "EXAM_DATE": row["exam_date"],
        "CENTRE_NUMBER": row["centre_number"],
        "CENTRE_NAME": row["centre_name"],
        "RESULT_STATUS": stands.status.value,
        "OUTCOME": stands.outcome.value if stands.outcome else None,
        "HEADLINE": row["headline"] if awarded else None,
        "GRADE": row["grade"] if awarded else None,
        "CEFR": row["cefr"] if awarded else None,
        "OVERALL_SCORE": score,
        "OVERALL_SCORE_SHOWN": None if score is None else shown_score(score, row["scale_code"]),
        "SCALE": row["scale_code"],
        "STATEMENT_NUMBER": row["statement_number"],
        "CERTIFICATE_NUMBER": row["certificate_number"] if awarded else None,
        "VERSION": row["version"],
        "RELEASED_AT": row["released_at"],
        "RESULT_ID": global_ids.written("Result", row["result_id"]),
    }
    if awarded and row["includes_skills"]:  # S9
        for skill, points in row["skill_scores"] or ():
            facts[row["exam_code"], skill] = facts[None, skill] = points
    return facts


def _of_share(row: Row) -> dict[Key, Cell]:
    return {
        "FAMILY_NAME": row["family_name"],
        "GIVEN_NAME": row["given_name"],
        "NAME": full_name(row["given_name"], row["family_name"]),
        "NATIVE_NAME": row["native_name"],
        "DATE_OF_BIRTH": row["date_of_birth"],
        "SENT_AT": row["sent_at"],
        "READ_STATUS": "READ" if row["is_read"] else "UNREAD",
        "OPENED_AT": row["opened_at"],
        "PURPOSE": row["purpose"],
        "REFERENCE": row["reference"],
        "EXPIRES_AT": row["expires_at"],
        "INCLUDES_SKILLS": row["includes_skills"],
        "INCLUDES_PHOTO": row["includes_photo"],
        "CONSENT_TEXT": row["consent_text"],
        "CONSENT_VERSION": row["consent_version"],
        "CONSENT_LANGUAGE": row["consent_language"],
        "INSTITUTION_NAME_SHOWN": row["institution_name_shown"],
        "SHARE_ID": global_ids.written("Share", row["share_id"]),
        "CANDIDATE_ID": global_ids.written("Candidate", row["candidate_id"]),
    }
