"""Loading results (R2, R3, R4-R6, R12): good rows are kept, bad ones are told, and once more changes nothing."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import given as given_by
from hypothesis import settings as effort
from hypothesis import strategies as st

from engine import database
from errors import NotAllowed
from models.base import new_id
from models.result import Outcome, Result, SkillScore
from models.scores import overall_of
from models.trail import TrailAct
from resolvers import loading
from tests.client import Client
from tests.conftest import ControlledClock
from tests.rows import board, candidate_row, centre_staff, contents, enter, given, load, result_row
from tests.world import World

NO_SKILLS = dict.fromkeys(("reading", "useOfEnglish", "writing", "listening", "speaking"), "")
EXAMS = {
    "A2_KEY": {"examCode": "A2_KEY"},
    "B1_PRELIMINARY": {"examCode": "B1_PRELIMINARY"},
    "PET_STD100": {"examCode": "PET_STD100", "examDate": "2014-06-14"},
    "FCE_STD100_2008": {"examCode": "FCE_STD100_2008", "examDate": "2009-06-13"},
    "IBT_HOME": {"examCode": "IBT_HOME", "examDate": "2025-11-02"},
    "DELTA_MODULE_ONE": {"examCode": "DELTA_MODULE_ONE"},
}


@pytest.fixture
async def entered(open_database: None, world: World) -> World:
    """Five candidates of C1 Advanced, and one of each other exam under number 9."""
    await world.centre()
    rows = [candidate_row(number) for number in range(1, 6)]
    rows += [candidate_row(9, **key) for key in EXAMS.values()]
    assert (await enter(world, rows)).faults == []
    return world


async def one_of(world: World, exam: str, **texts: str) -> Result:
    """The result that one row of another exam makes."""
    became = await load(world, [result_row(9, **EXAMS[exam] | {"overallScore": ""} | NO_SKILLS | texts)])
    assert became.faults == []
    return await Result.get(entry__exam_id=exam)


def facts(result: Result) -> tuple[Any, ...]:
    return result.outcome, result.headline, result.grade, result.cefr, result.overall_score


async def test_a_row_becomes_a_result_with_what_its_score_is_worth(entered: World) -> None:
    """R2, R4, R5: the headline says the level where the grade was missed; skills stand in the order of the exam."""
    assert (await load(entered, [result_row()])).loaded == 1
    result = await Result.get()
    assert facts(result) == (Outcome.LEVEL, "Council of Europe Level B2", None, "B2", 169)
    assert (result.version, result.released_at, result.loaded_at) == (1, None, entered.clock())
    skills = await SkillScore.all().order_by("id").values_list("skill", "score")
    assert skills == [
        ("READING", 170),
        ("USE_OF_ENGLISH", 160),
        ("WRITING", 180),
        ("LISTENING", 165),
        ("SPEAKING", 168),
    ]


async def test_label_is_the_one_in_force_on_the_day_of_the_exam(entered: World) -> None:
    """R5: A2 Key said "Pass with Merit" until 2019."""
    await enter(entered, [candidate_row(1, examCode="A2_KEY", examDate=day) for day in ("2019-12-31", "2020-01-01")])
    key = {"examCode": "A2_KEY", "overallScore": "135", **NO_SKILLS}
    await load(entered, [result_row(1, **key, examDate=day) for day in ("2019-12-31", "2020-01-01")])
    assert [one.grade for one in await Result.all().order_by("entry__exam_date")] == ["Pass with Merit", "B"]


async def test_every_scale_is_loaded_beside_the_others(entered: World) -> None:
    """R12: 80 to 230, 0 to 100 without numbers for skills, 0 to 120, and grades without a score."""
    key = await one_of(entered, "A2_KEY", overallScore="141", readingAndWriting="140", listening="142", speaking="141")
    assert facts(key) == (Outcome.GRADE, "A", "A", "B1", 141)
    old = await one_of(entered, "PET_STD100", overallScore="85")
    assert facts(old) == (Outcome.GRADE, "Pass with Merit", "Pass with Merit", "B1", 85)
    failed = await one_of(entered, "FCE_STD100_2008", overallScore="57")
    assert facts(failed) == (Outcome.FAIL, "D", None, None, 57)
    home = await one_of(
        entered, "IBT_HOME", overallScore="95", reading="25", listening="24", speaking="23", writing="23"
    )
    assert facts(home) == (Outcome.LEVEL, "Council of Europe Level C1", None, "C1", 95)
    words = await one_of(entered, "DELTA_MODULE_ONE", grade="Pass with Merit")
    assert facts(words) == (Outcome.GRADE, "Pass with Merit", "Pass with Merit", None, None)


@pytest.mark.parametrize(
    ("written", "outcome"),
    [("PENDING", Outcome.PENDING), ("withheld", Outcome.WITHHELD), ("X", Outcome.ABSENT_FROM_PART),
     ("ABSENT_FROM_PART", Outcome.ABSENT_FROM_PART), ("z", Outcome.ABSENT_FROM_ALL)],
)  # fmt: skip
async def test_what_is_no_grade_has_nothing_beside_it(entered: World, written: str, outcome: Outcome) -> None:
    """R6: no skill profile, score, grade or certificate; with one it is a bad row."""
    alone = {"overallScore": "", **NO_SKILLS}
    bad = [result_row(number, **alone | {"outcome": written, name: text}) for number, (name, text) in enumerate(
        [("overallScore", "169"), ("speaking", "168"), ("grade", "A"), ("cefr", "B2"), ("certificateNumber", "C1")], 1
    )]  # fmt: skip
    became = await load(entered, bad)
    assert [column for _, column in became.columns] == [
        "overallScore",
        "speaking",
        "grade",
        "cefr",
        "certificateNumber",
    ]
    await load(entered, [result_row(1, **alone, outcome=written)])
    result = await Result.get()
    assert facts(result) == (outcome, None, None, None, None)
    assert (result.certificate_number, await SkillScore.all().count()) == (None, 0)
    assert result.statement_number


async def test_a_score_below_all_that_are_reported_is_a_fail_without_a_score(entered: World) -> None:
    """R6: the exam reports scores from 142 up."""
    became = await load(entered, [result_row(1, overallScore="141", **NO_SKILLS)])
    assert became.faults == [(2, "overallScore", "No grade band holds the score 141.")]
    await load(entered, [result_row(1, overallScore="", outcome="FAIL", **NO_SKILLS)])
    assert facts(await Result.get()) == (Outcome.FAIL, "Fail", None, None, None)


BAD: dict[str, tuple[dict[str, str], str, str]] = {
    "no such centre": ({"centre": "XX1"}, "candidateNumber", "Nobody is entered"),
    "no such exam": ({"examCode": "C3"}, "examCode", "There is no exam 'C3'."),
    "no such number": ({"candidateNumber": "0077"}, "candidateNumber", "Nobody is entered"),
    "before the exam": ({"examDate": "2014-12-31"}, "examDate", "from 2015-01-01"),
    "another date": ({"examDate": "2026-09-21"}, "candidateNumber", "Nobody is entered"),
    "no date": ({"examDate": "20.09.2026"}, "examDate", "not a date"),
    "no such day": ({"examDate": "2026-09-31"}, "examDate", "not a date"),
    "no score": ({"overallScore": ""}, "overallScore", "missing"),
    "half a point": ({"overallScore": "169.5"}, "overallScore", "not a whole number"),
    "negative": ({"overallScore": "-169"}, "overallScore", "not a whole number"),
    "below the scale": ({"overallScore": "79", **NO_SKILLS}, "overallScore", "from 80 to 230"),
    "above the scale": ({"overallScore": "231", **NO_SKILLS}, "overallScore", "from 80 to 230"),
    "a skill below": ({"reading": "79"}, "reading", "from 80 to 230"),
    "a skill above": ({"speaking": "231"}, "speaking", "from 80 to 230"),
    "a skill too few": ({"speaking": ""}, "speaking", "missing"),
    "a skill of another exam": ({"readingAndWriting": "160"}, "readingAndWriting", "no score of this skill"),
    "skills that say more": ({"speaking": "173"}, "overallScore", "169, but from the scores of the skills follows 170"),
    "another outcome": ({"outcome": "GRADE"}, "outcome", "GRADE, but by score and bands it is LEVEL"),
    "no outcome": ({"outcome": "GOOD"}, "outcome", "no outcome"),
    "another grade": ({"grade": "B"}, "grade", "'B', but by score and bands it is 'Council of Europe Level B2'"),
    "another level": ({"cefr": "C1"}, "cefr", "'C1', but by score and bands it is 'B2'"),
    "a number that is none": ({"statementNumber": "S 26/1"}, "statementNumber", "digits"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_row_is_told_with_line_column_and_reason_and_the_others_are_kept(entered: World, name: str) -> None:
    """R2."""
    texts, column, reason = BAD[name]
    became = await load(entered, [result_row(1), result_row(2, **texts), result_row(3)])
    assert became.loaded == 2
    assert became.columns == [(3, column)]
    assert reason in became.faults[0][2]
    kept = await Result.all().order_by("id").prefetch_related("entry")
    assert [one.entry.candidate_number for one in kept] == ["0001", "0003"]


async def test_old_scale_has_no_numbers_for_skills_and_words_have_no_scores(entered: World) -> None:
    """R12."""
    old = result_row(9, **EXAMS["PET_STD100"] | NO_SKILLS | {"overallScore": "85", "reading": "85"})
    words = result_row(9, **EXAMS["DELTA_MODULE_ONE"] | NO_SKILLS | {"overallScore": "85", "grade": "Pass"})
    unknown = result_row(9, **EXAMS["DELTA_MODULE_ONE"] | NO_SKILLS | {"overallScore": "", "grade": "Good"})
    became = await load(entered, [old, words, unknown])
    assert became.columns[0] == (2, "reading")
    assert {line: column for line, column in became.columns if line > 2} == {3: "overallScore", 4: "grade"}
    assert await Result.all().count() == 0


@pytest.mark.parametrize(
    ("scale", "skills", "overall"),
    [
        ("CES", [160, 160, 160, 160, 162], 160), ("CES", [160, 160, 160, 160, 163], 161),
        ("CES", [160, 160, 160, 161], 160), ("CES", [160, 160, 160, 162], 161), ("CES", [160, 160, 161, 162], 161),
        ("IBT120", [30, 30, 30, 30], 120), ("IBT120", [0, 0, 0, 1], 1), ("STD100", [50, 60], None), ("CES", [], None),
    ],
)  # fmt: skip
def test_overall_score_is_the_mean_halves_up_or_the_sum(scale: str, skills: list[int], overall: int | None) -> None:
    """R2."""
    assert overall_of(scale, {f"SKILL_{place}": score for place, score in enumerate(skills)}) == overall


@pytest.mark.parametrize(("both", "listening", "speaking", "overall"), [(121, 120, 120, 121), (120, 121, 120, 120)])
def test_reading_and_writing_counts_twice_in_a2_key(both: int, listening: int, speaking: int, overall: int) -> None:
    """R2: 120.5 is 121, 120.25 is 120."""
    skills = {"READING_AND_WRITING": both, "LISTENING": listening, "SPEAKING": speaking}
    assert overall_of("CES", skills) == overall


async def test_loading_again_changes_nothing(entered: World, clock: ControlledClock, database_url: str) -> None:
    """R2: not one row of any table, whenever it is."""
    rows = [result_row(1), result_row(2, overallScore="190", **NO_SKILLS), result_row(3, speaking="")]
    await load(entered, rows)
    before = await contents(database_url)
    clock.forward(days=1)
    became = await load(entered, rows)
    assert (became.loaded, became.there, became.columns) == (0, 2, [(4, "speaking")])
    assert await contents(database_url) == before


async def test_loading_again_after_the_bands_changed_keeps_what_was_awarded(entered: World, database_url: str) -> None:
    """R5."""
    await load(entered, [result_row(1)])
    before = await contents(database_url)
    band = "UPDATE grade_band SET cefr = :cefr WHERE exam_code = 'C1_ADVANCED' AND lowest = 160"
    try:
        await database.rows(band, cefr="B1")
        assert (await load(entered, [result_row(1)])).there == 1
        await load(entered, [result_row(2)])
        assert [one.cefr for one in await Result.all().order_by("id")] == ["B2", "B1"]
    finally:
        await database.rows(band, cefr="B2")
    assert (await contents(database_url))["skill_score"] != before["skill_score"]


@pytest.mark.parametrize(("moved", "column"), [(timedelta(0), "amend"), (timedelta(microseconds=1), "replace")])
async def test_another_result_stands_back_behind_one_that_is_there(
    entered: World, database_url: str, moved: timedelta, column: str
) -> None:
    """R2, R11: from the moment of the release on it has to be amended; before, the order must say that rows replace."""
    await load(entered, [result_row(1)])
    await Result.all().update(released_at=entered.clock() + moved)
    before = await contents(database_url)
    became = await load(entered, [result_row(1, overallScore="190", **NO_SKILLS)], replaces=column == "amend")
    assert became.columns == [(2, "candidateNumber")]
    assert column in became.faults[0][2]
    assert await contents(database_url) == before


async def test_another_result_replaces_one_that_is_not_released(entered: World) -> None:
    """R2: it keeps its statement number and its version, as nobody has seen it."""
    await load(entered, [result_row(1)])
    before = await Result.get()
    became = await load(entered, [result_row(1, overallScore="190", **NO_SKILLS)], replaces=True)
    assert (became.replaced, became.loaded, became.faults) == (1, 0, [])
    result = await Result.get()
    assert (result.id, result.statement_number, result.version) == (before.id, before.statement_number, 1)
    assert facts(result) == (Outcome.GRADE, "C", "C", "C1", 190)
    assert await SkillScore.all().count() == 0


async def test_two_rows_that_contradict_each_other_leave_the_first(entered: World) -> None:
    """R2: and two that say the same are one."""
    became = await load(entered, [result_row(1), result_row(1), result_row(1, overallScore="190", **NO_SKILLS)])
    assert (became.loaded, became.there, became.columns) == (1, 1, [(4, "candidateNumber")])
    assert (await Result.get()).overall_score == 169


async def test_numbers_are_those_of_the_file_or_made_and_never_two_results_have_one(entered: World) -> None:
    """R2: certificates only for results that reach the standard."""
    rows = [
        result_row(1, statementNumber="S-1", certificateNumber="C-1"),
        result_row(2),
        result_row(3, statementNumber="S-1"),
        result_row(4, overallScore="150", certificateNumber="C-4", **NO_SKILLS),
        result_row(5, overallScore="150", **NO_SKILLS),
    ]
    became = await load(entered, rows)
    assert became.columns == [(4, "statementNumber"), (5, "certificateNumber")]
    results = await Result.all().order_by("id").values_list("statement_number", "certificate_number")
    assert results[0] == ("S-1", "C-1")
    assert all(number.startswith("S26") and len(number) == 11 for number, _ in results[1:])
    assert results[1][1].startswith("C26")
    assert results[2][1] is None
    assert (await load(entered, [result_row(4, certificateNumber="C-1")])).columns == [(2, "certificateNumber")]


async def test_results_get_the_moment_that_is_set_for_their_session(entered: World) -> None:
    """R3: set before they are loaded; those of other sessions get none."""
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    await database.rows(
        """INSERT INTO release (id, exam_id, exam_date, release_at, scheduled_at)
           VALUES (:id, 'C1_ADVANCED', :day, :moment, :moment)""",
        id=new_id(),
        day=date(2026, 9, 20),
        moment=moment,
    )
    await load(entered, [result_row(1), result_row(9, **EXAMS["PET_STD100"] | NO_SKILLS | {"overallScore": "85"})])
    assert await Result.all().order_by("id").values_list("released_at", flat=True) == [moment, None]


async def test_only_the_board_loads_results(entered: World, client: Client) -> None:
    """R2: centres, institutions, candidates and strangers do not."""
    query = """mutation ($input: LoadResultsInput!) { loadResults(input: $input) { __typename } }"""
    centre = await entered.centre()
    for owner in (await entered.staff(centre), await entered.verifier(), await entered.candidate()):
        answer = await client.as_(await entered.token(owner)).ask(query, input={"rows": [graphql_row()]})
        assert answer["loadResults"]["__typename"] == "NotAllowed"
    assert (await client.ask(query, input={"rows": [graphql_row()]}))["loadResults"]["__typename"] == "NotLoggedIn"
    assert await Result.all().count() == 0


def graphql_row(number: int = 1, **facts: Any) -> dict[str, Any]:
    key = {"centre": "JP901", "examCode": "C1_ADVANCED", "examDate": "2026-09-20", "candidateNumber": f"{number:04}"}
    return key | {"overallScore": 169} | facts


LOADED = "... on ResultsLoaded { loaded replaced alreadyThere problems { row column reason } }"


async def test_results_are_loaded_by_graphql_as_by_a_file(entered: World, client: Client) -> None:
    """R2."""
    staff = client.as_(await entered.token(await entered.staff()))
    skills = [{"skill": "READING", "score": 169}, {"skill": "READING", "score": 170}]
    rows = [
        graphql_row(1),
        graphql_row(2, cefr="C1"),
        graphql_row(3, skillScores=skills),
        graphql_row(4, outcome="LEVEL"),
    ]
    answer = await staff.order("loadResults", LOADED, rows=rows)
    assert (answer["loaded"], answer["alreadyThere"]) == (2, 0)
    told = [(one["row"], one["column"]) for one in answer["problems"]]
    assert told[:2] == [(2, "cefr"), (3, "reading")]
    again = await staff.order("loadResults", LOADED, rows=rows[:1])
    assert again == {"__typename": "ResultsLoaded", "loaded": 0, "replaced": 0, "alreadyThere": 1, "problems": []}


@pytest.mark.parametrize("count", [0, 501])
async def test_an_order_has_1_to_500_rows(entered: World, client: Client, count: int) -> None:
    """R2."""
    staff = client.as_(await entered.token(await entered.staff()))
    answer = await staff.order("loadResults", "... on InvalidInput { problems { path } }", rows=[graphql_row()] * count)
    assert answer["problems"] == [{"path": "rows"}]


async def test_loading_leaves_a_trail_without_scores(entered: World) -> None:
    """G1: who, whose, which version; one entry for a batch."""
    await load(entered, [result_row(1), result_row(2)])
    entries = await database.rows("SELECT * FROM trail WHERE act = :act ORDER BY id DESC", act=TrailAct.CHANGED.value)
    results = await Result.all().values_list("id", flat=True)
    assert set(entries[0]["results"]) == set(results)
    assert entries[0]["viewer_id"] == board(entered).id
    told = [entries[0][name] for name in ("path", "purpose", "versions")]  # the others are ids, numbers and times
    assert "169" not in str(told)


async def test_centre_staff_are_refused_below_graphql_too(entered: World) -> None:
    """R2."""
    viewer = centre_staff(entered, await entered.centre())
    with pytest.raises(NotAllowed):
        async for _ in loading.load(viewer, given([result_row(1)])):
            pass


# ---- whatever order, wherever it broke off


def made_up(seed: int) -> list[dict[str, str]]:
    """Rows of five candidates, some of them bad, no two of which contradict each other."""
    dice = random.Random(seed)
    rows = [result_row(number, overallScore=str(dice.randint(135, 215)), **NO_SKILLS) for number in range(1, 6)]
    rows += [result_row(1, centre="XX1"), result_row(2, speaking=""), result_row(77), dict(rows[0])]
    return rows


async def stored() -> list[dict[str, Any]]:
    """Every result as it is, the numbers that were made aside."""
    found = await database.rows(
        """SELECT entry.candidate_number, result.outcome, result.headline, result.cefr, result.overall_score,
                  result.certificate_number IS NOT NULL AS has_certificate
           FROM result JOIN entry ON entry.id = result.entry_id ORDER BY entry.candidate_number"""
    )
    return [dict(row) for row in found]


@given_by(st.integers(0, 1000), st.permutations(range(9)), st.integers(0, 9))
@effort(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_file_in_any_order_cut_anywhere_and_then_whole_ends_alike(
    entered: World, database_url: str, seed: int, order: list[int], cut: int
) -> None:
    """R2: what a part of it loaded stays, and the whole once more changes nothing."""
    rows = made_up(seed)
    shuffled = [rows[number] for number in order]
    ends = []
    for files in ([rows], [shuffled[:cut], rows], [shuffled, rows[cut:]]):
        await Result.all().delete()
        for file in files:
            await load(entered, file)
        ends.append(await stored())
    assert ends[0] == ends[1] == ends[2]
    before = await contents(database_url)
    await load(entered, shuffled)
    assert await contents(database_url) == before
