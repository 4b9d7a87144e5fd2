"""Jobs: enqueued with the transaction that causes them, done after it, and done even if a worker dies (N4)."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest

from engine import database
from engine.jobs import Job, Schedule, Worker, enqueue, enqueue_all
from tests.conftest import START, ControlledClock
from tests.served import until

pytestmark = pytest.mark.usefixtures("open_database")
SHORT, LONG = timedelta(seconds=1), timedelta(seconds=60)  # after a short silence a slow machine's jobs are taken over


class Workshop:
    """Workers whose one kind of job notes its facts, and then does what the test says."""

    def __init__(self, url: str, clock: ControlledClock) -> None:
        self.url = url
        self.clock = clock
        self.heartbeat = LONG
        self.done: list[Any] = []
        self.times: list[datetime] = []
        self.faulty: set[int] = set()  # numbers of jobs that fail whenever they are tried
        self.answers: list[timedelta | asyncio.Event] = []

    def worker(self, *schedules: Schedule) -> Worker:
        """One more worker."""
        return Worker(self.url, [Job("note", self.note)], schedules, self.clock, self.heartbeat)

    async def note(self, facts: Mapping[str, Any], now: datetime) -> timedelta | None:
        """The work."""
        self.done.append(facts.get("number"))
        self.times.append(now)
        if facts.get("number") in self.faulty:
            raise ValueError("a fault of ours")
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return None
        return answer


@pytest.fixture
async def workshop(database_url: str, clock: ControlledClock) -> AsyncIterator[Workshop]:
    """Where jobs are done."""
    yield Workshop(database_url, clock)


async def ask(number: int, key: str | None = None, after: timedelta = timedelta(0)) -> None:
    """Have one job done."""
    async with database.transaction():
        await enqueue("note", {"number": number}, key, after)


async def left() -> list[tuple[str, int]]:
    """The state and the attempts of every job that is still there."""
    found = await database.rows("SELECT status::text, attempts FROM pgqueuer ORDER BY id")
    return [(row["status"], row["attempts"]) for row in found]


async def none_is_left() -> bool:
    """Whether every job was done and forgotten."""
    return await left() == []


async def test_job_is_done_once_after_its_transaction(workshop: Workshop) -> None:
    async with workshop.worker().running():
        async with database.transaction():
            await enqueue("note", {"number": 1})
            await asyncio.sleep(0.3)
            assert workshop.done == []
        await until(none_is_left)
    assert workshop.done == [1]
    assert workshop.times == [START]


async def test_job_of_a_transaction_that_is_undone_is_never_done(workshop: Workshop) -> None:
    async with workshop.worker().running():
        with pytest.raises(ZeroDivisionError):
            async with database.transaction():
                await enqueue("note", {"number": 1})
                raise ZeroDivisionError
        await ask(2)
        await until(none_is_left)
    assert workshop.done == [2]


async def test_job_outside_a_transaction_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="inside the transaction"):
        await enqueue("note", {})
    assert await left() == []


async def test_jobs_with_one_key_wait_only_once(workshop: Workshop) -> None:
    """A second one while the first waits is dropped, without harm to its transaction; later it counts again."""
    async with database.transaction():
        await enqueue("note", {"number": 1}, "key")
        await enqueue("note", {"number": 2}, "key")
        await enqueue_all("note", [({"number": 3}, "key"), ({"number": 4}, None), ({"number": 5}, "other")])
    async with workshop.worker().running():
        await until(none_is_left)
        assert sorted(workshop.done) == [1, 4, 5]
        await ask(6, "key")
        await until(none_is_left)
    assert workshop.done[-1] == 6


async def test_job_put_off_waits_for_its_time(workshop: Workshop) -> None:
    """And keeps nobody waiting; it is done by itself when its time has come, and not before."""
    async with workshop.worker().running():
        asked_at = time.monotonic()
        await ask(1, after=timedelta(hours=1))
        await ask(2, after=timedelta(seconds=1.2))
        await ask(3)
        await until(lambda: 2 in workshop.done)
        assert time.monotonic() - asked_at > 1.1
        await until(lambda: only_left(("queued", 0)))
    assert sorted(workshop.done) == [2, 3]


async def test_job_comes_back_after_the_time_it_asks_for(workshop: Workshop) -> None:
    workshop.answers = [timedelta(seconds=0.5), timedelta(0)]
    async with workshop.worker().running():
        await ask(1, "key")
        await until(none_is_left)
    assert workshop.done == [1, 1, 1]


@pytest.mark.parametrize(("attempts", "then"), [(0, ("queued", 1)), (9, ("queued", 10)), (10, ("failed", 10))])
async def test_faulty_job_is_tried_again_ten_times_and_held_then(
    workshop: Workshop, attempts: int, then: tuple[str, int]
) -> None:
    """What is held keeps its facts; jobs behind it are done."""
    workshop.faulty = {1}
    await ask(1)
    await database.rows("UPDATE pgqueuer SET attempts = :attempts", attempts=attempts)

    async def is_told() -> bool:
        [(status, tried)] = await left()
        return status == then[0] and tried >= then[1]  # a slow machine's may be tried once more by now

    async with workshop.worker().running():
        await until(is_told)
        await ask(2)
        await until(lambda: 2 in workshop.done)
    assert orjson.loads(await database.value("SELECT payload FROM pgqueuer")) == {"number": 1}


async def test_workers_beside_one_another_do_each_job_once(workshop: Workshop) -> None:
    async with workshop.worker().running(), workshop.worker().running(), workshop.worker().running():
        async with database.transaction():
            await enqueue_all("note", [({"number": number}, None) for number in range(300)])
        await until(none_is_left)
    assert sorted(workshop.done) == list(range(300))


async def test_worker_that_is_stopped_finishes_what_it_has_begun(workshop: Workshop) -> None:
    going = asyncio.Event()
    workshop.answers = [going]
    async with workshop.worker().running():
        await ask(1)
        await until(lambda: workshop.done)
        asyncio.get_running_loop().call_later(0.3, going.set)
    assert await none_is_left()
    assert workshop.done == [1]


async def test_worker_that_is_stopped_gives_back_what_takes_too_long(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.jobs.worker.LONGEST_DRAIN_SECONDS", 0.2)
    workshop.answers = [asyncio.Event()]
    async with workshop.worker().running():
        await ask(1)
        await until(lambda: workshop.done)
    assert await left() == [("queued", 1)]
    async with workshop.worker().running():
        await until(none_is_left)
    assert workshop.done == [1, 1]


async def test_worker_is_told_to_stop_before_its_block_ends(workshop: Workshop, database_url: str) -> None:
    """As when the service still answers requests: it begins nothing more, and finishes what it has begun."""
    stopping, going = asyncio.Event(), asyncio.Event()
    workshop.answers = [going]
    worker = Worker(database_url, [Job("note", workshop.note)], [], workshop.clock, LONG, stopping)
    async with worker.running():
        await ask(1)
        await until(lambda: workshop.done)
        stopping.set()
        await ask(2)
        going.set()
        await until(lambda: only_left(("queued", 0)))
        await until(is_gone)
        assert workshop.done == [1]


async def only_left(job: tuple[str, int]) -> bool:
    """Whether this is the one job that is still there."""
    return await left() == [job]


async def is_gone() -> bool:
    """Whether no worker has a connection any more."""
    name = "seiseki worker"
    return not await database.rows("SELECT 1 FROM pg_stat_activity WHERE application_name = :name", name=name)


async def test_worker_comes_back_after_its_connection_was_cut(workshop: Workshop, database_url: str) -> None:
    """As when PostgreSQL is started anew; what it had begun is done once more, by itself or another."""
    workshop.heartbeat = SHORT
    async with workshop.worker().running():
        await ask(1)
        await until(none_is_left)
        workshop.answers = [asyncio.Event()]
        await ask(2)
        await until(lambda: workshop.done == [1, 2])
        await _cut(database_url)
        await ask(3)
        await until(lambda: 3 in workshop.done)
    await asyncio.sleep(0)
    async with workshop.worker().running():
        await until(none_is_left)
    assert workshop.done.count(2) == 2
    assert workshop.done.count(1) == workshop.done.count(3) == 1


async def _cut(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'seiseki worker'"
    )
    await connection.close()


async def test_one_of_all_workers_does_what_is_due_at_a_fixed_time(workshop: Workshop, clock: ControlledClock) -> None:
    """With the time of the clock that it was given."""
    turns: list[datetime] = []

    async def turn(now: datetime) -> None:
        turns.append(now)

    schedules = [Schedule("turn", "* * * * * *", turn) for _ in range(3)]
    workers = [workshop.worker(schedule) for schedule in schedules]
    async with workers[0].running(), workers[1].running(), workers[2].running():
        await until(lambda: len(turns) >= 2)
        begun, begun_at = len(turns), time.monotonic()
        await asyncio.sleep(2.0)
        await until(lambda: len(turns) > begun)
        seconds = time.monotonic() - begun_at
        more = len(turns) - begun
    assert set(turns) == {START}
    assert more <= seconds + 1


async def test_fault_at_a_fixed_time_does_not_end_the_others(workshop: Workshop) -> None:
    turns: list[str] = []

    async def bad(_: datetime) -> None:
        turns.append("bad")
        raise ValueError

    async def good(_: datetime) -> None:
        turns.append("good")

    schedules = [Schedule("bad", "* * * * * *", bad), Schedule("good", "* * * * * *", good)]
    async with workshop.worker(*schedules).running():
        await until(lambda: turns.count("bad") >= 2 and turns.count("good") >= 2)
        await ask(1)
        await until(none_is_left)
