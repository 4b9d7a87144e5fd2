"""Statements with named places, and a database that goes away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tortoise.connection import get_connections

from engine import asyncpg_safe, database
from engine.database import numbered
from errors import Unavailable
from models.tries import WrongTries
from settings import Settings
from tests.conftest import Statements
from tests.served import free_port, until

SLOW_READ = "SELECT pg_sleep(0.5), 'slow' AS kind"
SLOW_WRITE = """WITH wait AS (SELECT pg_sleep(0.5)) INSERT INTO rate_window (kind, subject, window_started_at, count)
                SELECT 'slow', '', now(), 1 FROM wait"""


Killer = Callable[..., Awaitable[int]]


@pytest.fixture
async def killer(settings: Settings, open_database: None) -> AsyncIterator[Killer]:
    """Ends the connections on which a statement like this runs, or cancels it; tells how many they were."""
    connection = await asyncpg.connect(settings.database_url)

    async def kill(like: str, by: str = "pg_terminate_backend(pid, 2000)") -> int:
        killed: int = await connection.fetchval(
            f"""SELECT count({by}) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE $1""",
            like,
        )
        return killed

    yield kill
    await connection.close()


# ---- named places


def test_names_become_numbers_and_the_same_name_the_same_number() -> None:
    text = "SELECT :one::int, :two::text[], :one WHERE a = :three_3"
    assert numbered(text) == ("SELECT $1::int, $2::text[], $1 WHERE a = $3", ("one", "two", "three_3"))


def test_casts_times_and_slices_are_no_names() -> None:
    text = "SELECT a::text, '12:30', b[1:2], c::timestamptz"
    assert numbered(text) == (text, ())


@pytest.mark.usefixtures("open_database")
async def test_a_name_that_is_not_given_is_a_bug_and_says_so() -> None:
    with pytest.raises(KeyError, match="missing"):
        await database.rows("SELECT :missing::int")


@pytest.mark.usefixtures("open_database")
async def test_values_never_become_part_of_the_statement() -> None:
    evil = "'; DROP TABLE exam; -- :two $1"
    row = await database.row("SELECT :one::text AS one, :two::int AS two", one=evil, two=2)
    assert row is not None
    assert dict(row) == {"one": evil, "two": 2}


@pytest.mark.usefixtures("open_database")
async def test_no_row_is_none_and_so_is_its_value() -> None:
    assert await database.row("SELECT 1 WHERE false") is None
    assert await database.value("SELECT 1 WHERE false") is None
    assert await database.value("SELECT NULL") is None


# ---- a lost connection


async def test_read_whose_connection_was_killed_is_done_once_more(killer: Killer, statements: Statements) -> None:
    with statements.counted():
        reading = asyncio.create_task(database.rows(SLOW_READ))
        await _killed(killer, "SELECT pg_sleep%")
        assert (await reading)[0]["kind"] == "slow"
    assert statements.sent.count(SLOW_READ) == 2


async def test_read_whose_connection_is_killed_twice_is_unavailable(killer: Killer, statements: Statements) -> None:
    with statements.counted():
        reading = asyncio.create_task(database.rows(SLOW_READ))
        await _killed(killer, "SELECT pg_sleep%")
        await _killed(killer, "SELECT pg_sleep%")
        with pytest.raises(Unavailable):
            await reading
    assert statements.sent.count(SLOW_READ) == 2


async def test_write_whose_connection_was_killed_is_unavailable_and_not_done_again(
    killer: Killer, statements: Statements
) -> None:
    with statements.counted():
        writing = asyncio.create_task(database.rows(SLOW_WRITE))
        await _killed(killer, "WITH wait%")
        with pytest.raises(Unavailable):
            await writing
    assert statements.sent.count(SLOW_WRITE) == 1
    assert await database.value("SELECT count(*) FROM rate_window") == 0


async def test_nothing_is_done_again_inside_a_transaction(killer: Killer, statements: Statements) -> None:
    """What came before it in the transaction is gone with the connection."""

    async def order(nested: bool) -> None:
        async with database.transaction():
            if nested:
                await order(nested=False)
            await database.rows(SLOW_READ)

    for nested in (False, True):
        with statements.counted():
            running = asyncio.create_task(order(nested))
            await _killed(killer, "SELECT pg_sleep%")
            with pytest.raises(Unavailable):
                await running
        assert statements.sent.count(SLOW_READ) == 1


async def test_statement_that_an_administrator_cancels_in_a_transaction_is_unavailable_and_not_done_again(
    killer: Killer, statements: Statements
) -> None:
    """The connection lives, the transaction does not: a second try would only say that it is aborted."""

    async def order() -> None:
        async with database.transaction():
            await database.rows(SLOW_READ)

    with statements.counted():
        running = asyncio.create_task(order())
    await until(lambda: _told_off(killer, running))
    with pytest.raises(Unavailable):
        await running
    assert statements.sent.count(SLOW_READ) == 1


async def _told_off(killer: Killer, running: asyncio.Task[None]) -> bool:
    await killer("SELECT pg_sleep%", "pg_cancel_backend(pid)")
    return running.done()


async def test_rows_are_locked_once_only(killer: Killer, statements: Statements) -> None:
    lock = "SELECT pg_sleep(0.5) FROM exam LIMIT 1 FOR UPDATE"
    with statements.counted():
        running = asyncio.create_task(database.rows(lock))
        await _killed(killer, "SELECT pg_sleep%")
        with pytest.raises(Unavailable):
            await running
    assert statements.sent.count(lock) == 1


async def test_tortoises_own_orders_say_unavailable_too(killer: Killer) -> None:
    """Log-in stores its session through a model: that must not look like a bug while PostgreSQL restarts."""
    client = get_connections().get("default")
    running = asyncio.create_task(client.execute_query(SLOW_READ))
    await _killed(killer, "SELECT pg_sleep%")
    with pytest.raises(Unavailable):
        await running
    assert await WrongTries.all().count() == 0


async def _killed(killer: Killer, like: str) -> None:
    await until(lambda: killer(like))


async def test_idle_connections_that_were_all_killed_cost_nobody_an_answer(
    killer: Killer,
) -> None:
    await asyncio.gather(*[database.rows("SELECT pg_sleep(0.02)") for _ in range(8)])
    assert await killer("%", "pg_terminate_backend(pid)") >= 8
    assert await database.value("SELECT 1") == 1
    await database.rows("DELETE FROM rate_window")


@pytest.mark.usefixtures("open_database")
async def test_wrong_statement_is_a_bug_and_not_a_lost_database(statements: Statements) -> None:
    with statements.counted(), pytest.raises(asyncpg.UndefinedTableError):
        await database.rows("SELECT * FROM nowhere")
    assert len(statements) == 1


@pytest.mark.usefixtures("open_database")
async def test_statement_that_takes_too_long_is_unavailable_and_its_connection_is_given_back(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, statements: Statements
) -> None:
    short = database.config
    monkeypatch.setattr(database, "config", lambda *given: _with_timeout(short(*given), 0.2))
    assert settings.database_url is not None
    async with database.opened(settings.database_url, pool_size=1, everywhere=False):
        with statements.counted(), pytest.raises(Unavailable):
            await database.rows("SELECT pg_sleep(5)")
        assert statements.sent == ["SELECT pg_sleep(5)"]
        assert await database.value("SELECT 1") == 1


def _with_timeout(config: dict[str, Any], seconds: float) -> dict[str, Any]:
    config["connections"]["default"]["credentials"]["command_timeout"] = seconds
    return config


@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"), True),
        (asyncpg.AdminShutdownError("terminating connection due to administrator command"), True),
        (asyncpg.CannotConnectNowError("the database system is starting up"), True),
        (asyncpg.TooManyConnectionsError("sorry, too many clients already"), True),
        (asyncpg.ReadOnlySQLTransactionError("this server has become a replica"), True),
        (asyncpg.ObjectNotInPrerequisiteStateError("database is not currently accepting connections"), True),
        (asyncpg.InvalidCatalogNameError("database does not exist"), True),
        (asyncpg.InvalidPasswordError("password authentication failed"), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InterfaceError("connection has been released back to the pool"), True),
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (asyncpg.InterfaceError("cannot perform operation: another operation is in progress"), False),
        (asyncpg.DataError("invalid input for query argument $1"), False),
        (asyncpg.UniqueViolationError("duplicate key"), False),
        (asyncpg.DeadlockDetectedError("deadlock detected"), False),
        (KeyError("missing"), False),
        (None, False),
    ],
)
def test_lost_database_is_told_from_our_own_faults(error: Exception | None, is_away: bool) -> None:
    assert asyncpg_safe.is_away(error) is is_away


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@127.0.0.1:{port}/none",
        "postgresql://postgres@localhost:{port}/none",  # two addresses, both refused
        "postgresql://postgres@no-such-host.invalid/none",  # as when a container is stopped
        "postgresql://postgres@/none?host={folder}",
    ],
)
async def test_database_that_cannot_be_reached_is_unavailable(url: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        async with database.opened(url.format(port=free_port(), folder=tmp_path), everywhere=False):
            pass
