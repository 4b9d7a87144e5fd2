"""The inbox of an institution: its pages, its counts, and marking many shares at once (V1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from engine import database
from errors import InvalidInput, Problem, Sentence
from models.journal import EventKind
from models.scope import Scope
from models.share import BLOCKING, Share
from models.trail import TrailAct
from models.viewer import Viewer
from models.visit import About
from resolvers import journal, trail
from resolvers.inbox_filters import Filter, Wanted
from resolvers.pages import Page, Place, page_of
from resolvers.reading import SHARES

ALL = Filter()
NEAR = 1_000  # shares that are looked at before the keys are asked
FEW = 2_000  # as many lines are sorted sooner than the inbox is walked through for the page that is wanted
MOST_COUNTED = 1000  # of those that a filter finds
MOST_AT_ONCE = 500  # shares that are marked in one transaction
MOST_IN_AN_ORDER = 5000
MOST_ROWS_OF_COUNTS = 100


@dataclass(frozen=True, slots=True)
class Inbox:
    """A page of the inbox, and the place in the journal from which it is up to date."""

    page: Page
    position: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many shares an institution has, and how many of them nobody has read."""

    total: int
    unread: int


@dataclass(frozen=True, slots=True)
class Matches:
    """How many shares a filter finds, or that there are at least so many."""

    count: int
    is_at_least: bool


@dataclass(frozen=True, slots=True)
class Marked:
    """How many shares are marked otherwise than before, which there are not, and whether some are left to be marked."""

    changed: int
    not_found: list[UUID]
    has_more: bool


async def page(viewer: Viewer, place: Place, filter: Filter = ALL) -> Inbox:
    """A page of the shares to the verifier's institution, newest first.

    Page and journal position come from one snapshot: what is not on the page comes after the position. The same
    statement leaves the page in the trail.
    """
    wanted = filter.wanted(viewer.at.date())
    found = await trail.page(
        viewer,
        f"""SELECT now_at.position, page.* FROM (SELECT {journal.HORIZON} AS position) AS now_at LEFT JOIN LATERAL (
                {_wide(viewer, wanted, place)}) AS page ON true""",
        "sent_at DESC, share_id DESC",
        place.first,
        {"limit": place.first + 1, **place.named, **wanted.named, **viewer.named},
    )
    shares = [row for row in found if row["share_id"] is not None]
    return Inbox(page_of(shares, place.first), found[0]["position"])


def _wide(viewer: Viewer, wanted: Wanted, place: Place) -> str:
    """SQL for the shares of a page, with all that is read of them."""
    if wanted.keys or wanted.of_line:
        return f"""WITH {_chosen(viewer, wanted, place)}
            SELECT whole.* FROM chosen
            CROSS JOIN LATERAL ({SHARES.select} WHERE share.id = chosen.id OFFSET 0) AS whole"""
    behind = place.condition("share.sent_at", "share.id")
    conditions = _all(Share.visible_to(viewer), wanted.of_share, behind)
    return f"{SHARES.select} WHERE {conditions} ORDER BY share.sent_at DESC, share.id DESC LIMIT :limit"


def _all(*conditions: object) -> str:
    return " AND ".join(filter(None, map(str, conditions)))


def _chosen(viewer: Viewer, wanted: Wanted, place: Place) -> str:
    """SQL for `chosen`, the ids of a page: of the nearest shares, of few lines that the keys find, or by a long walk.

    The first of these that fills the page; OFFSET 0 keeps the planner from guessing which.
    """
    if not wanted.keys:
        return f"chosen AS MATERIALIZED ({_walk(viewer, wanted, place)})"
    behind = place.condition("inbox_line.sent_at", "inbox_line.share_id")
    return f"""
        near AS MATERIALIZED ({_walk(viewer, wanted, place, steps=NEAR)}),
        few AS MATERIALIZED (
            SELECT inbox_line.share_id, inbox_line.sent_at FROM inbox_line
            WHERE (SELECT count(*) FROM near) < :limit AND {_all(wanted.keys, wanted.of_line, behind)}
            LIMIT {FEW + 1}),
        chosen AS MATERIALIZED (
            SELECT id, sent_at FROM near WHERE (SELECT count(*) FROM near) = :limit
            UNION ALL
            (SELECT seen.id, line.sent_at
             FROM (SELECT * FROM few WHERE (SELECT count(*) FROM few) <= {FEW}
                   ORDER BY sent_at DESC, share_id DESC) AS line
             CROSS JOIN LATERAL (SELECT share.id FROM share WHERE share.id = line.share_id
                                 AND {_all(Share.visible_to(viewer), wanted.of_share)} OFFSET 0) AS seen
             ORDER BY line.sent_at DESC, line.share_id DESC LIMIT :limit)
            UNION ALL ({_walk(viewer, wanted, place, f"(SELECT count(*) FROM few) > {FEW}")}))"""


def _walk(viewer: Viewer, wanted: Wanted, place: Place, condition: str = "", steps: int | None = None) -> str:
    """SQL for ids of shares, newest first, looking at one after the other; at so many at most, if it is told."""
    lined = _all("inbox_line.share_id = share.id", wanted.keys, wanted.of_line)
    behind = place.condition("share.sent_at", "share.id")
    conditions = _all(Share.visible_to(viewer), wanted.of_share, behind, condition)
    order = "ORDER BY share.sent_at DESC, share.id DESC LIMIT"
    fits = f"CROSS JOIN LATERAL (SELECT 1 FROM inbox_line WHERE {lined} OFFSET 0) AS line"
    shares = f"share {fits} WHERE {conditions}"
    if steps is not None:
        shares = f"(SELECT share.id, share.sent_at FROM share WHERE {conditions} {order} {steps}) AS share {fits}"
    return f"SELECT share.id, share.sent_at FROM {shares} {order} :limit"


# ---- counts

# What the rows of counts hold, less those that are not seen at this moment: past their day and not told of yet, or of a
# result that is not released.
COUNTS = f"""
    SELECT coalesce(sum(total), 0)::bigint AS total, coalesce(sum(unread), 0)::bigint AS unread FROM (
        SELECT total, unread FROM inbox_count WHERE institution_id = :institution_id
        UNION ALL
        SELECT -1, -(NOT is_read)::int FROM share
        WHERE institution_id = :institution_id AND expires_at <= :now AND {BLOCKING}
        UNION ALL
        SELECT -1, -(NOT share.is_read)::int FROM inbox_line JOIN share ON share.id = inbox_line.share_id
        WHERE inbox_line.institution_id = :institution_id AND inbox_line.released_at > :now
        AND (share.expires_at IS NULL OR share.expires_at > :now) AND {BLOCKING}) AS part"""


async def counts_of(viewer: Viewer, institution_ids: Sequence[UUID]) -> dict[UUID, Counts]:
    """How many shares the verifier's institution has at this moment, without counting them; no other's."""
    own = viewer.institution_id
    if not viewer.reads(Scope.READ_SHARES) or own is None or own not in institution_ids:
        return {}
    found = (await database.rows(COUNTS, institution_id=own, now=viewer.at))[0]
    return {own: Counts(found["total"], found["unread"])}


async def matches(viewer: Viewer, filter: Filter) -> Matches:
    """How many shares a filter finds, counted up to a thousand."""
    wanted = filter.wanted(viewer.at.date())
    seen = _all(Share.visible_to(viewer), wanted.of_share)
    lined = _all(wanted.keys, wanted.of_line)
    if wanted.keys:
        found = f"""inbox_line CROSS JOIN LATERAL (
                        SELECT 1 FROM share WHERE share.id = inbox_line.share_id AND {seen} OFFSET 0) AS seen
                    WHERE {lined}"""
    elif lined:
        found = f"""share CROSS JOIN LATERAL (
                    SELECT 1 FROM inbox_line WHERE share_id = share.id AND {lined} OFFSET 0) AS line WHERE {seen}"""
    else:
        found = f"share WHERE {seen}"
    count: int = await database.value(
        f"SELECT count(*) FROM (SELECT 1 FROM {found} LIMIT {MOST_COUNTED + 1}) AS found",
        **wanted.named,
        **viewer.named,
    )
    return Matches(min(count, MOST_COUNTED), count > MOST_COUNTED)


async def sum_up(_now: datetime) -> int:
    """Put one row in the place of the many that an institution's counts have become; tells of how many it did."""
    summed = await database.rows(
        f"""WITH many AS (SELECT institution_id FROM inbox_count GROUP BY institution_id
                          HAVING count(*) > {MOST_ROWS_OF_COUNTS}),
                 gone AS (DELETE FROM inbox_count WHERE id IN (
                              SELECT id FROM inbox_count JOIN many USING (institution_id)
                              FOR UPDATE OF inbox_count SKIP LOCKED)
                          RETURNING institution_id, total, unread)
            INSERT INTO inbox_count (institution_id, total, unread)
            SELECT institution_id, sum(total), sum(unread) FROM gone GROUP BY institution_id RETURNING 1"""
    )
    return len(summed)


# ---- marking


async def mark(viewer: Viewer, is_read: bool, ids: Sequence[UUID] | None, filter: Filter | None = None) -> Marked:
    """Mark shares read or unread, those named or all that a filter finds; those that are so already stay as they are.

    Raises NotLoggedIn, NotAllowed or InvalidInput.
    """
    viewer.must_act(Scope.MANAGE)
    if (ids is None) is (filter is None):
        raise InvalidInput([Problem("filter", "Give either `shareIds` or `filter`.")])
    if filter is not None:
        return await _mark_matching(viewer, filter, is_read)
    named = list(dict.fromkeys(ids or ()))
    if len(named) > MOST_AT_ONCE:
        told = Sentence.of("Name at most {most} shares at a time.", most=MOST_AT_ONCE)
        raise InvalidInput([Problem("shareIds", told)])
    found, changed = await _mark(viewer, named, is_read)
    return Marked(changed, [id for id in named if id not in found], has_more=False)


async def _mark_matching(viewer: Viewer, filter: Filter, is_read: bool) -> Marked:
    """Newest first, at most 5,000 in one order, 500 in one transaction."""
    if filter.is_read is is_read:
        return Marked(0, [], has_more=False)
    done = 0
    for _ in range(MOST_IN_AN_ORDER // MOST_AT_ONCE):
        ids = await _matching(viewer, filter, is_read)
        done += (await _mark(viewer, ids[:MOST_AT_ONCE], is_read))[1]
        if len(ids) <= MOST_AT_ONCE:
            return Marked(done, [], has_more=False)
    return Marked(done, [], has_more=True)


async def _matching(viewer: Viewer, filter: Filter, is_read: bool) -> list[UUID]:
    """The newest that are to be marked so, one more than are marked at once if there are as many."""
    wanted = replace(filter, is_read=not is_read).wanted(viewer.at.date())
    place = Place(MOST_AT_ONCE)
    found = await database.rows(
        f"WITH {_chosen(viewer, wanted, place)} SELECT id FROM chosen",
        limit=place.first + 1,
        **wanted.named,
        **viewer.named,
    )
    return [row["id"] for row in found]


async def _mark(viewer: Viewer, ids: Sequence[UUID], is_read: bool) -> tuple[set[UUID], int]:
    """Mark them in one transaction, held in the order of their ids; which there are, and how many it changed."""
    visible = Share.visible_to(viewer)
    async with database.transaction():
        there = await database.rows(
            f"""SELECT share.id, share.institution_id, share.candidate_id, share.result_id, share.is_read,
                       result.version FROM share JOIN result ON result.id = share.result_id
                WHERE share.id = ANY(:ids) AND {visible} ORDER BY share.id FOR UPDATE OF share""",
            ids=list(ids),
            **visible.named,
        )
        changed = [one for one in there if one["is_read"] is not is_read]
        marked = [one["id"] for one in changed]
        if changed:
            await database.rows(
                """UPDATE share SET is_read = :is_read, opened_at = coalesce(opened_at, greatest(:now, sent_at))
                   WHERE id = ANY(:ids)""",
                is_read=is_read,
                now=viewer.at,
                ids=marked,
            )
            kind = EventKind.SHARE_READ if is_read else EventKind.SHARE_UNREAD
            await journal.write_of_shares(kind, marked, viewer.at)
            about = [About(one["candidate_id"], one["result_id"], one["version"]) for one in changed]
            await trail.note(viewer, TrailAct.CHANGED, about)
    return {one["id"] for one in there}, len(changed)
