"""Build the data if need be, measure, print. `python -m benchmarks --help` tells the options."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks import data, database, measure, report, trail
from benchmarks.cases import CASES
from benchmarks.measure import Effort
from engine import embedded
from engine.clock import system_clock
from settings import Settings

FULL = Effort(rounds=5, seconds=1.0, alerts=10)
QUICK = Effort(rounds=2, seconds=0.3, alerts=3)
ALERT = "alert"
TRAIL = "trail"
PAIRS = 12  # with the trail and without it, for each round of the other cases
BESIDE = (ALERT, TRAIL)  # they measure in their own ways


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all cases, or those named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the data, shorter rounds")
    parser.add_argument("--rounds", type=int, help="how many rounds; more of them even out a restless machine")
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join([*_names(), *BESIDE])}; all if none")
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - {*_names(), *BESIDE}:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    settings = Settings.from_env()
    folder = settings.var / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    url = settings.database_url or embedded.start(folder / "postgres")
    uvloop.run(_run(url, folder, options))


def _names() -> list[str]:
    return [case.name for case in CASES]


async def _run(url: str, folder: Path, options: argparse.Namespace) -> None:
    size, effort = (data.QUICK, QUICK) if options.quick else (data.FULL, FULL)
    effort = Effort(options.rounds or effort.rounds, effort.seconds, effort.alerts)
    name = "bench_quick" if options.quick else "bench"
    started = time.perf_counter()
    async with database.fresh_copy(url, name, size, system_clock()) as copy:
        _say(f"{size.results} results, one share each; data ready after {time.perf_counter() - started:.0f} s\n")
        if not options.cases or set(options.cases) - {*BESIDE}:
            _say(report.table(await measure.cases(copy, folder, size, effort, options.cases)))
        if not options.cases or ALERT in options.cases:
            _say("\n" + report.alert(await measure.fan_out(copy, folder, size, effort)))
        if not options.cases or TRAIL in options.cases:
            _say("\n" + trail.report(await trail.measure(copy, folder, size, effort.rounds * PAIRS)))
    _say(f"\n{time.perf_counter() - started:.0f} s in all")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
