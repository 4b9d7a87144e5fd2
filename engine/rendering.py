"""Documents are made in a thread of their own, so that the event loop goes on (why one: docs/performance.md)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

MOST_WAITING = 100  # beyond it the last one would wait for seconds, and gives up before

_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="documents")
_waiting = 0


def use_threads(count: int) -> None:
    """Set how many documents are made at one time."""
    global _pool
    _pool.shutdown(wait=False)
    _pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="documents")


async def in_thread(make: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What `make` answers or raises; raises Unavailable when too many wait already."""
    global _waiting
    if _waiting >= MOST_WAITING:
        raise Unavailable
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_pool, lambda: make(*args, **named))
    finally:
        _waiting -= 1
