"""What was seen, as tables for people."""

from collections.abc import Iterator, Sequence
from math import ceil
from statistics import median

from benchmarks.driver import Round
from benchmarks.fanout import FanOut
from benchmarks.measure import CLIENTS, Outcome, Side

NAMES = ("CPU ms", "p50 ms", "p99 ms", "req/s")


def table(outcomes: Sequence[Outcome]) -> str:
    """Per case the service, the floor as a server, how many times as much the service is, and the bare floor."""
    clients = "".join(f" | {f'{count} at a time':^35}" for count in CLIENTS)
    names = "".join(" | " + " ".join(f"{name:>8}" for name in NAMES) for _ in CLIENTS)
    lines = [f"{'':<18}{clients}", f"{'':<18}{names} | RSS MiB"]
    return "\n".join([*lines, *(line for outcome in outcomes for line in _block(outcome))])


def _block(outcome: Outcome) -> Iterator[str]:
    yield outcome.case.title
    for title, side in (("service", outcome.service), ("floor, server", outcome.floor)):
        yield _line(title, map(_numbers, side.rounds.values())) + f" | {side.memory_mib:7.0f}"
    yield _line("times as much", (_ratios(outcome.service, outcome.floor, clients) for clients in CLIENTS))
    yield _line("floor, bare", [_numbers(outcome.bare)])


def _line(title: str, cells: Iterator[list[float]] | list[list[float]]) -> str:
    return f"  {title:<16}" + "".join(" | " + " ".join(f"{number:8.2f}" for number in numbers) for numbers in cells)


def _numbers(seen: Round) -> list[float]:
    count = len(seen.latencies)
    percentiles = [percentile(seen.latencies, share) * 1000 for share in (0.5, 0.99)]
    return [seen.cpu_seconds / count * 1000, *percentiles, count / seen.seconds]


def _ratios(service: Side, floor: Side, clients: int) -> list[float]:
    pairs = zip(_numbers(service.rounds[clients]), _numbers(floor.rounds[clients]), strict=True)
    return [mine / least if least else float("nan") for mine, least in pairs]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so great a share of them does not exceed."""
    return sorted(values)[max(ceil(len(values) * share) - 1, 0)]


def alert(seen: FanOut) -> str:
    """How soon the dashboards have it, and what that costs."""
    cpu = seen.cpu_seconds / len(seen.last) / seen.dashboards * 1000
    return "\n".join(
        [
            f"Alert to {seen.dashboards} dashboards, {len(seen.last)} times; milliseconds after the commit",
            f"  first dashboard   {median(seen.first) * 1000:8.1f} median {max(seen.first) * 1000:8.1f} worst",
            f"  last dashboard    {median(seen.last) * 1000:8.1f} median {max(seen.last) * 1000:8.1f} worst",
            f"  service CPU       {cpu:8.3f} ms per dashboard and alert",
            f"  service memory    {seen.kib_per_dashboard:8.1f} KiB per dashboard",
        ]
    )
