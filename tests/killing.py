"""A worker beside the service, killed in the middle of what it does, and what it has then done."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from engine import database
from models.verifier import VerifierUser
from tests.client import Client
from tests.served import Served, until
from tests.stopping import somebody_stands, stopped
from tests.world import World

THEN = datetime(2026, 1, 1, tzinfo=UTC)
WAKE = "UPDATE pgqueuer SET heartbeat = now() - interval '1 hour', execute_after = now() WHERE status <> 'failed'"

RESULTS = """
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
    table: str  # of the orders that it works on
    user: VerifierUser
    officer: Client

    async def reached(self, state: Callable[[Client, str], Awaitable[Any]], id: str, done: int) -> Any:
        """The state of this order, once so many rows are done."""
        told: Any = None

        async def is_so() -> bool:
            nonlocal told
            told = await state(self.officer, id)
            return bool(told["done"] >= done)

        await until(is_so, seconds=180, every=0.02)
        return told

    async def killed(self, state: Callable[[Client, str], Awaitable[Any]], id: str, done: int) -> Any:
        """The state of this order after the worker was killed that was about to write that so many rows are done."""
        url = str(self.worker.database_url)
        async with stopped(url, f"UPDATE ON {self.table}", f"NEW.done >= {done}"):
            self.worker.start()
            await until(somebody_stands, seconds=180)
            await asyncio.to_thread(self.worker.kill)
        await database.rows(WAKE)  # as if its silence had lasted
        return await state(self.officer, id)


@asynccontextmanager
async def running_with(rows: int, table: str, database_url: str, var: Path) -> AsyncIterator[Running]:
    """In a world with so many results; the store of files is theirs together."""
    world = World(lambda: datetime.now(UTC))
    await database.rows(RESULTS, rows=rows, centre_id=(await world.centre()).id, then=THEN)
    await database.rows("ANALYZE candidate, entry, result")  # as autovacuum does: plans for empty tables take for ever
    user = await world.verifier()
    token = await world.token(user)
    service = Served(var, database_url, {"WORKER": "0"}).start().ready()
    worker = Served(var, database_url, command="worker")
    try:
        async with httpx2.AsyncClient(base_url=service.url, timeout=60, trust_env=False) as http:
            yield Running(service, worker, table, user, Client(http, token))
    finally:
        worker.stop()
        service.stop()
