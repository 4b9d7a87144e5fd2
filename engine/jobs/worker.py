"""Running jobs, and what is done at fixed times: one worker per process, as many processes as one likes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import orjson
import structlog
from pgqueuer import PgQueuer
from pgqueuer.core.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as Row
from pgqueuer.domain.models import Schedule as Due

from engine.asyncpg_safe import is_away
from engine.clock import Clock
from engine.jobs.queue import Facts

AT_ONCE = 20  # jobs of one worker
PAUSE_SECONDS = 1.0  # before the database is looked for again
LONGEST_DRAIN_SECONDS = 4.0  # after the word to stop; what is not done by then goes back into the queue

Work = Callable[[Facts, datetime], Awaitable[timedelta | None]]
Turn = Callable[[datetime], Awaitable[object]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job: its work gets the facts and the time, and tells after how long it wants to run again, if so.

    A job that raises is run again after growing waits, and held after ten times for staff to look at.
    """

    name: str
    work: Work


@dataclass(frozen=True, slots=True)
class Schedule:
    """What one worker of all does at fixed times (cron's five fields, UTC; a sixth is seconds), and is told the time.

    Nothing is made up for while no worker runs, so the work asks the clock what is due.
    """

    name: str
    cron: str
    work: Turn


class Worker:
    """Runs jobs and schedules until it is stopped, and comes back when the database does."""

    def __init__(
        self,
        url: str,
        jobs: Iterable[Job],
        schedules: Iterable[Schedule],
        clock: Clock,
        heartbeat: timedelta,
        stopping: asyncio.Event | None = None,
    ) -> None:
        """`heartbeat` is how long a worker may be silent until others take over what it has begun.

        `stopping` ends its work when it is set, which may be before the end of the block that it runs in.
        """
        self.url = url
        self.heartbeat = heartbeat
        self.jobs = list(jobs)
        self.schedules = list(schedules)
        self.clock = clock
        self._stopping = stopping or asyncio.Event()
        self._begun: set[asyncio.Task[Any]] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Worker"]:
        """At work inside the block; what is begun at its end is finished, if that takes no more than a moment."""
        working = asyncio.create_task(self.run(), name="worker")
        ending = asyncio.create_task(self._end(working), name="worker's end")
        try:
            yield self
        finally:
            self.stop()
            await ending

    async def _end(self, working: asyncio.Task[None]) -> None:
        """Once the word to stop has come, give what is begun its moment."""
        await self._stopping.wait()
        await asyncio.wait([working], timeout=LONGEST_DRAIN_SECONDS)
        for task in self._begun:
            task.cancel()
        await asyncio.wait([working], timeout=1)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped."""
        rounds: set[asyncio.Task[None]] = set()
        try:
            while not self._stopping.is_set():
                lost = asyncio.Event()
                working = asyncio.create_task(self._work_until(lost), name="worker round")
                rounds.add(working)
                working.add_done_callback(rounds.discard)
                await _first(working, lost)
                if not self._stopping.is_set():
                    await _wait(self._stopping, PAUSE_SECONDS)
            if rounds:
                await asyncio.wait(rounds)
        finally:
            for working in list(rounds):
                working.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)

    async def _work_until(self, lost: asyncio.Event) -> None:
        """One round, whose end is no fault of ours if the database went away.

        When its connection is lost, jobs that it has begun go on, and the next round need not wait for them.
        """
        try:
            await self._work(lost)
        except Exception as error:
            if not is_away(error) and not isinstance(error, TimeoutError):
                log.exception("worker.failed")
            log.warning("worker.database_away", error=type(error).__name__)

    async def _work(self, lost: asyncio.Event) -> None:
        """Work on one connection until it breaks or the worker is stopped."""
        connection = await asyncpg.connect(
            self.url, timeout=10, command_timeout=30, server_settings={"application_name": "seiseki worker"}
        )
        connection.add_termination_listener(lambda _: lost.set())
        try:
            queue = self._registered(PgQueuer.from_asyncpg_connection(connection))
            stopping = asyncio.create_task(_set_after(self._stopping, queue.shutdown))
            try:
                await queue.run(
                    dequeue_timeout=timedelta(seconds=5),
                    batch_size=AT_ONCE // 2,
                    max_concurrent_tasks=AT_ONCE,
                    heartbeat_timeout=self.heartbeat,
                    shutdown_on_listener_failure=True,
                )
            finally:
                stopping.cancel()
        finally:
            await _closed(connection)

    def _registered(self, queue: PgQueuer) -> PgQueuer:
        again = partial(
            DatabaseRetryEntrypointExecutor,
            max_attempts=10,
            initial_delay=timedelta(seconds=2),
            max_delay=timedelta(minutes=10),
        )
        for job in self.jobs:
            queue.entrypoint(job.name, on_failure="hold", executor_factory=again)(partial(self._run, job))
        for schedule in self.schedules:
            queue.schedule(schedule.name, schedule.cron)(partial(self._turn, schedule))
        return queue

    async def _run(self, job: Job, row: Row) -> None:
        with self._begun_here():
            wait = await job.work(orjson.loads(row.payload or b"{}"), self.clock())
        if wait is not None:
            raise RetryRequested(wait, reason="as the job asked")

    @contextlib.contextmanager
    def _begun_here(self) -> Iterator[None]:
        """A job inside the block goes back into the queue if the worker is stopped and it takes too long to end."""
        task = asyncio.current_task()
        assert task is not None
        self._begun.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            raise RetryRequested(reason="the worker was stopped") from None
        finally:
            self._begun.discard(task)

    async def _turn(self, schedule: Schedule, _: Due) -> None:
        await schedule.work(self.clock())


async def _first(task: asyncio.Task[None], event: asyncio.Event) -> None:
    """Wait until the task is done or the event has happened."""
    happening = asyncio.create_task(event.wait())
    await asyncio.wait([task, happening], return_when=asyncio.FIRST_COMPLETED)
    happening.cancel()


async def _set_after(first: asyncio.Event, second: asyncio.Event) -> None:
    await first.wait()
    second.set()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def _closed(connection: Any) -> None:
    """Close it, however it is."""
    try:
        await connection.close(timeout=2)
    except Exception as error:
        if not is_away(error) and not isinstance(error, TimeoutError):
            raise
        connection.terminate()
