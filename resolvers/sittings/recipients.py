"""Who is to get the result of a sitting, each under the consent of the moment in which it was named (H8, S3)."""

from collections.abc import Sequence
from uuid import UUID

from engine import database
from engine.database import Row
from errors import (
    ConsentOutdated,
    InstitutionNotFound,
    InvalidInput,
    NotLoggedIn,
    Problem,
    Sentence,
    SittingStateForbids,
)
from models.consent import CONSENT_VERSION, consent_sentence
from models.institution import Institution, InstitutionStatus
from models.names import shown_name
from models.sittings.sitting import Happening, SittingRecipient
from models.sittings.states import ENDS, SittingState
from models.viewer import Kind, Viewer
from resolvers.shares import Consent
from resolvers.sittings import moves, parts, views
from resolvers.sittings.moves import held_of

MOST_RECIPIENTS = 10
RELEASED = Sentence.of("The result is released: send it to whom you like from there.")


async def change(viewer: Viewer, sitting_id: UUID, institution_ids: Sequence[UUID], consent: Consent | None) -> Row:
    """Let these institutions, and no others, have the result once it is released (H8); naming is consent (S3).

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids, InvalidInput, ConsentOutdated or
    InstitutionNotFound.
    """
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if await _is_closed(sitting.row["candidate_id"]):
            raise NotLoggedIn
        if sitting.facts.state in ENDS - {SittingState.REPORTED}:
            raise SittingStateForbids(sitting.facts.state.value)
        if await _is_released(sitting.row["entry_id"]):
            raise SittingStateForbids(sitting.facts.state.value, RELEASED)
        await name(viewer, sitting_id, institution_ids, consent)
        await moves.tell(sitting_id, Happening.RECIPIENTS_CHANGED, sitting.facts, viewer)
        await moves.note(sitting)
        return await views.one(viewer, sitting_id)


async def _is_closed(candidate_id: UUID) -> bool:
    """Whether the account was closed while the sitting was waited for; nobody closes it meanwhile (G2)."""
    return not await database.rows("SELECT 1 FROM candidate WHERE id = :id AND closed_at IS NULL", id=candidate_id)


async def _is_released(entry_id: UUID | None) -> bool:
    """Whether the official scores are recorded; nobody records them meanwhile."""
    released = "SELECT 1 FROM result WHERE entry_id = :id AND released_at IS NOT NULL"
    return entry_id is not None and bool(await database.rows(released, id=entry_id))


async def name(viewer: Viewer, sitting_id: UUID, institution_ids: Sequence[UUID], consent: Consent | None) -> None:
    """Name them in the surrounding transaction; those who were named already keep their consent. Raises as `change`."""
    wanted = list(dict.fromkeys(institution_ids))
    if len(wanted) > MOST_RECIPIENTS:
        raise InvalidInput([Problem("institutionIds", "At most 10 institutions can be named.")])
    kept = await database.rows(
        """WITH gone AS (DELETE FROM sitting_recipient WHERE sitting_id = :id AND institution_id <> ALL(:wanted))
           SELECT institution_id FROM sitting_recipient WHERE sitting_id = :id AND institution_id = ANY(:wanted)""",
        id=sitting_id,
        wanted=wanted,
    )
    new = set(wanted) - {one["institution_id"] for one in kept}
    if new and (consent is None or consent.version != CONSENT_VERSION):
        raise ConsentOutdated(CONSENT_VERSION)
    # In one order, as whoever merges two of them; each stays what it is until the transaction ends.
    await database.rows("SELECT 1 FROM institution WHERE id = ANY(:ids) ORDER BY id FOR SHARE", ids=list(new))
    for institution_id in (one for one in wanted if one in new):
        assert consent is not None
        await _add(viewer, sitting_id, institution_id, consent)


async def _add(viewer: Viewer, sitting_id: UUID, institution_id: UUID, consent: Consent) -> None:
    institution = await Institution.visible_to(viewer).get_or_none(institution_id)
    if institution is None or institution.status is not InstitutionStatus.APPROVED:
        raise InstitutionNotFound
    shown = shown_name(institution.name, institution.department)
    await SittingRecipient.create(
        sitting_id=sitting_id,
        institution_id=institution_id,
        named_at=viewer.at,
        consent_text=consent_sentence(shown, consent.language),
        consent_version=consent.version,
        consent_language=consent.language,
        institution_name_shown=shown,
    )


async def of_sitting(viewer: Viewer, sitting_id: UUID) -> list[Row]:
    """Who is to get the result, in the order in which they were named."""
    return (await parts.RECIPIENTS.of(viewer, [sitting_id])).get(sitting_id, [])
