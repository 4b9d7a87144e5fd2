"""What look-ups cost, and whether their time tells what they do not: `python -m benchmarks.looking_up [--full]`.

Numbers that nobody has and right numbers with a wrong date of birth are asked for in turn, so that whatever slows the
machine down meets both; each number once, by officers enough that no limit bites. Beside the difference of their
medians stands the one of two halves of the same kind: as much is chance.
"""

import argparse
import random
import sys
import time
from datetime import date, datetime, timedelta
from statistics import fmean, median, quantiles
from uuid import uuid4

import uvloop

from benchmarks import data
from benchmarks import database as places
from benchmarks.data import CANDIDATE, FULL, QUICK, Size, candidate_of, statement_number
from engine import database, embedded, keys
from engine.clock import system_clock
from models.viewer import Kind, Viewer
from resolvers import verifying
from resolvers.verifying import MOST_AT_ONCE, Pair
from settings import Settings

EACH, LISTS, WARM = 2_000, 5, 200
DRAWS = 1_000
BORN_ON_NO_DAY = date(1900, 1, 1)
PURPOSE = "Benchmark"


def officer(now: datetime) -> Viewer:
    """One who has looked nothing up yet."""
    return Viewer(Kind.VERIFIER, now, f"bench-{uuid4()}", id=uuid4(), institution_id=uuid4())


async def timed(viewer: Viewer, pairs: list[Pair]) -> float:
    """Milliseconds until the verdicts are there."""
    started = time.perf_counter()
    await verifying.verdicts(viewer, pairs, PURPOSE)
    return (time.perf_counter() - started) * 1000


async def singly(size: Size, now: datetime) -> tuple[list[float], list[float]]:
    """Unknown numbers, and wrong dates of birth."""
    dice = random.Random("look-up")
    numbers = dice.sample(range(size.results), min(size.results, EACH + WARM))
    seen: tuple[list[float], list[float]] = ([], [])
    for turn, number in enumerate(numbers):
        written = statement_number(number)
        pairs = [Pair(f"{written}X", BORN_ON_NO_DAY), Pair(written, BORN_ON_NO_DAY)]
        for kind in dice.sample((0, 1), 2):
            viewer = officer(now + timedelta(minutes=turn))
            took = await timed(viewer, [pairs[kind]])
            if turn >= WARM:
                seen[kind].append(took)
    return seen


async def in_lists(size: Size, now: datetime) -> dict[str, list[float]]:
    """Full lists, of which all rows match, or none."""
    seen: dict[str, list[float]] = {"all match": [], "none match": []}
    for turn in range(LISTS):
        some = [(turn * MOST_AT_ONCE + row) * 37 % size.results for row in range(MOST_AT_ONCE)]
        born = {
            row["id"]: row["date_of_birth"]
            for row in await database.rows(
                "SELECT id, date_of_birth FROM candidate WHERE id = ANY(:ids)",
                ids=[data.key(CANDIDATE, candidate_of(one, size)) for one in some],
            )
        }
        right = [Pair(statement_number(one), born[data.key(CANDIDATE, candidate_of(one, size))]) for one in some]
        wrong = [Pair(one.statement_number, BORN_ON_NO_DAY) for one in right]
        seen["all match"].append(await timed(officer(now + timedelta(days=turn)), right))
        seen["none match"].append(await timed(officer(now + timedelta(days=turn)), wrong))
    return seen


def by_chance(times: list[float]) -> float:
    """How far the medians of two halves of the same times lie apart, in 19 draws of 20; milliseconds."""
    dice, apart = random.Random("halves"), []
    for _ in range(DRAWS):
        mixed = dice.sample(times, len(times))
        half = len(mixed) // 2
        apart.append(abs(median(mixed[:half]) - median(mixed[half:])))
    return quantiles(apart, n=20)[-1]


def line(name: str, times: list[float]) -> str:
    """One row of the report."""
    hundredths = quantiles(times, n=100)
    told = (median(times), fmean(times), hundredths[9], hundredths[98])
    return f"{name:<26}{len(times):>6}" + "".join(f"{one:>10.2f}" for one in told)


async def run(url: str, size: Size) -> str:
    """Measure, and say what was seen."""
    async with places.fresh_copy(url, "bench_looking_up", size, system_clock()) as copy, database.opened(copy):
        unknown, wrong = await singly(size, system_clock())
        lists = await in_lists(size, system_clock())
    lines = [
        f"{size.results} results; milliseconds",
        f"{'':<22}{'n':>6}{'median':>10}{'mean':>10}{'p10':>10}{'p99':>10}",
    ]
    lines += [line("unknown number", unknown), line("wrong date of birth", wrong)]
    lines += [line(f"list of 500, {name}", times) for name, times in lists.items()]
    apart = abs(median(unknown) - median(wrong))
    lines.append(f"medians apart: {apart:.3f}; two halves of the same, in 19 draws of 20: up to {by_chance(wrong):.3f}")
    return "\n".join(lines)


def main() -> None:
    """Build the data if need be, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looking_up", description=__doc__)
    parser.add_argument("--full", action="store_true", help="300,000 results instead of 3,000")
    size = FULL if parser.parse_args().full else QUICK
    settings = Settings.from_env()
    folder = settings.var / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    keys.use(b"benchmark" * 4)
    url = settings.database_url or embedded.start(folder / "postgres")
    sys.stdout.write(uvloop.run(run(url, size)) + "\n")


if __name__ == "__main__":
    main()
