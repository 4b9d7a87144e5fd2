"""A list of 10,000 rows is checked once, row for row, by workers that are killed in the middle of it (V5)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from engine import database
from models.trail import TrailAct, TrailEntry
from tests.client import Client
from tests.lists import csv_of, result, rows_in, sent, state
from tests.served import Served, until
from tests.world import World

ROWS, EVERY = 10_000, 50  # rows, and how many of them lie between two that are wrong
BORN = "2001-02-03"
KILLED_AT = (500, 3000, 5500)  # rows done
MOST_GROWTH = 64 * 1024 * 1024  # bytes; the verdicts on the rows and the result are held at the end, some 10 MiB
WAKE = "UPDATE pgqueuer SET heartbeat = now() - interval '1 hour', execute_after = now() WHERE status <> 'failed'"

MADE = """
    WITH person AS (
        INSERT INTO candidate (id, family_name, given_name, date_of_birth, language, wants_updates)
        SELECT md5('c' || n)::uuid, 'Person' || n, 'Aoi', '2001-02-03', 'en', false
        FROM generate_series(1, :rows) AS n),
    entered AS (
        INSERT INTO entry (id, candidate_id, exam_id, centre_id, exam_date, candidate_number, id_number, secret_hash,
                           results_by, issue)
        SELECT md5('e' || n)::uuid, md5('c' || n)::uuid, 'C1_ADVANCED', :centre_id, '2026-09-20', n::text,
               'QQQ' || lpad(n::text, 6, '0'), decode(repeat('00', 32), 'hex'), '2026-11-01', 1
        FROM generate_series(1, :rows) AS n)
    INSERT INTO result (id, entry_id, outcome, statement_number, headline, cefr, overall_score, version, loaded_at,
                        released_at, release_told_at)
    SELECT md5('r' || n)::uuid, md5('e' || n)::uuid, 'LEVEL', 'S26' || lpad(n::text, 7, '0'),
           'Council of Europe Level B2', 'B2', 160 + n % 20, 1, :then, :then, :then
    FROM generate_series(1, :rows) AS n"""


@dataclass
class Running:
    """The service without a worker of its own, one beside it, and an officer at the door."""

    service: Served
    worker: Served
    officer: Client


@pytest.fixture
async def running(open_database: None, database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    world = World(lambda: datetime.now(UTC))
    then = datetime(2026, 1, 1, tzinfo=UTC)
    await database.rows(MADE, rows=ROWS, centre_id=(await world.centre()).id, then=then)
    token = await world.token(await world.verifier())
    var = tmp_path / "var"  # the store of files is theirs together
    service = Served(var, database_url, {"WORKER": "0"}).start().ready()
    worker = Served(var, database_url, command="worker")
    try:
        async with httpx2.AsyncClient(base_url=service.url, timeout=60, trust_env=False) as http:
            yield Running(service, worker, Client(http, token))
    finally:
        worker.stop()
        service.stop()


def line(number: int) -> list[str]:
    """A row of the list: right, or, one of many, of another birthday or of no number of ours."""
    if number % EVERY:
        return [f"S26{number:07}", BORN]
    return [f"S26{number:07}", "2001-02-04"] if number % (2 * EVERY) else [f"X26{number:07}", BORN]


async def test_a_killed_worker_checks_no_row_twice_and_loses_none(running: Running) -> None:
    """Nor is one counted or written into the trail twice; the service answers meanwhile, and no worker grows."""
    handed = await sent(running.officer, csv_of([line(number) for number in range(1, ROWS + 1)]))
    assert handed.answer.status_code == 201, handed.answer.text
    ready_when_killed = [await killed(running, handed.id, done) for done in KILLED_AT]
    assert not ready_when_killed[0]
    running.worker.start()
    growth = await grown(running, handed.id)
    await checked_once(rows_in(await result(running.officer, handed.id)))
    assert growth < MOST_GROWTH, f"{growth >> 20} MiB"
    assert "Traceback" not in running.worker.stderr


async def killed(running: Running, id: str, done: int) -> bool:
    """Kill a worker once so many rows are done; whether the list was ready by then."""
    running.worker.start()
    told = await reached(running, id, done)
    await asyncio.to_thread(running.worker.kill)
    await database.rows(WAKE)  # as if its silence had lasted
    return bool(told["status"] == "READY")


async def reached(running: Running, id: str, done: int) -> Any:
    """The list, once so many rows are done."""
    told: Any = None

    async def is_so() -> bool:
        nonlocal told
        told = await state(running.officer, id)
        return bool(told["done"] >= done)

    await until(is_so, seconds=180, every=0.02)
    return told


async def grown(running: Running, id: str) -> int:
    """By how many bytes a worker grows from its first batch until the list is ready."""
    process = psutil.Process(running.worker.running.pid)
    before = (await state(running.officer, id))["done"]
    await reached(running, id, min(before + 1, ROWS))
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
