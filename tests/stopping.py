"""Programs that stand still in the middle of a statement, so that they are killed there however busy the machine is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from engine import database

BARRIER = 2026  # the number of a lock that nobody else takes
WAITING = "FROM pg_locks WHERE locktype = 'advisory' AND objid = :barrier AND NOT granted"


@asynccontextmanager
async def stopped(database_url: str, event: str, when: str) -> AsyncIterator[None]:
    """Inside the block, who does this (`INSERT ON letter`) waits in the middle of it if the condition holds.

    Who still waits there at the end was killed, and the statement is undone: it might not have come so far either.
    """
    await database.rows(
        f"""CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF {when} THEN PERFORM pg_advisory_xact_lock_shared({BARRIER}); END IF; RETURN NEW; END $$"""
    )
    await database.rows(f"CREATE TRIGGER stop BEFORE {event} FOR EACH ROW EXECUTE FUNCTION stop()")
    barrier = await asyncpg.connect(database_url)
    try:
        await barrier.execute("SELECT pg_advisory_lock($1)", BARRIER)
        yield
    finally:
        await database.rows(f"SELECT pg_terminate_backend(pid, 10000) {WAITING}", barrier=BARRIER)
        await barrier.close()
        await database.rows("DROP FUNCTION stop() CASCADE")


async def somebody_stands() -> bool:
    """Whether somebody waits there."""
    return bool(await database.rows(f"SELECT 1 {WAITING}", barrier=BARRIER))
