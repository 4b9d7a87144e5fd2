"""Sending results, and opening and marking shares (S3-S8, V1, V2)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import database
from engine.database import Row
from errors import ConsentOutdated, InstitutionNotFound, NotLoggedIn, ResultNotFound, ShareNotFound
from models.base import new_id, required
from models.consent import CONSENT_VERSION, consent_sentence
from models.institution import Institution, InstitutionStatus
from models.journal import EventKind
from models.names import shown_name
from models.result import Result
from models.scope import Scope
from models.share import BLOCKING, Share
from models.terms import Terms
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import journal, trail
from resolvers.pages import Page, Place, page_of
from resolvers.reading import SHARES, grouped

by_ids = SHARES.by_ids
EXPIRED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Sent:
    """A share that is there now, whether it was there before, and whether on other terms than asked (S4, S9)."""

    share: Row
    was_there: bool
    terms_differ: bool


@dataclass(frozen=True, slots=True)
class Consent:
    """What the candidate was shown before sending: the sentence's version and language."""

    version: str
    language: str


async def send(
    viewer: Viewer,
    result_id: UUID,
    institution_id: UUID,
    consent: Consent,
    terms: Terms = Terms(),  # noqa: B008  # it is frozen
) -> Sent:
    """Send one released result to one institution; sending it again returns the share that is there, as it is (S4).

    Raises NotLoggedIn, NotAllowed, InvalidInput, ConsentOutdated, ResultNotFound, ResultNotSendable or
    InstitutionNotFound.
    """
    viewer.must_be(Kind.CANDIDATE)
    terms = terms.checked(viewer.at)
    if consent.version != CONSENT_VERSION:
        raise ConsentOutdated(CONSENT_VERSION)
    async with database.transaction():
        result = await Result.visible_to(viewer).get_or_none(result_id, lock="FOR SHARE")
        if result is None:
            raise ResultNotFound
        result.check_sendable(viewer.at)
        institution = await _receiving(viewer, institution_id)
        share_id, is_new = await _open_once(viewer, result_id, institution, consent, terms)
        if is_new:
            await journal.write(EventKind.SHARE_SENT, institution_id, share_id, result_id, viewer.at)
            about = About(required(viewer.id), result_id, result.version)
            await trail.note(viewer, TrailAct.CHANGED, [about], institution_id=institution_id)
        share = await _one(viewer, share_id)
        if share["candidate_closed_at"] is not None:  # while the result was waited for (see `closing`)
            raise NotLoggedIn
        return Sent(share, not is_new, not is_new and _terms_of(share) != terms)


def _terms_of(share: Row) -> Terms:
    return Terms(**{field.name: share[field.name] for field in fields(Terms)})


async def _receiving(viewer: Viewer, institution_id: UUID) -> Institution:
    """The institution, if it is approved; it stays so until the transaction ends."""
    institution = await Institution.visible_to(viewer).get_or_none(institution_id, lock="FOR SHARE")
    if institution is None or institution.status is not InstitutionStatus.APPROVED:
        raise InstitutionNotFound
    return institution


async def _open_once(
    viewer: Viewer, result_id: UUID, institution: Institution, consent: Consent, terms: Terms
) -> tuple[UUID, bool]:
    """The live share of this result with this institution, made if there is none, and whether it is new.

    The result is held against withdrawing (see `withdrawals`), but the share in the way can expire, and be told to
    have expired by a worker, at any moment: then there is room, or another new one.
    """
    while True:
        made = await _made(viewer, result_id, institution, consent, terms)
        if made is not None:
            return made, True
        there = await database.row(
            f"""SELECT id, expires_at <= :now AS is_over FROM share
                WHERE result_id = :result_id AND institution_id = :institution_id AND {BLOCKING}""",
            result_id=result_id,
            institution_id=institution.id,
            now=viewer.at,
        )
        if there is not None and not there["is_over"]:
            return there["id"], False
        if there is not None:
            await _tell_expired("share.id = :id", viewer.at, id=there["id"])


async def _made(
    viewer: Viewer, result_id: UUID, institution: Institution, consent: Consent, terms: Terms
) -> UUID | None:
    """A new share, or None where another one stands in the way."""
    shown = shown_name(institution.name, institution.department)
    made: UUID | None = await database.value(
        f"""INSERT INTO share (id, result_id, institution_id, candidate_id, sent_at, is_read, consent_text,
                               consent_version, consent_language, institution_name_shown, purpose, reference,
                               expires_at, includes_skills, includes_photo, allows_downloads)
            VALUES (:id, :result_id, :institution_id, :candidate_id, :now, false, :text, :version, :language, :shown,
                    :purpose, :reference, :expires_at, :includes_skills, :includes_photo, :allows_downloads)
            ON CONFLICT (result_id, institution_id) WHERE {BLOCKING} DO NOTHING RETURNING id""",
        id=new_id(),
        result_id=result_id,
        institution_id=institution.id,
        candidate_id=viewer.id,
        now=viewer.at,
        text=consent_sentence(shown, consent.language, terms),
        version=consent.version,
        language=consent.language,
        shown=shown,
        **asdict(terms),
    )
    return made


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


async def tell_expired(now: datetime) -> int:
    """Write into the journal which shares have expired (S9), each once; tells how many.

    That a share is past its day is decided by the clock on every path; this only tells of it.
    """
    told = 0
    while True:
        async with database.transaction():
            count = await _tell_expired(
                f"""share.id IN (SELECT id FROM share WHERE expires_at <= :now AND {BLOCKING}
                                 ORDER BY expires_at LIMIT {EXPIRED_AT_ONCE} FOR UPDATE SKIP LOCKED)""",
                now,
            )
        told += count
        if count < EXPIRED_AT_ONCE:
            return told


async def tell_expired_at(institution_ids: Sequence[UUID], now: datetime) -> int:
    """The same for all the shares with these institutions, within a transaction."""
    return await _tell_expired("share.institution_id = ANY(:ids)", now, ids=list(institution_ids))


async def _tell_expired(which: str, now: datetime, **named: Any) -> int:
    """Tell of those of these shares that have expired and were not told of; within a transaction."""
    expired = await database.rows(
        f"""UPDATE share SET expiry_told_at = :now WHERE {which} AND expires_at <= :now AND {BLOCKING}
            RETURNING id, institution_id, result_id""",
        now=now,
        **named,
    )
    for share in expired:
        await journal.write(EventKind.SHARE_EXPIRED, share["institution_id"], share["id"], share["result_id"], now)
    return len(expired)


async def open_share(viewer: Viewer, share_id: UUID) -> Row:
    """Open a share: it shows everything, and is read from now on (V1, V2).

    Raises NotLoggedIn, NotAllowed or ShareNotFound.
    """
    viewer.must_read(Scope.READ_SHARES)
    return await _mark(viewer, share_id, is_read=True, act=TrailAct.OPENED)


async def mark(viewer: Viewer, share_id: UUID, is_read: bool) -> Row:
    """Mark a share read or unread by hand; the time of its first opening stays.

    Raises NotLoggedIn, NotAllowed or ShareNotFound.
    """
    viewer.must_act(Scope.MANAGE)
    return await _mark(viewer, share_id, is_read, TrailAct.READ)


async def _mark(viewer: Viewer, share_id: UUID, is_read: bool, act: TrailAct) -> Row:
    """Mark a share; `act` is what the trail says of it."""
    async with database.transaction():
        share = await Share.visible_to(viewer).get_or_none(share_id, lock="FOR UPDATE")
        if share is None:
            raise ShareNotFound
        if share.is_read is not is_read:
            await database.rows(
                """UPDATE share SET is_read = :is_read, opened_at = coalesce(opened_at, greatest(:now, sent_at))
                   WHERE id = :id""",
                is_read=is_read,
                now=viewer.at,
                id=share_id,
            )
            kind = EventKind.SHARE_READ if is_read else EventKind.SHARE_UNREAD
            await journal.write(kind, share.institution_id, share_id, share.result_id, viewer.at)
        row = await _one(viewer, share_id)
        await trail.note(viewer, act, [About(row["candidate_id"], row["result_id"], row["version"])])
        return row
