"""Service and floor in turn, round after round, so that whatever slows the machine down meets both."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from benchmarks import driver, fanout, floor, processes
from benchmarks.cases import CASES, Asked, Case
from benchmarks.data import Size
from benchmarks.driver import Round
from benchmarks.fanout import FanOut
from benchmarks.processes import Measured

CLIENTS = (1, 16)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: rounds of so many seconds per side and number of clients, and alerts sent."""

    rounds: int
    seconds: float
    alerts: int


@dataclass(slots=True)
class Side:
    """What was seen of one side of a case: a round per number of clients, and the memory at the end."""

    rounds: dict[int, Round] = field(default_factory=lambda: {clients: Round() for clients in CLIENTS})
    memory_mib: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What was seen of one case. `bare` is the floor as a function, without a server."""

    case: Case
    service: Side = field(default_factory=Side)
    floor: Side = field(default_factory=Side)
    bare: Round = field(default_factory=Round)


async def cases(url: str, folder: Path, size: Size, effort: Effort, names: Sequence[str] = ()) -> list[Outcome]:
    """Every case, or those named, on one service process and one floor process."""
    wanted = [case for case in CASES if not names or case.name in names]
    pool = await floor.pool_of(url)
    try:
        with processes.service(url, folder) as service, processes.floor(url, folder) as server:
            return [await _Bench(case, size, service, server, pool).run(effort) for case in wanted]
    finally:
        await pool.close()


async def fan_out(url: str, folder: Path, size: Size, effort: Effort) -> FanOut:
    """The alert, on a service process of its own: its memory has seen nothing else."""
    with processes.service(url, folder) as service:
        return await fanout.measure(url, service, size, effort.alerts)


class _Bench:
    """One case with its two servers; no request is asked twice."""

    def __init__(self, case: Case, size: Size, service: Measured, server: Measured, pool: asyncpg.Pool) -> None:
        self.case, self.service, self.server, self.pool = case, service, server, pool
        self.asked: Iterator[Asked] = (case.asked(number, size) for number in itertools.count())

    async def run(self, effort: Effort) -> Outcome:
        """Warm up, and measure in rounds."""
        await self._round(Outcome(self.case), effort.seconds / 2)
        outcome = Outcome(self.case)
        for _ in range(effort.rounds):
            await self._round(outcome, effort.seconds)
        outcome.service.memory_mib, outcome.floor.memory_mib = self.service.memory_mib, self.server.memory_mib
        return outcome

    async def _round(self, outcome: Outcome, seconds: float) -> None:
        for clients in CLIENTS:
            to_service = (driver.to_service(self.case, one) for one in self.asked)
            to_floor = (driver.to_floor(self.case, one) for one in self.asked)
            outcome.service.rounds[clients].add(await self._drive(self.service, to_service, clients, seconds))
            outcome.floor.rounds[clients].add(await self._drive(self.server, to_floor, clients, seconds))
        outcome.bare.add(await self._bare(seconds / 2))

    async def _drive(self, server: Measured, requests: Iterator[bytes], clients: int, seconds: float) -> Round:
        cpu_before = server.cpu_seconds
        seen = await driver.drive(server.port, requests, self.case.sign, clients, seconds)
        seen.cpu_seconds = server.cpu_seconds - cpu_before
        return seen

    async def _bare(self, seconds: float) -> Round:
        """The floor as a function in this process, one call after the other."""
        seen, started, cpu_before = Round(), time.perf_counter(), time.process_time()
        while not seen.latencies or time.perf_counter() < started + seconds:
            asked_at = time.perf_counter()
            await floor.answer(self.pool, self.case.name, next(self.asked).values)
            seen.latencies.append(time.perf_counter() - asked_at)
        seen.seconds, seen.cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_before
        return seen
