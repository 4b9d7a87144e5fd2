"""The trail: writing who saw or did what, and asking it who holds a version of a result (G1, R11)."""

from collections.abc import Iterable
from uuid import UUID

from engine import database
from models.trail import BOARD_CHAIN, TrailAct
from models.viewer import Kind, Viewer
from models.visit import About

HOLDING = (TrailAct.READ, TrailAct.OPENED, TrailAct.LOOKED_UP, TrailAct.DOWNLOADED, TrailAct.PULLED)
INSERT = """
    INSERT INTO trail (chain, act, at, viewer_kind, viewer_id, institution_id, candidates, results, versions,
                       path, address, request_id, purpose)
    VALUES (:chain, :act, :at, :viewer_kind, :viewer_id, :institution_id, :candidates, :results, :versions,
            :path, :address, :request_id, :purpose)"""


async def note(viewer: Viewer, act: TrailAct, about: Iterable[About], purpose: str | None = None) -> None:
    """Write one entry into the surrounding transaction: what this viewer does with the data of these candidates.

    What it names counts as told: the operation leaves no READ of the same besides.
    """
    named = set(about)
    if named:
        await database.rows(INSERT, **_entry(viewer, act, named, purpose))
        viewer.visit.noted |= named


def _entry(viewer: Viewer, act: TrailAct, about: set[About], purpose: str | None = None) -> dict[str, object]:
    """The columns of one entry; never scores, names, secrets or passwords."""
    results = sorted({(one.result_id, one.version) for one in about if one.result_id is not None})
    return {
        "chain": viewer.institution_id or BOARD_CHAIN,
        "act": act.value,
        "at": viewer.at,
        "viewer_kind": _kind(viewer),
        "viewer_id": viewer.id,
        "institution_id": viewer.institution_id,
        "candidates": sorted({one.candidate_id for one in about}),
        "results": [result_id for result_id, _ in results],
        "versions": [version for _, version in results],
        "path": viewer.visit.path,
        "address": viewer.address,
        "request_id": viewer.visit.request_id,
        "purpose": purpose,
    }


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
