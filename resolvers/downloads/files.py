"""The files of downloads: kept locked in the store, given by signed addresses while all that is in them may be seen.

What a file shows stands in the trail each time before it is given. One that is damaged or lost is never given.
"""

import hashlib
from asyncio import to_thread
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath
from secrets import token_hex
from tempfile import TemporaryFile
from typing import IO
from uuid import UUID

import structlog

from documents import tables
from engine import database, locked_files
from engine import files as store
from engine.database import Row
from engine.locked_files import Damaged
from errors import FileEnded, Refusal
from models.layout import Layout
from models.scope import Scope
from models.share import Share
from models.template import DownloadFormat
from models.viewer import Kind, Viewer
from resolvers import files, trail
from resolvers.downloads.history import KEPT, NoFile, Standing, by_ids, why_no_file
from resolvers.files import File, Link

log = structlog.get_logger()

KIND = "download"  # of address
FOLDER = "download"
LOCKED = "download"  # what files are locked for
FORGOTTEN = timedelta(days=1)
PDF = "application/pdf"
LOST = "The file is damaged or lost. Order the download again."
ENDED = {
    NoFile.NOT_READY: "The file is not ready yet.",
    NoFile.FAILED: "The file could not be made.",
    NoFile.WITHDRAWN: "The file holds a result that has been withdrawn, or has expired. Order the download again.",
    NoFile.EXPIRED: "The file was kept for 30 days. Order the download again.",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as it is kept: its name in the store, and size and SHA-256 of what is in it."""

    name: str
    size: int
    digest: bytes


async def keep(id: UUID, spool: IO[bytes]) -> Kept:
    """Keep what is in a temporary file, under a name that no other file has. Raises Unavailable."""
    name = f"{FOLDER}/{id}.{token_hex(8)}"
    digest, size = await to_thread(_digest, spool)
    spool.seek(0)
    await store.put_pieces(name, locked_files.locked(LOCKED, name, spool))
    return Kept(name, size, digest)


def _digest(spool: IO[bytes]) -> tuple[bytes, int]:
    digest = hashlib.sha256()
    while piece := spool.read(locked_files.PIECE):
        digest.update(piece)
    return digest.digest(), spool.tell()


async def forget(name: str) -> None:
    """Delete a file that nobody wants. Raises Unavailable."""
    await store.delete(name)


async def seen(viewer: Viewer, id: UUID, without: Sequence[int] = ()) -> int:
    """How many results of a download, but those at these places, the viewer sees at this moment (S10)."""
    visible = Share.visible_to(viewer)
    count: int = await database.value(
        f"""SELECT count(*) FROM download_row JOIN share ON share.id = download_row.share_id
            WHERE download_row.download_id = :id AND download_row.place <> ALL(:without::int[]) AND {visible}""",
        id=id,
        without=list(without),
        **visible.named,
    )
    return count


# ---- giving


def link(viewer: Viewer, row: Row, standing: Standing) -> Link | None:
    """Where the viewer fetches the file for 15 minutes; None if there is none, or none for this viewer."""
    may = viewer.has(Scope.DOWNLOAD) or (viewer.kind is Kind.VERIFIER and viewer.may_more_than_read)
    if not may or viewer.session_id is None or why_no_file(row, standing, viewer.at) is not None:
        return None
    return files.link(viewer, KIND, row["download_id"])


async def file(viewer: Viewer, id: UUID, _detail: str) -> File | None:
    """The file, byte for byte as it was made; None for those who may not know of it.

    Raises FileEnded, or Unavailable.
    """
    if (row := await _row(viewer, id)) is None:
        return None
    await _check(viewer, row)
    spool = await _opened(row)
    try:
        await _check(viewer, row)  # withdrawn while it was read
        await trail.note_download(viewer, id)
    except BaseException:
        spool.close()
        raise
    return File(_name(row), _media_type(row), _pieces(spool), row["size"], etag=row["digest"].hex())


async def _row(viewer: Viewer, id: UUID) -> Row | None:
    with suppress(Refusal):
        viewer.must_act(Scope.DOWNLOAD)
        return (await by_ids(viewer, [id])).get(id)
    return None


async def _check(viewer: Viewer, row: Row) -> None:
    """Raises FileEnded unless there is a file, all of which its institution sees at this moment."""
    if (reason := why_no_file(row, Standing(False, False), viewer.at)) is not None:
        raise FileEnded(ENDED[reason])
    if await seen(viewer, row["download_id"]) != row["rows"]:
        raise FileEnded(ENDED[NoFile.WITHDRAWN])


async def _opened(row: Row) -> IO[bytes]:
    """The file in a temporary one, if it is whole; nothing of it is given before that is known. Raises FileEnded."""
    found, digest, spool = await store.pieces(row["file"]), hashlib.sha256(), TemporaryFile()  # noqa: SIM115
    try:
        if found is not None:
            async for piece in locked_files.unlocked(LOCKED, row["file"], found):
                digest.update(piece)
                spool.write(piece)
    except Damaged:
        digest.update(b"damaged")
    except BaseException:
        spool.close()
        raise
    if found is None or digest.digest() != row["digest"]:
        spool.close()
        log.error("download.damaged", download=str(row["download_id"]), lost=found is None)
        raise FileEnded(LOST)
    spool.seek(0)
    return spool


async def _pieces(spool: IO[bytes]) -> AsyncIterator[bytes]:
    with spool:
        while piece := spool.read(locked_files.PIECE):
            yield piece


def _name(row: Row) -> str:
    """What the file is saved as: after its template."""
    name = "".join(" " if sign in '/\\:*?"<>|' else sign for sign in row["template"]["name"]).strip(" .")
    return f"{name or 'results'} {row['asked_at']:%Y-%m-%d}.{row['format'].lower()}"


def _media_type(row: Row) -> str:
    if row["format"] == DownloadFormat.PDF.value:
        return PDF
    return tables.media_type(Layout.from_json(row["template"]))


# ---- leaving nothing behind


async def purge(now: datetime) -> None:
    """End what was kept for 30 days, and delete those files, and what a process left that died."""
    await database.rows(
        "UPDATE download SET status = 'EXPIRED', file = NULL WHERE status = 'READY' AND ready_at <= :before",
        before=now - KEPT,
    )
    async for names in store.older_than(now - FORGOTTEN, FOLDER):
        ids = [PurePath(name).stem for name in names]
        needed = await database.rows("SELECT file FROM download WHERE id::text = ANY(:ids)", ids=ids)
        for name in set(names) - {one["file"] for one in needed}:
            await store.delete(name)
