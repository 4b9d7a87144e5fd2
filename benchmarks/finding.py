"""What it costs to find one institution among 25,000 while somebody types: `python -m benchmarks.finding`.

The service is called in this process as a server would call it, beside its floor: the same statement by asyncpg
alone, its rows as JSON. CPU is this process's and its PostgreSQL backend's together (Linux tells it to the
nanosecond), so that other programs do not count; wall-clock times are upper bounds on a busy machine. Both take turns.
"""

import gc
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import asyncpg
import orjson
import uvloop

from app import create_app
from benchmarks import database as places
from benchmarks import many_institutions
from benchmarks.institution_names import MANY, institutions
from benchmarks.trail import body_of, scope_of, unlogged
from engine import database, embedded, migrations
from engine.asyncpg_safe import SERVER_SETTINGS, Connection
from models.names import folded, search_words
from resolvers import suggestions
from settings import Settings

ROUNDS = 5
NAME = "bench_finding"
DOCUMENT = """query ($search: String!) {
    institutions(search: $search) { id shownAs department city country hint(language: "en") } }"""
HOSTILE = [
    *["a" * 200, "un" * 100, "un " * 66, "u o a b c d e f g h", "of university state college institute of technology"],
    *[
        "%_%\\",
        "\u200bun\u200biv",
        "o\u0301\u0302\u0303" * 60,
        "👩‍🎓 univ",
        "ty of",
        "sity of",
        "ge of",
        "x" * 199,
        "q x",
    ],
    *["of university", "大 学", "ｶﾞｸｲﾝ", "ーー", "e i o", "u u u u"],
]

Ask = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class Side:
    """Milliseconds per search."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What was seen of one group of searches."""

    title: str
    searches: int
    service: Side = field(default_factory=Side)
    floor: Side = field(default_factory=Side)


def groups() -> dict[str, list[str]]:
    """What is typed: whole searches, the first one and two signs of frequent words, and what means harm."""
    words = Counter(
        word for one in institutions() for name in [one.name, *one.aliases] for word in folded(name).split()
    )
    frequent = [word for word, _ in words.most_common(400)]
    return {
        "golden set": [search for search, _ in many_institutions.searches()],
        "first signs of frequent words": sorted({word[:length] for word in frequent for length in (1, 2)}),
        "hostile": HOSTILE,
    }


async def measure(url: str, folder: Path, typed: Mapping[str, Sequence[str]], rounds: int) -> list[Outcome]:
    """Every group on a service and its floor, each with one connection to a database that holds the institutions."""
    settings = Settings(
        var=folder, database_url=url, secret_key=b"k" * 32, runs_worker=False, pool_size=1, statements=False
    )
    app = create_app(settings)
    pool = await asyncpg.create_pool(
        url, min_size=1, max_size=1, connection_class=Connection, server_settings=SERVER_SETTINGS
    )
    async with app.router.lifespan_context(app):
        with unlogged():
            sides = await _Sides.of(app, pool)
            outcomes = [await sides.measured(title, searches, rounds) for title, searches in typed.items()]
    await pool.close()
    return outcomes


class _Sides:
    """The service and the floor, and the backends that work for them."""

    def __init__(self, app: Any, pool: asyncpg.Pool, backends: tuple[int, int]) -> None:
        self.app, self.pool, self.backends = app, pool, backends
        self.asked = itertools.count()

    @classmethod
    async def of(cls, app: Any, pool: asyncpg.Pool) -> "_Sides":
        pids = (await database.value("SELECT pg_backend_pid()"), await pool.fetchval("SELECT pg_backend_pid()"))
        return cls(app, pool, pids)

    async def measured(self, title: str, searches: Sequence[str], rounds: int) -> Outcome:
        """The searches, once to warm up and then in rounds."""
        outcome = Outcome(title, len(searches))
        for number in range(rounds + 1):
            seen = outcome if number else Outcome(title, 0)
            gc.collect()
            for search in searches:
                await _timed(seen.service, self.backends[0], self._ask_service, search)
                await _timed(seen.floor, self.backends[1], self._ask_floor, search)
        return outcome

    async def _ask_service(self, search: str) -> None:
        """One search; raises RuntimeError when the answer is none. Each comes from an address of its own."""
        told: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            told.append(message)

        asked = orjson.dumps({"query": DOCUMENT, "variables": {"search": search}})
        number = next(self.asked)
        scope = scope_of(None) | {"client": (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 40000)}
        await self.app(scope, body_of(asked), send)
        if told[0]["status"] != 200 or b'"institutions":[' not in told[1]["body"]:
            raise RuntimeError(f"A wrong answer: {told}")

    async def _ask_floor(self, search: str) -> None:
        words = search_words(search[: suggestions.LONGEST_SEARCH])
        if not words:
            return
        text, names = database.numbered(suggestions.SEARCH)
        values = suggestions.values_for(words)
        rows = await self.pool.fetch(text, *[values[name] for name in names])
        orjson.dumps([dict(row) for row in rows], default=str)


async def _timed(side: Side, backend: int, ask: Ask, search: str) -> None:
    cpu, wall = time.process_time() + _seconds_of(backend), time.perf_counter()
    await ask(search)
    side.wall.append((time.perf_counter() - wall) * 1000)
    side.cpu.append((time.process_time() + _seconds_of(backend) - cpu) * 1000)


def _seconds_of(pid: int) -> float:
    """What another process of this machine has used of its CPUs."""
    return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e9


def report(outcomes: Sequence[Outcome]) -> str:
    """The figures, for people."""
    lines = ["Milliseconds p50 / p95 / p99 / most", "| | searches | CPU | floor's CPU | wall | floor's wall |"]
    for one in outcomes:
        sides = (one.service.cpu, one.floor.cpu, one.service.wall, one.floor.wall)
        lines.append(f"| {one.title} | {one.searches} | {' | '.join(map(_spread, sides))} |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    cuts = quantiles(values, n=100)
    return " / ".join(f"{value:.1f}" for value in (cuts[49], cuts[94], cuts[98], max(values)))


async def filled(server_url: str, name: str = NAME, count: int = MANY) -> str:
    """The address of a database that holds so many institutions and nothing else; made anew each time."""
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = places.with_name(server_url, name)
    async with database.opened(url, pool_size=2, everywhere=False):
        await migrations.migrate(url)
    connection = await asyncpg.connect(url)
    await many_institutions.load(connection, count)
    await connection.close()
    return url


async def _run() -> None:
    folder = Settings.from_env().var / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    url = await filled(embedded.start(folder / "postgres"))
    print(report(await measure(url, folder, groups(), ROUNDS)))


if __name__ == "__main__":
    uvloop.run(_run())
