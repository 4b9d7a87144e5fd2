"""The trail: writing who saw or did what, and asking it who holds a version of a result (G1, R11)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any
from uuid import UUID

import structlog

from engine import database
from engine.database import Row
from engine.together import Together
from errors import Unavailable
from models.trail import BOARD_CHAIN, TrailAct
from models.viewer import Kind, Viewer
from models.visit import About, Shown

Entry = dict[str, Any]

log = structlog.get_logger()

OF_ROW = itemgetter("candidate_id", "result_id", "version")
HOLDING = (TrailAct.READ, TrailAct.OPENED, TrailAct.LOOKED_UP, TrailAct.DOWNLOADED, TrailAct.PULLED)
MOST_IN_AN_ENTRY = 1000  # results
COLUMNS = """chain, act, at, viewer_kind, viewer_id, institution_id, candidates, results, versions,
    path, address, request_id, purpose"""
INSERT = f"""
    INSERT INTO trail ({COLUMNS})
    VALUES (:chain, :act, :at, :viewer_kind, :viewer_id, :institution_id,
            :candidates::text::uuid[], :results::text::uuid[], :versions::text::int[],
            :path, :address, :request_id, :purpose)"""


async def note(
    viewer: Viewer,
    act: TrailAct,
    about: Iterable[About],
    purpose: str | None = None,
    institution_id: UUID | None = None,
) -> None:
    """Write one entry into the surrounding transaction: what this viewer does with the data of these candidates.

    What it names counts as told: the operation leaves no READ of the same besides. The institution is the viewer's
    own, unless it is one that a candidate gives something to, or takes it from.
    """
    named = Shown()
    for one in about:
        named.add(*one)
        viewer.visit.noted.add(one)
    if named.candidates or named.results:
        await _insert([_entry(viewer, act, named, purpose, institution_id)])


async def note_own(viewer: Viewer, candidate_id: UUID) -> None:
    """Write into the surrounding transaction that a candidate changed their own account, logged in or by a link."""
    await note(replace(viewer, kind=Kind.CANDIDATE, id=candidate_id), TrailAct.CHANGED, [About(candidate_id)])


async def note_told(viewer: Viewer, about: About, institution_ids: Iterable[UUID]) -> None:
    """Write into the surrounding transaction that these institutions were told that a version stands no more.

    An entry for each of them, in the chain of whoever tells.
    """
    ended = Shown()
    ended.add(*about)
    if entries := [_entry(viewer, TrailAct.TOLD, ended, institution_id=told) for told in institution_ids]:
        await _insert(entries)


async def note_look_up(viewer: Viewer, about: Iterable[About], purpose: str, asked: int, missed: int) -> None:
    """Write one entry into the surrounding transaction: so many were looked up for this purpose (V3).

    It names those that were told; of those that did not match it tells how many, where it says on which path.
    """
    told = Shown()
    for one in about:
        told.add(*one)
        viewer.visit.noted.add(one)
    path = f"{viewer.visit.path}: {missed} of {asked} not matched"
    await _insert([_entry(viewer, TrailAct.LOOKED_UP, told, purpose) | {"path": path}])


async def note_download(viewer: Viewer, download_id: UUID) -> None:
    """Write that this viewer takes the file of a download away: what it shows, some an entry, each by one statement.

    One for all of a large file would hold back for seconds what live events tell.
    """
    last = await database.value("SELECT max(place) FROM download_row WHERE download_id = :id", id=download_id)
    for first in range(0, last + 1, MOST_IN_AN_ENTRY):
        await database.rows(
            f"""INSERT INTO trail ({COLUMNS})
                SELECT :chain::uuid, :act, :at::timestamptz, :viewer_kind, :viewer_id::uuid, :institution_id::uuid,
                       array_agg(DISTINCT share.candidate_id), array_agg(download_row.result_id),
                       array_agg(download_row.version), :path, :address, :request_id, :purpose
                FROM download_row JOIN share ON share.id = download_row.share_id
                WHERE download_row.download_id = :download_id AND download_row.place >= :first
                AND download_row.place < :behind HAVING count(*) > 0""",
            download_id=download_id,
            first=first,
            behind=first + MOST_IN_AN_ENTRY,
            **_entry(viewer, TrailAct.DOWNLOADED, Shown()),
        )


async def page(viewer: Viewer, select: str, order: str, first: int, named: Mapping[str, Any]) -> list[Row]:
    """The rows of a statement about results, by one statement that also writes who is shown the first so many of them.

    A second page of an operation is left to `settle`, which knows what both have in common; and so is one whose
    entry could not be written: it is read again without, and `settle` says so if it still cannot.
    """
    if viewer.visit.has_page or viewer.kind is Kind.CANDIDATE:
        return await database.rows(select, **named)
    viewer.visit.has_page = True
    try:
        found = await _read_and_told(viewer, select, order, {**named, "shown_first": first})
    except Exception as error:
        if isinstance(error.__cause__, TimeoutError):
            raise
        log.warning("trail.page_read_again", error=type(error).__name__)
        return await database.rows(select, **named)
    shown = [OF_ROW(row) for row in found[:first] if row["result_id"] is not None]
    viewer.visit.noted.update(shown, [(candidate_id, None, None) for candidate_id, _, _ in shown])
    return found


async def _read_and_told(viewer: Viewer, select: str, order: str, named: Mapping[str, Any]) -> list[Row]:
    statement = f"""
        WITH page AS MATERIALIZED ({select}), told AS (
            INSERT INTO trail ({COLUMNS})
            SELECT :chain::uuid, :act, :at::timestamptz, :viewer_kind, :viewer_id::uuid, :institution_id::uuid,
                   array_agg(DISTINCT candidate_id), array_agg(result_id), array_agg(version),
                   :path, :address, :request_id, :purpose
            FROM (SELECT * FROM page WHERE result_id IS NOT NULL ORDER BY {order} LIMIT :shown_first) AS shown
            HAVING count(*) > 0)
        SELECT * FROM page ORDER BY {order}"""
    return await database.rows(statement, **{**named, **_entry(viewer, TrailAct.READ, Shown())})


async def settle(viewers: Iterable[Viewer]) -> None:
    """Leave in the trail what these viewers were shown; before this returns, none of it may be told to them.

    Raises Unavailable.
    """
    for viewer in viewers:
        left = viewer.visit.take()
        if left.candidates or left.results:
            await _left(_entry(viewer, TrailAct.READ, left))


async def _left(entry: Entry) -> None:
    """Written, or nothing is told: whatever the reason is, the service cannot be reached for whoever wants to read."""
    try:
        await _readers.add(entry)
    except Unavailable:
        raise
    except Exception as error:
        log.exception("trail.not_written")
        raise Unavailable from error


async def _insert(entries: list[Entry]) -> None:
    if len(entries) == 1:
        await database.rows(INSERT, **entries[0])  # a third cheaper than the same by `many`
    else:
        await database.many(INSERT, entries)


_readers = Together(_insert)


def _entry(
    viewer: Viewer, act: TrailAct, about: Shown, purpose: str | None = None, institution_id: UUID | None = None
) -> Entry:
    """The columns of one entry; never scores, names, secrets or passwords."""
    return {
        "chain": viewer.institution_id or BOARD_CHAIN,
        "act": act.value,
        "at": viewer.at,
        "viewer_kind": _kind(viewer),
        "viewer_id": viewer.id,
        "institution_id": institution_id or viewer.institution_id,
        "candidates": _array(about.candidates.union(about.results.values())),
        "results": _array(result_id for result_id, _ in about.results),
        "versions": _array(version for _, version in about.results),
        "path": viewer.visit.path,
        "address": viewer.address,
        "request_id": viewer.visit.request_id,
        "purpose": purpose,
    }


def _array(values: Iterable[UUID | int]) -> str:
    """An array as PostgreSQL reads it: asyncpg takes longer to look at each element than for all the rest."""
    return f"{{{','.join(map(str, values))}}}"


def _kind(viewer: Viewer) -> str:
    """The kind of viewer, and of staff whose they are."""
    return "centre" if viewer.kind is Kind.STAFF and not viewer.is_board else viewer.kind.value


async def holders(result_id: UUID, version: int) -> list[UUID]:
    """The institutions that were shown, or got, this version of a result; for a merged one, the one that was kept.

    A reader who is under way while the version ends may still leave an entry a moment later: ask again after it.
    """
    found = await database.rows(
        """SELECT DISTINCT coalesce(institution.merged_into_id, trail.institution_id) AS institution_id
           FROM trail LEFT JOIN institution ON institution.id = trail.institution_id
           WHERE results @> ARRAY[:result_id::uuid] AND act = ANY(:acts) AND trail.institution_id IS NOT NULL
           AND EXISTS (SELECT 1 FROM unnest(results, versions) AS shown (result_id, version)
                       WHERE shown.result_id = :result_id AND shown.version = :version)
           ORDER BY institution_id""",
        result_id=result_id,
        version=version,
        acts=[act.value for act in HOLDING],
    )
    return [row["institution_id"] for row in found]
