"""Rows as downloads are written from, and layouts to write them by, without a database."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from models.layout import Column, Field, Layout
from models.template import DownloadFormat

SENT_AT = datetime(2026, 11, 20, 9, 30, 15, tzinfo=UTC)


def shared(**facts: Any) -> dict[str, Any]:
    """A row that holds the columns of shares: a C1 Advanced with skill scores, unless told otherwise."""
    row: dict[str, Any] = {
        "share_id": UUID(int=1), "sent_at": SENT_AT, "is_read": False, "opened_at": None, "expires_at": None,
        "purpose": None, "reference": None, "includes_skills": True, "includes_photo": True,
        "consent_text": "I agree.", "consent_version": "2026-11-22", "consent_language": "en",
        "institution_name_shown": "Hillside University", "candidate_id": UUID(int=2), "family_name": "Tanaka",
        "given_name": "Aoi", "native_name": "田中 葵", "date_of_birth": date(2001, 2, 3), "result_id": UUID(int=3),
        "outcome": "GRADE", "statement_number": "S260000001", "certificate_number": "C0012345", "headline": "B",
        "grade": "B", "cefr": "C1", "overall_score": 195, "version": 1, "released_at": SENT_AT, "withheld_at": None,
        "revoked_at": None, "exam_date": date(2026, 9, 20), "exam_code": "C1_ADVANCED", "exam_title": "C1 Advanced",
        "scale_code": "CES", "centre_number": "JP901", "centre_name": "Shiokaze Examination Centre",
        "skill_scores": [["READING", 195], ["WRITING", 190]],
    }  # fmt: skip
    return row | facts


def layout_with(*columns: Column, **facts: Any) -> Layout:
    """A layout with these columns, or with two names and a score: a CSV unless told otherwise."""
    usual = (
        Column(Field.FAMILY_NAME, "Family name"), Column(Field.PURPOSE, "Purpose"), Column(Field.OVERALL_SCORE, "Score")
    )  # fmt: skip
    given: dict[str, Any] = {"name": "All", "format": DownloadFormat.CSV, "columns": columns or usual}
    return Layout(**given | facts)
