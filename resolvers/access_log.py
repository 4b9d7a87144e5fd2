"""What candidates may read of the trail: who saw or did what with their data (S11)."""

from engine import database
from models.result import Result
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from resolvers import columns
from resolvers.pages import Page, Place, page_of

# READs of one version of one result by one institution (or by staff) on one day, UTC, are one line, placed at the first
# of them: a line that is there stays where it is, so that no page skips or repeats one. Of entries that were claimed
# later (A11), what was done with their results before is found by the results. Of a result without a moment of release
# the condition is null and not false: only what is surely visible may be told (R3).
LINES = """
    SELECT trail.act, trail.institution_id, trail.viewer_kind, trail.purpose, shown.result_id, shown.version,
           min(trail.at) AS at, max(trail.at) AS last_at, count(*) AS times,
           md5(concat_ws('|', trail.act, trail.institution_id, trail.viewer_kind, shown.result_id, shown.version,
                         fold.key))::uuid AS line_id
    FROM trail
    LEFT JOIN LATERAL (
        SELECT own.*, part.version FROM unnest(trail.results, trail.versions) AS part (result_id, version)
        JOIN own ON own.result_id = part.result_id) AS shown ON true
    CROSS JOIN LATERAL (
        SELECT CASE trail.act WHEN :read THEN (trail.at AT TIME ZONE 'UTC')::date::text ELSE trail.id::text END AS key
    ) AS fold
    WHERE (trail.candidates @> ARRAY[:viewer_id::uuid] OR trail.results && ARRAY(SELECT result_id FROM own))
    AND shown.is_visible IS NOT FALSE
    GROUP BY trail.act, trail.institution_id, trail.viewer_kind, trail.purpose, shown.result_id, shown.version,
             fold.key"""


async def page(viewer: Viewer, place: Place) -> Page:
    """A page of the candidate's own access log, newest first; a result that is not released yet is not told of.

    Raises NotLoggedIn or NotAllowed.
    """
    viewer.must_be(Kind.CANDIDATE)
    visible = Result.visible_to(viewer)
    found = await database.rows(
        f"""WITH own AS MATERIALIZED (
                SELECT result.id AS result_id, {visible} IS TRUE AS is_visible FROM result
                JOIN entry ON entry.id = result.entry_id WHERE entry.candidate_id = :viewer_id)
            SELECT line.*, {columns.INSTITUTION.replace("institution.id AS institution_id, ", "")}
            FROM ({LINES}) AS line LEFT JOIN institution ON institution.id = line.institution_id
            WHERE {place.condition("line.at", "line.line_id")}
            ORDER BY line.at DESC, line.line_id DESC LIMIT :limit""",
        read=TrailAct.READ.value,
        limit=place.first + 1,
        **place.named,
        **visible.named | {"viewer_id": viewer.id},
    )
    return page_of(found, place.first)
