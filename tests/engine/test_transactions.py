"""Transactions that survive cancellation, errors in commit, and killed connections (stack notes, Tortoise #1152)."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from tortoise.backends.asyncpg.client import TransactionWrapper
from tortoise.backends.base.client import TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections

from engine import database
from engine.asyncpg_safe import PostgresClient
from errors import Refusal, Unavailable
from settings import Settings

POOL = 3
TASKS = 600
AT_ONCE = 12
WHOLE = {"first", "last"}
INNER = {"inner one", "inner two"}


@pytest.fixture
async def three(settings: Settings) -> AsyncIterator[PostgresClient]:
    """A pool of three connections, and a table to write into."""
    assert settings.database_url is not None
    await _drop_tables(settings.database_url)
    async with database.opened(settings.database_url, pool_size=POOL):
        await database.rows("CREATE TABLE mark (task int, name text)")
        await database.rows("CREATE TABLE once (name text UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        client = get_connections().get("default")
        assert isinstance(client, PostgresClient)
        yield client
    await _drop_tables(settings.database_url)


async def _drop_tables(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("DROP TABLE IF EXISTS mark, once")
    await connection.close()


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What a storm of cancellations left behind."""

    held: int
    open_transactions: int
    half_done: list[int]
    whole: int
    failed: set[str]
    answers: bool


async def mark(task: int, name: str) -> None:
    await database.rows("INSERT INTO mark VALUES (:task, :name)", task=task, name=name)


async def order(task: int, chance: random.Random) -> None:
    """Two marks that belong together, and between them two more that belong together and may be given up."""
    await asyncio.sleep(chance.random() / 200)
    async with database.transaction():
        await mark(task, "first")
        try:
            async with asyncio.timeout(some_time(chance)), asyncio.timeout(some_time(chance)):
                await inner(task, chance)
        except (Refusal, TimeoutError):
            pass
        await mark(task, "last")


def some_time(chance: random.Random) -> float | None:
    return chance.choice([None, 0, 0.0002, 0.0005, 0.001, 0.0015, 0.003])


async def inner(task: int, chance: random.Random) -> None:
    async with database.transaction():
        await mark(task, "inner one")
        await asyncio.sleep(chance.choice([0, 0, 0.001]))
        if chance.random() < 0.2:
            raise Refusal
        await mark(task, "inner two")


async def storm(client: PostgresClient, seed: int, tasks: int = TASKS, seconds: float = 20) -> Aftermath:
    """Run many orders, a dozen at a time, and cancel most of them somewhere, some of them twice."""
    chance = random.Random(seed)
    room = asyncio.Semaphore(AT_ONCE)
    failed: set[str] = set()

    async def cancelled_somewhere(task: int) -> None:
        async with room:
            running = asyncio.create_task(order(task, random.Random(chance.random())))
            for _ in range(chance.choice([0, 1, 1, 1, 2])):
                await asyncio.wait([running], timeout=chance.random() * 0.02)
                running.cancel()
            await asyncio.wait([running], timeout=seconds)
            if not running.done():
                failed.add("hangs")
                running.cancel()
                await asyncio.wait([running])
            if not running.cancelled() and (error := running.exception()):
                failed.add(repr(error))

    await asyncio.gather(*[cancelled_somewhere(task) for task in range(tasks)])
    return await aftermath(client, failed)


async def aftermath(client: PostgresClient, failed: set[str]) -> Aftermath:
    pool: Any = client._pool
    held = sum(not holder.is_idle() for holder in pool._holders)
    connection = await asyncpg.connect(client.dsn)
    open_transactions = await connection.fetchval(
        """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
           AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"""
    )
    marks: dict[int, set[str]] = {}
    for task, name in await connection.fetch("SELECT task, name FROM mark"):
        marks.setdefault(task, set()).add(name)
    await connection.close()
    half_done = [task for task, names in marks.items() if names not in (WHOLE, WHOLE | INNER)]
    return Aftermath(held, open_transactions, half_done, len(marks), failed, await answers())


async def answers() -> bool:
    """Whether as many transactions as the pool has connections can be open at one time."""
    everybody = asyncio.Barrier(POOL)

    async def one() -> None:
        async with database.transaction():
            await everybody.wait()

    try:
        async with asyncio.timeout(2):
            await asyncio.gather(*[one() for _ in range(POOL)])
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_cancelled_anywhere_a_transaction_gives_its_connection_back_and_is_done_wholly_or_not_at_all(
    three: PostgresClient, seed: int
) -> None:
    left = await storm(three, seed)
    assert (left.held, left.open_transactions, left.half_done, left.failed) == (0, 0, [], set())
    assert left.answers
    assert TASKS / 10 < left.whole < TASKS  # some came through, some did not: otherwise nothing was tried


async def test_the_same_storm_leaks_connections_of_tortoises_own_transactions(
    three: PostgresClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When this fails, upstream #1152 is mended and engine/asyncpg_safe.py can go."""

    def original(client: PostgresClient) -> TransactionContext:
        return TransactionContextPooled(TransactionWrapper(client), client._pool_init_lock)

    monkeypatch.setattr(PostgresClient, "_in_transaction", original)
    for seed in range(20):
        left = await storm(three, seed, tasks=60, seconds=0.2)
        if left.held:
            break
    assert left.held > 0
    assert not left.answers
    assert three._pool is not None
    three._pool.terminate()  # closing it would wait for the leaked ones


async def kill_other_connections(client: PostgresClient) -> None:
    """End every other connection to this database, as a restarting PostgreSQL or its administrator does."""
    connection = await asyncpg.connect(client.dsn)
    await connection.execute(
        """SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    )
    await connection.close()


async def test_error_in_commit_undoes_all_and_gives_the_connection_back(three: PostgresClient) -> None:
    for _ in range(POOL + 1):
        with pytest.raises(asyncpg.UniqueViolationError):
            async with database.transaction():
                await mark(1, "first")
                await database.rows("INSERT INTO once VALUES ('twice'), ('twice')")
    assert await database.value("SELECT count(*) FROM mark") == 0
    left = await aftermath(three, set())
    assert (left.held, left.open_transactions, left.answers) == (0, 0, True)


async def test_connection_killed_before_commit_is_unavailable_and_nothing_was_done(three: PostgresClient) -> None:
    for _ in range(POOL + 1):
        with pytest.raises(Unavailable):
            async with database.transaction():
                await mark(1, "first")
                await kill_other_connections(three)
    assert await database.value("SELECT count(*) FROM mark") == 0
    assert (await aftermath(three, set())).held == 0
    assert await answers()


async def test_connection_killed_under_a_statement_is_unavailable_and_nothing_was_done(three: PostgresClient) -> None:
    for depth in (1, 2):
        with pytest.raises(Unavailable):
            await _killed_at(three, depth)
    assert await database.value("SELECT count(*) FROM mark") == 0
    assert (await aftermath(three, set())).held == 0
    assert await answers()


async def _killed_at(client: PostgresClient, depth: int) -> None:
    async with database.transaction():
        await mark(depth, "first")
        if depth > 1:
            await _killed_at(client, depth - 1)
        await kill_other_connections(client)
        await mark(depth, "last")


async def test_refusal_in_a_transaction_whose_connection_was_killed_stays_the_refusal(three: PostgresClient) -> None:
    """What a person did wrong is told, not what happened to the connection on the way out."""
    with pytest.raises(Refusal):
        async with database.transaction():
            await mark(1, "first")
            async with database.transaction():
                await kill_other_connections(three)
                raise Refusal
    assert await answers()


async def test_expected_conflict_in_an_inner_transaction_leaves_the_outer_one_whole(three: PostgresClient) -> None:
    await database.rows("ALTER TABLE once ADD CONSTRAINT at_once UNIQUE (name)")
    async with database.transaction():
        await database.rows("INSERT INTO once VALUES ('there')")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with database.transaction():
                await mark(1, "first")
                await database.rows("INSERT INTO once VALUES ('there')")
        await mark(1, "last")
    assert [row["name"] for row in await database.rows("SELECT name FROM mark")] == ["last"]


async def test_files_that_are_missing_inside_a_transaction_are_no_lost_database(three: PostgresClient) -> None:
    """A bug of ours must be logged as one, not be told away as Unavailable."""
    with pytest.raises(FileNotFoundError):
        async with database.transaction():
            raise FileNotFoundError
    assert (await aftermath(three, set())).held == 0
