"""What a candidate sees of their results, and when (R3-R6, R10, R12)."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from models.candidate import Candidate
from models.exam import GradeBand
from models.grades import award
from models.result import Outcome, Result
from models.share import Share
from resolvers import exams
from tests.client import Client
from tests.conftest import ControlledClock
from tests.world import World, gid

RESULTS = """{ me { results {
    qualification headline grade cefr overallScore overallScoreShown scale status outcome
    skillScores { skill score scale } examDate centre { number name } statementNumber certificateNumber version } } }"""
AWARD = ("headline", "grade", "cefr", "overallScore", "overallScoreShown", "certificateNumber")
NO_AWARD = dict.fromkeys(("headline", "cefr", "overall_score"))
SECOND = timedelta(seconds=1)


async def results_of(client: Client, world: World, candidate: Candidate) -> list[dict[str, Any]]:
    """What `me` shows a candidate of their results."""
    answer = await client.as_(await world.token(candidate)).ask(RESULTS)
    results: list[dict[str, Any]] = answer["me"]["results"]
    return results


async def the_result_of(client: Client, world: World, candidate: Candidate) -> dict[str, Any]:
    """The one result that `me` shows a candidate."""
    results = await results_of(client, world, candidate)
    assert len(results) == 1
    return results[0]


async def test_a_result_shows_everything_the_statement_says(client: Client, world: World) -> None:
    """R4: C1 Advanced 168 misses the grade and earns the level below."""
    candidate = await world.candidate()
    entry = await world.entry(candidate, exam_date=date(2026, 9, 20))
    result = await world.result(entry, statement_number="S260000168", certificate_number="C00000168")
    assert await the_result_of(client, world, candidate) == {
        "qualification": "C1 Advanced",
        "headline": "Council of Europe Level B2",
        "grade": None,
        "cefr": "B2",
        "overallScore": 168,
        "overallScoreShown": "168",
        "scale": "CES",
        "status": "RELEASED",
        "outcome": "LEVEL",
        "skillScores": [
            {"skill": "READING", "score": 168, "scale": "CES"},
            {"skill": "USE_OF_ENGLISH", "score": 160, "scale": "CES"},
            {"skill": "WRITING", "score": 176, "scale": "CES"},
            {"skill": "LISTENING", "score": 170, "scale": "CES"},
            {"skill": "SPEAKING", "score": 166, "scale": "CES"},
        ],
        "examDate": "2026-09-20",
        "centre": {"number": "JP901", "name": "Shiokaze Examination Centre"},
        "statementNumber": result.statement_number,
        "certificateNumber": "C00000168",
        "version": 1,
    }


async def test_old_and_new_scales_live_side_by_side(client: Client, world: World) -> None:
    """R4, R12: latest exam first, every score with its scale; DELTA has a word and no score."""
    candidate = await world.candidate()
    for exam, day, score, facts, skills in (
        ("PET_STD100", date(2014, 6, 14), 85, {"headline": "Pass with Merit", "cefr": "B1"}, {}),
        ("IBT_HOME", date(2024, 6, 1), 95, {"headline": "Council of Europe Level C1", "cefr": "C1"}, {"READING": 30}),
        ("C1_ADVANCED", date(2026, 9, 20), 168, {"headline": "Council of Europe Level B2", "cefr": "B2"}, None),
        ("DELTA_MODULE_ONE", date(2020, 6, 1), None, {"headline": "Pass with Distinction", "cefr": None}, {}),
    ):
        is_level = facts["headline"].startswith("Council") if facts["headline"] else False
        outcome = {"outcome": Outcome.LEVEL} if is_level else {"outcome": Outcome.GRADE, "grade": facts["headline"]}
        entry = await world.entry(candidate, exam, exam_date=day)
        await world.result(entry, skills, overall_score=score, **facts, **outcome)
    results = await results_of(client, world, candidate)
    assert [(one["qualification"], one["headline"], one["overallScoreShown"], one["scale"]) for one in results] == [
        ("C1 Advanced", "Council of Europe Level B2", "168", "CES"),
        ("iBT Home Edition", "Council of Europe Level C1", "95/120", "IBT120"),
        ("DELTA Module One", "Pass with Distinction", None, "GRADE_ONLY"),
        ("Preliminary English Test", "Pass with Merit", "85/100", "STD100"),
    ]
    assert results[1]["skillScores"] == [{"skill": "READING", "score": 30, "scale": "IBT120"}]
    assert results[3]["skillScores"] == []


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.PENDING, "PENDING"),
        (Outcome.WITHHELD, "WITHHELD"),
        (Outcome.ABSENT_FROM_PART, "RELEASED"),
        (Outcome.ABSENT_FROM_ALL, "RELEASED"),
    ],
)
async def test_an_outcome_that_is_no_grade_has_no_award_and_no_skill_profile(
    outcome: Outcome, status: str, client: Client, world: World
) -> None:
    """R6: not even when skill scores and a certificate number are stored, as after withholding."""
    candidate = await world.candidate()
    entry = await world.entry(candidate)
    await world.result(entry, outcome=outcome, certificate_number="C00000001", **NO_AWARD)
    result = await the_result_of(client, world, candidate)
    assert (result["outcome"], result["status"]) == (outcome.value, status)
    assert result["skillScores"] == []
    assert [result[fact] for fact in AWARD] == [None] * len(AWARD)


async def test_a_fail_shows_its_scores(client: Client, world: World) -> None:
    """R6: only the first four outcomes have no skill profile."""
    candidate = await world.candidate()
    await world.result(
        await world.entry(candidate), outcome=Outcome.FAIL, headline="Fail", cefr=None, overall_score=150
    )
    result = await the_result_of(client, world, candidate)
    assert (result["outcome"], result["headline"], result["overallScoreShown"]) == ("FAIL", "Fail", "150")
    assert len(result["skillScores"]) == 5


async def test_a_revoked_result_is_shown_without_its_award(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R6, R11: at once, even for a request that began before it on a machine whose clock is behind."""
    candidate = await world.candidate()
    row = await world.result(await world.entry(candidate), certificate_number="C00000001")
    assert (await the_result_of(client, world, candidate))["headline"] == "Council of Europe Level B2"
    await Result.filter(id=row.id).update(revoked_at=clock() + SECOND)
    result = await the_result_of(client, world, candidate)
    assert (result["status"], result["outcome"], result["skillScores"]) == ("REVOKED", None, [])
    assert [result[fact] for fact in AWARD] == [None] * len(AWARD)


async def test_an_award_stays_when_bands_change(client: Client, world: World) -> None:
    """R5: grade and level are kept as awarded; only later awards follow the new bands."""
    candidate = await world.candidate()
    await world.result(await world.entry(candidate))
    band = GradeBand.filter(exam_code="C1_ADVANCED", lowest=160)
    await band.update(headline_level=None, cefr=None, grade="Z")
    try:
        assert award(await exams.bands_of("C1_ADVANCED"), date(2026, 9, 20), 168).headline == "Z"
        result = await the_result_of(client, world, candidate)
        assert (result["headline"], result["cefr"]) == ("Council of Europe Level B2", "B2")
    finally:
        await exams.load_reference_data()


NOTICES = "query ($language: String!) { me { results { notices(language: $language) { code text } } } }"


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, ["CERTIFICATE_FOLLOWS", "WRONG_DETAILS"]),
        ({"outcome": Outcome.GRADE, "headline": "C", "grade": "C"}, ["CERTIFICATE_FOLLOWS", "WRONG_DETAILS"]),
        ({"outcome": Outcome.FAIL, "headline": "Fail"}, ["WRONG_DETAILS"]),
        ({"outcome": Outcome.WITHHELD, **NO_AWARD}, ["CONTACT_CENTRE"]),
        ({"outcome": Outcome.PENDING, **NO_AWARD}, ["NOT_DECIDED"]),
        ({"outcome": Outcome.ABSENT_FROM_ALL, **NO_AWARD}, ["WRONG_DETAILS"]),
    ],
)
async def test_notices_fit_the_outcome(facts: dict[str, Any], codes: list[str], client: Client, world: World) -> None:
    """R6, R10: in both languages (A12)."""
    candidate = await world.candidate()
    await world.result(await world.entry(candidate), **facts)
    asking = client.as_(await world.token(candidate))
    english, japanese = [
        (await asking.ask(NOTICES, language=language))["me"]["results"][0]["notices"] for language in ("en", "ja")
    ]
    assert [one["code"] for one in english] == [one["code"] for one in japanese] == codes
    assert all(one["text"].isascii() for one in english)
    assert not any(one["text"].isascii() for one in japanese)


async def test_the_certificate_notice_tells_how_long_it_takes(client: Client, world: World) -> None:
    """R10."""
    candidate = await world.candidate()
    await world.result(await world.entry(candidate))
    notices = (await client.as_(await world.token(candidate)).ask(NOTICES, language="en"))["me"]["results"][0][
        "notices"
    ]
    assert "about two and a half months after the exam" in notices[0]["text"]
    assert "tell your exam centre before you share this result with immigration" in notices[1]["text"]


@pytest.mark.parametrize(
    ("exam", "facts", "follows"),
    [
        ("IBT_HOME", {"headline": "Council of Europe Level C1", "cefr": "C1", "overall_score": 95}, False),
        ("PET_STD100", {"headline": "Council of Europe Level A2", "cefr": "A2", "overall_score": 50}, True),
        ("DELTA_MODULE_ONE", {"headline": "Pass", "grade": "Pass", "cefr": None, "overall_score": None}, True),
    ],
)
async def test_a_certificate_is_promised_only_where_the_exam_has_certificates(
    exam: str, facts: dict[str, Any], follows: bool, client: Client, world: World
) -> None:
    """R10, R12."""
    candidate = await world.candidate()
    outcome = Outcome.GRADE if "grade" in facts else Outcome.LEVEL
    await world.result(await world.entry(candidate, exam), {}, outcome=outcome, **facts)
    asking = client.as_(await world.token(candidate))
    notices = (await asking.ask(NOTICES, language="en"))["me"]["results"][0]["notices"]
    assert ("CERTIFICATE_FOLLOWS" in [one["code"] for one in notices]) is follows


async def test_notices_exist_in_no_third_language(client: Client, world: World) -> None:
    """A12."""
    candidate = await world.candidate()
    await world.result(await world.entry(candidate))
    errors = await client.as_(await world.token(candidate)).errors(NOTICES, language="fr")
    assert [one["extensions"]["code"] for one in errors] == ["BAD_USER_INPUT"]


EVERY_PATH = """
    query ($result: ID!, $candidate: ID!, $share: ID!, $institution: ID!, $entry: ID!, $number: String!) {
      viewer { candidate { ...results } }
      me { ...results entries { id } shares(first: 1) { edges { node { ...share } } } }
      result(id: $result) { ...result }
      inbox(first: 1) { edges { node { ...share } } }
      share(id: $share) { ...share }
      ofResult: node(id: $result) { ...result }
      ofShare: node(id: $share) { ...share }
      ofCandidate: node(id: $candidate) { ... on Candidate { ...results } }
      ofEntry: node(id: $entry) { id }
      ofInstitution: node(id: $institution) { id }
      _entities(representations: [
        { __typename: "Result", id: $result }
        { __typename: "Result", statementNumber: $number }
        { __typename: "Share", id: $share }
        { __typename: "Candidate", id: $candidate }
      ]) { ...result ...share ... on Candidate { ...results } }
    }
    fragment result on Result { statementNumber headline overallScoreShown skillScores { score } resultStatus: status }
    fragment results on Candidate { results { ...result shares(first: 1) { edges { node { id } } } } }
    fragment share on Share { id status result { ...result } }"""
PATHS = {
    "candidate": ["viewer", "me", "result", "share", "ofResult", "ofShare", "ofCandidate"],
    "verifier": ["result", "inbox", "share", "ofResult", "ofShare", "ofCandidate"],
    "staff": ["result", "share", "ofResult", "ofShare", "ofCandidate"],
}


async def everybody(client: Client, world: World, result: Result, share: Share) -> dict[str, Client]:
    """Clients of everyone who will see the result, and of two who never will."""
    candidate = await Candidate.get(id=share.candidate_id)
    return {
        "candidate": client.as_(await world.token(candidate)),
        "verifier": client.as_(await world.token(await world.verifier(await share.institution))),
        "staff": client.as_(await world.token(await world.staff())),
        "anonymous": client,
        "another candidate": client.as_(await world.token(await world.candidate())),
        "another verifier": client.as_(await world.token(await world.verifier())),
    }


def telling(answer: dict[str, Any], number: str) -> list[str]:
    """The paths of an answer on which the result with this statement number is told."""
    entities = {f"_entities {place}": one for place, one in enumerate(answer.pop("_entities"))}
    return [path for path, one in (answer | entities).items() if number in json.dumps(one)]


async def test_nobody_but_staff_sees_a_result_before_its_release_on_any_path(
    app: Starlette, client: Client, world: World, clock: ControlledClock
) -> None:
    """R3: neither the candidate nor an institution that is to receive it; at the moment itself, both on every path."""
    result = await world.result()
    share = await Share.get(id=await world.share(result, await world.institution()))
    await Result.filter(id=result.id).update(released_at=clock() + SECOND)
    entry = await result.entry
    ids = {
        "result": gid(result),
        "share": gid(share),
        "candidate": gid(await entry.candidate),
        "entry": gid(entry),
        "institution": gid(await share.institution),
        "number": result.statement_number,
    }
    clients = await everybody(client, world, result, share)
    entities = [f"_entities {place}" for place in range(4)]
    for who, asking in clients.items():
        expected = PATHS["staff"] + entities if who == "staff" else []
        assert telling(await asking.ask(EVERY_PATH, **ids), result.statement_number) == expected, who
    clock.forward(seconds=1)
    for who, asking in clients.items():
        expected = PATHS[who] + entities if who in PATHS else []
        assert telling(await asking.ask(EVERY_PATH, **ids), result.statement_number) == expected, who


async def test_before_release_an_institution_does_not_see_the_candidate_either(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R3: a name and a date of birth would tell that there is a result."""
    result = await world.result(await world.entry(candidate := await world.candidate()))
    share = await Share.get(id=await world.share(result, await world.institution()))
    verifier = client.as_(await world.token(await world.verifier(await share.institution)))
    await Result.filter(id=result.id).update(released_at=clock() + SECOND)
    ask = "query ($id: ID!) { node(id: $id) { id } }"
    assert (await verifier.ask(ask, id=gid(candidate)))["node"] is None
    clock.forward(seconds=1)
    assert (await verifier.ask(ask, id=gid(candidate)))["node"] == {"id": gid(candidate)}


async def test_before_release_the_inbox_does_not_even_count_the_share(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R3."""
    result = await world.result()
    share = await Share.get(id=await world.share(result, await world.institution()))
    verifier = client.as_(await world.token(await world.verifier(await share.institution)))
    await Result.filter(id=result.id).update(released_at=clock() + SECOND)
    assert (await verifier.ask("{ inbox { totalCount unreadCount } }"))["inbox"] == {"totalCount": 0, "unreadCount": 0}
    clock.forward(seconds=1)
    assert (await verifier.ask("{ inbox { totalCount unreadCount } }"))["inbox"] == {"totalCount": 1, "unreadCount": 1}


async def test_staff_see_a_result_before_its_release_as_loaded(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R3: from loading on; released at the moment itself."""
    result = await world.result(released_at=clock() + SECOND)
    staff = client.as_(await world.token(await world.staff()))
    ask = "query ($id: ID!) { result(id: $id) { status headline } }"
    loaded = {"status": "LOADED", "headline": "Council of Europe Level B2"}
    assert (await staff.ask(ask, id=gid(result)))["result"] == loaded
    clock.forward(seconds=1)
    assert (await staff.ask(ask, id=gid(result)))["result"] == loaded | {"status": "RELEASED"}


async def test_a_result_without_a_release_date_is_never_seen(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R3."""
    candidate = await world.candidate()
    await world.result(await world.entry(candidate), released_at=None)
    clock.forward(days=1000)
    assert await results_of(client, world, candidate) == []
