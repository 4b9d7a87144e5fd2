"""The sender of messages to webhooks: one per worker, beside its jobs, so that slow receivers hold up nothing else.

Each webhook that has something due gets a task of its own; there are so many of them at one time, and each ends after a
while, so that nobody waits for long. Several workers do the same side by side.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from engine import outbound
from engine.clock import Clock
from engine.outbound import Outbound
from errors import Unavailable
from resolvers import deliveries

WEBHOOKS_AT_ONCE = 32
TURN_SECONDS = 20.0  # of one webhook, before others have theirs
LOOK_SECONDS = 1.0
LONGEST_DRAIN_SECONDS = 2.0

Open = Callable[[], AbstractAsyncContextManager[Outbound]]

log = structlog.get_logger()


@dataclass(slots=True)
class Sender:
    """Looks for what there is to do, and does it, until it is stopped."""

    clock: Clock
    open: Open = outbound.opened
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    turns: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Sender"]:
        """At work inside the block; what is being sent at its end has a moment to be finished."""
        looking = asyncio.create_task(self._run(), name="webhook sender")
        try:
            yield self
        finally:
            self.stopping.set()
            await _ended([looking, *self.turns.values()])

    async def _run(self) -> None:
        while not self.stopping.is_set():
            has_more = await _unless_away(self.look)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0 if has_more else LOOK_SECONDS):
                    await self.stopping.wait()

    async def look(self) -> bool:
        """Make messages of what is new, and begin a turn for each webhook that has some due; tells if there is more."""
        has_more = False
        found = await deliveries.stirred(self.clock())
        random.shuffle(found)  # so that nobody is always the last
        for webhook in found:
            events = await deliveries.tell(webhook["id"], self.clock()) if webhook["has_news"] else 0
            has_more = has_more or events == deliveries.PAGE
            if events or webhook["is_due"]:
                self._begin(webhook["id"])
        return has_more

    def _begin(self, webhook_id: UUID) -> None:
        if webhook_id in self.turns or len(self.turns) >= WEBHOOKS_AT_ONCE:
            return
        turn = asyncio.create_task(self._turn(webhook_id), name=f"webhook {webhook_id}")
        self.turns[webhook_id] = turn
        turn.add_done_callback(lambda _: self.turns.pop(webhook_id, None))

    async def _turn(self, webhook_id: UUID) -> None:
        async def send() -> bool:
            now = asyncio.get_running_loop().time
            ends_at = now() + TURN_SECONDS
            async with self.open() as client:
                while not self.stopping.is_set() and now() < ends_at:
                    if not await deliveries.deliver_all(webhook_id, client, self.clock):
                        return False
            return True

        await _unless_away(send)


async def _unless_away(work: Callable[[], Awaitable[bool]]) -> bool:
    """Do it; whatever goes wrong is told in the log, and what was left is found again by the next look."""
    try:
        return await work()
    except Unavailable:
        log.warning("webhooks.database_away")
    except Exception:
        log.exception("webhooks.failed")
    return False


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    """What takes longer than a moment is left: its messages are sent again, under their ids."""
    _, late = await asyncio.wait(tasks, timeout=LONGEST_DRAIN_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
