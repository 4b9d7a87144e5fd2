"""Migrations: they say what the models say, and bring a database up to date once, whoever else is at it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector

from cli import prepare
from engine import database, migrations
from settings import Settings
from tests.conftest import with_name

ROOT = Path(__file__).parent.parent
ALL = sorted(path.stem for path in (ROOT / "migrations").glob("[0-9]*.py"))
# Every column, rule and index, and every row of the tables that `migrate` fills.
SHAPE = """
    SELECT attrelid::regclass::text AS place, attname::text AS name, format_type(atttypid, atttypmod) AS text
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
    UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'exam', code, exam::text FROM exam
    UNION ALL SELECT 'scale', code, scale::text FROM scale
    UNION ALL SELECT 'grade_band', id::text, grade_band::text FROM grade_band
    UNION ALL SELECT 'tortoise_migrations', id::text, tortoise_migrations::text FROM tortoise_migrations
    ORDER BY 1, 2, 3"""
UNTIL_TWO_WAIT = """DO $$ BEGIN
    WHILE (SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
           WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()) < 2
    LOOP PERFORM pg_sleep(0.05); END LOOP; END $$"""


@pytest.fixture
async def empty_url(server_url: str, worker_id: str) -> AsyncIterator[str]:
    """Address of a database with nothing in it."""
    name = f"empty_{worker_id}"
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {name}")
    yield with_name(server_url, name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def answers(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of one statement."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def test_two_migrations_at_once_are_done_once_and_both_succeed(empty_url: str, tmp_path: Path) -> None:
    """Both are held back until both are there, or the second would come too late to meet the first."""
    environment = os.environ | {"DATABASE_URL": empty_url, "VAR_DIR": str(tmp_path), "SECRET_KEY": "k" * 32}
    async with asyncio.timeout(60), migrations.locked(empty_url):
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "cli.py", "migrate", cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
            )
            for _ in range(2)
        ]
        await answers(empty_url, UNTIL_TWO_WAIT)
    told = [(await process.communicate())[1] for process in processes]
    assert [(process.returncode, words) for process, words in zip(processes, told, strict=True)] == [(0, b"")] * 2
    assert [row[0] for row in await answers(empty_url, "SELECT name FROM tortoise_migrations ORDER BY name")] == ALL


async def test_migrating_again_changes_nothing(empty_url: str, settings: Settings) -> None:
    settings = replace(settings, database_url=empty_url)
    await prepare(settings, demo=False)
    before = await answers(empty_url, SHAPE)
    await prepare(settings, demo=False)
    assert await answers(empty_url, SHAPE) == before
    assert len(before) > 300


async def test_migrations_say_what_the_models_say() -> None:
    """`makemigrations` would find nothing to do."""
    config = database.config("postgres://nowhere")
    async with TortoiseContext() as context:
        await context.init(config=config)
        assert context.apps is not None
        changes = await MigrationAutodetector(context.apps, config["apps"]).changes()
    assert [change.operations for change in changes] == []
