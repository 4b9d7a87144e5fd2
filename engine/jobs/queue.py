"""Putting jobs into the queue."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import orjson
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from tortoise.connection import get_connections

from engine.asyncpg_safe import Transaction

LATER = -1  # the priority of jobs that come in hundreds of thousands: whatever else there is to do goes first

Facts = Mapping[str, Any]  # what a job is about, as JSON; never a secret


class Surrounding(AsyncpgDriver):
    """pgqueuer's way to the connection of the surrounding transaction; it puts jobs in by `fetch` alone."""

    def __init__(self) -> None:
        """No connection of its own."""

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        client: Any = get_connections().get("default")
        if not isinstance(client, Transaction):
            raise RuntimeError("A job is enqueued inside the transaction that causes it.")
        async with client.acquire_connection() as connection:
            return [dict(row) for row in await connection.fetch(query, *args)]


QUERIES = Queries(Surrounding())


async def enqueue(name: str, facts: Facts, key: str | None = None, after: timedelta = timedelta(0)) -> None:
    """Have a job run once the surrounding transaction has committed; none with the same key waits or runs twice."""
    await enqueue_all(name, [(facts, key)], after)


async def enqueue_all(
    name: str, jobs: Iterable[tuple[Facts, str | None]], after: timedelta = timedelta(0), priority: int = 0
) -> None:
    """Many jobs of one kind by one statement, each with its facts and its key."""
    listed = list(jobs)
    count = len(listed)
    await QUERIES.enqueue(
        [name] * count,
        [orjson.dumps(facts) for facts, _ in listed],
        [priority] * count,
        [after] * count,
        [key for _, key in listed],
        on_conflict="skip",
    )
