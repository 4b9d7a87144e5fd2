"""How a download by a template would look, with invented candidates, one for each exam (D2)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from documents.csv_table import text_of
from engine import database
from engine.database import Row
from errors import Problem
from models.consent import CONSENT_VERSION, consent_sentence
from models.grades import award, award_in_words, scale_of_exam
from models.layout import Layout
from models.template import DownloadFormat, DownloadTemplate
from models.viewer import Viewer
from resolvers import default_template, exams, template_forms, templates
from resolvers.template_forms import Wishes

SENT_AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
SENT_TO = "Hillside University"
LAST_DAY = date(2026, 9, 19)
# Names that files have trouble with, as candidates have them.
PEOPLE = (
    ("Tanaka", "Aoi", "田中 葵", "00123", "Admission, spring term"),
    ("Takahashi", "Haruto", "髙橋 陽翔", "A-0007", "奨学金の申請"),
    ("O'Neill, Jr.", "Siobhán", None, "0451", 'Course "English B2"'),
    ("Kim", "Minjun", "김민준", "+81-3", None),
    ("Haddad", "Layla", "ليلى حداد", None, "=visa"),
)


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a download, as texts; nothing of a layout with problems."""

    headings: list[str]
    rows: list[list[str]]
    problems: list[Problem]


async def preview(viewer: Viewer, wishes: Wishes, template_id: UUID | None = None) -> Preview | None:
    """What comes of a template, or of the default one, with these wishes put in; None if the viewer sees none such."""
    if not DownloadTemplate.are_for(viewer):
        return None
    key = template_id or default_template.ID
    row = (await templates.by_ids(viewer, [key])).get(key)
    if row is None:
        return None
    form = await template_forms.filled_in(templates.layout_from(row), wishes, viewer.language)
    if form.problems:
        return Preview([], [], form.problems)
    return Preview(form.layout.headings, [_texts(form.layout, one) for one in await _invented()], [])


def _texts(layout: Layout, row: Row) -> list[str]:
    """The cells of a row; only a CSV needs marks before what looks like a formula."""
    is_csv = layout.format is DownloadFormat.CSV
    return [
        cell if isinstance(cell, str) and not is_csv else text_of(cell, layout.date_format.value)
        for cell in layout.cells(row)
    ]


async def _invented() -> list[Row]:
    """A share of each exam, in the order of the exams."""
    bands: dict[str, list[Row]] = {}
    for band in await database.rows("SELECT * FROM grade_band ORDER BY exam_code, lowest"):
        bands.setdefault(band["exam_code"], []).append(band)
    found = await exams.every()
    return [_share(place, exam, bands.get(scale_of_exam(exam["exam_code"]), [])) for place, exam in enumerate(found)]


def _share(place: int, exam: Row, bands: list[Row]) -> Row:
    family_name, given_name, native_name, reference, purpose = PEOPLE[place % len(PEOPLE)]
    sent_at = SENT_AT - timedelta(days=place, minutes=7 * place)
    exam_date = min(exam["last_date"] or LAST_DAY, LAST_DAY - timedelta(days=7 * place))
    return {
        **exam,
        **_result(place, exam, bands, exam_date),
        "family_name": family_name,
        "given_name": given_name,
        "native_name": native_name,
        "date_of_birth": date(2001, 2, 3) + timedelta(days=101 * place),
        "candidate_id": UUID(int=place),
        "share_id": UUID(int=place),
        "sent_at": sent_at,
        "is_read": place % 2 == 1,
        "opened_at": sent_at + timedelta(hours=3) if place % 2 else None,
        "purpose": purpose,
        "reference": reference,
        "expires_at": sent_at + timedelta(days=365) if place % 3 == 2 else None,
        "includes_skills": True,
        "includes_photo": True,
        "consent_text": consent_sentence(SENT_TO, "en"),
        "consent_version": CONSENT_VERSION,
        "consent_language": "en",
        "institution_name_shown": SENT_TO,
    }


def _result(place: int, exam: Row, bands: list[Row], exam_date: date) -> dict[str, Any]:
    score = bands[len(bands) // 2]["lowest"] if bands else None
    awarded = award_in_words("Pass") if score is None else award(bands, exam_date, score)
    number = f"{exam_date:%y}{1000 + place:07}"
    low, high = exam["skill_min"], exam["skill_max"]
    return {
        "result_id": UUID(int=place),
        "outcome": awarded.outcome,
        "headline": awarded.headline,
        "grade": awarded.grade,
        "cefr": awarded.cefr,
        "overall_score": score,
        "statement_number": f"S{number}",
        "certificate_number": f"C{number}" if awarded.certificate else None,
        "version": 1,
        "released_at": datetime.combine(exam_date + timedelta(weeks=6), time(9), UTC),
        "withheld_at": None,
        "revoked_at": None,
        "exam_date": exam_date,
        "centre_number": f"XX{1 + place % 3:03}",
        "centre_name": "An Exam Centre",
        "skill_scores": [[skill, (low + 2 * high) // 3 + turn] for turn, skill in enumerate(exam["exam_skills"])]
        if default_template.has_skill_scores(exam)
        else None,
    }
