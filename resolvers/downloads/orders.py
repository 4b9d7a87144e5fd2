"""Ordering downloads: what is chosen is fixed in the transaction of the order; small ones are made at once (D1, D4)."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog

from engine import database
from engine.clock import Clock
from engine.database import Row
from engine.jobs import enqueue
from engine.limits import Rate
from errors import (
    DownloadNotFound,
    DownloadsStillRunning,
    InvalidInput,
    NothingToDownload,
    Problem,
    Sentence,
    TooManyTries,
    Unavailable,
)
from models.base import new_id
from models.layout import Layout
from models.scope import Scope
from models.template import DownloadFormat
from models.viewer import Kind, Viewer
from resolvers import templates
from resolvers.downloads import choices as download_choices
from resolvers.downloads import jobs as download_jobs
from resolvers.downloads.choices import Choice, Chosen
from resolvers.downloads.history import by_ids
from resolvers.downloads.reading import AT_ONCE, is_large
from resolvers.downloads.writing import MOST_STATEMENTS

log = structlog.get_logger()

MOST = 200_000  # results of one download
MOST_NAMED = 500  # shares that are named one by one
MOST_RUNNING = 3  # large downloads of an institution that are made at one time
DOWNLOADS = Rate("downloads of institution", most=200, window=timedelta(days=1))
LATER = timedelta(seconds=30)  # after which a job does what a process that made a small one at once has left


@dataclass(frozen=True, slots=True)
class Ordered:
    """A download as it stands, and how many of the shares that were named there are not."""

    download: Row
    not_found: int


@dataclass(frozen=True, slots=True)
class LayoutWanted:
    """Which template a download is written by, and in which other format, if any."""

    template_id: UUID | None = None
    format: DownloadFormat | None = None


async def request(viewer: Viewer, clock: Clock, choice: Choice, wanted: LayoutWanted) -> Ordered:
    """Order a download of what is chosen, written as a template says, or in another format.

    Raises NotLoggedIn, NotAllowed, InvalidInput, TemplateNotFound, NothingToDownload, DownloadsStillRunning or
    TooManyTries.
    """
    viewer.must_act(Scope.DOWNLOAD)
    if (choice.share_ids is None) is (choice.filter is None):
        raise InvalidInput([Problem("filter", "Give either `shareIds` or `filter`.")])
    if len(choice.share_ids or ()) > MOST_NAMED:
        told = Sentence.of("Name at most {most} shares at a time.", most=MOST_NAMED)
        raise InvalidInput([Problem("shareIds", told)])
    layout = await templates.layout_of(viewer, wanted.template_id)
    return await _order(viewer, clock, choice, replace(layout, format=wanted.format or layout.format))


async def repeat(viewer: Viewer, clock: Clock, id: UUID) -> Ordered:
    """Order again what an earlier download held, as far as it may be downloaded now, and as it stands now.

    Raises NotLoggedIn, NotAllowed, DownloadNotFound, InvalidInput, NothingToDownload, DownloadsStillRunning or
    TooManyTries.
    """
    viewer.must_act(Scope.DOWNLOAD)
    earlier = (await by_ids(viewer, [id])).get(id)
    if earlier is None:
        raise DownloadNotFound
    return await _order(viewer, clock, Choice(download_id=id), Layout.from_json(earlier["template"]))


async def _order(viewer: Viewer, clock: Clock, choice: Choice, layout: Layout) -> Ordered:
    id = new_id()
    async with database.transaction():
        await _count(viewer)
        await _begin(viewer, id, choice, layout)
        most = MOST_STATEMENTS if layout.format is DownloadFormat.PDF else MOST
        chosen = await download_choices.keep(viewer, id, choice, layout.format, most)
        _check(chosen, most)
        large = is_large(chosen.kept, layout.format.value)
        if large:
            await _check_running(viewer)
        await _note(id, chosen)
        await enqueue(download_jobs.JOB, {"id": str(id)}, f"{download_jobs.JOB} {id}", timedelta(0) if large else LATER)
    if not large:
        await _make_at_once(id, clock)
    asked = len(set(choice.share_ids or ()))
    not_found = max(0, asked - chosen.kept - chosen.not_allowed - chosen.without_statement)
    return Ordered((await by_ids(viewer, [id]))[id], not_found)


async def _count(viewer: Viewer) -> None:
    """Count the order; from now on others of the same institution wait for it. Raises TooManyTries."""
    if not await DOWNLOADS.count(str(viewer.institution_id), viewer.at):
        raise TooManyTries(DOWNLOADS.ends_at(viewer.at), DOWNLOADS.kind)


async def _begin(viewer: Viewer, id: UUID, choice: Choice, layout: Layout) -> None:
    await database.rows(
        """INSERT INTO download (id, institution_id, verifier_id, key_id, repeated_id, status, format, template, chosen,
                                 language, address, request_id, rows, asked_at)
           VALUES (:id, :institution_id, :verifier_id, :key_id, :repeated_id, 'QUEUED', :format, :template::text::jsonb,
                   :chosen::text::jsonb, :language, :address, :request_id, 0, :now)""",
        id=id,
        institution_id=viewer.institution_id,
        verifier_id=viewer.id if viewer.kind is Kind.VERIFIER else None,
        key_id=viewer.id if viewer.kind is Kind.KEY else None,
        repeated_id=choice.download_id,
        format=layout.format.value,
        template=_json(layout.as_json()),
        chosen=_json(choice.as_json()),
        language=viewer.language,
        address=viewer.address,
        request_id=viewer.visit.request_id,
        now=viewer.at,
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _check(chosen: Chosen, most: int) -> None:
    """Raises NothingToDownload or InvalidInput."""
    if not chosen.kept:
        raise NothingToDownload(chosen.not_allowed, chosen.without_statement)
    if chosen.kept > most:
        told = Sentence.of("These are more than {most} results, which one file of this format holds.", most=most)
        raise InvalidInput([Problem("filter", told)])


async def _check_running(viewer: Viewer) -> None:
    """Raises DownloadsStillRunning."""
    running: int = await database.value(
        """SELECT count(*) FROM download WHERE institution_id = :institution_id AND status IN ('QUEUED', 'RUNNING')
           AND (rows > :at_once OR (rows > 0 AND format = 'PDF'))""",
        institution_id=viewer.institution_id,
        at_once=AT_ONCE,
    )
    if running >= MOST_RUNNING:
        raise DownloadsStillRunning(running)


async def _note(id: UUID, chosen: Chosen) -> None:
    await database.rows(
        """UPDATE download SET rows = :kept, not_allowed = :not_allowed, without_statement = :without_statement
           WHERE id = :id""",
        id=id,
        kept=chosen.kept,
        not_allowed=chosen.not_allowed,
        without_statement=chosen.without_statement,
    )


async def _make_at_once(id: UUID, clock: Clock) -> None:
    """What cannot be made at this moment is left to its job."""
    try:
        await download_jobs.make(id, clock)
    except Unavailable:
        log.warning("download.left_to_job", download=str(id))
