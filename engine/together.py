"""Writing together what comes at the same time: whoever finds writers at work shares the next statement."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from errors import Unavailable

T = TypeVar("T")
WRITERS = 2  # one that hangs on a dead connection must not hold up everybody


class Together(Generic[T]):
    """Nobody waits for company: alone, one is written at once. All of one statement fail together."""

    def __init__(self, write: Callable[[list[T]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writers: set[asyncio.Task[None]] = set()
        self._alone = 0

    async def add(self, one: T) -> None:
        """Write one thing; when this returns, it is written. Raises what the writing raised."""
        if self._alone + len(self._writers) < WRITERS and not self._waiting:
            await self._write_alone(one)
            return
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, written))
        await written

    async def _write_alone(self, one: T) -> None:
        self._alone += 1
        try:
            await self._write([one])
        finally:
            self._alone -= 1
            self._write_waiting()

    def _write_waiting(self) -> None:
        """Let a task write all that waits; its own, so that nobody's end is the end of others' writing."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            writer = asyncio.create_task(self._write_all(waiting), name="together")
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)  # of one that was cancelled before it began

    async def _write_all(self, waiting: list[tuple[T, "asyncio.Future[None]"]]) -> None:
        try:
            await self._write([one for one, _ in waiting])
        except BaseException as error:
            for _, written in waiting:
                if not written.done():
                    written.set_exception(error if isinstance(error, Exception) else Unavailable())
            if not isinstance(error, Exception):
                raise
        else:
            for _, written in waiting:
                if not written.done():
                    written.set_result(None)
        finally:
            # Not when the loop comes to it: who comes back before that would wait for a writer that is none any more.
            self._writers.discard(asyncio.current_task())
            self._write_waiting()
