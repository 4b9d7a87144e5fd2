"""Bringing the database up to date; two processes that start at once do it once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from tortoise.connection import get_connections
from tortoise.migrations.executor import MigrationExecutor

from engine.database import config, rows

LOCK = 0x5E15E41  # any number, as long as nobody else locks by it


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Hold the advisory lock of migrations; it goes with its connection, so a killed process leaves none behind."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK, timeout=300)
        yield
    finally:
        await connection.close()


async def migrate(url: str) -> None:
    """Apply what is missing, under the lock; the database must be open (`database.opened`)."""
    async with locked(url):
        await _executor().migrate()


async def pending() -> list[str]:
    """Names of the migrations that this code has and the database has not."""
    known = _executor()
    await known.loader.build_graph()
    applied = await rows("SELECT to_regclass('tortoise_migrations') IS NOT NULL AS there")
    done = {row["name"] for row in await rows("SELECT name FROM tortoise_migrations")} if applied[0]["there"] else set()
    return sorted(key.name for key in known.loader.graph.nodes if key.name not in done)


TORTOISE = config("")  # for Tortoise's own command: see CONTRIBUTING.md


def _executor() -> MigrationExecutor:
    apps = config("")["apps"]
    return MigrationExecutor(get_connections().get("default"), apps)
