"""Withdrawing shares, and what the institution is told of it (S10)."""

from dataclasses import dataclass
from uuid import UUID

from engine import database
from engine.database import Row
from errors import ShareNotFound
from models.journal import EventKind
from models.result import Result
from models.share import Share
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import journal, shares, trail
from resolvers.pages import Page, Place, page_of


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A share that is withdrawn now, and whether it was before."""

    share: Row
    was_withdrawn: bool


async def withdraw(viewer: Viewer, share_id: UUID) -> Withdrawn:
    """Withdraw a share: from the commit on its institution sees it by no path. Once more changes nothing.

    Raises NotLoggedIn, NotAllowed, ShareNotFound or ShareExpired.
    """
    viewer.must_be(Kind.CANDIDATE)
    async with database.transaction():
        share = await _held(viewer, share_id)
        was_withdrawn = share.withdrawn_at is not None
        if not was_withdrawn:
            share.check_not_expired(viewer.at)
            await database.rows(
                "UPDATE share SET withdrawn_at = greatest(:now, sent_at) WHERE id = :id", now=viewer.at, id=share_id
            )
            kind = EventKind.SHARE_WITHDRAWN
            await journal.write(kind, share.institution_id, share_id, share.result_id, viewer.at)
        row = (await shares.by_ids(viewer, [share_id]))[share_id]
        if not was_withdrawn:
            about = About(row["candidate_id"], row["result_id"], row["version"])
            await trail.note(viewer, TrailAct.CHANGED, [about], institution_id=share.institution_id)
        return Withdrawn(row, was_withdrawn)


async def _held(viewer: Viewer, share_id: UUID) -> Share:
    """The viewer's share, and its result, held until the transaction ends.

    The result comes first, as everywhere: whoever sends it meanwhile waits, and then sends anew.
    """
    visible = Share.visible_to(viewer)
    share = await visible.get_or_none(share_id)
    if share is None:
        raise ShareNotFound
    await Result.visible_to(viewer).get_or_none(share.result_id, lock="FOR NO KEY UPDATE")
    held = await visible.get_or_none(share_id, lock="FOR UPDATE")
    if held is None:
        raise ShareNotFound
    return held


async def page(viewer: Viewer, place: Place) -> Page:
    """A page of what was withdrawn from the viewer's institution, latest first: ids and moments alone."""
    visible = Share.withdrawn_from(viewer)
    found = await database.rows(
        f"""SELECT share.id AS share_id, share.withdrawn_at FROM share
            WHERE {visible} AND {place.condition("share.withdrawn_at", "share.id")}
            ORDER BY share.withdrawn_at DESC, share.id DESC LIMIT :limit""",
        limit=place.first + 1,
        **place.named,
        **visible.named,
    )
    return page_of(found, place.first)
