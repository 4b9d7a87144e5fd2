"""What the trail costs an inbox page: the same page with it and without, in turns, in this one process.

The app is called as a server would call it, and what is counted is this process's CPU, so that neither PostgreSQL nor
other programs count. Blocks come in pairs: the medians are of what the two of a pair differ by.
"""

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any
from unittest import mock

import orjson
import structlog

from app import create_app
from benchmarks.cases import CASES
from benchmarks.data import Size
from benchmarks.measure import CLIENTS
from engine import database
from models.viewer import Viewer
from resolvers import trail
from settings import Settings

INBOX = CASES[0]
PAGES = 16  # of one block


@dataclass(slots=True)
class Cost:
    """Milliseconds of CPU per page, block by block; those of one place are a pair."""

    without: list[float] = field(default_factory=list)
    with_it: list[float] = field(default_factory=list)

    @property
    def more(self) -> float:
        """Milliseconds that the trail takes."""
        return median(b - a for a, b in zip(self.without, self.with_it, strict=True))

    @property
    def percent(self) -> float:
        """The same, of the page without it."""
        return 100 * (median(b / a for a, b in zip(self.without, self.with_it, strict=True)) - 1)


async def measure(url: str, folder: Path, size: Size, pairs: int) -> dict[int, Cost]:
    """What one page costs with so many clients at a time."""
    settings = replace(Settings(), database_url=url, var=folder, secret_key=b"k" * 32, runs_worker=False)
    app, numbers = create_app(settings), count()
    costs = {clients: Cost() for clients in CLIENTS}
    async with app.router.lifespan_context(app):
        with unlogged():
            for clients, cost in costs.items():
                await _pair(app, size, numbers, clients, is_first=True)
                gc.collect()
                gc.freeze()  # as the service does after its start
                for number in range(pairs):
                    without, with_it = await _pair(app, size, numbers, clients, is_first=number % 2 == 0)
                    cost.without.append(without)
                    cost.with_it.append(with_it)
                gc.unfreeze()
    return costs


@contextmanager
def unlogged() -> Iterator[None]:
    """No line for each request inside the block."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        yield
    finally:
        structlog.reset_defaults()


async def _pair(app: Any, size: Size, numbers: Iterator[int], clients: int, *, is_first: bool) -> tuple[float, float]:
    """A block without the trail and one with it, whichever is the first."""

    async def with_it() -> float:
        return await _block(app, size, numbers, clients)

    async def without() -> float:
        with untold():
            return await with_it()

    if is_first:
        return await without(), await with_it()
    later = await with_it()
    return await without(), later


@contextmanager
def untold() -> Iterator[None]:
    """Nobody is told of inside the block."""

    async def page(viewer: Viewer, select: str, order: str, first: int, named: Mapping[str, Any]) -> Any:
        return await database.rows(select, **named)

    async def settle(_viewers: Any) -> None:
        """Leave nothing."""

    def saw(_viewer: Viewer, *_about: Any) -> None:
        """Keep nothing."""

    with mock.patch.multiple(trail, page=page, settle=settle), mock.patch.object(Viewer, "saw", saw):
        yield


async def _block(app: Any, size: Size, numbers: Iterator[int], clients: int) -> float:
    """CPU milliseconds per page of one block."""
    left = iter(range(max(PAGES, clients * 2)))
    pages = 0

    async def client() -> None:
        nonlocal pages
        for _ in left:
            await _ask(app, size, next(numbers))
            pages += 1

    before = process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    return (process_time() - before) / pages * 1000


async def _ask(app: Any, size: Size, number: int) -> None:
    """One page; raises RuntimeError when it is not one."""
    asked = INBOX.asked(number, size)
    told: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    await app(scope_of(asked.token), body_of(orjson.dumps({"query": INBOX.document})), send)
    if told[0]["status"] != 200 or INBOX.sign not in told[1]["body"]:
        raise RuntimeError(f"A wrong answer: {told}")


def body_of(body: bytes) -> Callable[[], Any]:
    """What a server would call for the body of a request."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return messages.pop() if messages else await asyncio.Event().wait()

    return receive


def scope_of(token: str | None) -> dict[str, Any]:
    """A request for an operation as a server would tell of it, by the owner of a session or by nobody."""
    headers = {"host": "localhost", "content-type": "application/json"}
    headers |= {"authorization": f"Bearer {token}"} if token else {}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


def report(costs: Mapping[int, Cost]) -> str:
    """The costs, for people."""
    lines = ["The trail's part of an inbox page, CPU ms: without, with, how much more (medians)"]
    for clients, cost in costs.items():
        numbers = f"{median(cost.without):8.2f} {median(cost.with_it):8.2f} {cost.more:8.3f} {cost.percent:7.1f} %"
        lines.append(f"  {clients:>2} at a time {numbers}   ({len(cost.without)} pairs)")
    return "\n".join(lines)
