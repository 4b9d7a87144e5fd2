"""Tortoise's PostgreSQL backend with transactions that survive cancellation, and one error for a database that is away.

Tortoise 1.1 leaks a pooled connection for ever when a task is cancelled inside `in_transaction()`
(upstream #1152): begin, commit, rollback and release are awaited bare, and a cancellation in one of
them skips the rest. A savepoint whose rollback is cancelled stays, half-done. Here each runs to its end before the
cancellation goes on. When upstream does the same, `SafeTransaction` and `SafeSavepoint` can go.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, TypeVar

import asyncpg
import orjson
import structlog
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import NestedTransactionContext, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections

from errors import Unavailable

T = TypeVar("T")

log = structlog.get_logger()

# A transaction left open would hold back every reader of the journal (docs/decisions/0003-ids.md).
SERVER_SETTINGS = {
    "application_name": "seiseki",
    "idle_in_transaction_session_timeout": "60s",
    # Left to itself, PostgreSQL plans some statements anew each time, which takes longer than to run them. Ours go by
    # indexes whatever the values are.
    "plan_cache_mode": "force_generic_plan",
}


AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    # a database that lets nobody in, one that is being restored, a password that has been changed: said on connecting
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InternalClientError,  # what it says when a connection is killed between two steps of one statement
    OSError,  # refused, no such socket, no route, a host that nobody knows any more, too late
)


def is_away(error: BaseException | None) -> bool:
    """Whether an error of asyncpg says that PostgreSQL or the way to it is gone, rather than that we are wrong.

    A connection lost inside a transaction has gone back to its pool before the next statement is sent.
    """
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error) or "released back to the pool" in str(error)
    return isinstance(error, AWAY)


@contextmanager
def away_is_unavailable() -> Iterator[None]:
    """Turn the many errors of a lost database into Unavailable; nothing but asyncpg may be called inside."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            log.warning("database.away", error=type(error).__name__)
            raise Unavailable from error
        raise


class Connection(asyncpg.Connection):
    """A pooled connection that is handed back without asyncpg's reset query: nothing here sets session state."""

    def get_reset_query(self) -> str:
        """Empty: an open transaction is still rolled back by asyncpg's reset itself."""
        return ""


async def read_json(connection: Any) -> None:
    """Let json and jsonb columns arrive as Python values."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", format="text", encoder=encode_json, decoder=orjson.loads
        )


def encode_json(value: Any) -> str:
    """JSON as PostgreSQL takes it; text that is JSON already (Tortoise's own fields) goes through as it is."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end even when cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # an error of its own must not be reported as never retrieved
        raise cancelled
    return task.result()


class Using:
    """A connection for one statement; when PostgreSQL is away, what is done on it raises Unavailable."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def __aenter__(self) -> Any:
        with away_is_unavailable():
            return await self.connection.__aenter__()

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        with away_is_unavailable():
            await self.connection.__aexit__(kind, error, trace)
            if error is not None and is_away(error):
                raise error


class Transaction(TransactionWrapper):
    """The client inside a transaction."""

    def acquire_connection(self) -> Any:
        """The transaction's connection."""
        return Using(super().acquire_connection())

    def _in_transaction(self) -> TransactionContext:
        return SafeSavepoint(Transaction(self))

    async def finish(self, good: bool) -> None:
        """Commit or undo; a transaction whose connection is gone has been undone by the server."""
        if good:
            with away_is_unavailable():
                await self.commit()
            return
        with suppress(Unavailable), away_is_unavailable():
            await self.rollback()


class SafeTransaction(TransactionContextPooled):
    """A transaction whose connection is always finished and given back."""

    __slots__ = ()
    client: Transaction

    async def __aenter__(self) -> Transaction:
        with away_is_unavailable():
            await self.ensure_connection()
            pool: Any = self.client._parent._pool
            self.client._connection = await pool.acquire()
            try:
                await to_the_end(self.client.begin())
            except BaseException:
                await to_the_end(pool.release(self.client._connection))
                raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        get_connections().reset(self.token)
        await to_the_end(self._finish(kind is None))

    async def _finish(self, good: bool) -> None:
        try:
            await self.client.finish(good)
        finally:
            pool: Any = self.client._parent._pool
            if pool is not None:
                await pool.release(self.client._connection)


class SafeSavepoint(NestedTransactionContext):
    """A transaction inside another one, kept or undone as a whole."""

    __slots__ = ()
    client: Transaction

    async def __aenter__(self) -> Transaction:
        with away_is_unavailable():
            await to_the_end(self.client.savepoint())
        return self.client

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        await to_the_end(self.client.finish(kind is None))


class PostgresClient(AsyncpgDBClient):
    """The backend named in Tortoise's configuration; its one credential is a PostgreSQL address, read by asyncpg."""

    def __init__(self, dsn: str, **options: Any) -> None:
        super().__init__(**options)
        self.dsn = dsn

    async def create_connection(self, with_db: bool) -> None:
        """Open the pool."""
        self._pool = await asyncpg.create_pool(
            self.dsn,
            min_size=self.pool_minsize,
            max_size=self.pool_maxsize,
            connection_class=Connection,
            init=read_json,
            server_settings=SERVER_SETTINGS,
            **self.extra,
        )
        await self._post_connect()

    def acquire_connection(self) -> Any:
        """A connection of the pool."""
        return Using(super().acquire_connection())

    def _in_transaction(self) -> TransactionContext:
        return SafeTransaction(Transaction(self), self._pool_init_lock)


client_class = PostgresClient


def get_client_class(_config: dict[str, Any]) -> type[PostgresClient]:
    """How Tortoise finds the backend class in this module."""
    return PostgresClient
