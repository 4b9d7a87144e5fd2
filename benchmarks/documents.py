"""Statements a second, and how long the event loop stands still meanwhile: `python -m benchmarks.documents`.

Each statement is another person's, in English and Japanese by turns, typeset and signed. Threads are what the service
uses; processes are measured beside them. A ticker on the loop wakes every millisecond; what it is late by is a stall.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import psutil
import uvloop

from documents.signing import Signer, own_signer, signer_of
from documents.statement import StatementFacts, statement, unsigned
from tests.papers import BOARD, statement_facts

STATEMENTS = 200
TICK = 0.001


@dataclass(frozen=True, slots=True)
class Seen:
    """What one round showed; times in milliseconds."""

    per_second: float
    longest_stall: float
    p99_stall: float


def facts() -> Iterator[StatementFacts]:
    """Another person each time."""
    for number in range(STATEMENTS):
        name = {"name": f"Aoi Tanaka {number}", "native_name": f"田中 葵{number}"}
        yield statement_facts(**name, number=f"S26{number:07}", language="ja" if number % 2 else "en")


@cache
def signer(pem: Path) -> Signer:
    """The key, read once per process."""
    return signer_of(pem, pem)


def made(pem: Path, one: StatementFacts) -> int:
    """One signed statement; its size."""
    return len(statement(one, signer(pem)))


async def round_of(pool: Executor, pem: Path) -> Seen:
    """All statements through one pool."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(pool, made, pem, one) for one in list(facts())[:8]))  # read the fonts
    late: list[float] = []
    ticker = asyncio.create_task(_tick(late))
    started = time.perf_counter()
    await asyncio.gather(*(loop.run_in_executor(pool, made, pem, one) for one in facts()))
    took = time.perf_counter() - started
    ticker.cancel()
    return Seen(STATEMENTS / took, max(late) * 1000, statistics.quantiles(late, n=100)[98] * 1000)


async def _tick(late: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        late.append(time.perf_counter() - before - TICK)


def alone(make: Callable[[StatementFacts], object]) -> float:
    """Milliseconds of processor for one call, one at a time, without a pool."""
    given = list(facts())
    make(given[0]), make(given[1])
    started = time.process_time()
    for one in given:
        make(one)
    return (time.process_time() - started) * 1000 / len(given)


async def idle() -> float:
    """The longest stall of a loop that does nothing, milliseconds: what the machine itself does to it."""
    late: list[float] = []
    ticker = asyncio.create_task(_tick(late))
    await asyncio.sleep(5)
    ticker.cancel()
    return max(late) * 1000


def main() -> None:
    """Measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder) / "signing.pem"
        own_signer(pem, BOARD)
        pdf, one = unsigned(statement_facts()), statement_facts()
        _say(f"typesetting: {alone(unsigned):.1f} ms of processor each, one at a time")
        _say(f"signing: {alone(lambda _: signer(pem).signed(pdf, one.issued_at)):.1f} ms")
        _say(f"longest stall of the idle loop: {uvloop.run(idle()):.1f} ms\n")
        for name, pool in _pools():
            with pool:
                seen = uvloop.run(round_of(pool, pem))
                memory = _memory()
            _say(
                f"{name}: {seen.per_second:.1f} statements a second, longest stall {seen.longest_stall:.1f} ms, "
                f"99 of 100 below {seen.p99_stall:.1f} ms; {memory:.0f} MiB"
            )


def _pools() -> Iterator[tuple[str, Executor]]:
    for count in (1, 2, 4):
        yield f"{count} threads", ThreadPoolExecutor(count)
    yield "2 processes", ProcessPoolExecutor(2, get_context("spawn"))


def _memory() -> float:
    """Of this process and those that it started, without what they share, MiB."""
    here = psutil.Process()
    return sum(float(one.memory_full_info().uss) for one in [here, *here.children(recursive=True)]) / 2**20


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
