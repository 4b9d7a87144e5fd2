"""Sending results, the inbox, and opening shares (S3-S8, V1, V2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine import database
from engine.database import Row
from errors import ConsentOutdated, InstitutionNotFound, ResultNotFound, ShareNotFound
from models.base import new_id
from models.consent import CONSENT_VERSION, consent_sentence
from models.institution import Institution, InstitutionStatus
from models.journal import EventKind
from models.names import shown_name
from models.result import Result
from models.share import Share
from models.viewer import Kind, Viewer
from resolvers import journal
from resolvers.pages import Page, Place, page_of
from resolvers.reading import SHARES, grouped

by_ids = SHARES.by_ids


@dataclass(frozen=True, slots=True)
class Sent:
    """A share that is there now, and whether it was there before (S4)."""

    share: Row
    was_there: bool


@dataclass(frozen=True, slots=True)
class Inbox:
    """A page of the inbox, and the place in the journal from which it is up to date."""

    page: Page
    position: int


@dataclass(frozen=True, slots=True)
class Consent:
    """What the candidate was shown before sending: the sentence's version and language."""

    version: str
    language: str


async def send(viewer: Viewer, result_id: UUID, institution_id: UUID, consent: Consent) -> Sent:
    """Send one released result to one institution; sending it again returns the share that is there (S4).

    Raises NotLoggedIn, NotAllowed, ConsentOutdated, ResultNotFound, ResultNotSendable or InstitutionNotFound.
    """
    candidate_id = viewer.must_be(Kind.CANDIDATE)
    if consent.version != CONSENT_VERSION:
        raise ConsentOutdated(CONSENT_VERSION)
    async with database.transaction():
        result = await Result.visible_to(viewer).get_or_none(result_id, lock="FOR SHARE")
        if result is None:
            raise ResultNotFound
        result.check_sendable(viewer.at)
        institution = await _receiving(viewer, institution_id)
        share_id, is_new = await _open_once(candidate_id, result_id, institution, consent, viewer.at)
        if is_new:
            await journal.write(EventKind.SHARE_SENT, institution_id, share_id, result_id, viewer.at)
        return Sent(await _one(viewer, share_id), not is_new)


async def _receiving(viewer: Viewer, institution_id: UUID) -> Institution:
    """The institution, if it is approved; it stays so until the transaction ends."""
    institution = await Institution.visible_to(viewer).get_or_none(institution_id, lock="FOR SHARE")
    if institution is None or institution.status is not InstitutionStatus.APPROVED:
        raise InstitutionNotFound
    return institution


async def _open_once(
    candidate_id: UUID, result_id: UUID, institution: Institution, consent: Consent, now: datetime
) -> tuple[UUID, bool]:
    """The live share of this result with this institution, made if there is none, and whether it is new."""
    shown = shown_name(institution.name, institution.department)
    made = await database.row(
        """INSERT INTO share (id, result_id, institution_id, candidate_id, sent_at, is_read, consent_text,
                              consent_version, consent_language, institution_name_shown)
           VALUES (:id, :result_id, :institution_id, :candidate_id, :now, false, :text, :version, :language, :shown)
           ON CONFLICT (result_id, institution_id) WHERE withdrawn_at IS NULL DO NOTHING RETURNING id""",
        id=new_id(),
        result_id=result_id,
        institution_id=institution.id,
        candidate_id=candidate_id,
        now=now,
        text=consent_sentence(shown, consent.language),
        version=consent.version,
        language=consent.language,
        shown=shown,
    )
    if made is not None:
        return made["id"], True
    there: UUID = await database.value(
        """SELECT id FROM share WHERE result_id = :result_id AND institution_id = :institution_id
           AND withdrawn_at IS NULL""",
        result_id=result_id,
        institution_id=institution.id,
    )
    return there, False


async def _one(viewer: Viewer, share_id: UUID) -> Row:
    return (await by_ids(viewer, [share_id]))[share_id]


async def of_candidates(viewer: Viewer, candidate_ids: Sequence[UUID], place: Place) -> dict[UUID, Page]:
    """A page of each candidate's shares that the viewer may see, newest first, by one statement."""
    return await _pages(viewer, "candidate_id", candidate_ids, place)


async def of_results(viewer: Viewer, result_ids: Sequence[UUID], place: Place) -> dict[UUID, Page]:
    """A page of each result's shares that the viewer may see, newest first, by one statement ("Shared with", S6)."""
    return await _pages(viewer, "result_id", result_ids, place)


async def _pages(viewer: Viewer, owner: str, ids: Sequence[UUID], place: Place) -> dict[UUID, Page]:
    visible = Share.visible_to(viewer)
    behind = place.condition("share.sent_at", "share.id")
    found = await database.rows(
        f"""SELECT page.* FROM unnest(:ids::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
                {SHARES.select} WHERE share.{owner} = wanted.id AND {visible} AND {behind}
                ORDER BY share.sent_at DESC, share.id DESC LIMIT :limit) AS page""",
        ids=list(ids),
        limit=place.first + 1,
        **place.named,
        **visible.named,
    )
    pages = grouped(found, owner)
    return {id: page_of(pages.get(id, []), place.first) for id in ids}


# ---- the institution's side


async def inbox(viewer: Viewer, place: Place, status: str | None = None) -> Inbox:
    """A page of the shares to the verifier's institution, newest first; `status` is READ, UNREAD or None.

    Page and journal position come from one snapshot: what is not on the page comes after the position.
    """
    visible = Share.visible_to(viewer)
    read = {"READ": "share.is_read", "UNREAD": "NOT share.is_read"}.get(status or "", "true")
    found = await database.rows(
        f"""SELECT now_at.position, page.* FROM (SELECT {journal.HORIZON} AS position) AS now_at LEFT JOIN LATERAL (
                {SHARES.select} WHERE {visible} AND {read} AND {place.condition("share.sent_at", "share.id")}
                ORDER BY share.sent_at DESC, share.id DESC LIMIT :limit) AS page ON true""",
        limit=place.first + 1,
        **place.named,
        **visible.named,
    )
    shares = [row for row in found if row["share_id"] is not None]
    return Inbox(page_of(shares, place.first), found[0]["position"])


async def count_inbox(viewer: Viewer, unread_only: bool) -> int:
    """How many shares the verifier's institution has, or how many of them nobody has read."""
    visible = Share.visible_to(viewer)
    unread = "AND NOT share.is_read" if unread_only else ""
    count: int = await database.value(f"SELECT count(*) FROM share WHERE {visible} {unread}", **visible.named)
    return count


async def tell_expired(now: datetime) -> int:
    """Write into the journal which shares have expired (S9), each once; tells how many.

    That a share is past its day is decided by the clock on every path; this only tells of it.
    """
    async with database.transaction():
        expired = await database.rows(
            """UPDATE share SET expiry_told_at = :now WHERE id IN (
                   SELECT id FROM share WHERE expires_at <= :now AND expiry_told_at IS NULL AND withdrawn_at IS NULL
                   ORDER BY expires_at LIMIT 500 FOR UPDATE SKIP LOCKED)
               RETURNING id, institution_id, result_id""",
            now=now,
        )
        for share in expired:
            await journal.write(EventKind.SHARE_EXPIRED, share["institution_id"], share["id"], share["result_id"], now)
    return len(expired)


async def open_share(viewer: Viewer, share_id: UUID) -> Row:
    """Open a share: it shows everything, and is read from now on (V1, V2).

    Raises NotLoggedIn, NotAllowed or ShareNotFound.
    """
    return await mark(viewer, share_id, is_read=True)


async def mark(viewer: Viewer, share_id: UUID, is_read: bool) -> Row:
    """Mark a share read or unread by hand; the time of its first opening stays.

    Raises NotLoggedIn, NotAllowed or ShareNotFound.
    """
    viewer.must_be(Kind.VERIFIER)
    async with database.transaction():
        share = await Share.visible_to(viewer).get_or_none(share_id, lock="FOR UPDATE")
        if share is None:
            raise ShareNotFound
        if share.is_read is not is_read:
            await database.rows(
                "UPDATE share SET is_read = :is_read, opened_at = coalesce(opened_at, :now) WHERE id = :id",
                is_read=is_read,
                now=viewer.at,
                id=share_id,
            )
            kind = EventKind.SHARE_READ if is_read else EventKind.SHARE_UNREAD
            await journal.write(kind, share.institution_id, share_id, share.result_id, viewer.at)
        return await _one(viewer, share_id)
