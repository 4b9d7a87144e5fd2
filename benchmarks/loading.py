"""Enter and load generated files as the command does, in processes of their own: rows a second, and peak memory.

`python -m benchmarks.loading` takes 100,000 rows, `--rows 2000` is a quick look. Each run has a database of its own.
"""

import argparse
import asyncio
import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import asyncpg

from benchmarks.database import with_name
from engine import database, embedded, migrations
from models.entry import Centre
from resolvers import exams
from settings import Settings

ROOT = Path(__file__).parent.parent
CENTRES = 50
NUMBERS = 2000  # candidates of one centre and session
SKILLS = ("reading", "useOfEnglish", "writing", "listening", "speaking")
ENTRY = ("centre", "examCode", "examDate", "candidateNumber", "familyName", "givenName", "nativeName", "dateOfBirth")
RESULT = ("centre", "examCode", "examDate", "candidateNumber", "overallScore", *SKILLS)


@dataclass(frozen=True, slots=True)
class Took:
    """One run of the command."""

    what: str
    rows: int
    seconds: float
    peak_mib: float

    def __str__(self) -> str:
        rate = self.rows / self.seconds
        return f"| {self.what} | {self.rows:,} | {self.seconds:.1f} | {rate:,.0f} | {self.peak_mib:.0f} |"


def key(number: int) -> list[str]:
    """The entry of this number: 50 centres, and as many sessions as it takes."""
    session, place = divmod(number, CENTRES * NUMBERS)
    centre, candidate = divmod(place, NUMBERS)
    day = date(2026, 9, 20) - timedelta(weeks=session)
    return [f"BM{centre:03}", "C1_ADVANCED", day.isoformat(), f"{candidate:04}"]


def entries(rows: int) -> Iterator[list[str]]:
    """Candidates, in no order of birth."""
    for number in range(rows):
        born = date(1960, 1, 1) + timedelta(days=number * 7919 % 16_000)
        yield [*key(number), f"Tanaka{number}", "Aoi", "田中　葵", born.isoformat()]


def results(rows: int) -> Iterator[list[str]]:
    """Scores that fit together."""
    dice = random.Random("loading")
    for number in range(rows):
        skills = [dice.randint(165, 205) for _ in SKILLS]
        yield [*key(number), str((2 * sum(skills) + 5) // 10), *map(str, skills)]


def write(path: Path, headings: Sequence[str], rows: Iterator[list[str]]) -> Path:
    """A CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows(rows)
    return path


async def fresh(server_url: str, name: str) -> str:
    """The address of a migrated database of this name, with centres and nothing else."""
    server = await asyncpg.connect(server_url)
    await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await server.execute(f"CREATE DATABASE {name}")
    await server.close()
    url = with_name(server_url, name)
    async with database.opened(url, pool_size=2, everywhere=False):
        await migrations.migrate(url)
        await exams.load_reference_data()
        for number in range(CENTRES):
            await Centre.create(number=f"BM{number:03}", name=f"Centre {number}", city="Kobe", country="JP")
    return url


def took(what: str, rows: int, url: str, folder: Path, *arguments: str) -> Took:
    """Run the command and measure it; what it says must be that every row was taken."""
    environment = {**os.environ, "DATABASE_URL": url, "VAR_DIR": str(folder)}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, str(ROOT / "cli.py"), *arguments], env=environment, cwd=ROOT)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"cli.py {arguments[0]} ended with {process.returncode}.")
    return Took(what, rows, seconds, used.ru_maxrss / 1024)


def measured(server_url: str, name: str, folder: Path, rows: int) -> list[Took]:
    """Enter and load so many rows, each twice: the second time everything is there."""
    url = asyncio.run(fresh(server_url, name))
    enter = ("enter", str(write(folder / "entries.csv", ENTRY, entries(rows))), "--confirmations")
    load = ("load", str(write(folder / "results.csv", RESULT, results(rows))))
    confirmations = folder / "confirmations.csv"
    confirmations.unlink(missing_ok=True)
    return [
        took("enter", rows, url, folder, *enter, str(confirmations)),
        took("enter again", rows, url, folder, *enter, str(confirmations)),
        took("load", rows, url, folder, *load),
        took("load again", rows, url, folder, *load),
    ]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="of each file (100,000)")
    options = parser.parse_args()
    settings = Settings.from_env()
    folder = settings.var / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    url = settings.database_url or embedded.start(folder / "postgres")
    lines = [str(one) for one in measured(url, "bench_loading", folder, options.rows)]
    head = ["| | rows | seconds | rows a second | peak memory, MiB |", "|---|---|---|---|---|"]
    sys.stdout.write("\n".join([*head, *lines]) + "\n")


if __name__ == "__main__":
    main()
