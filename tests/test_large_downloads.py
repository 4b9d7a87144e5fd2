"""Large downloads: made by a job with progress, whatever dies, and whatever changes meanwhile (D4, S10, R11)."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import IO, Any

import pytest
from starlette.applications import Starlette

from engine import database, feeding
from engine.feeding import NotWanted
from errors import Unavailable
from models.institution import Institution
from models.result import Result
from models.share import Share
from models.terms import Terms
from models.verifier import VerifierUser
from models.viewer import Kind
from resolvers import corrections, withdrawals
from resolvers.corrections import Order
from resolvers.downloads import files as download_files
from resolvers.downloads import jobs as download_jobs
from resolvers.downloads import orders
from resolvers.downloads import reading as download_reading
from resolvers.downloads.choices import Choice
from resolvers.downloads.reading import Reading
from resolvers.inbox_filters import Filter
from tests.aged import aged
from tests.client import Client
from tests.conftest import ControlledClock
from tests.downloads import PROGRESS, content, key_of, made, ordered, rows_in, shared, state
from tests.dying import deaths_at_each_statement
from tests.events import events
from tests.served import until
from tests.world import World

ROWS = 7


@pytest.fixture
async def home(app: Any, world: World) -> Institution:
    return await world.institution()


@pytest.fixture
async def user(world: World, home: Institution) -> VerifierUser:
    return await world.verifier(home)


@pytest.fixture
async def officer(client: Client, world: World, user: VerifierUser) -> Client:
    return client.as_(await world.token(user))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if few results were many: more than two are made by a job, two in a batch, and told after each."""
    for room in (download_reading, orders):
        monkeypatch.setattr(room, "AT_ONCE", 2)
    monkeypatch.setattr(download_reading, "BATCH", 2)
    monkeypatch.setattr(download_reading, "STEP", 2)


@pytest.fixture
async def results(small: None, world: World, home: Institution) -> list[Result]:
    return await shared(world, home, ROWS)


def after(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, happening: Callable[[], Awaitable[object]], times: int = 99
) -> None:
    """Let something happen each time that a function has been called, so many times at most."""
    original, left = getattr(owner, name), times

    async def and_then(*values: Any, **named: Any) -> Any:
        nonlocal left
        answer = await original(*values, **named)
        left -= 1
        if left >= 0:
            await happening()
        return answer

    monkeypatch.setattr(owner, name, and_then)


async def withdraw(world: World, result: Result) -> None:
    share = await Share.get(result_id=result.id)
    await withdrawals.withdraw(world.viewer(Kind.CANDIDATE, share.candidate_id), share.id)


async def withhold(world: World, result: Result) -> None:
    staff = world.viewer(Kind.STAFF, (await world.staff()).id, is_board=True)
    await corrections.withhold(staff, Order(result.id, 1, "A reason"))


def numbers(content: bytes) -> list[str]:
    return [row["Statement number"] for row in rows_in(content)]


# ---- by a job, with progress


async def test_a_large_download_waits_for_a_worker_and_a_small_one_does_not(
    officer: Client, results: list[Result], clock: ControlledClock
) -> None:
    """D4: both sides of the edge."""
    large = await made(officer, format="CSV")
    assert (large["status"], large["done"], large["noFile"], large["file"]) == ("QUEUED", 0, "NOT_READY", None)
    few = [
        share["node"]["id"] for share in (await officer.ask("{ inbox { edges { node { id } } } }"))["inbox"]["edges"]
    ]
    assert (await made(officer, format="CSV", shareIds=few[:3]))["status"] == "QUEUED"
    assert (await made(officer, format="CSV", shareIds=few[:2]))["status"] == "READY"
    await download_jobs.work(clock, {"id": str(key_of(large))}, clock())


async def test_a_worker_makes_it_and_whoever_follows_sees_it_grow(
    app: Starlette, worker: Any, officer: Client, results: list[Result]
) -> None:
    """D4: never backwards; the stream ends with it, and who comes late gets how it ended."""
    download = await made(officer, format="CSV")
    told = await followed(app, officer, download["id"])
    assert told[-1]["status"] == "READY"
    assert (told[-1]["done"], told[-1]["rows"]) == (ROWS, ROWS)
    assert [one["done"] for one in told] == sorted(one["done"] for one in told)
    assert told[-1]["file"] is not None
    assert await followed(app, officer, download["id"]) == told[-1:]
    assert numbers(await content(officer, await state(officer, download["id"]))) == [
        one.statement_number for one in results
    ]


async def followed(app: Starlette, asker: Client, id: str) -> list[Any]:
    """What a stream tells of a download, to its end."""
    told = []
    async with events(app, PROGRESS, {"id": id}, asker.token) as stream:
        while (result := await stream.next()) is not None:
            told.append(dict(result["data"]["downloadProgress"]))
    for one in told:
        one["file"] = one["file"] and "an address"
    return told


async def test_each_step_is_told(
    app: Starlette, officer: Client, results: list[Result], clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D4: to a follower who keeps up."""
    download = await made(officer, format="CSV")
    seen: list[tuple[str, int]] = []
    async with events(app, PROGRESS, {"id": download["id"]}, officer.token) as stream:

        async def look_until(done: int, status: str = "RUNNING") -> None:
            while not seen or seen[-1] != (status, done):
                result = await stream.next()
                assert result is not None
                told = result["data"]["downloadProgress"]
                seen.append((told["status"], told["done"]))

        steps = iter((2, 4, 6))
        after(monkeypatch, Reading, "_tell", lambda: look_until(next(steps)))
        await download_jobs.make(key_of(download), clock)
        await look_until(ROWS, "READY")
    assert [done for _, done in seen if done] == [2, 4, 6, ROWS]


async def test_an_institution_has_three_large_ones_made_at_one_time(
    officer: Client, results: list[Result], clock: ControlledClock
) -> None:
    """P3: both sides of the edge; small ones go on, and one that is ready makes room."""
    three = [await made(officer, format="CSV") for _ in range(orders.MOST_RUNNING)]
    refused = await ordered(officer)
    assert (refused["__typename"], refused["running"]) == ("DownloadsStillRunning", orders.MOST_RUNNING)
    await download_jobs.make(key_of(three[-1]), clock)
    assert (await ordered(officer))["__typename"] == "DownloadRequested"


async def test_a_process_makes_one_large_file_at_a_time(
    officer: Client, results: list[Result], clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D4: the job of another one comes back later, and holds no place among the jobs until then."""
    facts = {"id": str(key_of(await made(officer, format="CSV")))}
    monkeypatch.setattr(feeding, "is_busy", lambda: True)
    assert await download_jobs.work(clock, facts, clock()) == download_jobs.BUSY
    monkeypatch.setattr(feeding, "is_busy", lambda: False)
    assert await download_jobs.work(clock, facts, clock()) is None
    assert await database.value("SELECT status FROM download") == "READY"


# ---- whatever dies


async def test_whatever_statement_it_dies_at_it_is_made_in_the_end(
    officer: Client, results: list[Result], clock: ControlledClock, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """D4: with the same bytes as if nothing had died; of the dead ones no file is ever given."""
    first = await made(officer, format="CSV")
    await download_jobs.make(key_of(first), clock)
    whole = await content(officer, await state(officer, first["id"]))
    second = await made(officer, format="CSV")
    key, deaths = key_of(second), 0
    while await database.value("SELECT status FROM download WHERE id = :id", id=key) != "READY":
        with pytest.MonkeyPatch.context() as dying:
            dying.setattr(database, "rows", _dies_after(deaths, database.rows))
            try:
                await download_jobs.make(key, clock)
            except Unavailable:
                deaths += 1
    assert deaths > 10
    kept = await database.value("SELECT file FROM download WHERE id = :id", id=key)
    assert await content(officer, await state(officer, second["id"])) == whole
    left_over = {path.name for path in (settings.var / "files" / "download").glob("*")}
    assert kept.rpartition("/")[2] in left_over
    aged(settings.var / "files", clock())
    await download_files.purge(clock() + timedelta(days=2))
    assert len(list((settings.var / "files" / "download").glob("*"))) == 2


def _dies_after(left: int, rows: Any) -> Any:
    """As `rows`, so many times."""

    async def dies(statement: str, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Unavailable
        return await rows(statement, **named)

    return dies


async def test_an_order_that_dies_leaves_nothing(
    world: World, user: VerifierUser, results: list[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """D1: at any of its statements; with the last one it is there, job and all."""
    viewer = world.viewer(Kind.VERIFIER, user.id, institution_id=user.institution_id)
    choice = Choice(filter=Filter())

    async def order() -> Any:
        async with database.transaction():
            return await orders.request(viewer, world.clock, choice, orders.LayoutWanted())

    tables = ("download", "download_row", "rate_window", "pgqueuer")
    assert await deaths_at_each_statement(monkeypatch, order, tables) > 5
    assert await database.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = :job", job=download_jobs.JOB) == 1


async def test_of_two_workers_at_once_one_is_kept_and_the_other_leaves_no_file(
    officer: Client, results: list[Result], clock: ControlledClock, settings: Any
) -> None:
    """D4"""
    key = key_of(await made(officer, format="CSV"))
    await asyncio.gather(*(download_jobs.make(key, clock) for _ in range(3)))
    assert await database.value("SELECT status FROM download") == "READY"
    kept = [path.name for path in (settings.var / "files" / "download").glob("*")]
    assert [f"download/{name}" for name in kept] == [await database.value("SELECT file FROM download")]


async def test_what_a_process_that_died_has_left_of_a_small_one_is_made_by_its_job(
    officer: Client, world: World, home: Institution, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D4: and where its making cannot be reached now; the answer says that it waits."""
    await shared(world, home, 1)

    async def away(*_: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(download_files, "keep", away)
        download = await made(officer, format="CSV")
        assert await download_jobs.work(clock, {"id": str(key_of(download))}, clock()) == download_jobs.AWAY
    assert download["status"] == "RUNNING"
    wait = await database.value("SELECT execute_after > now() + interval '20 seconds' FROM pgqueuer")
    assert wait is True
    await download_jobs.work(clock, {"id": str(key_of(download))}, clock())
    assert (await state(officer, download["id"]))["status"] == "READY"


async def test_one_that_cannot_be_made_within_a_day_has_failed(
    officer: Client, world: World, user: VerifierUser, results: list[Result], clock: ControlledClock
) -> None:
    """Both sides of the edge."""
    download = await made(officer, format="CSV")
    clock.forward(days=1, microseconds=-1)
    officer = officer.as_(await world.token(user))
    await download_jobs.give_up(clock())
    assert (await state(officer, download["id"]))["status"] == "QUEUED"
    clock.forward(microseconds=1)
    await download_jobs.give_up(clock())
    failed = await state(officer, download["id"])
    assert (failed["status"], failed["noFile"], "within a day" in failed["failure"]) == ("FAILED", "FAILED", True)


# ---- whatever changes meanwhile


async def test_what_is_withdrawn_or_expires_before_it_is_made_is_not_in_it(
    officer: Client, world: World, home: Institution, results: list[Result], clock: ControlledClock
) -> None:
    """S10, S9: it is counted."""
    await world.share(await world.result(), home, Terms(expires_at=clock() + timedelta(minutes=1)))
    download = await made(officer, format="CSV")
    await withdraw(world, results[3])
    clock.forward(minutes=1)
    await download_jobs.make(key_of(download), clock)
    ready = await state(officer, download["id"])
    assert (ready["rows"], ready["done"], ready["leftOut"]["gone"]) == (ROWS - 1, ROWS - 1, 2)
    left = [one.statement_number for one in results if one is not results[3]]
    assert numbers(await content(officer, ready)) == left


async def test_what_is_withdrawn_while_it_is_made_is_not_in_it(
    officer: Client, world: World, results: list[Result], clock: ControlledClock, settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """S10: after it was read already: then it is made again, without it; the file with it is deleted."""
    download = await made(officer, format="CSV")
    after(monkeypatch, download_files, "keep", lambda: withdraw(world, results[0]), times=1)
    await download_jobs.make(key_of(download), clock)
    ready = await state(officer, download["id"])
    assert (ready["rows"], ready["noFile"], ready["leftOut"]["gone"]) == (ROWS - 1, None, 1)
    assert numbers(await content(officer, ready)) == [one.statement_number for one in results[1:]]
    assert len(list((settings.var / "files" / "download").glob("*"))) == 1


async def test_where_all_are_withdrawn_it_fails(
    officer: Client, world: World, results: list[Result], clock: ControlledClock
) -> None:
    """S10"""
    download = await made(officer, format="CSV")
    for result in results:
        await withdraw(world, result)
    await download_jobs.make(key_of(download), clock)
    failed = await state(officer, download["id"])
    assert (failed["status"], "None of these results" in failed["failure"]) == ("FAILED", True)


async def test_what_is_withdrawn_again_and_again_while_it_is_made_is_never_given(
    officer: Client, world: World, results: list[Result], clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S10: it is made three times; a file with what was withdrawn since is kept, and not given."""
    download = await made(officer, format="CSV")
    left = iter(results)
    after(monkeypatch, download_files, "keep", lambda: withdraw(world, next(left)))
    await download_jobs.make(key_of(download), clock)
    ready = await state(officer, download["id"])
    assert (ready["status"], ready["noFile"], ready["rows"]) == ("READY", "WITHDRAWN", ROWS - 2)


async def test_each_result_stands_in_the_file_in_the_version_that_is_noted(
    officer: Client, world: World, results: list[Result], clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R11: one is changed before it is made, one after it was read, and one before it was."""
    download = await made(officer, format="CSV")
    await withhold(world, results[0])
    changes = iter([results[1], results[-1]])

    async def change_two() -> None:
        for result in changes:
            await withhold(world, result)

    after(monkeypatch, Reading, "_read", change_two, times=1)
    await download_jobs.make(key_of(download), clock)
    ready = await state(officer, download["id"])
    shown = {row["Statement number"]: row["Version"] for row in rows_in(await content(officer, ready))}
    assert [shown[one.statement_number] for one in results] == ["2", "1", "1", "1", "1", "1", "2"]
    noted = await database.rows("SELECT result_id, version FROM download_row")
    assert {row["result_id"]: str(row["version"]) for row in noted} == {
        one.id: shown[one.statement_number] for one in results
    }
    assert ready["isOutOfDate"] is True


# ---- memory, and the thread that writes


async def test_making_holds_no_more_memory_for_many_results_than_for_few(
    world: World, home: Institution, officer: Client, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D4: of four times as many rows, each in the file, the peak is the same; how a file is kept is bounded by itself.

    benchmarks/downloads.py measures the whole process with 100,000.
    """
    monkeypatch.setattr(download_reading, "BATCH", 30)
    monkeypatch.setattr(download_reading, "STEP", 120)
    for room in (download_reading, orders):
        monkeypatch.setattr(room, "AT_ONCE", 10)
    await shared(world, home, 20)
    peaks: list[int] = []
    keep = download_files.keep

    async def keep_and_note(id: Any, spool: IO[bytes]) -> Any:
        peaks.append(tracemalloc.get_traced_memory()[1])
        return await keep(id, spool)

    monkeypatch.setattr(download_files, "keep", keep_and_note)
    for copies in (9, 9, 36):
        key = await many_times(await made(officer, format="JSON"), copies)
        gc.collect()
        tracemalloc.start()
        try:
            await download_jobs.make(key, clock)
        finally:
            tracemalloc.stop()
        assert await database.value("SELECT done FROM download WHERE id = :id", id=key) == 20 * copies
    assert peaks[2] < peaks[1] + 300_000, peaks


async def many_times(download: Any, copies: int) -> Any:
    """The key of a download, whose results stand in it so many times now."""
    key = key_of(download)
    await database.rows(
        """INSERT INTO download_row (id, download_id, place, share_id, result_id, version)
           SELECT gen_random_uuid(), download_id, place + 20 * n, share_id, result_id, version
           FROM download_row, generate_series(1, :copies - 1) AS n WHERE download_id = :id""",
        id=key,
        copies=copies,
    )
    await database.rows("UPDATE download SET rows = 20 * :copies WHERE id = :id", id=key, copies=copies)
    return key


async def test_a_file_that_nobody_wants_any_more_is_not_written_to_its_end() -> None:
    """Whoever waited was stopped: its thread ends, and so can the process."""
    seen: list[int] = []
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def batches() -> AsyncIterator[Sequence[int]]:
        while True:
            yield [1]
            await asyncio.sleep(0)

    def write(_target: IO[bytes], rows: Iterator[int]) -> None:
        try:
            for row in rows:
                seen.append(row)
        except NotWanted:
            loop.call_soon_threadsafe(over.set)
            raise

    writing = asyncio.create_task(feeding.written(write, batches(), is_large=True))
    await until(lambda: len(seen) > 3)
    writing.cancel()
    await asyncio.wait_for(over.wait(), 60)
    assert not feeding.is_busy()
