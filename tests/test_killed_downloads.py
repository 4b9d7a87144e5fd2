"""A download is made whole by workers that are killed in the middle of it, and is the same as if none had been (D4)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine import database
from tests.downloads import content, ended, made, rows_in, state
from tests.killing import THEN, Running, running_with

ROWS = 4000
KILLED_AT = (1000, 2000)  # rows done
SENT = """
    INSERT INTO share (id, result_id, institution_id, candidate_id, sent_at, is_read, consent_text, consent_version,
                       consent_language, institution_name_shown)
    SELECT md5('s' || n)::uuid, md5('r' || n)::uuid, :institution_id, md5('c' || n)::uuid,
           :then::timestamptz + n * interval '1 second', false, 'Consent', '1', 'en', 'University'
    FROM generate_series(1, :rows) AS n"""


@pytest.fixture
async def running(open_database: None, database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_with(ROWS, "download", database_url, tmp_path / "var") as running:
        await database.rows(SENT, rows=ROWS, institution_id=running.user.institution_id, then=THEN)
        yield running


async def test_a_killed_worker_leaves_its_download_to_the_next_one(running: Running) -> None:
    """D4: each result once, in order, and one file; the service answers meanwhile."""
    download = await made(running.officer, format="CSV")
    assert download["status"] == "QUEUED"
    told = [await running.killed(state, download["id"], done) for done in KILLED_AT]
    assert told[0]["done"] < ROWS
    running.worker.start()
    ready = await ended(running.officer, download["id"])
    found = [row["Statement number"] for row in rows_in(await content(running.officer, ready))]
    assert found == [f"S26{number:07}" for number in range(ROWS, 0, -1)]
    assert (ready["rows"], ready["done"]) == (ROWS, ROWS)
    assert "Traceback" not in running.worker.stderr
