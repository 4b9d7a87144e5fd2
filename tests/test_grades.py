"""What a score is worth (R4, R5, R12), and how it is shown."""

import asyncio
import csv
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import database
from models.exam import GradeBand
from models.grades import Award, award, award_in_words, has_certificates, scale_of_exam, shown_score
from resolvers import exams

Line = dict[str, str]

SHIPPED = list(csv.DictReader((Path(exams.__file__).parents[1] / "models/exams/bands.csv").read_text().splitlines()))
EXAMS = sorted({line["exam"] for line in SHIPPED})
LAST_OLD_DAY, FIRST_NEW_DAY = date(2019, 12, 31), date(2020, 1, 1)
FAILING_GRADES = ("Fail", "D", "E")
EDGES = (("min", -1), ("min", 0), ("max", 0), ("max", 1))
PUBLISHED = [
    ("C1_ADVANCED", "2026-09-20", 210, "GRADE", "A", "C2"),
    ("C1_ADVANCED", "2026-09-20", 200, "GRADE", "A", "C2"),
    ("C1_ADVANCED", "2026-09-20", 199, "GRADE", "B", "C1"),
    ("C1_ADVANCED", "2026-09-20", 193, "GRADE", "B", "C1"),
    ("C1_ADVANCED", "2026-09-20", 192, "GRADE", "C", "C1"),
    ("C1_ADVANCED", "2026-09-20", 180, "GRADE", "C", "C1"),
    ("C1_ADVANCED", "2026-09-20", 179, "LEVEL", "Council of Europe Level B2", "B2"),
    ("C1_ADVANCED", "2026-09-20", 168, "LEVEL", "Council of Europe Level B2", "B2"),
    ("C1_ADVANCED", "2026-09-20", 160, "LEVEL", "Council of Europe Level B2", "B2"),
    ("C1_ADVANCED", "2026-09-20", 159, "FAIL", "Fail", None),
    ("B2_FIRST", "2026-09-20", 180, "GRADE", "A", "C1"),
    ("B2_FIRST", "2026-09-20", 159, "LEVEL", "Council of Europe Level B1", "B1"),
    ("C2_PROFICIENCY", "2026-09-20", 199, "LEVEL", "Council of Europe Level C1", "C1"),
    ("A2_KEY", "2019-12-31", 140, "GRADE", "Pass with Distinction", "B1"),
    ("A2_KEY", "2020-01-01", 140, "GRADE", "A", "B1"),
    ("B1_PRELIMINARY", "2019-12-31", 153, "GRADE", "Pass with Merit", "B1"),
    ("B1_PRELIMINARY", "2020-01-01", 153, "GRADE", "B", "B1"),
    ("B1_PRELIMINARY", "2019-12-31", 140, "GRADE", "Pass", "B1"),
    ("B1_PRELIMINARY", "2020-01-01", 140, "GRADE", "C", "B1"),
    ("B1_BUSINESS_PRELIMINARY", "2023-06-01", 160, "GRADE", "Pass with Distinction", "B2"),
    ("PET_STD100", "2014-06-14", 90, "GRADE", "Pass with Distinction", "B1"),
    ("PET_STD100", "2014-06-14", 89, "GRADE", "Pass with Merit", "B1"),
    ("PET_STD100", "2014-06-14", 85, "GRADE", "Pass with Merit", "B1"),
    ("PET_STD100", "2014-06-14", 84, "GRADE", "Pass", "B1"),
    ("PET_STD100", "2014-06-14", 44, "FAIL", "Fail", None),
    ("KET_STD100", "2014-06-14", 45, "LEVEL", "Council of Europe Level A1", "A1"),
    ("FCE_STD100_2008", "2009-06-01", 55, "FAIL", "D", None),
    ("FCE_STD100_2008", "2009-06-01", 54, "FAIL", "E", None),
    ("FCE_STD100_2011", "2012-06-01", 80, "GRADE", "A", "C1"),
    ("IBT_HOME", "2024-06-01", 95, "LEVEL", "Council of Europe Level C1", "C1"),
    ("IBT_HOME", "2024-06-01", 94, "LEVEL", "Council of Europe Level B2", "B2"),
    ("IBT_HOME", "2024-06-01", 41, "FAIL", "Fail", None),
]


def lines_of(exam: str) -> list[Line]:
    """The shipped bands of an exam, as written in the file."""
    return [line for line in SHIPPED if line["exam"] == exam]


def holding(exam: str, score: int) -> list[Line]:
    """The shipped bands that hold a score."""
    return [line for line in lines_of(exam) if int(line["min"]) <= score <= int(line["max"])]


def worth(line: Line, exam_date: date) -> tuple[str, str | None, str | None, bool]:
    """Headline, grade, CEFR level and certificate that a line of the file promises."""
    grade = line["grade"]
    if exam_date <= LAST_OLD_DAY and line["grade_until_2019"]:
        grade = line["grade_until_2019"]
    certificate, cefr = line["certificate"] == "yes", line["cefr"] or None
    if grade and grade not in FAILING_GRADES:
        return grade, grade, cefr, certificate
    if line["headline_level"]:
        return f"Council of Europe Level {line['headline_level']}", None, cefr, certificate
    return grade or "Fail", None, cefr, False


def shown(given: Award) -> tuple[str, str | None, str | None, bool]:
    """An award, to be compared with `worth`."""
    return given.headline, given.grade, given.cefr, given.certificate


async def bands(exam: str) -> list[dict[str, Any]]:
    """The bands as the service holds them."""
    return await exams.bands_of(exam)


@pytest.mark.parametrize("exam_date", [LAST_OLD_DAY, FIRST_NEW_DAY], ids=["until 2019", "since 2020"])
async def test_both_sides_of_every_band_edge_are_worth_what_the_file_says(exam_date: date, open_database: None) -> None:
    """R5: the lowest and highest score of each band, and the scores just beyond."""
    for exam in EXAMS:
        held = await bands(exam)
        for score in {int(line[edge]) + beyond for line in lines_of(exam) for edge, beyond in EDGES}:
            if lines := holding(exam, score):
                assert shown(award(held, exam_date, score)) == worth(lines[0], exam_date), (exam, score)
            else:
                with pytest.raises(LookupError):
                    award(held, exam_date, score)


async def test_published_edges_have_the_published_headline(open_database: None) -> None:
    """R4, R5, R12: written out here, so that a slip in the file does not go unseen."""
    for exam, exam_date, score, outcome, headline, cefr in PUBLISHED:
        awarded = award(await bands(exam), date.fromisoformat(exam_date), score)
        assert (awarded.outcome, awarded.headline, awarded.cefr) == (outcome, headline, cefr), (exam, exam_date, score)
        assert awarded.grade == (headline if outcome == "GRADE" else None)


async def test_for_schools_exams_have_the_bands_of_the_exam_without_it(open_database: None) -> None:
    """R5."""
    for exam in ("A2_KEY", "B1_PRELIMINARY", "B2_FIRST"):
        held = await bands(f"{exam}_SCHOOLS")
        assert len(held) == len(lines_of(exam)) > 0
        assert held == await bands(exam)


@given(exam=st.sampled_from(EXAMS), score=st.integers(-10, 250))
def test_no_score_is_in_two_bands_of_one_exam(exam: str, score: int) -> None:
    """R5."""
    assert len(holding(exam, score)) <= 1


@given(exam=st.sampled_from(EXAMS), score=st.integers(-10, 250))
def test_no_score_between_the_lowest_and_the_highest_band_is_without_one(exam: str, score: int) -> None:
    """R5."""
    edges = [int(line[edge]) for line in lines_of(exam) for edge in ("min", "max")]
    assert bool(holding(exam, score)) == (min(edges) <= score <= max(edges))


async def test_the_service_holds_exactly_the_shipped_bands(open_database: None) -> None:
    """R5: loading them again changes nothing."""

    async def everything() -> list[dict[str, Any]]:
        return [band for exam in EXAMS for band in await bands(exam)]

    before = await everything()
    await exams.load_reference_data()
    assert await everything() == before
    assert [(band["exam_code"], band["lowest"], band["highest"]) for band in before] == sorted(
        (line["exam"], int(line["min"]), int(line["max"])) for line in SHIPPED
    )


async def test_a_band_that_is_no_longer_shipped_goes(open_database: None) -> None:
    """R5: moved edges must not leave a band that overlaps the new one."""
    before = await bands("C1_ADVANCED")
    await GradeBand.create(exam_code="C1_ADVANCED", lowest=170, highest=190, certificate=False)
    await exams.load_reference_data()
    assert await bands("C1_ADVANCED") == before


async def test_a_service_starts_while_others_enter_candidates(open_database: None, database_url: str) -> None:
    """R5: whoever enters one holds its exam; a start that locked exams as well ended now and then in a deadlock."""
    others = await asyncpg.connect(database_url)
    try:
        async with others.transaction():
            await others.execute("SELECT 1 FROM exam FOR KEY SHARE; SELECT 1 FROM scale FOR KEY SHARE")
            await asyncio.wait_for(exams.load_reference_data(), 30)
    finally:
        await others.close()


async def test_services_that_start_at_once_load_a_changed_exam_once(open_database: None) -> None:
    """R5."""
    before = await exams.every()
    await database.rows("DELETE FROM exam WHERE code = 'B2_FIRST'")
    await database.rows("UPDATE exam SET title = 'Another' WHERE code = 'C1_ADVANCED'")
    await asyncio.gather(*(exams.load_reference_data() for _ in range(4)))
    assert await exams.every() == before


def test_every_exam_with_scores_has_bands_within_its_scale() -> None:
    """R5, R12."""
    folder = Path(exams.__file__).parents[1] / "models/exams"
    scales = {line["scale"]: line for line in csv.DictReader((folder / "scales.csv").read_text().splitlines())}
    for exam in csv.DictReader((folder / "exams.csv").read_text().splitlines()):
        scale, lines = scales[exam["scale"]], lines_of(scale_of_exam(exam["code"]))
        assert bool(lines) == bool(scale["overall_max"]), exam["code"]
        gives = not lines or any(line["certificate"] == "yes" for line in lines)  # DELTA has words in place of bands
        assert has_certificates(exam["scale"]) is gives, exam["code"]
        for line in lines:
            assert int(scale["overall_min"]) <= int(line["min"]) <= int(line["max"]) <= int(scale["overall_max"])


@pytest.mark.parametrize(
    ("scale", "score", "text"), [("CES", 168, "168"), ("STD100", 85, "85/100"), ("IBT120", 95, "95/120")]
)
def test_a_score_is_shown_with_its_scale(scale: str, score: int, text: str) -> None:
    """R4, R12."""
    assert shown_score(score, scale) == text


@pytest.mark.parametrize("word", ["Pass with Distinction", "Pass with Merit", "Pass"])
def test_delta_is_graded_in_words_without_a_level(word: str) -> None:
    """R4."""
    assert award_in_words(word) == Award("GRADE", word, word, None, certificate=True)


def test_a_failed_delta_has_no_grade_and_no_certificate() -> None:
    """R6."""
    assert award_in_words("Fail") == Award("FAIL", "Fail", None, None, certificate=False)


@pytest.mark.parametrize("word", ["A", "pass", "Merit", "", "Council of Europe Level B2"])
def test_delta_has_no_other_words(word: str) -> None:
    """R2, R4."""
    with pytest.raises(LookupError):
        award_in_words(word)


async def test_delta_has_no_bands(open_database: None) -> None:
    """R4: a score would be worth nothing there."""
    assert await bands("DELTA_MODULE_ONE") == []
