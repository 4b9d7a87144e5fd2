"""A list of 10,000 rows is checked once, row for row, by workers that are killed in the middle of it (V5)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine import database
from models.trail import TrailAct, TrailEntry
from tests.killing import Running, running_with
from tests.lists import csv_of, result, rows_in, sent, state
from tests.served import until

ROWS, EVERY = 10_000, 50  # rows, and how many of them lie between two that are wrong
BORN = "2001-02-03"
KILLED_AT = (500, 3000, 5500)  # rows done
MOST_GROWTH = 64 * 1024 * 1024  # bytes; the verdicts on the rows and the result are held at the end, some 10 MiB


@pytest.fixture
async def running(open_database: None, database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_with(ROWS, "list_check", database_url, tmp_path / "var") as running:
        yield running


def line(number: int) -> list[str]:
    """A row of the list: right, or, one of many, of another birthday or of no number of ours."""
    if number % EVERY:
        return [f"S26{number:07}", BORN]
    return [f"S26{number:07}", "2001-02-04"] if number % (2 * EVERY) else [f"X26{number:07}", BORN]


async def test_a_killed_worker_checks_no_row_twice_and_loses_none(running: Running) -> None:
    """Nor is one counted or written into the trail twice; the service answers meanwhile, and no worker grows."""
    handed = await sent(running.officer, csv_of([line(number) for number in range(1, ROWS + 1)]))
    assert handed.answer.status_code == 201, handed.answer.text
    when_killed = [(await running.killed(state, handed.id, done))["status"] for done in KILLED_AT]
    assert when_killed[0] != "READY"
    running.worker.start()
    growth = await grown(running, handed.id)
    await checked_once(rows_in(await result(running.officer, handed.id)))
    assert growth < MOST_GROWTH, f"{growth >> 20} MiB"
    assert "Traceback" not in running.worker.stderr


async def grown(running: Running, id: str) -> int:
    """By how many bytes a worker grows from its first batch until the list is ready."""
    process = psutil.Process(running.worker.running.pid)
    before = (await state(running.officer, id))["done"]
    await running.reached(state, id, min(before + 1, ROWS))
    sizes: list[int] = []

    async def is_ready() -> bool:
        sizes.append(process.memory_info().rss)
        return bool((await state(running.officer, id))["status"] == "READY")

    await until(is_ready, seconds=180, every=0.05)
    return max(sizes) - sizes[0]


async def checked_once(lines: list[list[str]]) -> None:
    assert len(lines) == ROWS + 1
    for number, found in enumerate(lines[1:], start=1):
        assert found[:2] == line(number)
        is_right = bool(number % EVERY)
        assert found[2] == ("GENUINE" if is_right else "NOT_MATCHED")
        wanted = [f"Aoi Person{number}", "C1 Advanced", "Council of Europe Level B2", str(160 + number % 20), ""]
        assert found[3:8] == (wanted if is_right else [""] * 5)
    entries = await TrailEntry.filter(act=TrailAct.LOOKED_UP)
    assert sum(int(entry.path.rpartition(" of ")[2].split()[0]) for entry in entries) == ROWS
    named: list[Any] = [one for entry in entries for one in entry.results]
    assert len(named) == len(set(named)) == ROWS - ROWS // EVERY
    assert await database.value("SELECT sum(count) FROM rate_window WHERE kind = 'look-ups of user'") == ROWS
    assert await database.value("SELECT sum(count) FROM rate_window WHERE kind = 'misses of user'") == ROWS // EVERY
