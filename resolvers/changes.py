"""What happened to an institution's shares and results, for its own programs: the journal, read by their cursor (P2).

Of two accounts that were merged, the one that was kept is told of the other's events too, and of every share that came
to it as sent: whoever read for the other goes on with that one's cursor and reads the rest, or begins anew.
"""

from dataclasses import dataclass

from engine.database import Row
from engine.events import START, Cursor
from models.journal import EventKind
from models.scope import Scope
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import journal, shares, trail

MOST = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """One event, with the share as the viewer sees it now, or None if there is none or it may no longer be seen."""

    event: Row
    share: Row | None

    @property
    def cursor(self) -> Cursor:
        """The place behind it."""
        return self.event["xid"], self.event["id"]

    @property
    def kind(self) -> EventKind:
        """What happened."""
        return EventKind(self.event["kind"])


@dataclass(frozen=True, slots=True)
class Changes:
    """Events in the order of commit, the place behind the last of them, and whether there are more already."""

    changes: list[Change]
    cursor: Cursor
    has_more: bool


def may_read(viewer: Viewer) -> bool:
    """Whether this viewer is an institution's user, or a key that may read shares."""
    return viewer.institution_id is not None and (viewer.kind is Kind.VERIFIER or viewer.has(Scope.READ_SHARES))


async def page(viewer: Viewer, after: Cursor | None, first: int) -> Changes | None:
    """The next events of the viewer's institution behind a cursor, or from the beginning of its journal.

    Whose shares it shows is written down as pulled, in the versions shown. None for whoever `may_read` nothing.
    """
    if viewer.institution_id is None or not may_read(viewer):
        return None
    after = after or START
    found = await journal.settled_behind(viewer.institution_id, after, first + 1)
    if not found:
        return Changes([], after, has_more=False)
    changes = await _with_shares(viewer, found[:first])
    return Changes(changes, changes[-1].cursor, len(found) > first)


async def _with_shares(viewer: Viewer, events: list[Row]) -> list[Change]:
    """The events with their shares; the trail holds which those are before anybody is told of them."""
    seen = await shares.by_ids(viewer, [event["share_id"] for event in events if event["share_id"]])
    pulled = {About(share["candidate_id"], share["result_id"], share["version"]) for share in seen.values()}
    await trail.note(viewer, TrailAct.PULLED, pulled)
    return [Change(event, seen.get(event["share_id"])) for event in events]
