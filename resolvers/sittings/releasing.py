"""What follows when official scores of reported sittings are loaded, one by one or by file: released at once (H8)."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from engine import database
from engine.database import Row
from models.base import new_id
from models.entry import HOME
from models.journal import EventKind
from models.share import BLOCKING
from models.sittings.sitting import Happening
from models.trail import TrailAct
from models.viewer import Viewer
from models.visit import About
from resolvers import entries, journal, trail
from resolvers.rows import EntryKey
from resolvers.sittings import moves
from resolvers.sittings.moves import Held

ENTRIES = """SELECT entry.id, entry.candidate_id, result.id AS result_id FROM entry
             JOIN result ON result.entry_id = entry.id WHERE entry.id = ANY(:ids)"""

# Held in one order, as by whoever merges two of them; a merger that was under way is over then.
NAMED_ONES = """SELECT 1 FROM institution WHERE id IN (
                    SELECT institution_id FROM sitting_recipient WHERE sitting_id = ANY(:ids)) ORDER BY id FOR SHARE"""


async def hold(viewer: Viewer, keys: Sequence[EntryKey]) -> dict[UUID, Held]:
    """The sittings among these entries, by entry, held until the surrounding transaction ends.

    Before anybody holds what loads are held by: whoever reports holds the sitting first.
    """
    at_home = [key for key in keys if key.centre == HOME]
    if not at_home:
        return {}
    found = await entries.by_keys(at_home)
    held = await moves.held_of_entries(viewer, [entry["entry_id"] for entry in found.values()])
    return {one.row["entry_id"]: one for one in held}


def without_unheld(known: Mapping[EntryKey, Row], held: Mapping[UUID, Held]) -> dict[EntryKey, Row]:
    """The entries, but none of a sitting that was reported after those here were held: it is not known yet."""
    return {key: one for key, one in known.items() if key.centre != HOME or one["entry_id"] in held}


async def release(held: Mapping[UUID, Held], entry_ids: Collection[UUID], viewer: Viewer) -> None:
    """Release the results of these entries to their candidates, who get the letter of every release, and to those that
    were named.
    """
    if not entry_ids:
        return
    found = await database.rows(ENTRIES, ids=list(entry_ids))
    await database.rows(
        "UPDATE result SET released_at = :now WHERE id = ANY(:ids)",
        now=viewer.at,
        ids=[one["result_id"] for one in found],
    )
    await database.rows(NAMED_ONES, ids=[held[entry["id"]].id for entry in found])
    for entry in found:
        sitting = held[entry["id"]]
        if viewer.at > sitting.viewer.at:
            sitting.viewer = viewer  # at the moment of this batch: a file takes longer than one
        await _share(sitting, entry)
        await moves.tell(sitting.id, Happening.SCORES_RECORDED, sitting.facts, sitting.viewer)


async def _share(sitting: Held, entry: Row) -> None:
    """A share for each institution that was named and is approved now, resting on the consent of that moment (S3).

    Of one that went up in another, the other has it, as it has all that was sent before. None of an account that was
    closed: whoever closes it holds the result before, or withdraws what is shared (G2).
    """
    named = await database.rows(
        """SELECT sitting_recipient.*, institution.id AS receiver_id FROM sitting_recipient
           JOIN institution AS named ON named.id = institution_id
           JOIN institution ON institution.id = coalesce(named.merged_into_id, named.id)
           WHERE sitting_id = :id AND institution.status = 'APPROVED'
           AND EXISTS (SELECT 1 FROM candidate WHERE candidate.id = :candidate_id AND candidate.closed_at IS NULL)
           ORDER BY named_at, sitting_recipient.id
           FOR SHARE OF institution""",
        id=sitting.id,
        candidate_id=entry["candidate_id"],
    )
    made = [share_id for one in named if (share_id := await _made(sitting, entry, one))]
    await journal.write_of_shares(EventKind.SHARE_SENT, made, sitting.viewer.at)
    about = About(entry["candidate_id"], entry["result_id"], 1)
    for one in named:
        await trail.note(sitting.viewer, TrailAct.CHANGED, [about], institution_id=one["receiver_id"])


async def _made(sitting: Held, entry: Row, recipient: Row) -> UUID | None:
    share_id: UUID | None = await database.value(
        f"""INSERT INTO share (id, result_id, institution_id, candidate_id, sent_at, is_read, consent_text,
                               consent_version, consent_language, institution_name_shown)
            VALUES (:id, :result_id, :institution_id, :candidate_id, :now, false, :text, :version, :language, :shown)
            ON CONFLICT (result_id, institution_id) WHERE {BLOCKING} DO NOTHING RETURNING id""",
        id=new_id(),
        result_id=entry["result_id"],
        institution_id=recipient["receiver_id"],
        candidate_id=entry["candidate_id"],
        now=sitting.viewer.at,
        text=recipient["consent_text"],
        version=recipient["consent_version"],
        language=recipient["consent_language"],
        shown=recipient["institution_name_shown"],
    )
    await database.rows(
        f"""UPDATE sitting_recipient SET share_id = share.id FROM share WHERE sitting_recipient.id = :id
            AND share.result_id = :result_id AND share.institution_id = :receiver_id AND {BLOCKING}""",
        id=recipient["id"],
        result_id=entry["result_id"],
        receiver_id=recipient["receiver_id"],
    )
    return share_id
