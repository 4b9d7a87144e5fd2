"""One simulation from its first log-in to the last comparison."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from commands.simulate import accounts
from commands.simulate.accounts import Login, Member, Numbers
from commands.simulate.board import Board, Dashboard
from commands.simulate.candidates import Candidate
from commands.simulate.door import TIMELINE, App, Door
from commands.simulate.play import Play, ended
from commands.simulate.proctors import Proctor
from commands.simulate.service import Service
from commands.simulate.stories import REPORTED, Room
from commands.simulate.streams import PATIENCE_SECONDS, happens

AT_ONCE = 20
SPREAD = 0.3  # part of a sitting's time over which appointments are spread
LEAST_AHEAD_SECONDS = 3.0
BOOKED_PER_SECOND = 10
JUMP_SECONDS = 17 * 60  # longer than a break, and than one may come late
TIMES_LONGER = 4  # than its time may a sitting take, on a loaded machine
ENDED = f"query ($id: ID!) {{ sitting(id: $id) {{ state end {{ code }} {TIMELINE} }} }}"


@dataclass(frozen=True, slots=True)
class People:
    """Who takes part, before anybody has logged in."""

    rooms: list[Room]
    numbers: list[Numbers]
    proctors: list[Member]
    board: Member
    user: Login


@dataclass(slots=True)
class Outcome:
    """What came of one sitting."""

    room: Room
    state: str
    reason: str | None

    @property
    def is_as_told(self) -> bool:
        """Whether it ended as its story goes."""
        return (self.state, self.reason) == (self.room.story.end, self.room.story.reason)


@dataclass(slots=True)
class Found:
    """What the comparison at the end found, and what went wrong on the way."""

    outcomes: list[Outcome] = field(default_factory=list)
    shares_due: int = 0
    shares: Counter[str] = field(default_factory=Counter)  # came once, never, more than once
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    away_seconds: float | None = None
    cpu_seconds: float | None = None


class Simulation:
    """All of it; `service` is ours to kill and to put forward, if we have started it."""

    def __init__(self, door: Door, people: People, minutes: float, service: Service | None, seed: int) -> None:
        self.people = people
        self.service = service
        self.play = Play(door, minutes, random.Random(seed))
        self.found = Found()
        self.candidates: list[Candidate] = []
        self.proctors: dict[str, Proctor] = {}
        self.board: Board
        self.dashboard: Dashboard

    @property
    def longest_seconds(self) -> float:
        """After which a sitting does not end any more."""
        return self.play.minutes * 60 * TIMES_LONGER + PATIENCE_SECONDS

    async def run(self, kills: bool) -> Found:
        """Play all sittings, and compare."""
        await self._log_in()
        started = time.monotonic()
        background = [asyncio.create_task(self._guard(one)) for one in self._beside(kills)]
        try:
            await self._book()
            await self._sit()
            await self._wait_for_ends(with_clock=False)
            await self._put_forward()
            await self._wait_for_ends(with_clock=True)
            self.found.seconds = time.monotonic() - started
            self.found.cpu_seconds = self._cpu_seconds()
            await self._compare()
        finally:
            await ended(background)
            await self._close()
        return self.found

    def _cpu_seconds(self) -> float | None:
        """Of the service, its starts included, until the clock was put forward."""
        return self.service.cpu_seconds if self.service and self.service.cpu_seconds else None

    async def _guard(self, part: Coroutine[Any, Any, None]) -> None:
        """Note what ends somebody's part that should not have ended."""
        try:
            await part
        except Exception as error:
            self.found.faults.append(f"{type(error).__name__}: {error}")

    async def _log_in(self) -> None:
        door, people = self.play.door, self.people
        user = await accounts.log_in(door, "logInVerifier", email=people.user.email, password=people.user.password)
        self.dashboard = Dashboard(self.play, user)
        await self.dashboard.open()
        self.board = Board(self.play, await self._staff(people.board))
        for member in people.proctors:
            app = await self._staff(member)
            self.proctors[member.name] = Proctor(self.play, app, member.name, self.proctors)
        apps = await accounts.register(door, people.numbers)
        both = zip(apps, people.rooms, strict=True)
        self.candidates = [Candidate(self.play, app, room, place) for place, (app, room) in enumerate(both)]

    async def _staff(self, member: Member) -> App:
        given = {"email": member.email, "password": member.password, "code": member.authenticator.now()}
        return await accounts.log_in(self.play.door, "logInStaff", **given)

    def _beside(self, kills: bool) -> list[Coroutine[Any, Any, None]]:
        parts = [self.play.watch_itself(), self.board.work(), *(proctor.work() for proctor in self.proctors.values())]
        return [*parts, self._kill()] if kills else parts

    async def _book(self) -> None:
        """Book everybody's sitting; the first appointment is when all are likely to have booked."""
        gate = asyncio.Semaphore(AT_ONCE)
        count = len(self.candidates)
        first = time.monotonic() + LEAST_AHEAD_SECONDS + count / BOOKED_PER_SECOND

        async def one(place: int, candidate: Candidate) -> None:
            async with gate:
                at = first + place / count * SPREAD * self.play.minutes * 60
                await candidate.book(self.dashboard.institution_id, max(at - time.monotonic(), LEAST_AHEAD_SECONDS))

        await asyncio.gather(*(one(place, candidate) for place, candidate in enumerate(self.candidates)))

    async def _sit(self) -> None:
        sitting = {asyncio.create_task(self._guard(candidate.sit())): candidate for candidate in self.candidates}
        _, late = await asyncio.wait(sitting, timeout=self.longest_seconds)
        await ended(list(late))
        stuck = (sitting[task] for task in late)
        self.found.faults += [f"It does not end, and stands in {one.state}: {one.story.name}" for one in stuck]

    async def _kill(self) -> None:
        """Kill the service once half of those who come have begun their test, and start it again."""
        assert self.service is not None
        half = sum(candidate.story.comes for candidate in self.candidates) / 2
        await happens(lambda: self.play.entered >= half, self.longest_seconds)
        began = time.monotonic()
        await self.service.kill()
        await self.service.start()
        self.found.away_seconds = time.monotonic() - began

    async def _put_forward(self) -> None:
        """Start the service with a clock that is ahead, for those who wait for the clock; it is ended in order."""
        if self.service is None or not any(one.story.needs_the_clock for one in self.candidates):
            return
        await self.service.stop()
        self.play.door.ahead = timedelta(seconds=JUMP_SECONDS)
        await self.service.start(JUMP_SECONDS)

    async def _wait_for_ends(self, with_clock: bool) -> None:
        """Until all whose end does, or does not, need the clock are at an end."""
        waiting = [one for one in self.candidates if one.story.needs_the_clock == with_clock]
        for one in waiting:
            one.stream.open()
        await happens(lambda: all(one.state == one.story.end for one in waiting), PATIENCE_SECONDS)

    # ---- the comparison

    async def _compare(self) -> None:
        """Every candidate's stream with the timeline, and the institution's with what was reported.

        Proctors have compared theirs when the sitting was over: what comes later is not for them.
        """
        await happens(lambda: not any(proctor.busy_with for proctor in self.proctors.values()), PATIENCE_SECONDS)
        for candidate in self.candidates:
            sitting = (await candidate.app.ask(ENDED, id=candidate.id))["sitting"]
            self.found.outcomes.append(Outcome(candidate.room, sitting["state"], (sitting["end"] or {}).get("code")))
            await candidate.stream.compare(sitting["timeline"], is_all=True)
        names = [one.room.name for one in self.found.outcomes if one.state == REPORTED]
        await happens(lambda: all(self.dashboard.arrived(name) for name in names), PATIENCE_SECONDS)
        self.found.shares_due = len(names)
        self.found.shares = Counter(str(min(self.dashboard.arrived(name), 2)) for name in names)

    async def _close(self) -> None:
        streams = [one.stream for one in self.candidates if one.id]
        streams += [one.stream for proctor in self.proctors.values() for one in proctor.watched.values()]
        for stream in [*streams, self.dashboard.stream]:
            await stream.close()
        apps = [self.board.app, self.dashboard.app, *(one.app for one in self.candidates)]
        for app in [*apps, *(proctor.app for proctor in self.proctors.values())]:
            await app.close()
