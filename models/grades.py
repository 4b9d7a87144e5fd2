"""Headlines (R4, R5): what a score was worth when it was awarded. Bands are in `models/exams/bands.csv`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

NEW_LABELS_FROM = date(2020, 1, 1)
PASSING_WORDS = ("Pass with Distinction", "Pass with Merit", "Pass")


@dataclass(frozen=True, slots=True)
class Award:
    """What a score was worth: `grade` and `cefr` are two different things, either may be missing."""

    outcome: str
    headline: str
    grade: str | None
    cefr: str | None
    certificate: bool


def award(bands: Iterable[Mapping[str, Any]], exam_date: date, score: int) -> Award:
    """The award for an overall score under these bands; the label is the one in force on the exam's date.

    Raises LookupError when no band holds the score.
    """
    for band in bands:
        if band["lowest"] <= score <= band["highest"]:
            return _award(band, exam_date)
    raise LookupError(f"No grade band holds the score {score}.")


def award_in_words(grade: str) -> Award:
    """The award of an exam that is graded in words, without a score (DELTA); raises LookupError for other words."""
    if grade == "Fail":
        return Award("FAIL", grade, None, None, certificate=False)
    if grade not in PASSING_WORDS:
        raise LookupError(f"There is no grade {grade!r}.")
    return Award("GRADE", grade, grade, None, certificate=True)


def _award(band: Mapping[str, Any], exam_date: date) -> Award:
    former = band["former_grade"] if exam_date < NEW_LABELS_FROM else None
    grade = former or band["grade"]
    if grade in ("Fail", "D", "E") or (grade is None and band["headline_level"] is None):
        return Award("FAIL", grade or "Fail", None, band["cefr"], False)
    if grade is not None:
        return Award("GRADE", grade, grade, band["cefr"], band["certificate"])
    return Award("LEVEL", f"Council of Europe Level {band['headline_level']}", None, band["cefr"], band["certificate"])


def shown_score(score: int, scale: str) -> str:
    """A score with its scale (R4): `85/100` and `95/120` on the old ones, `168` on the 80-230 scale."""
    if scale == "STD100":
        return f"{score}/100"
    if scale == "IBT120":
        return f"{score}/120"
    return str(score)


def has_certificates(scale: str) -> bool:
    """Whether exams on this scale have certificates at all; those with sections of 0-30 (R12) have none."""
    return scale != "IBT120"


def scale_of_exam(code: str) -> str:
    """The exam whose bands hold: "for Schools" exams have those of the exam without it."""
    return code.removesuffix("_SCHOOLS")
