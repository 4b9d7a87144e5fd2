"""The database as the rooms above see it: open it, read rows by one statement, change them in transactions.

Statements are written with named places (`:institution_id`), so that the conditions of `visible_to`
can be put into any of them; a name that is not given is a bug and says so.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, TypeVar

import structlog
from tortoise import Tortoise
from tortoise.connection import get_connections
from tortoise.context import TortoiseContext
from tortoise.transactions import in_transaction

from engine.asyncpg_safe import Transaction
from errors import Unavailable

Row = Mapping[str, Any]
T = TypeVar("T")

NAMED = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
ROOMS = ["models.candidate", "models.exam", "models.entry", "models.result", "models.institution", "models.verifier",
         "models.share", "models.template", "models.session", "models.journal", "models.letter",
         "models.tries", "models.trail", "models.version", "models.release", "models.photo",
         "models.totp", "models.application", "models.invitation", "models.join_request",
         "models.list_check", "models.inbox", "models.key", "models.download", "models.webhook",
         "models.sittings.sitting", "models.sittings.proctoring"]  # fmt: skip

MAY_RUN_TWICE = "/* may run twice */"  # in a statement that writes, yet does no harm if it was done before

MANY_SECONDS = 3  # asyncpg's executemany hangs until its timeout when its connection is lost
PAUSE_SECONDS = 0.05  # where one connection was lost, others were too: by then the pool has heard of them

log = structlog.get_logger()


def config(url: str, pool_size: int = 10) -> dict[str, Any]:
    """Tortoise's configuration for the database at `url`."""
    credentials = {"dsn": url, "minsize": 0, "maxsize": pool_size, "command_timeout": 30, "timeout": 10}
    return {
        "connections": {"default": {"engine": "engine.asyncpg_safe", "credentials": credentials}},
        "apps": {"models": {"models": ROOMS, "default_connection": "default", "migrations": "migrations"}},
        "use_tz": True,
        "timezone": "UTC",
    }


@asynccontextmanager
async def opened(url: str, pool_size: int = 10, everywhere: bool = True) -> AsyncIterator[TortoiseContext]:
    """The database, open inside the block; `everywhere` lets tasks started elsewhere (requests) use it too."""
    context = await Tortoise.init(config=config(url, pool_size), _enable_global_fallback=everywhere)
    try:
        await rows("SELECT 1")
        yield context
    finally:
        await Tortoise.close_connections()


@lru_cache(maxsize=1024)
def numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1`, `$2` for its names, and the names in that order."""
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return NAMED.sub(place, statement), tuple(names)


async def rows(statement: str, **named: Any) -> list[Row]:
    """All rows of one statement; inside a transaction it is part of it.

    Outside one, a read on a connection that PostgreSQL has dropped is tried once more on a fresh one, and so is what
    says that it may run twice; what took too long is not.
    Raises Unavailable when the database cannot be reached.
    """
    text, names = numbered(statement)
    values = [named[name] for name in names]
    client = get_connections().get("default")
    try:
        return await _fetch(client, text, values)
    except Unavailable as error:
        if not _may_run_twice(text) or isinstance(client, Transaction) or isinstance(error.__cause__, TimeoutError):
            raise
        log.info("database.retry", error=type(error.__cause__).__name__)
        await asyncio.sleep(PAUSE_SECONDS)
    return await _fetch(client, text, values)


async def _fetch(client: Any, text: str, values: list[Any]) -> list[Row]:
    async with client.acquire_connection() as connection:
        found: list[Row] = await connection.fetch(text, *values)
        return found


async def many(statement: str, named: Sequence[Mapping[str, Any]]) -> None:
    """One statement for each of these sets of values, all or nothing, sent at once; for those that answer no rows.

    Raises Unavailable when the database cannot be reached.
    """
    text, names = numbered(statement)
    async with get_connections().get("default").acquire_connection() as connection:
        await connection.executemany(text, [[one[name] for name in names] for one in named], timeout=MANY_SECONDS)


def _may_run_twice(text: str) -> bool:
    is_read = text.lstrip()[:6].upper() == "SELECT" and "FOR UPDATE" not in text
    return is_read or text.endswith(MAY_RUN_TWICE)


async def row(statement: str, **named: Any) -> Row | None:
    """The first row of one statement, or None."""
    found = await rows(statement, **named)
    return found[0] if found else None


async def value(statement: str, **named: Any) -> Any:
    """The first column of the first row, or None."""
    found = await rows(statement, **named)
    return found[0][0] if found else None  # type: ignore[index]  # an asyncpg record counts its columns too


@asynccontextmanager
async def transaction() -> AsyncIterator[None]:
    """All or nothing; inside another one it is a savepoint. Raises Unavailable when the database is away."""
    async with in_transaction("default"):
        yield
