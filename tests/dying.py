"""A process that ends at any statement of an order, and what it leaves."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from engine import database


class Killed(Exception):
    """Made up: the process ends here."""


async def contents(tables: Sequence[str]) -> dict[str, list[str]]:
    """Every row of these tables."""
    return {
        table: [row["t"] for row in await database.rows(f"SELECT t::text AS t FROM {table} AS t ORDER BY 1")]
        for table in tables
    }


async def deaths_at_each_statement(
    monkeypatch: pytest.MonkeyPatch, order: Callable[[], Awaitable[Any]], tables: Sequence[str]
) -> int:
    """Give an order again and again, dying one statement later each time, until it is done; how often it died.

    Fails when one that died has left anything in these tables.
    """
    before, rows, left = await contents(tables), database.rows, 0

    async def dying(statement: str, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return await rows(statement, **named)

    for survived in range(200):
        left = survived
        monkeypatch.setattr(database, "rows", dying)
        try:
            await order()
            return survived
        except Killed:
            pass
        finally:
            monkeypatch.setattr(database, "rows", rows)
        assert await contents(tables) == before, survived
    raise AssertionError("The order does not end.")
