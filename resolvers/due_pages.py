"""Pages of what is due: by a day and an id, the first day first."""

import base64
import binascii
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from errors import CursorNotValid


@dataclass(frozen=True, slots=True)
class DuePlace:
    """Where a page begins (behind this day and id, or at the first) and how many rows it may have."""

    first: int
    due_on: date | None = None
    id: UUID | None = None

    def condition(self, due_on: str, id: str) -> str:
        """SQL that is true for rows behind this place."""
        return f"({due_on}, {id}) > (:place_due_on, :place_id)" if self.due_on else "true"

    @property
    def named(self) -> dict[str, Any]:
        """The values that `condition` names."""
        return {"place_due_on": self.due_on, "place_id": self.id} if self.due_on else {}


def cursor_of(due_on: date, id: UUID) -> str:
    """An opaque cursor for a row."""
    return base64.urlsafe_b64encode(due_on.toordinal().to_bytes(4, "big") + id.bytes).decode()


def place_after(cursor: str | None, first: int) -> DuePlace:
    """The place behind a cursor, or at the first; raises CursorNotValid."""
    if cursor is None:
        return DuePlace(first)
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        return DuePlace(first, date.fromordinal(int.from_bytes(raw[:4], "big")), UUID(bytes=raw[4:]))
    except (binascii.Error, ValueError, OverflowError):
        raise CursorNotValid from None
