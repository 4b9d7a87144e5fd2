"""The template that everybody has, with every column (D2): not stored but made, so that new exams are in it at once."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from documents.wording import SKILLS
from engine.database import Row
from models.layout import Column, Field, Layout
from models.template import DownloadFormat
from resolvers import exams

ID = UUID("d0000000-0000-7000-8000-0000000000d2")
NAMES = {"en": "All columns", "ja": "すべての項目"}
HEADINGS = {
    Field.FAMILY_NAME: {"en": "Family name", "ja": "姓（ローマ字）"},
    Field.GIVEN_NAME: {"en": "Given name", "ja": "名（ローマ字）"},
    Field.NAME: {"en": "Name", "ja": "氏名（ローマ字）"},
    Field.NATIVE_NAME: {"en": "Name in own script", "ja": "氏名"},
    Field.DATE_OF_BIRTH: {"en": "Date of birth", "ja": "生年月日"},
    Field.EXAM_CODE: {"en": "Exam code", "ja": "試験コード"},
    Field.QUALIFICATION: {"en": "Qualification", "ja": "資格名"},
    Field.EXAM_DATE: {"en": "Exam date", "ja": "試験日"},
    Field.CENTRE_NUMBER: {"en": "Centre number", "ja": "試験センター番号"},
    Field.CENTRE_NAME: {"en": "Centre", "ja": "試験センター"},
    Field.RESULT_STATUS: {"en": "Result status", "ja": "試験結果の状態"},
    Field.OUTCOME: {"en": "Outcome", "ja": "判定"},
    Field.HEADLINE: {"en": "Result", "ja": "試験結果"},
    Field.GRADE: {"en": "Grade", "ja": "評価"},
    Field.CEFR: {"en": "CEFR level", "ja": "CEFR レベル"},
    Field.OVERALL_SCORE: {"en": "Overall score", "ja": "総合評価スコア"},
    Field.OVERALL_SCORE_SHOWN: {"en": "Overall score with scale", "ja": "総合評価スコア（スケール付き）"},
    Field.SCALE: {"en": "Scale", "ja": "スケール"},
    Field.STATEMENT_NUMBER: {"en": "Statement number", "ja": "結果ステートメント番号"},
    Field.CERTIFICATE_NUMBER: {"en": "Certificate number", "ja": "認定証番号"},
    Field.VERSION: {"en": "Version", "ja": "版"},
    Field.RELEASED_AT: {"en": "Released at", "ja": "公開日時"},
    Field.SENT_AT: {"en": "Sent at", "ja": "送信日時"},
    Field.READ_STATUS: {"en": "Read or unread", "ja": "既読・未読"},
    Field.OPENED_AT: {"en": "First opened at", "ja": "初回閲覧日時"},
    Field.PURPOSE: {"en": "Purpose", "ja": "目的"},
    Field.REFERENCE: {"en": "Reference", "ja": "照会番号"},
    Field.EXPIRES_AT: {"en": "Expires at", "ja": "有効期限"},
    Field.INCLUDES_SKILLS: {"en": "Includes skill scores", "ja": "技能別スコアを含む"},
    Field.INCLUDES_PHOTO: {"en": "Includes photo", "ja": "写真を含む"},
    Field.CONSENT_TEXT: {"en": "Consent", "ja": "同意文"},
    Field.CONSENT_VERSION: {"en": "Version of consent", "ja": "同意文の版"},
    Field.CONSENT_LANGUAGE: {"en": "Language of consent", "ja": "同意文の言語"},
    Field.INSTITUTION_NAME_SHOWN: {"en": "Sent to", "ja": "送信先"},
    Field.SHARE_ID: {"en": "Share id", "ja": "共有 ID"},
    Field.RESULT_ID: {"en": "Result id", "ja": "試験結果 ID"},
    Field.CANDIDATE_ID: {"en": "Candidate id", "ja": "受検者 ID"},
}


def heading(field: Field, language: str, skill: str | None = None, title: str | None = None) -> str:
    """What stands above a column as long as nobody says otherwise; of a skill with the title of its exam, if any."""
    if field is not Field.SKILL_SCORE:
        return HEADINGS[field][language]
    name = SKILLS[skill or ""][language]
    return f"{title}: {name}" if title else name


async def layout(language: str) -> Layout:
    """The template as a layout."""
    found = await exams.every()
    plain = [Column(field, heading(field, language)) for field in HEADINGS]
    after = next(place for place, column in enumerate(plain) if column.field is Field.SCALE) + 1
    columns = [*plain[:after], *_of_skills(found, language), *plain[after:]]
    return Layout(NAMES[language], DownloadFormat.CSV, tuple(columns))


def has_skill_scores(exam: Row) -> bool:
    """Whether the scale of an exam has scores for its skills (R12)."""
    return exam["skill_min"] is not None


def _of_skills(found: list[Row], language: str) -> list[Column]:
    """A column for each skill of each exam that has scores for skills."""
    return [
        Column(Field.SKILL_SCORE, heading(Field.SKILL_SCORE, language, skill, title), exam["exam_code"], skill)
        for exam, title in _titled(exam for exam in found if has_skill_scores(exam))
        for skill in exam["exam_skills"]
    ]


def _titled(found: Iterable[Row]) -> Iterator[tuple[Row, str]]:
    """Exams by titles that tell them apart: one that took over the title of another bears its code as well."""
    seen: set[str] = set()
    for exam in found:
        title = exam["exam_title"]
        yield exam, f"{title} ({exam['exam_code']})" if title in seen else title
        seen.add(title)


async def row(language: str) -> dict[str, Any]:
    """The template as a row like those that are stored."""
    made = await layout(language)
    return {
        "template_id": ID,
        "institution_id": None,
        "template_name": made.name,
        "format": made.format.value,
        "columns": [column.as_json() for column in made.columns],
        "delimiter": made.delimiter.value,
        "encoding": made.encoding.value,
        "date_format": made.date_format.value,
        "header": made.header,
        "template_version": 1,
    }
