"""What an inbox of 300,000 shares costs: pages by every kind of filter, near and deep, the counts, and marking.

All shares go to one institution. Times are of the resolver, one at a time, with the database's part of them; each
statement is also looked at for tables that it would read from end to end.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from statistics import median
from typing import Any
from unittest import mock

import asyncpg

from benchmarks import data
from benchmarks.data import INSTITUTION, VERIFIER, Size
from benchmarks.database import fresh_copy
from engine import database, embedded
from engine.clock import system_clock
from models.viewer import Kind, Viewer
from resolvers import inboxes
from resolvers.inbox_filters import Filter
from resolvers.pages import Place
from settings import Settings

SIZE = Size(candidates=200_000, results=300_000, institutions=1, dashboards=1)
QUICK = Size(candidates=2_000, results=3_000, institutions=1, dashboards=1)
ROUNDS = 20
BIG = ("share", "inbox_line", "result", "entry", "candidate")
C1 = Filter(cefr=("C1",))
FILTERS = {
    "no filter": Filter(),
    "unread": Filter(is_read=False),
    "read": Filter(is_read=True),
    "one exam": Filter(exams=("C1_ADVANCED",)),
    "one level": C1,
    "a level that nobody has": Filter(cefr=("A1",)),
    "a week of exams": Filter(exam_date_from=date(2024, 3, 4), exam_date_to=date(2024, 3, 10)),
    "two years of exams": Filter(exam_date_from=date(2023, 1, 1), exam_date_to=date(2024, 12, 31)),
    "exams since a day": Filter(exam_date_from=date(2026, 9, 29)),
    "sent in one month": Filter(
        sent_from=data.LAST_SENT - timedelta(days=120), sent_to=data.LAST_SENT - timedelta(days=90)
    ),
    "rare name": Filter(name=data.RARE),
    "frequent name": Filter(name="tanaka"),
    "both names, other order": Filter(name="TANAKA aoi"),
    "two letters": Filter(name="ta"),
    "one letter of each": Filter(name="a t"),
    "native name": Filter(name="佐藤"),
    "name that nobody has": Filter(name="zzyzx"),
    "frequent letters, nobody": Filter(name="tanrossi"),
    "statement number": Filter(statement_number=data.statement_number(12_345)),
    "name, level, unread": Filter(name="sato", cefr=("B2", "C1"), is_read=False),
    "rare name, exam, read": Filter(name=data.RARE, exams=("C1_ADVANCED", "B2_FIRST"), is_read=True),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One line of the report: milliseconds, and the tables that were read from end to end."""

    name: str
    times: list[float]
    scanned: set[str]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inbox", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the data")
    options = parser.parse_args(arguments)
    settings = Settings.from_env()
    folder = settings.var / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    url = settings.database_url or embedded.start(folder / "postgres")
    asyncio.run(_run(url, QUICK if options.quick else SIZE))


async def _run(url: str, size: Size) -> None:
    async with fresh_copy(url, "bench_inbox", size, system_clock()) as copy, database.opened(copy, pool_size=2):
        async for seen in _measured(copy, size):
            times = sorted(seen.times)
            scans = f"   READS ALL OF {', '.join(sorted(seen.scanned))}" if seen.scanned else ""
            print(f"{seen.name:40} {median(times):9.1f} {times[-1 - len(times) // 20]:9.1f} ms{scans}", flush=True)


async def _measured(url: str, size: Size) -> Any:
    viewer = Viewer(
        Kind.VERIFIER, system_clock(), id=data.key(VERIFIER, 0), institution_id=data.key(INSTITUTION, 0),
        is_primary=True,
    )  # fmt: skip
    deep = await _deep(size)
    for name, wanted in FILTERS.items():
        for where, place in (("", Place(50)), (", deep", deep)):
            yield await _seen(url, f"{name}{where}", viewer, partial(inboxes.page, place=place, filter=wanted))
        yield await _seen(url, f"{name}, matches", viewer, partial(inboxes.matches, filter=wanted))
    yield await _seen(url, "counts", viewer, partial(inboxes.counts_of, institution_ids=[data.key(INSTITUTION, 0)]))
    for is_read in (True, False):
        name = f"mark 5,000 {'read' if is_read else 'unread'}"
        yield await _seen(url, name, viewer, partial(inboxes.mark, is_read=is_read, ids=None, filter=C1), rounds=1)


async def _deep(size: Size) -> Place:
    """A page that nine tenths of the inbox come before."""
    found = await database.row("SELECT sent_at, id FROM share ORDER BY sent_at OFFSET :n LIMIT 1", n=size.results // 10)
    assert found is not None
    return Place(50, found["sent_at"], found["id"])


async def _seen(
    url: str, name: str, viewer: Viewer, ask: Callable[[Viewer], Awaitable[Any]], rounds: int = ROUNDS
) -> Seen:
    times = []
    with statements() as sent:
        for _ in range(rounds + 1 if rounds > 1 else 1):
            began = time.perf_counter()
            await ask(replace(viewer, at=system_clock(), visit=type(viewer.visit)()))
            times.append((time.perf_counter() - began) * 1000)
    return Seen(name, times[1:] or times, await _scanned(url, sent[0]))


@contextmanager
def statements() -> Iterator[list[tuple[str, list[Any]]]]:
    """What is sent to the database inside the block."""
    sent: list[tuple[str, list[Any]]] = []
    fetch = database._fetch

    async def noted(client: Any, text: str, values: list[Any]) -> Any:
        sent.append((text, values))
        return await fetch(client, text, values)

    with mock.patch.object(database, "_fetch", noted):
        yield sent


async def _scanned(url: str, sent: tuple[str, list[Any]]) -> set[str]:
    """The tables that a statement reads from end to end, planned without knowing what is asked for."""
    connection = await asyncpg.connect(url, server_settings={"plan_cache_mode": "force_generic_plan"})
    try:
        async with connection.transaction(readonly=False):
            plan = await connection.fetchval("EXPLAIN (FORMAT JSON) " + sent[0], *sent[1])
    finally:
        await connection.close()
    return {node["Relation Name"] for node in _nodes(json.loads(plan)[0]["Plan"]) if _reads_all(node)}


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _reads_all(node: dict[str, Any]) -> bool:
    return node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG


if __name__ == "__main__":
    main()
