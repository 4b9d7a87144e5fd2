"""Rows that somebody else's transaction holds, so that orders wait for them one behind the other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from engine import database


@asynccontextmanager
async def holding(database_url: str, statement: str, commits: bool = False) -> AsyncIterator[None]:
    """A transaction elsewhere, which holds what this statement locks until the block ends."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(statement)
    try:
        yield
    finally:
        await (transaction.commit() if commits else transaction.rollback())
        await connection.close()


async def queued(count: int) -> None:
    """Wait until so many statements wait for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(60):
        while await database.value(waiting) < count:  # noqa: ASYNC110  # the server sets no event
            await asyncio.sleep(0.01)


async def lined_up(database_url: str, table: str, *orders: Callable[[], Awaitable[Any]]) -> list[Any]:
    """The answers to orders that all wait for the rows of a table, in this order, and then go on at once."""
    async with holding(database_url, f"SELECT 1 FROM {table} FOR UPDATE"):
        running = []
        for number, order in enumerate(orders, start=1):
            running.append(asyncio.ensure_future(order()))
            await queued(number)
    return list(await asyncio.gather(*running))
