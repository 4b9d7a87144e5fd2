"""The history of an institution's downloads, and how each of them stands: changed, withdrawn, over (D3, R11, S10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from engine import database
from engine.database import Row
from models.download import Download, DownloadStatus
from models.viewer import Viewer
from resolvers import columns
from resolvers.pages import Page, Place, page_of
from resolvers.reading import SHARES, Source

KEPT = timedelta(days=30)  # the file, after it was ready; the history for good
SOURCE = Source(
    Download,
    f"SELECT {columns.DOWNLOAD} FROM download {columns.DOWNLOAD_JOINS}",
    "download.id",
    "download_id",
)
by_ids = SOURCE.by_ids


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a result in a file has been changed since, and whether a share in it was withdrawn."""

    is_out_of_date: bool
    is_withdrawn: bool


class NoFile(Enum):
    """Why there is no file to fetch."""

    NOT_READY = "NOT_READY"
    FAILED = "FAILED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


async def page(viewer: Viewer, place: Place) -> Page:
    """A page of the downloads of the viewer's institution, newest first."""
    found = await SOURCE.rows(
        viewer,
        place.condition("download.asked_at", "download.id"),
        "ORDER BY download.asked_at DESC, download.id DESC LIMIT :most",
        most=place.first + 1,
        **place.named,
    )
    return page_of(found, place.first)


async def standings(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Standing]:
    """How the files of these downloads stand, by one statement, which looks at what was changed since the oldest.

    Who changes or withdraws something may look at another clock, and may have begun before: so it looks further back.
    """
    visible = Download.visible_to(viewer)
    found = await database.rows(
        f"""WITH asked AS (SELECT id, institution_id, asked_at - interval '1 hour' AS since FROM download
                           WHERE id = ANY(:ids) AND {visible}),
            changed AS (
                SELECT DISTINCT download_row.download_id FROM result_version JOIN download_row
                ON download_row.result_id = result_version.result_id AND download_row.version <= result_version.version
                WHERE result_version.ended_at > (SELECT min(since) FROM asked)
                AND download_row.download_id = ANY(:ids)),
            withdrawn AS (
                SELECT DISTINCT download_row.download_id FROM share
                JOIN download_row ON download_row.share_id = share.id
                WHERE share.institution_id = ANY(ARRAY(SELECT institution_id FROM asked))
                AND share.withdrawn_at > (SELECT min(since) FROM asked) AND download_row.download_id = ANY(:ids))
            SELECT id, id IN (SELECT download_id FROM changed) AS is_out_of_date,
                   id IN (SELECT download_id FROM withdrawn) AS is_withdrawn FROM asked""",
        ids=list(ids),
        **visible.named,
    )
    return {row["id"]: Standing(row["is_out_of_date"], row["is_withdrawn"]) for row in found}


def status_of(row: Row, now: datetime) -> DownloadStatus:
    """How far a download has come at this moment."""
    status = DownloadStatus(row["download_status"])
    is_over = status is DownloadStatus.READY and now >= row["ready_at"] + KEPT
    return DownloadStatus.EXPIRED if is_over else status


def why_no_file(row: Row, standing: Standing, now: datetime) -> NoFile | None:
    """Why there is no file to fetch; None if there is one."""
    status = status_of(row, now)
    if status in (DownloadStatus.QUEUED, DownloadStatus.RUNNING):
        return NoFile.NOT_READY
    if status is not DownloadStatus.READY:
        return NoFile[status.name]
    has_ended = row["ends_at"] is not None and row["ends_at"] <= now
    return NoFile.WITHDRAWN if standing.is_withdrawn or has_ended else None


async def shares_at(viewer: Viewer, places: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], Row]:
    """The shares at these places of downloads, as far as the viewer sees them."""
    found = await database.rows(
        """SELECT download_row.download_id, download_row.place, download_row.share_id FROM download_row
           JOIN unnest(:ids::uuid[], :places::int[]) AS wanted (download_id, place) USING (download_id, place)""",
        ids=[id for id, _ in places],
        places=[place for _, place in places],
    )
    shares = await SHARES.by_ids(viewer, [row["share_id"] for row in found])
    at = {(row["download_id"], row["place"]): shares.get(row["share_id"]) for row in found}
    return {place: share for place, share in at.items() if share is not None}
