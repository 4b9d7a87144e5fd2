"""Bringing the database up to date; two processes that start at once do it once."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from tortoise import models
from tortoise.connection import get_connections
from tortoise.filters import FilterInfoDict
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.schema_generator.state_apps import StateApps

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
        executor = _executor()
        with _without_queries():
            await executor.migrate()


@contextmanager
def _without_queries() -> Iterator[None]:
    """Let models of the past be made without what only queries need.

    Tortoise 1.1 makes every model anew at each step, with its filters and first queries: seconds, where an empty
    database takes tenths. No step of ours asks a model; when upstream makes only what has changed, this can go.
    """
    queried: Any = models
    filters, queries = queried.get_filters_for_field, StateApps._build_initial_querysets
    queried.get_filters_for_field = _none
    StateApps._build_initial_querysets = _none  # type: ignore[assignment,method-assign]  # see above
    try:
        yield
    finally:
        queried.get_filters_for_field = filters
        StateApps._build_initial_querysets = queries  # type: ignore[method-assign]  # see above


def _none(*_: object, **__: object) -> dict[str, FilterInfoDict]:
    return {}


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
