"""Sessions: one exam on one date, as the board looks after them from the entries to the release."""

import base64
import binascii
from dataclasses import dataclass
from datetime import date

from engine import database
from errors import CursorNotValid
from models.candidate import OF_REAL_ENTRY
from models.viewer import Viewer
from resolvers import columns
from resolvers.pages import Page, page_of


@dataclass(frozen=True, slots=True)
class SessionPlace:
    """Where a page begins: behind this session, or at the latest."""

    first: int
    exam_date: date = date.max
    exam_code: str = ""


def cursor_of(exam_date: date, exam_code: str) -> str:
    """An opaque cursor for a session."""
    return base64.urlsafe_b64encode(f"{exam_date.isoformat()} {exam_code}".encode()).decode()


def place_after(cursor: str | None, first: int) -> SessionPlace:
    """The place behind a cursor, or at the latest; raises CursorNotValid."""
    if cursor is None:
        return SessionPlace(first)
    try:
        day, _, code = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode().partition(" ")
        return SessionPlace(first, date.fromisoformat(day), code)
    except (binascii.Error, ValueError):
        raise CursorNotValid from None


async def page(viewer: Viewer, place: SessionPlace) -> Page | None:
    """A page of sessions, latest exam first, counted; None for all but the board's staff."""
    if not viewer.is_board:
        return None
    found = await database.rows(
        f"""WITH page AS (
                SELECT DISTINCT exam_id, exam_date FROM entry
                WHERE (exam_date, exam_id) < (:exam_date, :exam_code) AND {OF_REAL_ENTRY}
                ORDER BY exam_date DESC, exam_id DESC LIMIT :limit)
            SELECT page.exam_date, counted.*, release.release_at, {columns.EXAM}
            FROM page CROSS JOIN LATERAL (
                SELECT count(DISTINCT entry.centre_id) AS centres, count(*) AS entries, count(result.id) AS results
                FROM entry LEFT JOIN result ON result.entry_id = entry.id
                WHERE entry.exam_id = page.exam_id AND entry.exam_date = page.exam_date
                AND {OF_REAL_ENTRY}) AS counted
            JOIN exam ON exam.code = page.exam_id JOIN scale ON scale.code = exam.scale_id
            LEFT JOIN release ON release.exam_id = page.exam_id AND release.exam_date = page.exam_date
            ORDER BY page.exam_date DESC, page.exam_id DESC""",
        exam_date=place.exam_date,
        exam_code=place.exam_code,
        limit=place.first + 1,
    )
    return page_of(found, place.first)
