"""Suspending an institution's account, and taking that back (O3).

What an institution sees, and by what it is found and sent to, hangs on one rule, `models.institution.APPROVED`: users,
links, files, streams, keys and webhooks ask it. Nothing is deleted: shares, users and the places of cursors
are there again afterwards, and the journal goes on meanwhile.
"""

from uuid import UUID

import structlog

from engine import database
from engine.database import Row
from errors import InstitutionNotFound, InstitutionStateForbids, InvalidInput
from models.institution import Institution, InstitutionStatus
from models.institution_form import one_line, text_problems
from models.names import shown_name
from models.viewer import Kind, Viewer
from resolvers import letters, sessions

LONGEST_REASON = 1000

log = structlog.get_logger()


async def suspend(viewer: Viewer, institution_id: UUID, reason: str) -> None:
    """Let nobody of an institution see anything from now on; its users are told why by mail.

    Raises NotLoggedIn, NotAllowed, InvalidInput, InstitutionNotFound or InstitutionStateForbids.
    """
    viewer.must_be_board()
    reason = one_line(reason)
    if problems := text_problems("reason", reason, LONGEST_REASON):
        raise InvalidInput(problems)
    async with database.transaction():
        institution = await _locked(viewer, institution_id, InstitutionStatus.APPROVED)
        await database.rows(
            """UPDATE institution SET status = 'SUSPENDED', suspended_at = :now, suspension_reason = :reason
               WHERE id = :id""",
            now=viewer.at,
            reason=reason,
            id=institution_id,
        )
        users = await database.rows("SELECT * FROM verifier_user WHERE institution_id = :id", id=institution_id)
        await sessions.end_all(Kind.VERIFIER, [user["id"] for user in users], viewer.at)
        await _tell(viewer, "institution_suspended", institution, users, reason)
    log.info("institution.suspended", institution=str(institution_id), staff=str(viewer.id))


async def reinstate(viewer: Viewer, institution_id: UUID) -> None:
    """Take a suspension back: users log in anew, and everything is as it was.

    Raises NotLoggedIn, NotAllowed, InstitutionNotFound or InstitutionStateForbids.
    """
    viewer.must_be_board()
    async with database.transaction():
        institution = await _locked(viewer, institution_id, InstitutionStatus.SUSPENDED)
        await database.rows(
            """UPDATE institution SET status = 'APPROVED', suspended_at = NULL, suspension_reason = NULL
               WHERE id = :id""",
            id=institution_id,
        )
        users = await database.rows("SELECT * FROM verifier_user WHERE institution_id = :id", id=institution_id)
        await _tell(viewer, "institution_reinstated", institution, users)
    log.info("institution.reinstated", institution=str(institution_id), staff=str(viewer.id))


async def _locked(viewer: Viewer, institution_id: UUID, status: InstitutionStatus) -> Institution:
    """The institution, which must be in this state, kept from others until the transaction ends."""
    found = await Institution.visible_to(viewer).get_or_none(institution_id, "FOR NO KEY UPDATE")
    if found is None:
        raise InstitutionNotFound
    if found.status is not status:
        raise InstitutionStateForbids(found.status.value)
    return found


async def _tell(viewer: Viewer, kind: str, institution: Institution, users: list[Row], reason: str = "") -> None:
    """Write to each active user, in their language."""
    facts = {"institution": shown_name(institution.name, institution.department)} | (
        {"reason": reason} if reason else {}
    )
    for user in users:
        if user["status"] == "ACTIVE":
            receiver = letters.Receiver(user["email"], user["language"], verifier_id=user["id"])
            await letters.write(kind, receiver, facts, viewer.at)
