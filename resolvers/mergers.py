"""Merging two accounts of one institution: one is kept, and nothing that the other had is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from engine import database
from engine.database import Row
from errors import InstitutionNotFound, InvalidInput, Problem
from models.base import required
from models.institution import Institution, InstitutionName, InstitutionStatus
from models.journal import EventKind
from models.names import shown_name
from models.trail import TrailAct
from models.viewer import Viewer
from models.visit import About
from resolvers import api_keys, institutions, journal, shares, trail
from resolvers.applications import checked_reason

AT_ONCE = 500  # shares that one entry of the trail names
LIVE = "{0}.withdrawn_at IS NULL AND {0}.expiry_told_at IS NULL AND {0}.merged_into_id IS NULL"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Merged:
    """The kept institution, how many shares came to it, how many it held already, and how many users came."""

    institution: Row
    shares_moved: int = 0
    shares_held_before: int = 0
    users_moved: int = 0


async def merge(viewer: Viewer, duplicate_id: UUID, into_id: UUID, reason: str) -> Merged:
    """Let one account go up in another: shares, users, departments and names; doing so again changes nothing.

    Whoever sends to the duplicate meanwhile has either sent before, and it moves, or finds it no more.
    Raises NotLoggedIn, NotAllowed, InvalidInput or InstitutionNotFound.
    """
    viewer.must_be_board()
    reason = checked_reason(reason)
    if duplicate_id == into_id:
        raise InvalidInput([Problem("intoId", "An institution cannot be merged into itself.")])
    async with database.transaction():
        duplicate, kept = await _held(viewer, duplicate_id, into_id)
        if duplicate.merged_into_id == kept.id:
            return Merged(await _row(viewer, into_id))
        _check(duplicate, kept)
        await shares.tell_expired_at([duplicate_id, into_id], viewer.at)
        doubles = await _merge_doubles(duplicate_id, into_id, viewer.at)
        moved = await _move_shares(viewer, duplicate_id, into_id, reason)
        users = await _move_users(duplicate_id, into_id, viewer.at)
        await _move_rest(viewer, duplicate_id, into_id)
        await api_keys.end_of_merged(duplicate_id, into_id, viewer.at)
        await _rename(duplicate, kept)
        log.info("institution.merged", duplicate=str(duplicate_id), into=str(into_id), staff=str(viewer.id), why=reason)
        return Merged(await _row(viewer, into_id), moved, doubles, users)


async def _held(viewer: Viewer, *ids: UUID) -> list[Institution]:
    """Both institutions, in this order, and all their shares: who sends to, opens or withdraws one waits.

    Raises InstitutionNotFound.
    """
    visible = Institution.visible_to(viewer)
    for id in sorted(ids):  # always in one order, so that two who merge wait for one another
        if await visible.get_or_none(id, lock="FOR NO KEY UPDATE") is None:
            raise InstitutionNotFound
    await database.rows("SELECT 1 FROM share WHERE institution_id = ANY(:ids) ORDER BY id FOR UPDATE", ids=list(ids))
    return [required(await visible.get_or_none(id)) for id in ids]


def _check(duplicate: Institution, kept: Institution) -> None:
    if {duplicate.status, kept.status} != {InstitutionStatus.APPROVED}:
        raise InstitutionNotFound


async def _row(viewer: Viewer, id: UUID) -> Row:
    return (await institutions.by_ids(viewer, [id]))[id]


async def _merge_doubles(duplicate_id: UUID, into_id: UUID, now: datetime) -> int:
    """Let the kept account's share stand for the duplicate's, where both hold a result; it was read if either was."""
    doubles = await database.rows(
        f"""UPDATE share AS double SET merged_into_id = kept.id FROM share AS kept
            WHERE double.institution_id = :duplicate_id AND {LIVE.format("double")}
            AND kept.institution_id = :into_id AND {LIVE.format("kept")} AND kept.result_id = double.result_id
            RETURNING double.id, kept.id AS kept_id, double.is_read AND NOT kept.is_read AS becomes_read""",
        duplicate_id=duplicate_id,
        into_id=into_id,
    )
    await database.rows(
        """UPDATE share AS kept SET is_read = kept.is_read OR double.is_read,
                                    opened_at = greatest(kept.sent_at, least(kept.opened_at, double.opened_at))
           FROM share AS double WHERE double.merged_into_id = kept.id AND double.id = ANY(:ids)
           AND double.opened_at IS NOT NULL""",
        ids=[double["id"] for double in doubles],
    )
    await database.rows(  # what was merged into the duplicate's earlier
        """UPDATE share SET merged_into_id = double.merged_into_id FROM share AS double
           WHERE share.merged_into_id = double.id AND double.id = ANY(:ids)""",
        ids=[double["id"] for double in doubles],
    )
    read = [double["kept_id"] for double in doubles if double["becomes_read"]]
    await journal.write_of_shares(EventKind.SHARE_READ, read, now)
    return len(doubles)


async def _move_shares(viewer: Viewer, duplicate_id: UUID, into_id: UUID, reason: str) -> int:
    """Move all other shares, ended ones too; live ones are told as sent, because they are new to the kept account."""
    moved = await database.rows(
        f"""UPDATE share SET institution_id = :into_id FROM result
            WHERE share.institution_id = :duplicate_id AND share.merged_into_id IS NULL AND result.id = share.result_id
            RETURNING share.id, share.candidate_id, share.result_id, result.version,
                      {LIVE.format("share")} AS is_live""",
        duplicate_id=duplicate_id,
        into_id=into_id,
    )
    live = [share["id"] for share in moved if share["is_live"]]
    await journal.write_of_shares(EventKind.SHARE_SENT, live, viewer.at)
    for some in _in_parts(moved):
        about = [About(share["candidate_id"], share["result_id"], share["version"]) for share in some]
        await trail.note(viewer, TrailAct.CHANGED, about, purpose=reason)
    return len(moved)


def _in_parts(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]


async def _move_users(duplicate_id: UUID, into_id: UUID, now: datetime) -> int:
    """Move the users, log them out, and leave the kept account its Primary User, if it has one (U1)."""
    moved = await database.rows(
        """UPDATE verifier_user SET institution_id = :into_id, is_primary = is_primary AND NOT EXISTS (
               SELECT 1 FROM verifier_user AS own
               WHERE own.institution_id = :into_id AND own.is_primary AND own.status = 'ACTIVE')
           WHERE institution_id = :duplicate_id RETURNING id, status""",
        duplicate_id=duplicate_id,
        into_id=into_id,
    )
    await database.rows(
        "UPDATE session SET ended_at = :now WHERE verifier_id = ANY(:ids) AND ended_at IS NULL",
        now=now,
        ids=[user["id"] for user in moved],
    )
    return sum(user["status"] != "REMOVED" for user in moved)


async def _move_rest(viewer: Viewer, duplicate_id: UUID, into_id: UUID) -> None:
    """Move departments, lists, templates, and requests to join; one of somebody who asked both is refused here."""
    named = {"duplicate_id": duplicate_id, "into_id": into_id}
    for statement in REST:
        await database.rows(statement, **named)
    await database.rows(
        """UPDATE join_request SET status = 'REFUSED', decided_at = :now, decided_by = :staff_id
           WHERE institution_id = :duplicate_id AND status = 'ASKED'""",
        now=viewer.at,
        staff_id=viewer.id,
        duplicate_id=duplicate_id,
    )


REST = (
    "UPDATE institution SET parent_id = NULL WHERE id = :into_id AND parent_id = :duplicate_id",
    "UPDATE institution SET parent_id = :into_id WHERE parent_id = :duplicate_id",
    "UPDATE institution SET merged_into_id = :into_id WHERE merged_into_id = :duplicate_id",
    "UPDATE download SET institution_id = :into_id WHERE institution_id = :duplicate_id",
    """UPDATE download_row SET share_id = share.merged_into_id FROM share
       WHERE share.id = download_row.share_id AND share.merged_into_id IS NOT NULL
       AND share.institution_id = :duplicate_id""",
    "UPDATE list_check SET institution_id = :into_id WHERE institution_id = :duplicate_id",
    "UPDATE webhook SET institution_id = :into_id WHERE institution_id = :duplicate_id",
    """UPDATE download_template SET institution_id = :into_id, name = CASE WHEN EXISTS (
           SELECT 1 FROM download_template AS own
           WHERE own.institution_id = :into_id AND lower(own.name) = lower(download_template.name))
           THEN name || ' ' || left(id::text, 8) ELSE name END WHERE institution_id = :duplicate_id""",
    """UPDATE join_request SET institution_id = :into_id WHERE institution_id = :duplicate_id AND (
           status <> 'ASKED' OR NOT EXISTS (SELECT 1 FROM join_request AS own WHERE own.institution_id = :into_id
           AND own.status = 'ASKED' AND lower(own.email) = lower(join_request.email)))""",
)


async def _rename(duplicate: Institution, kept: Institution) -> None:
    """Have the kept account found by the duplicate's names too, and the duplicate by none."""
    own = await InstitutionName.filter(institution_id=kept.id, is_alias=True).order_by("id")
    taken = await InstitutionName.filter(institution_id=duplicate.id).order_by("id")
    shown = shown_name(kept.name, kept.department)
    await institutions.name_for_search(kept, [one.written for one in (*own, *taken) if one.written != shown])
    await InstitutionName.filter(institution_id=duplicate.id).delete()
    duplicate.status, duplicate.merged_into_id = InstitutionStatus.MERGED, kept.id
    await duplicate.save(update_fields=["status", "merged_into_id"])
