"""What every field can ask for: who is asking, when, the loaders, and the live events."""

from dataclasses import dataclass, field, replace
from datetime import datetime

import strawberry

from engine.allowance import Left
from engine.clock import Clock
from engine.events import Bookmark, Cursor, Hub
from engine.pace import Pace
from models.viewer import Viewer
from resolvers import trail
from resolvers.downloads.progress import Progress
from resolvers.journal import JournalEvent
from resolvers.result_changes import ResultEvent
from resolvers.sittings.events import SittingEvent
from resolvers.sittings.presence import Heard, Presence
from schema.loaders import Loaders


@dataclass(frozen=True, slots=True)
class NewCookie:
    """A session that the browser shall keep; an empty token ends it."""

    token: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operation costs, and what one may at most."""

    estimated: int
    maximum: int


@dataclass(slots=True)
class Context:
    """One operation's surroundings; a stream renews it for each of its events."""

    viewer: Viewer
    clock: Clock
    hub: Hub[JournalEvent]
    result_hub: Hub[ResultEvent]
    download_hub: Hub[Progress]
    sitting_hub: Hub[SittingEvent]
    searches: Pace
    presence: Presence
    heard: Heard = field(default=lambda: None)  # when the client gave its last sign of life, as far as it is known
    request_id: str = ""
    production: bool = False
    cost: Cost | None = None
    cookie: NewCookie | None = None
    allowance: Left | None = None  # to be told with the first result (P3)
    path: str = ""  # what is asked, as the trail says it
    earlier: list[Viewer] = field(default_factory=list)  # who was asking before a log-in or log-out of this operation
    bookmark: Bookmark | None = None  # how far its stream has come
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.allowance = self.viewer.allowance
        self.become(self.viewer)

    def become(self, viewer: Viewer) -> None:
        """Go on as this viewer; what another one was shown so far stays theirs in the trail."""
        if viewer is not self.viewer:
            self.earlier.append(self.viewer)
        self.viewer = viewer
        self.viewer.visit.path, self.viewer.visit.request_id = self.path, self.request_id
        self.loaders = Loaders(viewer)

    def take_allowance(self) -> Left | None:
        """What is left of the allowance, once: by a stream's next event it has changed."""
        left, self.allowance = self.allowance, None
        return left

    async def settle(self) -> None:
        """Leave in the trail what was shown; nothing of it may be told before. Raises Unavailable."""
        await trail.settle([*self.earlier, self.viewer])

    def renew(self) -> None:
        """Take a new moment and empty loaders, for the next event of a stream."""
        self.viewer = replace(self.viewer, at=self.clock())
        self.loaders = Loaders(self.viewer)

    def begin(self, after: Cursor | None) -> Bookmark:
        """Where its stream begins: behind a cursor, or where it had come to when it was interrupted."""
        if self.bookmark is None:
            self.bookmark = Bookmark(after)
        return self.bookmark

    @property
    def told_up_to(self) -> Cursor | None:
        """The last event of its stream that was told; None before it has begun."""
        return None if self.bookmark is None else self.bookmark.cursor

    def take_up_again(self) -> None:
        """Let a stream that was interrupted begin again; what was read and not told has not been shown."""
        self.viewer.visit.take()
        if self.bookmark is not None:
            self.bookmark.is_old = True


Info = strawberry.Info[Context, None]
