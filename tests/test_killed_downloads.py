"""A download is made whole by workers that are killed in the middle of it, and is the same as if none had been (D4)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from engine import database
from tests.client import Client
from tests.downloads import content, ended, made, rows_in, state
from tests.served import Served, until
from tests.test_killed_lists import MADE, WAKE
from tests.world import World

ROWS = 4000
KILLED_AT = (1000, 2000)  # rows done
SENT = """
    INSERT INTO share (id, result_id, institution_id, candidate_id, sent_at, is_read, consent_text, consent_version,
                       consent_language, institution_name_shown)
    SELECT md5('s' || n)::uuid, md5('r' || n)::uuid, :institution_id, md5('c' || n)::uuid,
           :then::timestamptz + n * interval '1 second', false, 'Consent', '1', 'en', 'University'
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
    user = await world.verifier()
    await database.rows(MADE, rows=ROWS, centre_id=(await world.centre()).id, then=then)
    await database.rows(SENT, rows=ROWS, institution_id=user.institution_id, then=then)
    token = await world.token(user)
    var = tmp_path / "var"  # the store of files is theirs together
    service = Served(var, database_url, {"WORKER": "0"}).start().ready()
    worker = Served(var, database_url, command="worker")
    try:
        async with httpx2.AsyncClient(base_url=service.url, timeout=60, trust_env=False) as http:
            yield Running(service, worker, Client(http, token))
    finally:
        worker.stop()
        service.stop()


async def test_a_killed_worker_leaves_its_download_to_the_next_one(running: Running) -> None:
    """D4: each result once, in order, and one file; the service answers meanwhile."""
    download = await made(running.officer, format="CSV")
    assert download["status"] == "QUEUED"
    for done in KILLED_AT:
        running.worker.start()
        told = await reached(running, download["id"], done)
        await asyncio.to_thread(running.worker.kill)
        await database.rows(WAKE)  # as if its silence had lasted
        assert told["done"] <= ROWS
    running.worker.start()
    ready = await ended(running.officer, download["id"])
    found = [row["Statement number"] for row in rows_in(await content(running.officer, ready))]
    assert found == [f"S26{number:07}" for number in range(ROWS, 0, -1)]
    assert (ready["rows"], ready["done"]) == (ROWS, ROWS)
    assert "Traceback" not in running.worker.stderr


async def reached(running: Running, id: str, done: int) -> Any:
    """The download, once so many results are written, or all."""
    told: Any = None

    async def is_so() -> bool:
        nonlocal told
        told = await state(running.officer, id)
        return bool(told["done"] >= done)

    await until(is_so, seconds=180, every=0.02)
    return told
