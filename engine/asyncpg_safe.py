"""Tortoise's PostgreSQL backend with transactions that survive cancellation.

Tortoise 1.1 leaks a pooled connection for ever when a task is cancelled inside `in_transaction()`
(upstream #1152): begin, commit, rollback and release are awaited bare, and a cancellation in one of
them skips the rest. Here each runs to its end before the cancellation goes on. When upstream does
the same, `SafeTransaction` can go.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg
import orjson
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections

T = TypeVar("T")

# A transaction left open would hold back every reader of the journal (docs/decisions/0003-ids.md).
SERVER_SETTINGS = {"application_name": "seiseki", "idle_in_transaction_session_timeout": "60s"}


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


class SafeTransaction(TransactionContextPooled):
    """A transaction whose connection is always finished and given back."""

    __slots__ = ()

    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        parent = self.client._parent
        self.client._connection = await parent._pool.acquire()
        try:
            await to_the_end(self.client.begin())
        except BaseException:
            await to_the_end(parent._pool.release(self.client._connection))
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        get_connections().reset(self.token)
        await to_the_end(self._finish(exc_type is None))

    async def _finish(self, good: bool) -> None:
        try:
            if good:
                await self.client.commit()
            else:
                await self._rollback()
        finally:
            if pool := self.client._parent._pool:
                await pool.release(self.client._connection)

    async def _rollback(self) -> None:
        """Undo; a connection that is gone has been rolled back by the server."""
        if not self.client._connection.is_closed():
            await self.client.rollback()


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

    def _in_transaction(self) -> TransactionContext:
        return SafeTransaction(TransactionWrapper(self), self._pool_init_lock)


client_class = PostgresClient


def get_client_class(_config: dict[str, Any]) -> type[PostgresClient]:
    """How Tortoise finds the backend class in this module."""
    return PostgresClient
