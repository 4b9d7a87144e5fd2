"""The trail: writing who saw or did what, and asking it who holds a version of a result (G1, R11)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog

from engine import database
from engine.together import Together
from errors import Unavailable
from models.trail import BOARD_CHAIN, TrailAct
from models.viewer import Kind, Viewer
from models.visit import About, Shown

Entry = dict[str, Any]

log = structlog.get_logger()

HOLDING = (TrailAct.READ, TrailAct.OPENED, TrailAct.LOOKED_UP, TrailAct.DOWNLOADED, TrailAct.PULLED)
INSERT = """
    INSERT INTO trail (chain, act, at, viewer_kind, viewer_id, institution_id, candidates, results, versions,
                       path, address, request_id, purpose)
    VALUES (:chain, :act, :at, :viewer_kind, :viewer_id, :institution_id,
            :candidates::text::uuid[], :results::text::uuid[], :versions::text::int[],
            :path, :address, :request_id, :purpose)"""


async def note(viewer: Viewer, act: TrailAct, about: Iterable[About], purpose: str | None = None) -> None:
    """Write one entry into the surrounding transaction: what this viewer does with the data of these candidates.

    What it names counts as told: the operation leaves no READ of the same besides.
    """
    named = Shown()
    for one in about:
        named.add(*one)
        viewer.visit.noted.add(*one)
    if named.candidates or named.results:
        await _insert([_entry(viewer, act, named, purpose)])


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


def _entry(viewer: Viewer, act: TrailAct, about: Shown, purpose: str | None = None) -> Entry:
    """The columns of one entry; never scores, names, secrets or passwords."""
    return {
        "chain": viewer.institution_id or BOARD_CHAIN,
        "act": act.value,
        "at": viewer.at,
        "viewer_kind": _kind(viewer),
        "viewer_id": viewer.id,
        "institution_id": viewer.institution_id,
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
    """The institutions that were shown, or got, this version of a result.

    A reader who is under way while the version ends may still leave an entry a moment later: ask again after it.
    """
    found = await database.rows(
        """SELECT DISTINCT institution_id FROM trail
           WHERE results @> ARRAY[:result_id::uuid] AND act = ANY(:acts) AND institution_id IS NOT NULL
           AND EXISTS (SELECT 1 FROM unnest(results, versions) AS shown (result_id, version)
                       WHERE shown.result_id = :result_id AND shown.version = :version)
           ORDER BY institution_id""",
        result_id=result_id,
        version=version,
        acts=[act.value for act in HOLDING],
    )
    return [row["institution_id"] for row in found]
