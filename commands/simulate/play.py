"""What all who take part in a simulation share: the door, the ledger, the rooms, how fast it goes, what came of it."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from commands.simulate.door import App, Door, Payload
from commands.simulate.stories import Room
from commands.simulate.streams import SITTING_EVENTS, Ledger, Stream

LOOKS_AT_ITSELF_EVERY = 0.1  # seconds
LIVE = frozenset({"CHECKING_IN", "IN_PROGRESS", "INTERRUPTED", "ON_BREAK"})
THROWN_OUT = frozenset({"MISSED", "BREAK_OVERRUN", "INVALIDATED", "ENDED_BY_PROCTOR"})
OVER = THROWN_OUT | {"FINISHED", "REPORTED", "CANCELLED"}
# Parts of the time that one sitting takes: seven steps, four sections.
CHECK_IN_STEP, SECTION, BREAK, CHOICE = 0.03, 0.17, 0.05, 0.03


@dataclass(slots=True)
class Play:
    """One simulation."""

    door: Door
    minutes: float
    dice: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    rooms: dict[str, Room] = field(default_factory=dict)  # by sitting
    answers: list[float] = field(default_factory=list)  # seconds that candidates waited for one
    late: list[float] = field(default_factory=list)  # seconds that this program came late itself
    live: set[str] = field(default_factory=set)
    most_live: int = 0
    entered: int = 0
    names_refused: int = 0
    handed_over: int = 0
    taken_over: int = 0
    orders: "asyncio.Queue[tuple[str, str, asyncio.Event]]" = field(default_factory=asyncio.Queue)  # to the board

    async def think(self, part: float) -> None:
        """What a person does outside of the service, for about this part of a sitting."""
        await asyncio.sleep(self.minutes * 60 * part * self.dice.uniform(0.5, 1.5))

    async def pause(self, least: float, most: float) -> None:
        """So many seconds, whatever the pace."""
        await asyncio.sleep(self.dice.uniform(least, most))

    async def watch_itself(self) -> None:
        """Note how late this program is woken: on a machine that has too much to do, all apps are slow by it."""
        loop = asyncio.get_running_loop()
        while True:
            due_at = loop.time() + LOOKS_AT_ITSELF_EVERY
            await asyncio.sleep(LOOKS_AT_ITSELF_EVERY)
            self.late.append(loop.time() - due_at)

    def moment_in(self, seconds: float) -> datetime:
        """A moment so many seconds ahead, by the service's clock."""
        return self.door.now() + timedelta(seconds=seconds)

    def stands(self, sitting_id: str, state: str) -> None:
        """Note where a sitting stands."""
        if state in LIVE:
            self.live.add(sitting_id)
            self.most_live = max(self.most_live, len(self.live))
        else:
            self.live.discard(sitting_id)

    def stream(self, app: App, sitting_id: str) -> Stream:
        """The events of one sitting, from its first on; not open yet."""
        variables: Payload = {"id": sitting_id, "after": "0.0"}
        return Stream(app, self.ledger, SITTING_EVENTS, variables, "happenedAt")

    async def unofficial_scores(self, sitting_id: str) -> None:
        """Wait until the board has recorded what the test made of Reading and Listening."""
        await self._ordered("recordUnofficialScores", sitting_id)

    async def official_scores(self, sitting_id: str) -> None:
        """Wait until the board has recorded the official scores."""
        await self._ordered("recordOfficialScores", sitting_id)

    async def _ordered(self, name: str, sitting_id: str) -> None:
        done = asyncio.Event()
        self.orders.put_nowait((name, sitting_id, done))
        await done.wait()


class News:
    """Wakes who waits for something to happen to a sitting."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def stir(self) -> None:
        """Something has happened."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until something has happened since the last wait, or this time has passed."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


async def until(happened: Callable[[], bool], news: News, seconds: float) -> bool:
    """Wait for news until something is so; tells whether it is, after so many seconds at most."""
    ends_at = asyncio.get_running_loop().time() + seconds
    while not happened():
        left = ends_at - asyncio.get_running_loop().time()
        if left <= 0:
            return False
        await news.wait(left)
    return True


async def ended(tasks: "list[asyncio.Task[Any]]") -> None:
    """Cancel tasks and wait until they are gone."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
