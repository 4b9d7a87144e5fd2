"""The demo: what a newcomer finds after the first start."""

import asyncio
import json
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import pyotp
import pytest

import cli
from demo.load import SOON, load, quarter_behind
from engine.clock import system_clock
from models.candidate import Candidate
from models.entry import Centre
from models.exam import Exam, Scale
from models.grades import award, award_in_words
from models.institution import Institution
from models.result import Result, SkillScore
from models.share import Share
from resolvers import exams, suggestions
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, client_of, running

SHOWN = "{ me { results { qualification headline overallScoreShown examDate } } }"


@pytest.fixture
async def logins(open_database: None, clock: ControlledClock) -> dict[str, Any]:
    """The demo in an empty database, and the log-ins that it tells."""
    told = await load(clock())
    assert told is not None
    return told


async def test_the_demo_has_what_it_promises(logins: dict[str, Any]) -> None:
    """3 centres, 40 institutions, 300 candidates and 500 results, of every outcome and of every exam."""
    counts = [await table.all().count() for table in (Centre, Institution, Candidate, Result)]
    assert counts == [3, 40, 300, 500]
    results = await Result.all().prefetch_related("entry")
    assert len({result.outcome for result in results}) == 7
    assert {result.entry.exam_id for result in results} == {exam.code for exam in await Exam.all()}
    assert await Share.all().count() > 100


async def test_every_result_of_the_demo_agrees_with_its_score(logins: dict[str, Any]) -> None:
    """R5, R6: headline, grade, level and certificate are those of the bands in force on its date."""
    bands = {exam.code: await exams.bands_of(exam.code) for exam in await Exam.all()}
    awarded = 0
    for result in await Result.all().prefetch_related("entry"):
        facts = (result.headline, result.grade, result.cefr, bool(result.certificate_number))
        if not result.outcome.has_award:
            assert not any(facts)
            assert result.overall_score is None
        else:
            due = (
                award_in_words(str(result.headline))
                if result.overall_score is None
                else award(bands[result.entry.exam_id], result.entry.exam_date, result.overall_score)
            )
            assert result.outcome.value == due.outcome
            assert facts == (due.headline, due.grade, due.cefr, due.certificate)
            awarded += 1
    assert awarded > 450


async def test_skill_scores_of_the_demo_make_up_the_overall_score(logins: dict[str, Any]) -> None:
    """R4, R12: the mean on the 80-230 scale, reading and writing counted twice in A2 Key; the sum of four sections."""
    checked = 0
    for result in await Result.filter(overall_score__isnull=False).prefetch_related("entry__exam__scale"):
        scores = {one.skill: one.score for one in await SkillScore.filter(result_id=result.id)}
        exam: Exam = result.entry.exam
        scale: Scale = exam.scale
        if scale.skill_max is None or scale.skill_min is None:
            assert not scores
            continue
        assert set(scores) == set(exam.skills)
        assert all(scale.skill_min <= score <= scale.skill_max for score in scores.values())
        total, weights = sum(scores.values()), len(scores)
        if "READING_AND_WRITING" in scores:
            total, weights = total + scores["READING_AND_WRITING"], weights + 1
        assert result.overall_score == (total if scale.code == "IBT120" else round(total / weights))
        checked += 1
    assert checked > 200


async def test_dates_of_the_demo_are_in_order(logins: dict[str, Any], clock: ControlledClock) -> None:
    """R3, S8: an exam is offered on its date, results are out, and nothing was sent before it was released."""
    for result in await Result.all().prefetch_related("entry__exam"):
        assert result.entry.exam.first_date <= result.entry.exam_date <= (result.entry.exam.last_date or date.max)
        assert result.released_at is not None
        assert result.released_at.date() - result.entry.exam_date == timedelta(weeks=6)
        assert result.released_at <= clock()
    for share in await Share.all().prefetch_related("result", "candidate"):
        assert share.result.released_at is not None
        assert share.candidate.registered_at is not None
        assert max(share.result.released_at, share.candidate.registered_at) <= share.sent_at <= clock()


async def test_every_institution_of_the_demo_is_found_by_its_name(logins: dict[str, Any]) -> None:
    """S1, S2."""
    for institution in await Institution.all():
        name = f"{institution.name} {institution.department or ''}"
        assert (await suggestions.search(name))[0]["institution_id"] == institution.id, name


async def test_loading_the_demo_again_changes_nothing(
    logins: dict[str, Any], clock: ControlledClock, database_url: str
) -> None:
    """Not one row in any table."""
    before = await contents(database_url)
    clock.forward(days=1)
    assert await load(clock()) is None
    assert await contents(database_url) == before


async def contents(database_url: str) -> dict[str, str]:
    """A digest of the rows of each table."""
    connection = await asyncpg.connect(database_url)
    names = [row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    digest = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{}\" AS t"
    digests = {name: await connection.fetchval(digest.format(name)) for name in names}
    await connection.close()
    return digests


async def test_log_ins_of_the_demo_really_log_in(settings: Settings, clean: None, clock: ControlledClock) -> None:
    """A1, A3: one of each kind from `var/demo.json`, as the command wrote it; and an entry that can be claimed."""
    await cli.prepare(settings, demo=True)
    told = json.loads(written(settings))
    clock.now = system_clock()  # the command asks the system's clock, whatever the year
    async with running(settings, clock) as app, client_of(app) as client:
        await check_showcases(client, told)
        for verifier in told["verifiers"][:2]:
            office = await client.log_in_by_email(verifier["email"], verifier["password"])
            answer = await office.ask("{ organisation { institution { shownAs } users { email } } }")
            organisation = answer["organisation"]
            assert organisation["institution"]["shownAs"] == verifier["institution"]
            assert verifier["email"] in [user["email"] for user in organisation["users"]]
        for staff in told["staff"]:
            code = pyotp.TOTP(pyotp.parse_uri(staff["otpauth"]).secret).at(clock.now) if "otpauth" in staff else ""
            board = await client.log_in_staff(staff["email"], staff["password"], code)
            kind = "PROCTOR" if staff["role"] == "PROCTOR" else "STAFF"
            assert (await board.ask("{ viewer { kind } }"))["viewer"]["kind"] == kind
        await check_unclaimed(client, told["unclaimed"][0])
        (sitting,) = told["sittings"]
        await check_sitting(client, sitting)
    before = written(settings)
    await cli.prepare(settings, demo=True)
    assert written(settings) == before


def written(settings: Settings) -> str:
    """What `var/demo.json` holds; nobody else may read it."""
    file = settings.var / "demo.json"
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text("utf-8")


async def check_showcases(client: Client, told: dict[str, Any]) -> None:
    """R4, R12: the two results that people ask to see are those of the first two log-ins."""
    shown = []
    for login in told["candidates"][:2]:
        candidate = await client.log_in(login["idNumber"], login["password"])
        assert (await candidate.ask("{ me { name } }"))["me"]["name"] == login["name"]
        shown += (await candidate.ask(SHOWN))["me"]["results"]
    texts = [(one["qualification"], one["headline"], one["overallScoreShown"]) for one in shown]
    assert ("C1 Advanced", "Council of Europe Level B2", "168") in texts
    assert ("Preliminary English Test", "Pass with Merit", "85/100") in texts


HOME = "{ sittings { qualification candidateName state appointmentLocal timezone recipients { isSent } } }"


async def check_sitting(client: Client, told: dict[str, str]) -> None:
    """H1: there is one that can be tried."""
    candidate = await client.log_in(told["idNumber"], told["password"])
    (sitting,) = (await candidate.ask(HOME))["sittings"]
    assert sitting["appointmentLocal"].startswith(told["startsAt"])
    assert (sitting["candidateName"], sitting["timezone"]) == (told["name"], told["timezone"])
    assert (sitting["state"], sitting["recipients"]) == ("BOOKED", [{"isSent": False}])


@pytest.mark.parametrize(("loaded", "starts"), [("08:55:00", "09:00"), ("08:55:01", "09:15"), ("23:59:00", "00:15")])
def test_the_sitting_of_the_demo_begins_at_the_next_full_quarter_that_leaves_five_minutes(
    loaded: str, starts: str
) -> None:
    """H1: in a quarter of an hour at the most, and at some minutes' notice, it can be tried."""
    assert f"{quarter_behind(datetime.fromisoformat(f'2026-11-22T{loaded}Z') + SOON):%H:%M:%S}" == f"{starts}:00"


async def check_unclaimed(client: Client, entry: dict[str, str]) -> None:
    """A1: the numbers of an entry that nobody has claimed make an account."""
    payload = await client.order(
        "register",
        "... on LoggedIn { token } ... on InvalidInput { problems { path message } }",
        idNumber=entry["idNumber"],
        secretNumber=entry["secretNumber"],
        email="newcomer@mail.example",
        emailAgain="newcomer@mail.example",
        password="a quiet harbour 77",
        passwordAgain="a quiet harbour 77",
        acceptsTerms=True,
    )
    assert payload["__typename"] == "LoggedIn", payload
    me = (await client.as_(payload["token"]).ask("{ me { name results { id } } }"))["me"]
    assert me["name"] == entry["name"]
    assert me["results"]


async def test_a_start_without_the_demo_leaves_the_database_empty(settings: Settings, clean: None) -> None:
    """Nobody's production database gets invented people."""
    await cli.prepare(settings, demo=False)
    assert settings.database_url is not None
    async with cli.opened(settings.database_url):
        assert not await Candidate.exists()
        assert await Exam.exists()
    assert not (settings.var / "demo.json").exists()


async def test_two_processes_that_start_at_once_load_the_demo_once(open_database: None, clock: ControlledClock) -> None:
    kept: list[object] = []
    answers = await asyncio.gather(*(load(clock(), kept.append) for _ in range(2)))
    assert sum(answer is not None for answer in answers) == 1
    assert len(kept) == 1
    assert await Institution.all().count() == 40
