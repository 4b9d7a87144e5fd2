"""Making the file of a download, as a job: read in batches, written in a thread, kept, and only then noted (D4).

Each result stands in the file as it is when its batch is read, in the version that the download then names; results
that are withdrawn or expired by then are left out. A job that dies is done again from the beginning; of two that do the
same at once, the one that comes first is kept, and the file of the other is deleted.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import structlog

from engine import database, feeding
from engine.clock import Clock
from engine.database import Row
from engine.feeding import NotWanted
from errors import NotPrintable, NotWritable, Unavailable
from models.download import DownloadStatus
from resolvers.downloads import files as download_files
from resolvers.downloads import writing as download_writing
from resolvers.downloads.failures import NOTHING_LEFT, TOO_LONG, CannotBeMade, FailedCell
from resolvers.downloads.files import Kept
from resolvers.downloads.progress import TOLD
from resolvers.downloads.reading import Reading, is_large
from resolvers.downloads.viewers import viewer_of

log = structlog.get_logger()

JOB = "make download"
OPEN = [DownloadStatus.QUEUED.value, DownloadStatus.RUNNING.value]
BUSY = timedelta(seconds=2)  # until a large one is tried again by a process that is making another
AWAY = timedelta(seconds=30)  # until database and store are tried again
TRIES = 3  # where shares are withdrawn while it is made
LONGEST = timedelta(days=1)


class Ending(Enum):
    """What has become of a file that was made."""

    KEPT = "KEPT"
    NOT_WANTED = "NOT_WANTED"  # another worker was faster, or nobody waits for it any more
    OUT_OF_DATE = "OUT_OF_DATE"  # a share was withdrawn while it was made


async def work(clock: Clock, facts: Mapping[str, Any], _now: datetime) -> timedelta | None:
    """Make the file of a download, or tell how long to wait until this process can."""
    id = UUID(facts["id"])
    download = await _row(id)
    if download is None or download["status"] not in OPEN:
        return None
    if is_large(download["rows"], download["format"]) and feeding.is_busy():
        return BUSY
    try:
        await make(id, clock)
    except Unavailable:  # told here, for whoever was busy ten times has no tries left
        log.warning("download.away", download=str(id))
        return AWAY
    return None


async def make(id: UUID, clock: Clock) -> None:
    """Make the file, unless it is made; what can never be made has failed after it. Raises Unavailable."""
    try:
        for tries in range(1, TRIES + 1):
            if await _made(id, clock, is_last=tries == TRIES) is not Ending.OUT_OF_DATE:
                return
    except CannotBeMade as ended:
        await _fail(id, ended)


async def _row(id: UUID) -> Row | None:
    return await database.row("SELECT * FROM download WHERE id = :id", id=id)


async def _made(id: UUID, clock: Clock, is_last: bool) -> Ending:
    download = await _begun(id)
    if download is None:
        return Ending.NOT_WANTED
    reading = Reading(download, clock)
    try:
        with await _written(reading) as spool:
            kept = await download_files.keep(id, spool)
    except NotWanted:
        return Ending.NOT_WANTED
    try:
        ending = await _finish(reading, kept, is_last)
    except CannotBeMade:
        await download_files.forget(kept.name)
        raise
    if ending is not Ending.KEPT:
        await download_files.forget(kept.name)
    return ending


async def _begun(id: UUID) -> Row | None:
    """The download, which is being made from now on; None if it is over."""
    return await database.row(
        f"""WITH begun AS (UPDATE download SET status = 'RUNNING' WHERE id = :id AND status = ANY(:open) RETURNING *)
            SELECT begun.*, {TOLD} FROM begun""",
        id=id,
        open=OPEN,
    )


async def _written(reading: Reading) -> Any:
    """The file, in a temporary one. Raises CannotBeMade."""
    write = download_writing.writer(reading)
    try:
        return await feeding.written(write, reading.batches(), reading.is_large)
    except NotWritable as error:
        cells = [FailedCell(reading.place_of(one.row), one.column, one.signs) for one in error.cells]
        raise CannotBeMade(error.kept, cells) from None
    except NotPrintable:
        raise await download_writing.not_printable(reading) from None


# ---- the end


async def _finish(reading: Reading, kept: Kept, is_last: bool) -> Ending:
    """Note the file, and what it shows; it may be fetched from the commit on. Raises CannotBeMade.

    All of it is looked at before the transaction, for which live events have to wait; who fetches it asks again.
    """
    if not is_last and await _is_withdrawn(reading):
        return Ending.OUT_OF_DATE
    async with database.transaction():
        held = await database.row("SELECT * FROM download WHERE id = :id FOR UPDATE", id=reading.id)
        if held is None or held["status"] not in OPEN:
            return Ending.NOT_WANTED
        viewer = await viewer_of(held, reading.clock())
        if not reading.count:
            raise CannotBeMade(NOTHING_LEFT)
        await _note_contents(reading)
        await _note_file(reading, kept, viewer.at)
    return Ending.KEPT


async def _is_withdrawn(reading: Reading) -> bool:
    """Whether a share was withdrawn after it was read. Raises CannotBeMade."""
    viewer = await viewer_of(reading.download, reading.clock())
    return await download_files.seen(viewer, reading.id, reading.gone) != reading.count


async def _note_contents(reading: Reading) -> None:
    """What the file leaves out, and in which versions it shows what it holds, where they are others than thought."""
    await database.rows(
        "DELETE FROM download_row WHERE download_id = :id AND place = ANY(:gone)", id=reading.id, gone=reading.gone
    )
    await database.rows(
        """UPDATE download_row SET version = shown.version
           FROM unnest(:places::int[], :versions::int[]) AS shown (place, version)
           WHERE download_row.download_id = :id AND download_row.place = shown.place""",
        id=reading.id,
        places=list(reading.versions),
        versions=list(reading.versions.values()),
    )


async def _note_file(reading: Reading, kept: Kept, now: datetime) -> None:
    await database.rows(
        f"""WITH ready AS (
                UPDATE download SET status = 'READY', rows = :count, done = :count, ready_at = :now, size = :size,
                       digest = :digest, file = :file, ends_at = :ends_at, gone = :gone,
                       without_statement = without_statement + :without_statement
                WHERE id = :id RETURNING id)
            SELECT {TOLD} FROM ready""",
        id=reading.id,
        count=reading.count,
        now=now,
        size=kept.size,
        digest=kept.digest,
        file=kept.name,
        ends_at=reading.ends_at,
        gone=len(reading.gone) - reading.without_statement,
        without_statement=reading.without_statement,
    )


async def _fail(id: UUID, ended: CannotBeMade) -> None:
    await database.rows(
        f"""WITH failed AS (UPDATE download SET status = 'FAILED', failure = :failure
                            WHERE id = :id AND status = ANY(:open) RETURNING id)
            SELECT {TOLD} FROM failed""",
        failure=ended.kept(),
        id=id,
        open=OPEN,
    )
    log.info("download.failed", download=str(id), reason=ended.sentence)


async def give_up(now: datetime) -> None:
    """Fail those that have been made for a day; then delete the files that no download has, or has any more."""
    late = await database.rows(
        "SELECT id FROM download WHERE status = ANY(:open) AND asked_at <= :before", open=OPEN, before=now - LONGEST
    )
    for download in late:
        await _fail(download["id"], CannotBeMade(TOO_LONG))
    await download_files.purge(now)
