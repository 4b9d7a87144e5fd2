"""Keyset pages, newest first: by a moment and an id, so that nothing is skipped or repeated while rows arrive."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from engine.database import Row
from errors import CursorNotValid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins (after this moment and id, or at the newest) and how many rows it may have."""

    first: int
    moment: datetime | None = None
    id: UUID | None = None

    def condition(self, moment: str, id: str) -> str:
        """SQL that is true for rows behind this place."""
        return f"({moment}, {id}) < (:place_moment, :place_id)" if self.moment else "true"

    @property
    def named(self) -> dict[str, Any]:
        """The values that `condition` names."""
        return {"place_moment": self.moment, "place_id": self.id} if self.moment else {}


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page, and whether there are more behind it."""

    rows: list[Row]
    has_next: bool


def page_of(found: list[Row], first: int) -> Page:
    """A page from rows that were read one further than it may have."""
    return Page(found[:first], len(found) > first)


def cursor_of(moment: datetime, id: UUID) -> str:
    """An opaque cursor for a row."""
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(microseconds.to_bytes(8, "big", signed=True) + id.bytes).decode()


def place_after(cursor: str | None, first: int) -> Place:
    """The place behind a cursor, or at the newest; raises CursorNotValid."""
    if cursor is None:
        return Place(first)
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        moment = EPOCH + timedelta(microseconds=int.from_bytes(raw[:8], "big", signed=True))
        return Place(first, moment, UUID(bytes=raw[8:]))
    except (binascii.Error, ValueError, OverflowError):
        raise CursorNotValid from None
