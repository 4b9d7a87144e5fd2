"""The release of one session of 300,000 results: `python -m benchmarks.release`.

How long the schedule takes, whether all are seen at the moment without any job, and at which pace the letters are
written, by one worker and then by two beside each other; `--quick` has 3,000 results.
"""

import asyncio
import sys
import time
from datetime import date, datetime, timedelta

import uvloop

from benchmarks import data, database
from benchmarks.data import CANDIDATE, Size
from engine import database as service_database
from engine import embedded, keys
from engine.clock import system_clock
from models.viewer import Kind, Viewer
from resolvers import releases, results
from settings import Settings

EXAM, DAY = "C1_ADVANCED", date(2026, 9, 20)
ONE_SESSION = [
    f"UPDATE entry SET exam_id = '{EXAM}', exam_date = '{DAY}'",
    "UPDATE result SET released_at = NULL, release_told_at = NULL",
    "VACUUM (ANALYZE) entry",
    "VACUUM (ANALYZE) result",
]


async def measure(url: str, settings: Settings, size: Size) -> None:
    """Print what was measured."""
    keys.use(settings.secret_key)
    now = system_clock()
    async with (
        database.fresh_copy(url, "bench_release", size, now) as copy,
        service_database.opened(copy, 5),
    ):
        for statement in ONE_SESSION:
            await service_database.rows(statement)
        moment = now + timedelta(days=1)
        staff = Viewer(Kind.STAFF, now, id=data.key(CANDIDATE, 0), is_board=True)
        await _timed("scheduled", releases.schedule(staff, EXAM, DAY, moment), size.results)
        later = moment + timedelta(hours=1)
        await _timed("moved", releases.schedule(staff, EXAM, DAY, later), size.results)
        before, at = [await _seen(size, when) for when in (later - timedelta(seconds=1), later)]
        _say(f"seen by their candidates one second before: {before}, at the moment, without any job: {at}")
        await _letters(size, later)


async def _timed(what: str, work: object, count: int) -> None:
    started = time.perf_counter()
    assert asyncio.iscoroutine(work)
    await work
    seconds = time.perf_counter() - started
    _say(f"{what}: {seconds:.1f} s, {count / seconds:,.0f} results a second")


async def _seen(size: Size, when: datetime) -> int:
    """How many results candidates see, a hundred of them asked one by one as they would ask."""
    asked = range(0, size.candidates, max(1, size.candidates // 100))
    people = [data.key(CANDIDATE, number) for number in asked]
    seen = [await results.of_candidates(Viewer(Kind.CANDIDATE, when, id=one), [one]) for one in people]
    return sum(len(rows) for one in seen for rows in one.values())


async def _letters(size: Size, moment: datetime) -> None:
    started = time.perf_counter()
    first = 0
    while first < size.results // 2:
        first += await releases.tell_some(moment) or 0
    half = time.perf_counter()
    _say(f"letters and their jobs, one worker: {first} in {half - started:.1f} s, {first / (half - started):,.0f}/s")
    rest = sum(await asyncio.gather(releases.tell(moment), releases.tell(moment)))
    seconds = time.perf_counter() - half
    _say(f"two workers: {rest} in {seconds:.1f} s, {rest / seconds:,.0f} a second")
    once = "SELECT count(*) FROM letter", "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'letter'"
    counted = [await service_database.value(statement) for statement in once]
    _say(f"letters {counted[0]}, jobs {counted[1]}, results {size.results}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure, with a database of its own unless DATABASE_URL is set."""
    settings = Settings.from_env()
    (settings.var / "bench").mkdir(parents=True, exist_ok=True)
    url = settings.database_url or embedded.start(settings.var / "bench" / "postgres")
    uvloop.run(measure(url, settings, data.QUICK if "--quick" in sys.argv else data.FULL))


if __name__ == "__main__":
    main()
