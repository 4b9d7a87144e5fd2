"""Orders about sittings that come at once, in the wrong order, or from a process that dies in the middle (H2-H9)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine import database
from engine.events import Batch, Cursor
from engine.limits import forget
from errors import InvalidInput, Refusal, SittingStateForbids
from models.consent import CONSENT_VERSION
from models.sittings.check_in import STEPS
from models.sittings.proctoring import AppealOutcome
from models.sittings.reasons import Reason
from models.sittings.states import SittingState
from resolvers import closing, loading, mergers, releases
from resolvers.rows import Given
from resolvers.shares import Consent
from resolvers.sittings import (
    appeals,
    chat,
    check_ins,
    moves,
    official_scores,
    proctoring,
    proctors,
    recipients,
    recordings,
    running,
    scores,
)
from resolvers.sittings import events as sitting_events
from tests.conftest import ControlledClock
from tests.dying import deaths_at_each_statement
from tests.locks import holding, lined_up, queued
from tests.sitting_world import EXAM, HERE, IN_TOKYO, Home, at
from tests.world import PASSWORD, World

TICK = timedelta(microseconds=1)
INDEX = re.compile(r"(?:on|using) (sitting_\w+)")
SCORES = {"READING": 25, "LISTENING": 24, "SPEAKING": 23, "WRITING": 23}
YES = Consent(CONSENT_VERSION, "en")
TABLES = (
    "sitting", "sitting_event", "sitting_section", "sitting_break", "sitting_photo", "sitting_recipient",
    "check_in_step", "proctor_presence", "centre", "entry", "result", "skill_score", "photo", "share", "journal",
    "trail", "letter",
)  # fmt: skip


@pytest.fixture
async def home(open_database: None, world: World, clock: ControlledClock) -> Home:
    return await Home.booked(world, clock)


def bugs(done: list[Any]) -> list[BaseException]:
    """What came of orders that is neither an answer nor a refusal."""
    return [one for one in done if isinstance(one, BaseException) and not isinstance(one, Refusal)]


def caught(order: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """The order, with what it raises as its answer."""

    async def answered() -> Any:
        try:
            return await order()
        except Exception as error:
            return error

    return answered


async def happened(home: Home, kind: str) -> int:
    """How often something happened to a sitting."""
    return (await home.told(home.board)).count(kind)


async def with_photo(home: Home) -> None:
    await database.rows(
        """INSERT INTO sitting_photo (id, sitting_id, file, width, height, size, digest, added_at)
           VALUES (gen_random_uuid(), :id, 'photo/a.jpg', 10, 10, 9, decode(repeat('00', 32), 'hex'), :now)""",
        id=home.id,
        now=home.clock(),
    )


# ---- two at once


async def test_a_proctor_in_two_windows_takes_no_more_than_one_person_can_watch(
    home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H2"""
    monkeypatch.setattr(proctoring, "MOST_WATCHED", 1)
    other = await Home.booked(home.world, home.clock)
    await home.come()
    await other.check_system()
    await check_ins.start(other.viewer, other.id)
    take = caught(lambda: proctoring.take_next(home.proctor))
    done = await lined_up(database_url, "staff_user", take, take)
    assert sorted(type(one).__name__ for one in done) == ["InvalidInput", "UUID"]
    assert await database.value("SELECT count(*) FROM sitting WHERE proctor_id IS NOT NULL") == 1


async def test_one_test_password_on_two_devices_opens_the_test_once(home: Home, database_url: str) -> None:
    """H3"""
    await home.taken()
    await home.confirm(*STEPS)
    enter = caught(lambda: check_ins.enter_test(home.viewer, home.id, home.released.test_id, home.released.password))
    done = await lined_up(database_url, "sitting", enter, enter)
    assert bugs(done) == []
    assert await happened(home, "TEST_ENTERED") == 1


@pytest.mark.parametrize("first", ["report", "cancel"])
async def test_of_reporting_and_cancelling_at_once_one_is_done(home: Home, database_url: str, first: str) -> None:
    """H8"""
    await home.finished()
    asked = await scores.cancel(home.viewer, home.id)
    assert asked is not None
    confirmation = asked.confirmation
    report = caught(lambda: scores.report(home.viewer, home.id))
    cancel = caught(lambda: scores.cancel(home.viewer, home.id, confirmation))
    done = await lined_up(database_url, "sitting", *((report, cancel) if first == "report" else (cancel, report)))
    assert [type(one) is SittingStateForbids for one in done] == [False, True]
    assert await home.stands() == ("REPORTED" if first == "report" else "CANCELLED")
    assert await database.value("SELECT count(*) FROM result") == (first == "report")


async def test_official_scores_that_come_twice_at_once_release_one_result_with_one_letter(
    home: Home, database_url: str
) -> None:
    """H8, N1"""
    await recipients.change(home.viewer, home.id, [(await home.world.institution()).id], YES)
    await home.finished()
    await scores.report(home.viewer, home.id)
    record = caught(lambda: official_scores.record(home.board, home.id, 95, SCORES))
    done = await lined_up(database_url, "sitting", record, record)
    assert [type(one).__name__ for one in done] == ["list", "SittingStateForbids"]
    assert await database.value("SELECT count(*) FROM share") == 1
    assert (await releases.tell(home.clock()), await releases.tell(home.clock())) == (1, 0)


async def test_two_appeals_at_once_are_one(home: Home, database_url: str) -> None:
    """H9"""
    home.clock.forward(days=4)
    appeal = caught(lambda: appeals.make(home.viewer, home.id, "I was ill"))
    done = await lined_up(database_url, "sitting", appeal, appeal)
    assert sorted(type(one).__name__ for one in done) == ["NoneType", "SittingStateForbids"]


# ---- orders that meet those of others


async def test_an_account_that_is_closed_while_its_scores_are_reported_leaves_no_photo(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G2: neither where it was nor where it goes, at the moment between them."""
    await home.finished()
    await home.world.entry(home.candidate)
    await with_photo(home)
    has_moved, goes_on, rows = asyncio.Event(), asyncio.Event(), database.rows

    async def slow(statement: str, **named: Any) -> Any:
        found = await rows(statement, **named)
        if "INSERT INTO photo" in statement:
            has_moved.set()
            await goes_on.wait()
        return found

    monkeypatch.setattr(database, "rows", slow)
    async with asyncio.timeout(60):
        report = asyncio.ensure_future(scores.report(home.viewer, home.id))
        await has_moved.wait()
        close = asyncio.ensure_future(closing.close(home.viewer, PASSWORD, is_confirmed=True))
        await queued(1)
        goes_on.set()
        await asyncio.gather(report, close)
    assert await home.stands() == "REPORTED"
    assert await database.value("SELECT (SELECT count(*) FROM photo) + (SELECT count(*) FROM sitting_photo)") == 0


async def test_recording_official_scores_and_loading_a_file_wait_for_one_another(home: Home, database_url: str) -> None:
    await home.finished()
    await scores.report(home.viewer, home.id)
    record = caught(lambda: official_scores.record(home.board, home.id, 95, SCORES))
    load = caught(lambda: loaded(home, row_of("0001")))
    assert bugs(await lined_up(database_url, "result", record, load)) == []
    assert await database.value("SELECT overall_score FROM result WHERE released_at IS NOT NULL") == 95


async def test_loading_scores_of_several_sittings_and_merging_institutions_wait_for_one_another(
    home: Home, database_url: str
) -> None:
    one, other = sorted([(await home.world.institution()).id for _ in range(2)])
    await recipients.change(home.viewer, home.id, [other], YES)
    await home.finished()
    await scores.report(home.viewer, home.id)
    second = await Home.booked(home.world, home.clock, replace(HERE, starts_at=IN_TOKYO + timedelta(hours=5)))
    await recipients.change(second.viewer, second.id, [one], YES)
    await second.finished()
    await scores.report(second.viewer, second.id)
    load = caught(lambda: loaded(home, row_of("0001"), row_of("0002")))
    merge = caught(lambda: mergers.merge(home.board, one, other, "The same"))
    assert bugs(await lined_up(database_url, "institution", load, merge)) == []
    assert await database.value("SELECT count(*) FROM share WHERE institution_id = :id", id=other) == 2


def row_of(number: str) -> dict[str, str]:
    """A row of official scores, of the sitting that was reported under this number."""
    texts = {"centre": "HOME", "examCode": EXAM, "examDate": "2026-11-25", "candidateNumber": number}
    return texts | {"overallScore": "96", "reading": "26", "listening": "24", "speaking": "23", "writing": "23"}


async def loaded(home: Home, *rows: dict[str, str]) -> list[loading.Loaded]:
    """What comes of loading a file."""
    given = [Given(line, texts) for line, texts in enumerate(rows, start=1)]
    return [done async for done in loading.load(home.board, given, replaces=True)]


async def test_naming_institutions_while_two_of_them_are_merged_waits_its_turn(home: Home, database_url: str) -> None:
    one, other = sorted([(await home.world.institution()).id for _ in range(2)])
    change = caught(lambda: recipients.change(home.viewer, home.id, [other, one], YES))
    merge = caught(lambda: mergers.merge(home.board, one, other, "The same"))
    assert bugs(await lined_up(database_url, "institution", change, merge)) == []


@pytest.mark.parametrize("names_both", [False, True])
async def test_what_went_up_in_another_institution_meanwhile_gets_the_result_there_once(
    home: Home, database_url: str, names_both: bool
) -> None:
    """S3, H8: as all that was sent to it before."""
    duplicate, kept = sorted([(await home.world.institution()).id for _ in range(2)])
    await recipients.change(home.viewer, home.id, [duplicate, kept] if names_both else [duplicate], YES)
    await home.finished()
    await scores.report(home.viewer, home.id)
    merge = caught(lambda: mergers.merge(home.board, duplicate, kept, "The same"))
    record = caught(lambda: official_scores.record(home.board, home.id, 95, SCORES))
    assert bugs(await lined_up(database_url, "institution", merge, record)) == []
    assert [one["institution_id"] for one in await database.rows("SELECT * FROM share")] == [kept]
    assert all(one["share_id"] for one in await recipients.of_sitting(home.viewer, home.id))


async def test_no_sitting_that_has_just_ended_is_told_to_run_without_its_proctor(home: Home, database_url: str) -> None:
    """H10"""
    await home.begun()
    ends = f"UPDATE sitting SET state = 'FINISHED' WHERE id = '{home.id}'"
    home.clock.forward(minutes=1)
    async with holding(database_url, ends, commits=True):
        telling = asyncio.ensure_future(proctors.tell_of_lost(home.clock()))
        await queued(1)
    await telling
    assert await happened(home, "PROCTOR_LOST") == 0


# ---- the clock


async def test_what_came_in_time_and_waits_for_the_row_is_not_overtaken_by_the_clock(
    home: Home, database_url: str
) -> None:
    """H5, H11"""
    await home.begun()
    home.clock.forward(seconds=15)
    in_time = home.viewer
    home.clock.forward(seconds=2)
    async with holding(database_url, "SELECT 1 FROM sitting FOR UPDATE"):
        sign = asyncio.ensure_future(running.report_connection(in_time, home.id))
        await queued(1)
        assert await moves.settle(home.clock()) == 0
    assert (await sign).state.value == "IN_PROGRESS"
    assert await moves.settle(home.clock()) == 0


async def test_a_sign_of_life_that_was_overtaken_takes_nothing_back(home: Home) -> None:
    """H5"""
    await home.begun()
    early = home.viewer
    home.clock.forward(seconds=10)
    await running.report_connection(home.viewer, home.id)
    await running.report_connection(early, home.id)
    assert (await home.row())["seen_at"] == home.clock()


async def test_orders_that_overtake_one_another_are_told_in_the_order_in_which_they_were_done(home: Home) -> None:
    """H9, H11: nothing happens before what it followed, and no answer comes before its question."""
    await home.begun()
    await home.sections(2)
    early = {"candidate": home.viewer, "proctor": home.proctor}
    home.clock.forward(seconds=1)
    await running.start_break(home.viewer, home.id)
    await running.end_break(early["candidate"], home.id)
    assert (await home.told())[-2:] == ["BREAK_STARTED", "BREAK_ENDED"]
    await chat.send(home.viewer, home.id, "May I go on?")
    await chat.send(early["proctor"], home.id, "Yes")
    assert (await chat.waits(home.viewer, [home.id]))[home.id]["longest_seconds"] == 0


async def test_workers_share_what_fell_due_while_all_were_down_and_each_is_told_once(home: Home) -> None:
    """H11: as of the moment at which it fell due."""
    await database.rows(
        """INSERT INTO sitting (id, candidate_id, exam_id, appointment_at, timezone, booked_at, state, since, sections)
           SELECT gen_random_uuid(), candidate_id, exam_id, appointment_at + n * interval '1 second', timezone,
                  booked_at, state, since, sections FROM sitting, generate_series(1, 249) AS n"""
    )
    home.clock.forward(days=9)
    assert sum(await asyncio.gather(*(moves.settle(home.clock()) for _ in range(3)))) == 250
    assert await moves.settle(home.clock()) == 0
    told = "SELECT count(DISTINCT sitting_id) FROM sitting_event JOIN sitting ON sitting.id = sitting_id"
    due = "kind = 'MISSED' AND happened_at = appointment_at + interval '15 minutes' AND happened_at = sitting.since"
    assert await database.value(f"{told} WHERE {due}") == 250
    assert await database.value("SELECT count(*) FROM sitting_event WHERE kind = 'MISSED'") == 250


@pytest.mark.parametrize(
    ("due", "is_written", "grace"),
    [
        ("START", 15 * 60, moves.GRACE_OF_ENDS),
        ("SIGN", 15, moves.GRACE),
        ("BREAK", 10 * 60, moves.GRACE_OF_ENDS),
    ],
)
async def test_the_job_writes_what_the_table_says_on_both_sides_of_its_edge(
    home: Home, due: str, is_written: int, grace: timedelta
) -> None:
    """H11: and not before what was asked in time, and had to wait, is done."""
    if due == "START":
        home.clock.now = (await home.row())["appointment_at"]
    else:
        await home.begun()
    if due == "BREAK":
        await home.sections(2)
        await running.start_break(home.viewer, home.id)
    home.clock.forward(seconds=is_written)
    late = home.clock() + grace
    assert await moves.settle(late) == 0
    assert await moves.settle(late + TICK) == 1
    assert (await home.row())["since"] == home.clock()


async def test_who_came_back_in_time_goes_on_though_the_service_was_slow(home: Home) -> None:
    """H6, H11: a job that runs half a minute later does not overtake what was asked before the end."""
    await home.begun()
    await home.sections(2)
    await running.start_break(home.viewer, home.id)
    home.clock.forward(minutes=10)
    asked = home.viewer
    home.clock.forward(seconds=30)
    assert await moves.settle(home.clock()) == 0
    assert (await running.end_break(asked, home.id)).state is SittingState.IN_PROGRESS


async def test_who_overran_a_break_keeps_nobody_from_their_turn_while_no_job_runs(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H4, H6, H11: to the microsecond; and the place of the proctor is free again."""
    monkeypatch.setattr(proctoring, "MOST_WATCHED", 1)
    await home.begun()
    await home.sections(2)
    await running.start_break(home.viewer, home.id)
    next_one = await Home.booked(home.world, home.clock, replace(HERE, starts_at=IN_TOKYO + timedelta(minutes=5)))
    await next_one.check_system()
    home.clock.forward(minutes=10)
    await next_one.start()
    assert [one["id"] for one in await proctoring.queue(next_one.proctor)] == [home.id, next_one.id]
    with pytest.raises(InvalidInput):
        await proctoring.take_next(home.proctor)
    home.clock.forward(microseconds=1)
    assert [one["id"] for one in await proctoring.queue(next_one.proctor)] == [next_one.id]
    assert await proctoring.take_next(home.proctor) == next_one.id
    assert (await home.row())["state"] == "ON_BREAK"  # as nobody has written it


async def test_a_proctor_is_away_for_the_queue_from_the_moment_from_which_the_table_says_so(home: Home) -> None:
    """H5"""
    await home.taken()
    home.clock.forward(seconds=15)
    assert await proctoring.queue(home.proctor) == []
    assert [one["id"] for one in await proctoring.queue(at(home.proctor, home.clock() + TICK))] == [home.id]


async def test_what_is_over_is_not_looked_at_again_by_the_job(home: Home) -> None:
    """However many sittings there have been: each kind of deadline is found by an index of those that run."""
    await database.rows(
        """INSERT INTO sitting (id, candidate_id, exam_id, appointment_at, timezone, booked_at, state, since, sections,
                                reason)
           SELECT gen_random_uuid(), candidate_id, exam_id, appointment_at, timezone, booked_at, 'MISSED', since,
                  sections, 'NOT_STARTED_IN_TIME' FROM sitting, generate_series(1, 3000)"""
    )
    await database.rows("ANALYZE sitting")
    used = [INDEX.findall(await plan(due)) for due in moves.DUE]
    assert all(used), used
    assert not any("sitting_pkey" in indexes for indexes in used), used


async def plan(due: str) -> str:
    """How PostgreSQL looks for what is due, whatever the moment is."""
    statement = database.numbered(f"SELECT * FROM sitting WHERE {due} LIMIT 100")[0]
    async with database.transaction():
        await database.rows(f"PREPARE looked_for (timestamptz) AS {statement}")
        found = await database.rows("EXPLAIN EXECUTE looked_for (now())")
        await database.rows("DEALLOCATE looked_for")
    return "\n".join(row["QUERY PLAN"] for row in found)


# ---- events


async def test_an_event_whose_writer_was_slow_is_told_before_those_that_followed_it(
    home: Home, database_url: str
) -> None:
    """H10: none is passed over by a cursor that saw later ones."""
    start = (await behind(home, (0, 0), 1)).position
    slow = f"""INSERT INTO sitting_event (sitting_id, kind, state, happened_at, actor)
               VALUES ('{home.id}', 'HANDED_OVER', 'BOOKED', now(), 'PROCTOR')"""
    async with holding(database_url, slow, commits=True):
        await home.check_system()
        before = await sitting_events.read(home.id, start)
        assert (before.events, before.more) == ([], True)
    told = (await behind(home, before.position, 2)).events
    assert [event.kind.value for event in told] == ["HANDED_OVER", "SYSTEM_CHECK_PASSED"]


async def behind(home: Home, cursor: Cursor, count: int) -> Batch[sitting_events.SittingEvent]:
    """The events of a sitting behind a cursor, once there are so many."""
    async with asyncio.timeout(60):
        while len((batch := await sitting_events.read(home.id, cursor)).events) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return batch


# ---- a process that dies


async def test_a_process_that_dies_anywhere_leaves_nothing_half_done(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H3-H8: at every statement of the orders that write more than one row."""
    await recipients.change(home.viewer, home.id, [(await home.world.institution()).id], YES)
    await home.come()

    async def dies(order: Callable[[], Awaitable[Any]]) -> int:
        return await deaths_at_each_statement(monkeypatch, order, TABLES)

    async def enter() -> None:
        await forget(check_ins.TEST_PASSWORDS, str(home.id))  # every try that dies is counted
        await check_ins.enter_test(home.viewer, home.id, home.released.test_id, home.released.password)

    async def release() -> None:
        await home.confirm(STEPS[-1])

    deaths = [await dies(lambda: proctoring.take_next(home.proctor))]
    await home.confirm(*STEPS[:-1])
    deaths += [await dies(release), await dies(enter)]
    await home.sections(4)
    await running.finish(home.viewer, home.id)
    await with_photo(home)
    asked = await scores.cancel(home.viewer, home.id)
    assert asked is not None
    deaths.append(await dies(lambda: scores.cancel(home.viewer, home.id, asked.confirmation)))
    deaths.append(await dies(lambda: scores.undo(home.viewer, home.id)))
    deaths.append(await dies(lambda: scores.report(home.viewer, home.id)))
    deaths.append(await dies(lambda: official_scores.record(home.board, home.id, 95, SCORES)))
    assert min(deaths) >= 3
    assert await database.value("SELECT count(*) FROM share") == 1


# ---- the trail


async def test_whoever_changes_what_is_held_of_a_sitting_leaves_one_entry_in_the_trail(home: Home) -> None:
    """G1: also where no state changes."""
    await home.begun()
    await home.sections(1)
    orders: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
        ("candidate", lambda: chat.send(home.viewer, home.id, "Hello")),
        ("proctor", lambda: chat.send(home.proctor, home.id, "Hello")),
        ("proctor", lambda: proctoring.note_incident(home.proctor, home.id, "Somebody speaks")),
        ("proctor", lambda: recordings.name(home.proctor, home.id, "recording/a.webm")),
        ("staff", lambda: scores.record_unofficial(home.board, home.id, {"READING": 20})),
        ("candidate", lambda: recipients.change(home.viewer, home.id, [], None)),
        ("proctor", lambda: proctoring.end(home.proctor, home.id, Reason.LEFT, "Gone")),
        ("candidate", lambda: appeals.make(home.viewer, home.id, "I was ill")),
        ("staff", lambda: appeals.answer(home.board, home.id, AppealOutcome.STANDS, "No")),
    ]
    for kind, order in orders:
        before = await entries_of(home)
        await order()
        assert (await entries_of(home))[len(before) :] == [kind]


async def entries_of(home: Home) -> list[str]:
    """The kinds of viewers who changed something of this candidate, in order."""
    found = await database.rows(
        "SELECT viewer_kind FROM trail WHERE act = 'CHANGED' AND :id = ANY(candidates) ORDER BY id",
        id=home.candidate.id,
    )
    return [one["viewer_kind"] for one in found]


# ---- texts and numbers that nobody would think of


@pytest.mark.parametrize("wrong", ["", "é", "0" * 32, "😀" * 32, "x" * 100_000])
async def test_what_does_not_confirm_a_cancellation_is_refused_whatever_it_is(home: Home, wrong: str) -> None:
    """H9"""
    await home.finished()
    await scores.cancel(home.viewer, home.id)
    with pytest.raises(InvalidInput):
        await scores.cancel(home.viewer, home.id, wrong)


async def test_a_confirmation_serves_one_question_of_one_sitting(home: Home) -> None:
    """H9"""
    await home.finished()
    first = await scores.cancel(home.viewer, home.id)
    home.clock.forward(seconds=1)
    second = await scores.cancel(home.viewer, home.id)
    assert first is not None
    assert second is not None
    with pytest.raises(InvalidInput):
        await scores.cancel(home.viewer, home.id, first.confirmation)
    await scores.cancel(home.viewer, home.id, second.confirmation)
    await scores.undo(home.viewer, home.id)
    with pytest.raises(SittingStateForbids):
        await scores.cancel(home.viewer, home.id, second.confirmation)
    home.clock.forward(seconds=1)
    await scores.cancel(home.viewer, home.id)
    with pytest.raises(InvalidInput):
        await scores.cancel(home.viewer, home.id, second.confirmation)
    await scores.report(at(home.viewer, home.clock() + timedelta(days=400)), home.id)
