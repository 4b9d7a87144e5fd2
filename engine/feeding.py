"""Large files are written in a thread, into a temporary file, fed from the event loop batch by batch.

What is read waits for what is written: there is never more than one batch in memory. One large file is written at one
time in a process; small ones have threads of their own, and wait for no large one.
"""

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from tempfile import TemporaryFile
from typing import IO, TypeVar

T = TypeVar("T")

SMALL = 2
PATIENCE_SECONDS = 0.5  # after which a thread that waits for rows looks whether they are wanted any more
# A thread at work in Python keeps others waiting for milliseconds each time; so it steps aside so often, for so long.
ROWS, PAUSE_SECONDS = 20, 0.0005

_large = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large files")
_small = ThreadPoolExecutor(max_workers=SMALL, thread_name_prefix="small files")
_at_work = 0


class NotWanted(Exception):
    """Whoever wanted the file does not wait for it any more."""


def is_busy() -> bool:
    """Whether a large file is being written, for which another one would have to wait."""
    return _at_work > 0


async def written(
    write: Callable[[IO[bytes], Iterator[T]], None], batches: AsyncIterator[Sequence[T]], is_large: bool
) -> IO[bytes]:
    """A temporary file, at its beginning again, into which `write` has written what comes in batches.

    Raises what `write` raises, and what reading the batches does; the caller closes the file.
    """
    global _at_work
    loop, stop = asyncio.get_running_loop(), threading.Event()
    feed = _Feed(loop, batches, stop, is_large)
    context = contextvars.copy_context()
    _at_work += is_large
    try:
        return await loop.run_in_executor(_large if is_large else _small, context.run, _into_file, write, feed)
    finally:
        _at_work -= is_large
        stop.set()


def _into_file(write: Callable[[IO[bytes], Iterator[T]], None], feed: "_Feed[T]") -> IO[bytes]:
    spool = TemporaryFile()  # noqa: SIM115  # the caller closes it
    try:
        write(spool, iter(feed))
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


class _Feed(Iterator[T]):
    """Rows for a thread, which the event loop reads when they are asked for."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, batches: AsyncIterator[Sequence[T]], stop: threading.Event, pauses: bool
    ) -> None:
        self.loop, self.batches, self.stop, self.pauses = loop, batches, stop, pauses
        self.rows: Iterator[T] = iter(())
        self.count = 0

    def __next__(self) -> T:
        self.count += 1
        if self.pauses and self.count % ROWS == 0:
            time.sleep(PAUSE_SECONDS)
        for row in self.rows:
            return row
        while (batch := self._read()) is not None:
            self.rows = iter(batch)
            for row in self.rows:
                return row
        raise StopIteration

    def _read(self) -> Sequence[T] | None:
        """The next batch, which may be empty; None behind the last."""
        if self.stop.is_set():
            raise NotWanted
        reading = asyncio.run_coroutine_threadsafe(self._next(), self.loop)
        return _result(reading, self.stop)

    async def _next(self) -> Sequence[T] | None:
        return await anext(self.batches, None)


def _result(reading: "Future[T]", stop: threading.Event) -> T:
    """What was read; a loop that has ended would never tell."""
    while True:
        try:
            return reading.result(PATIENCE_SECONDS)
        except TimeoutError:
            if reading.done():
                raise
            if stop.is_set():
                reading.cancel()
                raise NotWanted from None
