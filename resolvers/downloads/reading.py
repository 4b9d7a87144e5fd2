"""Reading what a download holds, batch by batch, and noting what of it has changed since it was asked for."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import database
from engine.clock import Clock
from engine.database import Row
from engine.feeding import NotWanted
from models.scope import Scope
from models.share import Part, Share
from models.template import DownloadFormat
from models.viewer import Viewer
from resolvers import columns, statements
from resolvers.downloads.progress import TOLD
from resolvers.downloads.viewers import viewer_of

AT_ONCE = 500  # results of a download that is made while it is asked for
BATCH = 250  # results that are read by one statement: a few milliseconds of the event loop
STEP = 4 * BATCH  # after so many it is told how far it has come, and looked whether it may go on

SELECT = f"""
    SELECT download_row.place, download_row.version AS expected_version, {statements.FORMER_ENDED_AT}, {columns.SHARE}
    FROM download_row JOIN share ON share.id = download_row.share_id {columns.SHARE_JOINS}"""


def is_large(rows: int, format: str) -> bool:
    """Whether a download of so many results is made by a job rather than at once."""
    return rows > AT_ONCE or format == DownloadFormat.PDF.value


@dataclass(slots=True)
class Reading:
    """One walk through the results of a download, by their places, and what was found on the way."""

    download: Row
    clock: Clock
    count: int = 0  # results that were read
    versions: dict[int, int] = field(default_factory=dict)  # by place, where another one stands than was noted
    gone: list[int] = field(default_factory=list)  # places that hold nothing any more, in order
    without_statement: int = 0  # how many of those are there, and have no statement (of a PDF)
    ends_at: datetime | None = None  # when the first of the shares expires

    @property
    def id(self) -> UUID:
        """Which download it is."""
        id: UUID = self.download["id"]
        return id

    @property
    def is_large(self) -> bool:
        """Whether it is made by a job."""
        return is_large(self.download["rows"], self.download["format"])

    @property
    def is_pdf(self) -> bool:
        """Whether it is of statements."""
        return bool(self.download["format"] == DownloadFormat.PDF.value)

    async def batches(self) -> AsyncIterator[list[Row]]:
        """The results that may be downloaded now, as rows of shares, some of a batch or none.

        Raises CannotBeMade, or NotWanted when somebody else has made the file.
        """
        viewer = await viewer_of(self.download, self.clock())
        # places may have gaps behind what is left out of an earlier try: none is deleted before there is a file
        for first in range(0, self.download["rows"], BATCH):
            if first and first % STEP == 0:
                await self._tell(first)
                viewer = await viewer_of(self.download, self.clock())
            viewer = replace(viewer, at=self.clock())
            yield self._noted(viewer, first, await self._read(viewer, first))

    async def _read(self, viewer: Viewer, first: int) -> list[Row]:
        return await database.rows(
            f"""{SELECT} WHERE download_row.download_id = :id AND download_row.place >= :first
                AND download_row.place < :first + {BATCH} AND {Share.visible_to(viewer)}
                AND {Share.allows(viewer, Part.DOWNLOADS)} ORDER BY download_row.place""",
            id=self.id,
            first=first,
            **viewer.named,
        )

    def _noted(self, viewer: Viewer, first: int, found: Sequence[Row]) -> list[Row]:
        rows = [row for row in found if not self.is_pdf or statements.is_issued(row, viewer)]
        self.without_statement += len(found) - len(rows)
        places = {row["place"] for row in rows}
        wanted = range(first, min(first + BATCH, self.download["rows"]))
        self.gone += [place for place in wanted if place not in places]
        for row in rows:
            if row["version"] != row["expected_version"]:
                self.versions[row["place"]] = row["version"]
            if row["expires_at"] is not None:
                self.ends_at = min(self.ends_at or row["expires_at"], row["expires_at"])
        self.count += len(rows)
        return rows if viewer.may(Scope.READ_SKILLS) else [_without_skills(row) for row in rows]

    async def _tell(self, done: int) -> None:
        """That so many are done; never fewer than were told before. Raises NotWanted."""
        told = await database.rows(
            f"""WITH told AS (UPDATE download SET done = greatest(done, :done)
                              WHERE id = :id AND status = 'RUNNING' RETURNING id)
                SELECT {TOLD} FROM told""",
            done=done,
            id=self.id,
        )
        if not told:
            raise NotWanted

    def place_of(self, number: int) -> int:
        """The place of a result by its number in the file, counted from 1."""
        place = number - 1
        for gone in self.gone:
            if gone > place:
                break
            place += 1
        return place


def _without_skills(row: Row) -> Row:
    hidden: dict[str, Any] = {"includes_skills": False, "skill_scores": None}
    return dict(row) | hidden
