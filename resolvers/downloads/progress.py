"""How far a download has come, live: its row is the only event there is, and a reader who comes late gets it first."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from engine import database
from engine.database import Row
from engine.events import Batch, Bookmark, Cursor, Hub
from models.download import DownloadStatus
from models.scope import Scope
from models.viewer import Viewer
from resolvers import journal
from resolvers.downloads.history import SOURCE

CHANNEL = "downloads"
TOLD = f"pg_notify('{CHANNEL}', id::text)"  # in a SELECT from rows of downloads: wakes who follow them at the commit
BEFORE: Cursor = (0, 0)
RANKS = {status: rank for rank, status in enumerate(DownloadStatus, 1)}
OVER = {DownloadStatus.READY, DownloadStatus.FAILED, DownloadStatus.EXPIRED}


@dataclass(frozen=True, slots=True)
class Progress:
    """A download as it is now; its cursor grows with what is done, and with its end."""

    cursor: Cursor
    download: Row


async def read(download_id: UUID, after: Cursor | None) -> Batch[Progress]:
    """How far a download has come, if that is further; with None, only the present position.

    As every user of its institution may see it: whoever follows was looked at before.
    """
    found = await database.row(f"{SOURCE.select} WHERE download.id = :id", id=download_id)
    if found is None:
        return Batch([], after or BEFORE)
    cursor = (RANKS[DownloadStatus(found["download_status"])], found["done"])
    if after is None or cursor <= after:
        return Batch([], max(cursor, after or BEFORE))
    return Batch([Progress(cursor, found)], cursor)


async def follow(viewer: Viewer, hub: Hub[Progress], download_id: UUID) -> AsyncGenerator[Row, None]:
    """A download as it is, and again whenever it has come further, until it is over; nothing if it may not be seen.

    Raises NotLoggedIn or NotAllowed; StreamEnded when the session or key ends.
    """
    viewer.must_act(Scope.DOWNLOAD)
    if not await SOURCE.by_ids(viewer, [download_id]):
        return
    async with aclosing(journal.follow_topic(hub, download_id, viewer.session_id, Bookmark(BEFORE))) as events:
        async for event in events:
            yield event.download
            if DownloadStatus(event.download["download_status"]) in OVER:
                return
