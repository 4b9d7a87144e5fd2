"""The trail is chained: whoever changes what stands in it is found out, and told where (G1)."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine import database
from models.trail import BOARD_CHAIN, TrailAct, TrailEntry
from models.viewer import Kind
from models.visit import About
from resolvers import seals, trail
from settings import Settings
from tests.conftest import Statements
from tests.forked import PROJECT
from tests.served import Served, until
from tests.world import World

CANDIDATE, RESULT = UUID(int=7), UUID(int=8)
HOME, OTHER = UUID(int=1), UUID(int=2)


async def reads(world: World, count: int = 1, chain: UUID = HOME, **facts: Any) -> None:
    """So many entries of an institution, or of the board, each of a transaction of its own."""
    kind = Kind.STAFF if chain == BOARD_CHAIN else Kind.VERIFIER
    for _ in range(count):
        viewer = world.viewer(kind, institution_id=None if chain == BOARD_CHAIN else chain)
        await trail.note(viewer, TrailAct.READ, [About(CANDIDATE, RESULT, 1)], **facts)


async def settled() -> None:
    """Wait until no transaction on the server holds an entry back."""
    open_ones = "SELECT 1 FROM trail WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())"
    await until(lambda: _none(open_ones))


async def _none(statement: str) -> bool:
    return await database.value(statement) is None


async def sealed(world: World) -> int:
    """Seal all that is there."""
    await settled()
    return await seals.seal(world.clock())


async def three_seals(world: World) -> None:
    """Entries 1 and 2, 3 to 5, and 6 and 7 of `home` under a seal each, with one of another chain between."""
    for count in (2, 3, 2):
        await reads(world, count)
        assert await sealed(world) == count
    await reads(world, 1, OTHER)
    assert await sealed(world) == 1


async def found(kept: list[seals.Head] | None = None, chain: UUID | None = None) -> list[str]:
    """What is wrong, without the chain's name, which is always the first one's."""
    faults = [fault async for fault in seals.Verification(kept or []).faults(chain)]
    assert all(fault.startswith(f"Chain {HOME}: ") for fault in faults)
    return [fault.removeprefix(f"Chain {HOME}: ") for fault in faults]


@asynccontextmanager
async def intruder(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """Somebody who has the whole database, and goes round its triggers."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        yield connection
    finally:
        await connection.close()


# ---- sealing


async def test_each_chain_is_sealed_by_itself_and_each_seal_holds_the_one_before(
    open_database: None, world: World
) -> None:
    await reads(world, 2)
    await reads(world, 1, BOARD_CHAIN)
    assert await sealed(world) == 3
    await reads(world, 3)
    assert await sealed(world) == 3
    rows = await database.rows("SELECT * FROM trail_seal ORDER BY chain, number")
    assert [(row["chain"], row["number"], row["entries"]) for row in rows] == [
        (BOARD_CHAIN, 1, 1), (HOME, 1, 2), (HOME, 2, 3),
    ]  # fmt: skip
    assert [row["previous_hash"] for row in rows] == [seals.NO_HASH, seals.NO_HASH, rows[1]["hash"]]
    assert {row["sealed_at"] for row in rows} == {world.clock()}
    looking = seals.Verification()
    assert [fault async for fault in looking.faults()] == []
    assert (looking.entries, looking.seals, looking.unsealed) == (6, 3, 0)


async def test_nothing_new_needs_no_seal(open_database: None, world: World) -> None:
    await three_seals(world)
    assert await sealed(world) == 0
    assert await database.value("SELECT count(*) FROM trail_seal") == 4


async def test_what_is_not_committed_yet_holds_later_entries_back(
    open_database: None, world: World, settings: Settings
) -> None:
    """Or it would come to stand before entries that are sealed already, and be taken for a forgery."""
    async with intruder(settings) as connection, connection.transaction():
        await connection.execute("SELECT pg_current_xact_id()")
        await reads(world, 2)
        assert await seals.seal(world.clock()) == 0
        looking = seals.Verification()
        assert [fault async for fault in looking.faults()] == []
        assert (looking.unsealed, looking.oldest_unsealed_at) == (2, world.clock())
    assert await sealed(world) == 2


async def test_however_many_chains_there_are_sealing_takes_no_more_statements(
    open_database: None, world: World, statements: Statements
) -> None:
    counts = []
    for chains in (2, 40):
        for number in range(chains):
            await reads(world, 1, UUID(int=100 + number))
        await settled()
        with statements.counted():
            assert await seals.seal(world.clock()) == chains
        counts.append(len(statements))
    assert counts[0] == counts[1]


async def test_very_many_entries_are_sealed_in_several_transactions(open_database: None, world: World) -> None:
    """One long one would hold back every reader of the journal."""
    await _many(12_000)
    assert await sealed(world) == 12_000
    entries = await database.rows("SELECT entries FROM trail_seal ORDER BY number")
    assert [row["entries"] for row in entries] == [5000, 5000, 2000]
    looking = seals.Verification()
    assert [fault async for fault in looking.faults()] == []
    assert looking.entries == 12_000


async def _many(count: int) -> None:
    """So many entries of `home` by one statement."""
    await database.rows(
        """INSERT INTO trail (chain, act, at, viewer_kind, institution_id, candidates, results, versions, path,
                              address, request_id)
           SELECT :chain, 'READ', now(), 'verifier', :chain, '{}', '{}', '{}', 'query inbox', '192.0.2.1', number::text
           FROM generate_series(1, :count) AS number""",
        chain=HOME,
        count=count,
    )


async def test_of_several_workers_at_once_one_seals(open_database: None, world: World) -> None:
    await reads(world, 20)
    await settled()
    assert sum(await asyncio.gather(*(seals.seal(world.clock()) for _ in range(8)))) == 20
    assert await found() == []


# ---- finding what was tampered with

WHERE = "seal 2, of 2026-11-22 09:00:00 UTC,"
COVERS = f"{WHERE} covers entries 3 to 5, from 2026-11-22 09:00:00 UTC:"
CHANGED = [f"{COVERS} changed or reordered, or the seal was."]
COLUMNS = {
    "act": "'DOWNLOADED'", "at": "at + interval '1 microsecond'", "viewer_kind": "'key'",
    "viewer_id": "gen_random_uuid()", "institution_id": "gen_random_uuid()",
    "candidates": "'{}'", "results": "ARRAY[gen_random_uuid()]", "versions": "'{2}'",
    "path": "path || ' '", "address": "'192.0.2.2'", "request_id": "'a'", "purpose": "'because'",
}  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_change_of_any_column_of_an_entry_is_found(
    open_database: None, world: World, settings: Settings, column: str
) -> None:
    await three_seals(world)
    async with intruder(settings) as connection:
        await connection.execute(f"UPDATE trail SET {column} = {COLUMNS[column]} WHERE id = 4")
    assert await found() == CHANGED


def test_every_column_is_tried() -> None:
    """The others say where an entry stands: those are the tests below."""
    assert set(TrailEntry._meta.fields_map) - set(COLUMNS) == {"id", "chain"}


async def test_a_missing_entry_is_found(open_database: None, world: World, settings: Settings) -> None:
    await three_seals(world)
    async with intruder(settings) as connection:
        await connection.execute("DELETE FROM trail WHERE id = 4")
    assert await found() == [f"{COVERS} 1 missing."]


async def test_missing_entries_of_a_whole_seal_are_found(open_database: None, world: World, settings: Settings) -> None:
    await three_seals(world)
    async with intruder(settings) as connection:
        await connection.execute("DELETE FROM trail WHERE id BETWEEN 3 AND 5")
    assert await found() == [f"{WHERE} covers no entry: 3 missing."]


async def test_an_inserted_entry_is_found(open_database: None, world: World, settings: Settings) -> None:
    """As if it had been written in the transaction of another one, a moment later."""
    await three_seals(world)
    async with intruder(settings) as connection:
        names = "chain, act, at, viewer_kind, viewer_id, candidates, results, versions, path, address, request_id, xid"
        await connection.execute(f"INSERT INTO trail ({names}) SELECT {names} FROM trail WHERE id = 4")
    assert await found() == [f"{WHERE} covers entries 3 to 5, from 2026-11-22 09:00:00 UTC: 1 inserted."]


async def test_reordered_entries_are_found(open_database: None, world: World, settings: Settings) -> None:
    await three_seals(world)
    async with intruder(settings) as connection:
        await connection.execute(
            "UPDATE trail SET xid = other.xid FROM trail AS other WHERE trail.id + other.id = 7 AND trail.id IN (3, 4)"
        )
    place = "covers entries 4 to 5, from 2026-11-22 09:00:00 UTC"
    assert await found() == [f"{WHERE} {place}: changed or reordered, or the seal was."]


async def test_an_entry_moved_under_another_seal_is_found_at_both(
    open_database: None, world: World, settings: Settings
) -> None:
    await three_seals(world)
    async with intruder(settings) as connection:
        await connection.execute("UPDATE trail SET xid = (SELECT xid FROM trail WHERE id = 7) WHERE id = 4")
    missing, inserted = await found()
    assert (missing.endswith("1 missing."), inserted.endswith("1 inserted.")) == (True, True)
    assert (missing[:6], inserted[:6]) == ("seal 2", "seal 3")


async def test_an_entry_moved_to_another_chain_is_found_at_both(
    open_database: None, world: World, settings: Settings
) -> None:
    await three_seals(world)
    async with intruder(settings) as connection:
        await connection.execute("UPDATE trail SET chain = $1 WHERE id = 4", OTHER)
    faults = [fault async for fault in seals.Verification().faults()]
    assert [fault.split(", ")[0] for fault in faults] == [f"Chain {HOME}: seal 2", f"Chain {OTHER}: seal 1"]
    assert [fault.rsplit(": ")[-1] for fault in faults] == ["1 missing.", "1 inserted."]


@pytest.mark.parametrize("column", ["last_xid", "last_id", "entries", "previous_hash", "hash", "sealed_at"])
async def test_a_changed_seal_is_found(open_database: None, world: World, settings: Settings, column: str) -> None:
    changed = {"previous_hash": "sha256('a')", "hash": "sha256('a')", "sealed_at": "sealed_at + interval '1 second'"}
    await three_seals(world)
    async with intruder(settings) as connection:
        value = changed.get(column, f"{column} - 1")
        await connection.execute(f"UPDATE trail_seal SET {column} = {value} WHERE number = 2")
    faults = await found()
    assert faults
    assert faults[0].startswith("seal 2, ")
    assert {fault[:6] for fault in faults} <= {"seal 2", "seal 3"}


async def test_a_missing_seal_is_found(open_database: None, world: World, settings: Settings) -> None:
    await three_seals(world)
    async with intruder(settings) as connection:
        await connection.execute("DELETE FROM trail_seal WHERE number = 2")
    assert await found() == [
        "seal 3, of 2026-11-22 09:00:00 UTC, follows seal 1: those between are missing, "
        "and its entries cannot be told from theirs."
    ]


async def test_a_missing_first_seal_is_found(open_database: None, world: World, settings: Settings) -> None:
    await three_seals(world)
    async with intruder(settings) as connection:
        await connection.execute("DELETE FROM trail_seal WHERE number = 1 AND chain = $1", HOME)
    assert [fault[:44] for fault in await found()] == ["seal 2, of 2026-11-22 09:00:00 UTC, follows "]


# ---- heads kept elsewhere


async def rewritten(settings: Settings, world: World) -> None:
    """Who has the whole database can change an entry and seal everything anew."""
    async with intruder(settings) as connection:
        await connection.execute("UPDATE trail SET address = '192.0.2.2' WHERE id = 4")
        await connection.execute("DELETE FROM trail_seal")
    await sealed(world)


async def test_a_chain_that_was_made_anew_is_found_by_a_head_that_was_kept(
    open_database: None, world: World, settings: Settings
) -> None:
    await three_seals(world)
    kept = await seals.heads()
    assert [(head.chain, head.number) for head in kept] == [(HOME, 3), (OTHER, 1)]
    assert await found(kept) == []
    await rewritten(settings, world)
    assert await found() == []  # by itself it is a good chain
    assert await found(kept) == ["seal 3 was kept, and is not there."]


async def test_seals_cut_off_at_the_end_are_found_by_a_head_that_was_kept(
    open_database: None, world: World, settings: Settings
) -> None:
    await three_seals(world)
    kept = await seals.heads()
    async with intruder(settings) as connection:
        await connection.execute("DELETE FROM trail WHERE id IN (6, 7)")
        await connection.execute("DELETE FROM trail_seal WHERE number = 3")
    assert await found() == []
    assert await found(kept) == ["seal 3 was kept, and is not there."]


async def test_a_chain_that_is_gone_altogether_is_found_by_a_head_that_was_kept(
    open_database: None, world: World, settings: Settings
) -> None:
    await three_seals(world)
    kept = await seals.heads()
    async with intruder(settings) as connection:
        await connection.execute("DELETE FROM trail WHERE chain = $1", HOME)
        await connection.execute("DELETE FROM trail_seal WHERE chain = $1", HOME)
    assert await found(kept) == ["seal 3 was kept, and is not there."]


# ---- the command


def command(settings: Settings, *options: str) -> tuple[int, str]:
    """What `cli.py trail` says, and its exit status."""
    assert settings.database_url is not None
    var = settings.var / f"cli-{time.monotonic_ns()}"
    process = Served(var, settings.database_url, command="trail").start(*options)
    status = process.ended()
    assert "Traceback" not in process.stderr, process.stderr
    return status, process.stdout + process.stderr


async def test_the_command_tells_what_is_wrong_and_ends_with_one(
    open_database: None, world: World, settings: Settings, tmp_path: Path
) -> None:
    await three_seals(world)
    await reads(world, 2)
    status, heads = command(settings, "head")
    assert (status, heads.splitlines()) == (0, [str(head) for head in await seals.heads()])
    kept = tmp_path / "heads"
    kept.write_text(heads)
    status, said = command(settings, "verify", "--against", str(kept))
    assert (status, said.split(", the oldest")[0]) == (
        0, "8 entries under 4 seals: all as it was written. Not sealed yet: 2",
    )  # fmt: skip
    async with intruder(settings) as connection:
        await connection.execute("UPDATE trail SET path = 'query other' WHERE id = 4")
    status, said = command(settings, "verify")
    assert (status, said.splitlines()[0]) == (1, f"Chain {HOME}: {CHANGED[0]}")
    assert "8 entries under 4 seals: 1 wrong." in said
    assert command(settings, "verify", "--chain", str(OTHER))[0] == 0
    kept.write_text("no head\n")
    assert command(settings, "verify", "--against", str(kept))[0] == 2


# ---- a worker that is killed


async def _all_sealed(world: World) -> bool:
    await sealed(world)
    looking = seals.Verification()
    assert [fault async for fault in looking.faults()] == []
    return looking.unsealed == 0


# A worker of jobs takes over what a killed one had begun after half a minute, so these only seal.
SEALER = """
import asyncio, sys
from engine import database
from engine.clock import system_clock
from resolvers import seals

async def main():
    async with database.opened(sys.argv[1]):
        while True:
            await seals.seal(system_clock())

asyncio.run(main())
"""


async def test_killed_while_sealing_it_leaves_a_good_chain_and_the_next_one_goes_on(
    settings: Settings, open_database: None, world: World
) -> None:
    """Killed over and over, at other moments: no seal is half, doubled or left out."""
    assert settings.database_url is not None
    for pause in (0.0, 0.1):
        await _many(20_000)
        before = await database.value("SELECT count(*) FROM trail_seal")
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", SEALER, settings.database_url, cwd=PROJECT)
        await until(partial(_none, f"SELECT 1 HAVING (SELECT count(*) FROM trail_seal) = {before}"))
        await asyncio.sleep(pause)
        worker.kill()
        await worker.wait()
        assert await found() == []
    await until(partial(_all_sealed, world))
    assert await found() == []
    assert await database.value("SELECT sum(entries) FROM trail_seal") == 40_000
