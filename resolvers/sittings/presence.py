"""Who is connected: signs of life that come over open streams of sittings, written for all of a process at once (H5).

A sign counts from the moment at which it came, whenever it is written; so nobody is interrupted because the database
was away while they were there. A process that dies writes nothing more: nobody stays connected by it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import TypeVar
from uuid import UUID

import structlog

from engine import database
from engine.clock import Clock
from errors import SittingNotFound, SittingStateForbids, Unavailable
from models.session import IDLE
from models.sittings.proctoring import RUNNING
from models.sittings.states import LIVE
from models.sittings.table import BREAK, LOST_AFTER
from models.viewer import Kind, Viewer
from resolvers.sessions import USE_IS_NOTED_EVERY
from resolvers.sittings import proctors, running

# When the client of a stream was last heard; None where the stream cannot tell.
Heard = Callable[[], datetime | None]
K = TypeVar("K", bound=Hashable)

WRITE_SECONDS = 1.0  # within moves.GRACE: what came in time is written before the clock's doings are
BACK_AT_ONCE = 5  # half of the connections of a process to the database
LAST_SECONDS = 2.0  # for the last signs of a process that is to end
NEWER = timedelta(seconds=1)  # a sign that is hardly newer than the last one tells nothing new

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Run:
    """Signs of life without a gap between them: the moments of the first and of the last."""

    first: datetime
    last: datetime


@dataclass(eq=False, slots=True)
class Stream:
    """One open stream, and the session that it was opened by."""

    heard: Heard
    session_id: UUID | None
    noted_at: datetime | None = None  # as a use of the session

    def use(self) -> datetime | None:
        """When its client was last heard, if that is to be noted as a use of the session."""
        at = self.heard() if self.session_id else None
        is_new = at is not None and (self.noted_at is None or at - self.noted_at >= USE_IS_NOTED_EVERY)
        return at if is_new else None


@dataclass(eq=False, slots=True)
class Signs:
    """The signs of life of one person, over all their streams in this process."""

    viewer: Viewer
    streams: list[Stream] = field(default_factory=list)
    last: datetime | None = None
    unwritten: Run | None = None

    def hear(self, at: datetime | None) -> None:
        """Take a sign of this moment."""
        if at is None or (self.last is not None and at - self.last < NEWER):
            return
        run = self.unwritten
        self.unwritten = Run(run.first if run and at - run.last <= LOST_AFTER else at, at)
        self.last = at

    def listen(self) -> None:
        """Take the newest sign of all streams."""
        self.hear(max(filter(None, (stream.heard() for stream in self.streams)), default=None))

    def forget(self, run: Run) -> None:
        """These are written; what came meanwhile waits."""
        if self.unwritten is run:
            self.unwritten = None


Place = tuple[UUID, UUID]  # a sitting and its candidate


class Presence:
    """Everybody who is connected to this process by a stream of a sitting."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._candidates: dict[Place, Signs] = {}
        self._proctors: dict[UUID, Signs] = {}
        self._noting = asyncio.Lock()

    @contextlib.contextmanager
    def connected(self, viewer: Viewer, sitting_id: UUID, heard: Heard) -> Iterator[None]:
        """Count a candidate, or a proctor in all that they watch, as connected, while the block lasts and one is heard.

        Whether it is the viewer's sitting is asked when it is written.
        """
        signs, stream = self._signs(viewer, sitting_id), Stream(heard, viewer.session_id)
        signs.streams.append(stream)
        signs.hear(self.clock())  # who opens a stream is there
        try:
            yield
        finally:
            signs.streams.remove(stream)
            signs.hear(heard())

    def _signs(self, viewer: Viewer, sitting_id: UUID) -> Signs:
        if viewer.id is not None and viewer.kind is Kind.CANDIDATE:
            return self._candidates.setdefault((sitting_id, viewer.id), Signs(viewer))
        if viewer.id is not None and viewer.kind is Kind.PROCTOR:
            return self._proctors.setdefault(viewer.id, Signs(viewer))
        return Signs(viewer)  # of no consequence

    @contextlib.asynccontextmanager
    async def written(self) -> AsyncIterator[None]:
        """Write the signs of life while the block lasts, and the last ones at its end."""
        writing = asyncio.create_task(self._write(), name="presence")
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            with contextlib.suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    await self.note()

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.note()
            except Unavailable:
                pass  # they are kept until it is back
            except Exception:
                log.exception("presence.failed")  # and go on: nobody else writes them

    async def note(self) -> None:
        """Write what is new, by one statement for all candidates, one for all proctors, and one for their sessions.

        Raises Unavailable.
        """
        async with self._noting:
            await self._note_uses()
            await self._note_proctors(_unwritten(self._proctors))  # they wait for none of those who are back
            await self._note_candidates(_unwritten(self._candidates))

    async def _note_uses(self) -> None:
        """Keep the sessions of those who are heard: in a test nothing may be asked for longer than sessions last."""
        people = chain(self._candidates.values(), self._proctors.values())
        uses = [(stream, at) for signs in people for stream in signs.streams if (at := stream.use())]
        if uses:
            await _write_uses({stream.session_id: at for stream, at in sorted(uses, key=itemgetter(1))})
        for stream, at in uses:
            stream.noted_at = at

    async def _note_proctors(self, runs: Mapping[UUID, Run]) -> None:
        if runs:
            await proctors.note_presences({id: run.last for id, run in runs.items()})
        for id, run in runs.items():
            self._proctors[id].forget(run)

    async def _note_candidates(self, runs: Mapping[Place, Run]) -> None:
        others = await _write_seen(runs) if runs else set()
        for place, run in runs.items():
            if place[0] not in others:
                self._candidates[place].forget(run)
        back = [place for place in runs if place[0] in others]
        for first in range(0, len(back), BACK_AT_ONCE):  # after an outage that may be everybody
            some = back[first : first + BACK_AT_ONCE]
            done = await asyncio.gather(
                *(self._come_back(place, runs[place]) for place in some), return_exceptions=True
            )
            for failure in filter(None, done):
                raise failure

    async def _come_back(self, place: Place, run: Run) -> None:
        signs = self._candidates[place]
        await _give_sign(signs.viewer, place[0], run.last)
        signs.forget(run)


def _unwritten(known: dict[K, Signs]) -> dict[K, Run]:
    """What is to be written; who has nothing of that, and no stream any more, is forgotten."""
    for key, signs in list(known.items()):
        signs.listen()
        if signs.unwritten is None and not signs.streams:
            del known[key]
    return {key: signs.unwritten for key, signs in known.items() if signs.unwritten is not None}


# Not among the noted are those who had been silent for too long, or whose break was over: what the clock did by then,
# and that they are back, is news, and `moves.move` writes it. Nor are those whose row somebody holds at this moment.
SEEN = """
    WITH given AS (
        SELECT * FROM unnest(:ids::uuid[], :candidates::uuid[], :firsts::timestamptz[], :lasts::timestamptz[])
        AS sign (id, candidate_id, first, last)),
    there AS (SELECT sitting.id, given.first, given.last FROM sitting JOIN given USING (id, candidate_id)
              WHERE state = ANY(:live) AND (seen_at IS NULL OR seen_at < given.last)),
    free AS (SELECT sitting.id FROM sitting JOIN there USING (id)
             WHERE lost_at IS NULL AND seen_at >= there.first - :lost_after::interval
             AND (state <> 'ON_BREAK' OR break_started_at >= there.last - :longest_break::interval)
             ORDER BY sitting.id FOR NO KEY UPDATE OF sitting SKIP LOCKED),
    noted AS (UPDATE sitting SET seen_at = there.last FROM there JOIN free USING (id) WHERE sitting.id = there.id
              RETURNING sitting.id)
    SELECT id FROM there WHERE id NOT IN (SELECT id FROM noted)"""


async def _write_seen(runs: Mapping[Place, Run]) -> set[UUID]:
    """Write when these candidates were last seen; the sittings that are left, as they need more than that."""
    found = await database.rows(
        SEEN,
        ids=[sitting_id for sitting_id, _ in runs],
        candidates=[candidate_id for _, candidate_id in runs],
        firsts=[run.first for run in runs.values()],
        lasts=[run.last for run in runs.values()],
        live=[state.value for state in LIVE],
        lost_after=LOST_AFTER,
        longest_break=BREAK,
    )
    return {row["id"] for row in found}


# Of those who take part in a sitting that runs, and no others: before and after it a session ends as every other (A10).
USED = f"""
    WITH given AS (SELECT * FROM unnest(:ids::uuid[], :moments::timestamptz[]) AS use (id, at)),
    free AS (SELECT session.id, given.at FROM session JOIN given USING (id)
             WHERE ended_at IS NULL AND used_at < given.at AND used_at > given.at - :idle::interval AND (
                 EXISTS (SELECT 1 FROM sitting WHERE state IN ({RUNNING})
                         AND sitting.candidate_id = session.candidate_id)
                 OR EXISTS (SELECT 1 FROM sitting WHERE state IN ({RUNNING}) AND proctor_id = session.staff_id))
             ORDER BY session.id FOR NO KEY UPDATE OF session SKIP LOCKED)
    UPDATE session SET used_at = free.at FROM free WHERE session.id = free.id"""


async def _write_uses(uses: Mapping[UUID | None, datetime]) -> None:
    """Note when these sessions were last used."""
    await database.rows(USED, ids=list(uses), moments=list(uses.values()), idle=IDLE + USE_IS_NOTED_EVERY)


async def _give_sign(viewer: Viewer, sitting_id: UUID, at: datetime) -> None:
    """One sign by itself, as of its own moment; where the test is over by then, it comes too late."""
    with contextlib.suppress(SittingNotFound, SittingStateForbids):
        await running.report_connection(replace(viewer, at=at), sitting_id)
