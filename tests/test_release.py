"""Releasing sessions by the clock, and the one letter that tells a candidate of it (R3, N1, N4)."""

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from engine import database
from engine.jobs import Worker
from errors import AlreadyReleased
from models.candidate import Candidate
from models.entry import Entry
from models.letter import Letter
from models.release import Release
from models.result import Outcome, Result
from models.verifier import StaffUser
from models.viewer import Kind, Viewer
from resolvers import candidates, loading, releases
from resolvers.rows import Given
from tests.client import Client
from tests.conftest import ControlledClock
from tests.locks import holding, queued
from tests.mail_server import mails_in, text_of
from tests.scene import OFFICE, WAYS, Asker, Scene, scene_of, told_by
from tests.served import Served, until
from tests.test_visibility import HELD, OF_RESULT_1, OWN_ROWS, SHARED
from tests.world import World, password_hash

stored = pytest.mark.usefixtures("open_database")
EXAM, DAY = "C1_ADVANCED", date(2026, 9, 20)
SECOND = timedelta(seconds=1)
SCHEDULED = """... on ReleaseScheduled { release { examCode examDate at results } }
    ... on InvalidInput { problems { path message } } ... on AlreadyReleased { releasedAt }"""


@dataclass
class Board:
    """A member of the board's staff with a session that is loaded and not released."""

    world: World
    clock: ControlledClock
    staff: StaffUser

    @property
    def viewer(self) -> Viewer:
        """The member of staff, at this moment."""
        return self.world.viewer(Kind.STAFF, self.staff.id, is_board=True)

    async def loaded(self, count: int = 1, day: date = DAY, **facts: Any) -> list[Result]:
        """So many results of the session, each of a registered candidate."""
        entries = [await self.world.entry(exam_date=day) for _ in range(count)]
        return [await self.world.result(entry, {}, **{"released_at": None} | facts) for entry in entries]

    async def schedule(self, release_at: datetime | None, day: date = DAY) -> releases.Scheduled:
        """What `scheduleRelease` does."""
        return await releases.schedule(self.viewer, EXAM, day, release_at)

    async def told(self) -> list[str]:
        """The addresses that got a letter about a release, in order."""
        written = await Letter.filter(kind=releases.KIND).order_by("address")
        return [letter.address for letter in written]


@pytest.fixture
async def board(world: World, clock: ControlledClock, open_database: None) -> Board:
    """Staff, in an empty database."""
    return Board(world, clock, await world.staff())


async def address_of(result: Result) -> str:
    """Where the result's candidate is mailed."""
    entry = await Entry.get(id=result.entry_id).prefetch_related("candidate")
    return str(entry.candidate.email)


async def moments(results: list[Result]) -> set[datetime | None]:
    """The moments of release that these results have now."""
    return {(await Result.get(id=result.id)).released_at for result in results}


# ---- scheduling


async def test_a_schedule_gives_its_moment_to_all_results_of_the_session_and_to_no_other(board: Board) -> None:
    """R3."""
    wanted = await board.loaded(3)
    others = [*await board.loaded(day=date(2026, 9, 21)), await _of_exam(board, "B2_FIRST")]
    moment = board.clock() + timedelta(days=1)
    assert await board.schedule(moment) == releases.Scheduled(EXAM, DAY, moment, 3)
    assert await moments(wanted) == {moment}
    assert await moments(others) == {None}


async def _of_exam(board: Board, exam: str) -> Result:
    return await board.world.result(await board.world.entry(exam=exam), {}, released_at=None)


async def test_a_schedule_can_be_moved_and_cancelled_until_its_moment_has_come(board: Board) -> None:
    """R3: one second before it, and not at it."""
    results = await board.loaded(2)
    first = board.clock() + timedelta(days=1)
    await board.schedule(first)
    board.clock.now = first - SECOND
    assert (await board.schedule(None)).results == 2
    assert await moments(results) == {None}
    assert await Release.all().count() == 0
    await board.schedule(first)
    board.clock.now = first
    for other in (first + timedelta(days=1), None):
        with pytest.raises(AlreadyReleased) as refused:
            await board.schedule(other)
        assert refused.value.released_at == first
    assert await moments(results) == {first}


async def test_what_was_released_stays_released_when_the_session_gets_another_moment(board: Board) -> None:
    """R3: such as a session from before there were schedules, of which more results come."""
    [old] = await board.loaded(released_at=board.clock() - timedelta(days=9))
    [new] = await board.loaded()
    moment = board.clock() + timedelta(days=1)
    assert (await board.schedule(moment)).results == 1
    assert await moments([old]) == {board.clock() - timedelta(days=9)}
    assert await moments([new]) == {moment}


@pytest.mark.parametrize("when", ["before the moment", "after the moment"])
async def test_a_result_that_is_loaded_after_its_schedule_gets_the_moment_too(board: Board, when: str) -> None:
    """R2, R3."""
    moment = board.clock() + timedelta(minutes=10)
    await board.schedule(moment)
    if when == "after the moment":
        board.clock.forward(minutes=11)
    entry = await board.world.entry()
    await load_row(board, entry)
    assert (await Result.get(entry_id=entry.id)).released_at == moment
    await releases.tell(board.clock())
    assert len(await board.told()) == (1 if when == "after the moment" else 0)


async def load_row(board: Board, entry: Entry) -> None:
    """Load C1 Advanced 185 for this entry, as a file would."""
    texts = {
        "centre": "JP901",
        "examCode": EXAM,
        "examDate": DAY.isoformat(),
        "candidateNumber": entry.candidate_number,
    }
    async for done in loading.load(board.viewer, [Given(1, texts | {"overallScore": "185"})]):
        assert done.bad == []


async def test_a_schedule_waits_for_results_that_are_being_loaded(board: Board, database_url: str) -> None:
    """R3: neither the schedule sees those rows, nor their loading the schedule."""
    moment = board.clock() + timedelta(days=1)
    [loaded] = await board.loaded()
    loader = await asyncpg.connect(database_url)
    async with loader.transaction():
        await loader.execute("SELECT pg_advisory_xact_lock($1)", loading.ONE_AT_A_TIME)
        await loader.execute("UPDATE result SET loaded_at = loaded_at - interval '1 hour'")
        scheduling = asyncio.create_task(board.schedule(moment))
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        await until(partial(database.value, waiting))
    assert (await scheduling).results == 1
    await loader.close()
    assert await moments([loaded]) == {moment}


async def test_loading_takes_the_lock_that_schedules_wait_for(board: Board, database_url: str) -> None:
    """R3."""
    entry = await board.world.entry()
    scheduler = await asyncpg.connect(database_url)
    async with scheduler.transaction():
        await scheduler.execute("SELECT pg_advisory_xact_lock($1)", loading.ONE_AT_A_TIME)
        row = asyncio.create_task(load_row(board, entry))
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        await until(partial(database.value, waiting))
    await row
    await scheduler.close()


LATE: dict[str, tuple[str, dict[str, Any]]] = {
    "scheduleRelease": ("... on AlreadyReleased { releasedAt }", {"releaseAt": None}),
    "loadResults": ("... on ResultsLoaded { replaced problems { reason } }", {"replaces": True}),
}


@pytest.mark.parametrize("mutation", LATE)
async def test_whoever_had_to_wait_past_the_moment_neither_puts_off_nor_replaces_what_was_released(
    mutation: str, client: Client, world: World, clock: ControlledClock, database_url: str
) -> None:
    """R3, R11: asked for one second before it, and done when candidates have seen it."""
    board, moment = Board(world, clock, await world.staff()), clock() + SECOND
    entry = await world.entry()
    result = await world.result(entry, {}, released_at=None)
    await board.schedule(moment)
    selection, asked = LATE[mutation]
    session: dict[str, Any] = {"examCode": EXAM, "examDate": DAY.isoformat()}
    row = session | {"centre": "JP901", "candidateNumber": entry.candidate_number, "overallScore": 185}
    asked = {**asked, **(session if mutation == "scheduleRelease" else {"rows": [row]})}
    staff = client.as_(await world.token(board.staff))
    async with holding(database_url, f"SELECT pg_advisory_xact_lock({loading.ONE_AT_A_TIME})"):
        order = asyncio.create_task(staff.order(mutation, selection, **asked))
        await queued(1)
        clock.now = moment
    answer = await order
    assert (answer["__typename"], answer.get("replaced")) in (("AlreadyReleased", None), ("ResultsLoaded", 0))
    assert [one["reason"] for one in answer.get("problems", [])] in ([], [loading.SAY_AMEND])
    after = await Result.get(id=result.id)
    assert (after.released_at, after.overall_score) == (moment, result.overall_score)


async def test_two_members_of_staff_at_once_leave_one_moment(board: Board) -> None:
    """R3."""
    results = await board.loaded(5)
    days = [board.clock() + timedelta(days=number) for number in range(1, 5)]
    await asyncio.gather(*(board.schedule(day) for day in days))
    [release] = await Release.all()
    assert await moments(results) == {release.release_at}


@pytest.mark.parametrize(
    ("ahead", "path"),
    [(timedelta(0), "releaseAt"), (-SECOND, "releaseAt"), (timedelta(days=365, seconds=1), "releaseAt")],
)
async def test_a_moment_that_has_passed_or_is_more_than_a_year_ahead_is_refused(
    ahead: timedelta, path: str, client: Client, world: World, clock: ControlledClock
) -> None:
    """R3: the edges on the other side are taken."""
    asking = client.as_(await world.token(await world.staff()))
    session = {"examCode": EXAM, "examDate": DAY.isoformat()}
    refused = await asking.order("scheduleRelease", SCHEDULED, **session, releaseAt=(clock() + ahead).isoformat())
    assert [problem["path"] for problem in refused["problems"]] == [path]
    for good in (SECOND, timedelta(days=365)):
        taken = await asking.order("scheduleRelease", SCHEDULED, **session, releaseAt=(clock() + good).isoformat())
        assert taken["__typename"] == "ReleaseScheduled"


@pytest.mark.parametrize(
    ("exam", "day", "release_at", "path"),
    [
        ("NO_SUCH_EXAM", "2026-09-20", "2026-12-01T09:00:00Z", "examCode"),
        ("C1_ADVANCED", "2014-12-31", "2026-12-01T09:00:00Z", "examDate"),
        ("PET_STD100", "2016-02-01", "2026-12-01T09:00:00Z", "examDate"),
        ("C1_ADVANCED", "2026-12-05", "2026-12-04T23:59:59Z", "releaseAt"),
        ("C1_ADVANCED", "2026-09-20", "2026-12-01T09:00:00", "releaseAt"),
    ],
)
async def test_a_session_that_cannot_be_is_refused(
    exam: str, day: str, release_at: str, path: str, client: Client, world: World
) -> None:
    """R3: a misprint in the order would else wait for results that never come."""
    asking = client.as_(await world.token(await world.staff()))
    refused = await asking.order("scheduleRelease", SCHEDULED, examCode=exam, examDate=day, releaseAt=release_at)
    assert [problem["path"] for problem in refused["problems"]] == [path]
    assert await Release.all().count() == 0


@pytest.mark.parametrize("who", ["nobody", "candidate", "verifier", "centre staff"])
async def test_only_the_boards_staff_schedule_releases_and_see_them(who: str, client: Client, world: World) -> None:
    """R3."""
    session = {"examCode": EXAM, "examDate": DAY.isoformat(), "releaseAt": "2026-12-01T09:00:00Z"}
    board = client.as_(await world.token(await world.staff()))
    assert (await board.order("scheduleRelease", SCHEDULED, **session))["__typename"] == "ReleaseScheduled"
    ahead = await board.ask("{ staff { releases { examCode examDate at results } } }")
    assert ahead["staff"]["releases"] == [
        {"examCode": EXAM, "examDate": "2026-09-20", "at": "2026-12-01T09:00:00+00:00", "results": 0}
    ]
    owners: dict[str, Any] = {
        "candidate": world.candidate, "verifier": world.verifier,
        "centre staff": lambda: _centre_staff(world),
    }  # fmt: skip
    asking = client.as_(await world.token(await owners[who]())) if who in owners else client
    refused = await asking.order("scheduleRelease", SCHEDULED, **session | {"releaseAt": None})
    assert refused["__typename"] == ("NotLoggedIn" if who == "nobody" else "NotAllowed")
    assert await Release.all().count() == 1
    staff = (await asking.ask("{ staff { releases { examCode } } }"))["staff"]
    assert staff is None or staff["releases"] is None


async def _centre_staff(world: World) -> StaffUser:
    return await world.staff(centre=await world.centre())


# ---- nothing before the moment


@pytest.mark.parametrize("who", ["candidate", "home user"])
async def test_nothing_of_a_result_is_told_by_any_way_until_the_scheduled_moment(
    who: str, app: Starlette, client: Client, world: World, clock: ControlledClock
) -> None:
    """R3: one second before it, and at it, though no job has run; counts tell nothing either."""
    scene = await scene_of(world)
    entry, result = scene.rows["entry 1"], scene.rows["result 1"]
    await Result.filter(id=result.id).update(released_at=None, release_told_at=None)
    moment = clock() + timedelta(minutes=10)
    viewer = world.viewer(Kind.STAFF, scene.rows["staff"].id, is_board=True)
    await releases.schedule(viewer, entry.exam_id, entry.exam_date, moment)
    before = {
        "candidate": OWN_ROWS - SHARED - OF_RESULT_1 | {"shut institution"},
        "home user": {"other candidate", *OFFICE},
    }
    early = {"version 1", "reason 1"}  # a version that ended before the release was never out
    after = {
        "candidate": OWN_ROWS - early | {"shut institution"},
        "home user": {"other candidate", *OFFICE, *HELD} - early,
    }
    for time, seen in ((moment - SECOND, before[who]), (moment, after[who])):
        clock.now = time
        assert await reads(scene, app, client, who) == seen
        if who == "home user":
            inbox = "{ inbox { totalCount unreadCount } }"
            counts = (await client.as_(scene.tokens[who]).ask(inbox))["inbox"]
            assert set(counts.values()) == {1 if time < moment else 2}


async def reads(scene: Scene, app: Starlette, client: Client, who: str) -> set[str]:
    """What of the scene is told by all ways that change nothing."""
    asker = Asker(scene.tokens[who])
    names = [name for name in WAYS if not name.startswith("Mutation.")]
    told = [scene.among(await told_by(name, scene, app, client, asker)) for name in names]
    return set().union(*told)


# ---- the letter


@stored
async def test_every_registered_candidate_gets_one_letter_per_result(board: Board) -> None:
    """N1, R3: at the moment and not before it, however often somebody looks; whatever the outcome."""
    results = await board.loaded(2)
    nothing: dict[str, Any] = dict.fromkeys(("headline", "cefr", "overall_score"))
    results += await board.loaded(outcome=Outcome.PENDING, **nothing)
    results += await board.loaded(outcome=Outcome.WITHHELD, **nothing)
    moment = board.clock() + timedelta(days=1)
    await board.schedule(moment)
    board.clock.now = moment - SECOND
    assert await releases.tell(board.clock()) == 0
    board.clock.now = moment
    assert await releases.tell(board.clock()) == 4
    assert await releases.tell(board.clock()) == 0
    board.clock.forward(days=30)
    assert await releases.tell(board.clock()) == 0
    assert await board.told() == sorted([await address_of(result) for result in results])


@stored
async def test_two_results_at_one_moment_are_two_letters(board: Board) -> None:
    """N1: one mail per release; each session is a release of its own."""
    candidate = await board.world.candidate()
    moment = board.clock() + timedelta(hours=1)
    for day in (DAY, date(2026, 9, 21)):
        entry = await board.world.entry(candidate, exam_date=day)
        await board.world.result(entry, {}, released_at=None)
        await board.schedule(moment, day)
    await releases.tell(moment)
    assert await board.told() == [candidate.email] * 2


@stored
async def test_who_registers_after_the_release_or_has_closed_the_account_gets_no_letter(board: Board) -> None:
    """N1, G2: who registers at the very moment does; the others find the result when they log in."""
    moment = board.clock() + timedelta(hours=1)
    at = {"the moment": moment, "after": moment + SECOND}
    people = {name: await board.world.candidate(registered_at=when) for name, when in at.items()}
    people["closed"] = await board.world.candidate(closed_at=board.clock())
    people["nobody yet"] = await board.world.candidate(registered=False)
    for candidate in people.values():
        await board.world.result(await board.world.entry(candidate), {}, released_at=moment)
    assert await releases.tell(moment + timedelta(minutes=1)) == 1
    assert await board.told() == [people["the moment"].email]
    facts = {
        "email": "a@b.example",
        "password_hash": password_hash(),
        "terms_version": "1",
        "terms_accepted_at": moment,
    }
    later = moment + timedelta(minutes=2)
    await Candidate.filter(id=people["nobody yet"].id).update(registered_at=later, **facts)
    assert await releases.tell(moment + timedelta(minutes=3)) == 0


async def test_results_that_were_released_before_there_were_letters_are_not_told(server_url: str) -> None:
    """N1: the migration that brings the letters marks them; see also the demo."""
    text = (Path(__file__).parents[1] / "migrations" / "0006_rules_of_results.py").read_text("utf-8")
    assert "UPDATE result SET release_told_at = released_at WHERE released_at <= now()" in text


@pytest.mark.parametrize(("language", "subject"), [("en", "Your result is out"), ("ja", "試験結果が公開されました")])
async def test_the_letter_is_in_the_candidates_language_and_holds_no_score(
    language: str, subject: str, app: Starlette, worker: Worker, world: World, clock: ControlledClock, tmp_path: Path
) -> None:
    """N1, N5."""
    candidate = await world.candidate(language=language, email="released@mail.example")
    await world.result(await world.entry(candidate), released_at=clock(), release_told_at=None)
    await releases.tell(clock())
    [mail] = await mails_in(tmp_path / "mail", 1)
    assert (mail["To"], mail["Subject"]) == ("released@mail.example", subject)
    text = text_of(mail)
    assert "http://testserver/results" in text
    for hidden in ("168", "Council of Europe", "B2", candidate.family_name, "C1 Advanced"):
        assert hidden not in text


async def test_letters_about_releases_let_everything_else_go_first(board: Board) -> None:
    """N4, A5: a password is reset while 300,000 such letters wait."""
    entry = await board.world.entry()
    await board.world.result(entry, {}, released_at=board.clock(), release_told_at=None)
    await releases.tell(board.clock())
    await candidates.request_password_reset(board.world.viewer(Kind.ANONYMOUS), entry.id_number)
    waiting = await database.rows(
        """SELECT letter.kind FROM pgqueuer JOIN letter ON pgqueuer.dedupe_key = 'letter ' || letter.id
           ORDER BY pgqueuer.priority DESC, pgqueuer.id"""
    )
    assert [job["kind"] for job in waiting] == ["password_reset", releases.KIND]


async def test_several_workers_share_the_letters_and_write_each_once(board: Board) -> None:
    """N1, N4."""
    moment = board.clock()
    results = await board.loaded(40, released_at=moment, release_told_at=None)
    told = await asyncio.gather(*(releases.tell(moment) for _ in range(5)))
    assert sum(told) == 40
    assert await board.told() == sorted([await address_of(result) for result in results])


async def test_nobody_is_missed_and_nobody_told_twice_when_workers_are_killed_half_way(
    open_database: None, world: World, database_url: str, tmp_path: Path
) -> None:
    """N1, N4: real worker processes, killed while they write the letters; each has its job."""
    count, kills = 2500, 0
    await many_released(world, count)
    while before := await untold():
        async with nullcontext() if kills else holding(database_url, OF_SECOND_BATCH):
            process = Served(tmp_path / f"worker {kills}", database_url, command="worker").start()
            await until(partial(_has_begun, before))
            await queued(0 if kills else 1)  # the first is in the middle of its second batch
            process.kill()
        await database.rows("UPDATE pgqueuer_schedules SET heartbeat = now() - interval '1 hour'")  # long dead
        kills += 1
    assert kills > 1
    assert await database.value("SELECT count(*) FROM letter WHERE kind = 'result_released'") == count
    assert await database.value("SELECT count(DISTINCT candidate_id) FROM letter") == count
    without_job = """SELECT count(*) FROM letter WHERE sent_at IS NULL AND begun_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM pgqueuer WHERE dedupe_key = 'letter ' || letter.id)"""
    assert await database.value(without_job) == 0


OF_SECOND_BATCH = """SELECT 1 FROM candidate WHERE id = (
    SELECT candidate_id FROM entry WHERE candidate_number = '1500') FOR UPDATE"""


async def many_released(world: World, count: int) -> None:
    """So many released results that nobody has been told of, each of a registered candidate; first those of a batch."""
    centre = await world.centre()
    await database.rows(
        """WITH person AS (
               INSERT INTO candidate (id, family_name, given_name, date_of_birth, email, language, wants_updates,
                                      registered_at, password_hash, terms_version, terms_accepted_at)
               SELECT gen_random_uuid(), 'Many', 'One', '2001-02-03', 'many' || number || '@mail.example', 'en', false,
                      '2026-01-01', 'none', '1', '2026-01-01'
               FROM generate_series(1, :count::int) AS number RETURNING id),
           numbered AS (SELECT id, row_number() OVER () AS number FROM person),
           sat AS (
               INSERT INTO entry (id, candidate_id, exam_id, centre_id, exam_date, candidate_number, id_number,
                                  secret_hash, results_by)
               SELECT gen_random_uuid(), id, 'C1_ADVANCED', :centre::uuid, '2026-09-20', number::text,
                      'MNY' || lpad(number::text, 6, '0'), decode(repeat('00', 32), 'hex'), '2026-11-01'
               FROM numbered RETURNING id, candidate_number)
           INSERT INTO result (id, entry_id, outcome, statement_number, version, loaded_at, released_at)
           SELECT gen_random_uuid(), id, 'ABSENT_FROM_ALL', 'M26' || candidate_number, 1, '2026-10-01',
                  timestamptz '2026-11-01' + (candidate_number::int > :at_once::int)::int * interval '1 second'
           FROM sat""",
        count=count,
        centre=centre.id,
        at_once=releases.AT_ONCE,
    )


async def untold() -> int:
    """How many released results nobody has been told of."""
    count: int = await database.value("SELECT count(*) FROM result WHERE release_told_at IS NULL")
    return count


async def _has_begun(before: int) -> bool:
    """Whether a worker has written letters; its schedule's next turn is made to come at once."""
    await database.rows("UPDATE pgqueuer_schedules SET next_run = now() WHERE status = 'queued'")
    return await untold() < before
