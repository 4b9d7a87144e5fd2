"""Mail that was not taken: parked after ten tries or refused for good, for staff to see and to send again (N4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from engine import database
from engine.database import Row
from errors import InvalidInput, Problem
from models.letter import OF_ONE_ADDRESS, Letter, link_is_dead
from models.trail import TrailAct
from models.verifier import VerifierStatus
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import columns, letters, trail
from resolvers.pages import Page, Place, page_of
from resolvers.reading import Source

SOURCE = Source(Letter, f"SELECT {columns.LETTER} FROM letter", "letter.id", "letter_id")
by_ids = SOURCE.by_ids

MOST_AT_ONCE = 100
STATES = {"PARKED": "letter.parked_at IS NOT NULL", "REFUSED": "letter.refused_at IS NOT NULL"}
# Links that were used, or ended: by another one, or with the address that they were mailed to.
LINK_USED = """(
    EXISTS (SELECT 1 FROM password_reset WHERE id = (letter.facts ->> 'reset_id')::uuid AND used_at IS NOT NULL)
    OR EXISTS (SELECT 1 FROM email_change WHERE id = (letter.facts ->> 'change_id')::uuid AND used_at IS NOT NULL)
    OR EXISTS (SELECT 1 FROM application WHERE id = (letter.facts ->> 'application_id')::uuid AND status <> 'APPLIED')
    OR EXISTS (SELECT 1 FROM invitation WHERE id = (letter.facts ->> 'invitation_id')::uuid
               AND (accepted_at IS NOT NULL OR declined_at IS NOT NULL))
    OR EXISTS (SELECT 1 FROM verifier_link WHERE id = (letter.facts ->> 'link_id')::uuid AND used_at IS NOT NULL))"""
WITHOUT_LOG_IN = {VerifierStatus.REMOVED.value, VerifierStatus.DEACTIVATED.value}


class WhyNot(Enum):
    """Why a letter was not sent again."""

    NOT_FOUND = "NOT_FOUND"
    ALREADY_SENT = "ALREADY_SENT"
    STILL_WAITING = "STILL_WAITING"
    TOO_OLD = "TOO_OLD"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"


@dataclass(frozen=True, slots=True)
class Resent:
    """The letters that wait to be sent again, and why the others do not."""

    ids: list[UUID]
    not_resent: dict[UUID, WhyNot]


async def page(viewer: Viewer, place: Place, state: str | None = None, kind: str | None = None) -> Page:
    """A page of the mail that was not taken, newest first; `state` is PARKED, REFUSED or None for both."""
    untaken = STATES[state] if state else f"({' OR '.join(STATES.values())})"
    found = await SOURCE.rows(
        viewer,
        f"""{untaken} AND (:kind::text IS NULL OR letter.kind = :kind)
            AND {place.condition("letter.written_at", "letter.id")}""",
        "ORDER BY letter.written_at DESC, letter.id DESC LIMIT :limit",
        kind=kind,
        limit=place.first + 1,
        **place.named,
    )
    return page_of(found, place.first)


async def resend(viewer: Viewer, ids: Sequence[UUID]) -> Resent:
    """Have parked and refused letters sent again, each once, however many ask for it at the same moment.

    Raises NotLoggedIn, NotAllowed or InvalidInput.
    """
    viewer.must_be(Kind.STAFF)
    if not 1 <= len(ids) <= MOST_AT_ONCE:
        raise InvalidInput([Problem("ids", f"Name 1 to {MOST_AT_ONCE} mails at a time.")])
    async with database.transaction():
        found = await _locked(viewer, ids)
        whys = {id: why for id in ids if (why := _why_not(found.get(id), viewer.at))}
        addresses = {id: _address_now(letter) for id, letter in found.items() if id not in whys}
        if addresses:
            await letters.start_over(addresses, viewer.at)
            owners = [found[id]["candidate_id"] for id in addresses]
            await trail.note(viewer, TrailAct.CHANGED, [About(owner) for owner in owners if owner is not None])
    return Resent(list(addresses), whys)


async def _locked(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """The letters that the viewer may see, with what has become of their owners; nobody else changes them meanwhile."""
    visible = Letter.visible_to(viewer)
    found = await database.rows(
        f"""SELECT letter.*, candidate.closed_at, verifier_user.status AS verifier_status,
                   coalesce(candidate.email, verifier_user.email) AS email, {LINK_USED} AS is_link_used
            FROM letter LEFT JOIN candidate ON candidate.id = letter.candidate_id
            LEFT JOIN verifier_user ON verifier_user.id = letter.verifier_id
            WHERE letter.id = ANY(:ids) AND {visible} ORDER BY letter.id FOR UPDATE OF letter""",
        ids=list(ids),
        **visible.named,
    )
    return {letter["id"]: letter for letter in found}


def _why_not(letter: Row | None, now: datetime) -> WhyNot | None:
    """Why this letter is not to be sent again, or None if it is."""
    if letter is None:
        return WhyNot.NOT_FOUND
    if letter["sent_at"] is not None:
        return WhyNot.ALREADY_SENT
    if letter["parked_at"] is None and letter["refused_at"] is None:
        return WhyNot.STILL_WAITING
    if letter["closed_at"] is not None or letter["verifier_status"] in WITHOUT_LOG_IN:
        return WhyNot.ACCOUNT_CLOSED
    if letter["is_link_used"] or link_is_dead(letter["kind"], letter["written_at"], now):
        return WhyNot.TOO_OLD
    return None


def _address_now(letter: Row) -> str:
    """The address that the letter's owner has by now, unless the letter is about the very one it was written to."""
    address: str = letter["address"]
    return address if letter["kind"] in OF_ONE_ADDRESS else letter["email"] or address
