"""What happened, as a table; and whether it is as it must be."""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from commands.simulate.play import Play
from commands.simulate.simulation import Found

MOST_FAULTS_TOLD = 10


def is_good(play: Play, found: Found, limit_seconds: float) -> bool:
    """Nothing lost, doubled, made up or wrong, every end as told, and events soon enough."""
    wrong = (
        play.ledger.lost
        + play.ledger.made_up
        + play.ledger.doubled
        + len(found.faults)
        + sum(play.door.faults.values())
    )
    ends = all(one.is_as_told for one in found.outcomes)
    return not wrong and ends and found.shares["1"] == found.shares_due and p99(play) < limit_seconds


def p99(play: Play) -> float:
    """Seconds within which 99 of 100 events came."""
    return _percentiles(play.ledger.seconds)[2]


def written(play: Play, found: Found, limit_seconds: float) -> str:
    """All that is told about a simulation."""
    parts = [*_ends(found), "", *_facts(play, found, limit_seconds), *_wrong(play, found)]
    verdict = "As it must be." if is_good(play, found, limit_seconds) else "NOT as it must be."
    return "\n".join([*parts, "", verdict]) + "\n"


def _ends(found: Found) -> Iterator[str]:
    yield f"{'story':<30}{'ended':<18}{'because':<24}{'sittings':>8}"
    counts = Counter((one.room.story.name, one.state, one.reason or "", one.is_as_told) for one in found.outcomes)
    for (story, state, reason, is_as_told), count in sorted(counts.items()):
        yield f"{story:<30}{state:<18}{reason:<24}{count:>8}{'' if is_as_told else '  NOT AS TOLD'}"


def _facts(play: Play, found: Found, limit_seconds: float) -> Iterator[str]:
    ledger, shares = play.ledger, found.shares
    facts: dict[str, object] = {
        "sittings, most of them live at once": f"{len(found.outcomes)}, {play.most_live}",
        "seconds of all of it": round(found.seconds),
        "names on documents refused": play.names_refused,
        "handed over, gone to another proctor": f"{play.handed_over}, {play.taken_over}",
        "questions answered, after seconds (p50 p95 max)": f"{len(play.answers)}, {_three(play.answers, 1.0)}",
        "streams compared with timelines": ledger.compared,
        "events told, of them after a break": f"{ledger.told}, {ledger.caught_up}",
        "events lost, doubled, made up": f"{ledger.lost}, {ledger.doubled}, {ledger.made_up}",
        "seconds to the client (p50 p95 p99)": f"{_three(ledger.seconds)} (p99 below {limit_seconds})",
        "the same without 30 s after a break": _three(ledger.settled),
        "seconds that the apps came late themselves": _three(play.late),
        "shares due, come once, twice, never": f"{found.shares_due}, {shares['1']}, {shares['2']}, {shares['0']}",
        "streams taken up again": ledger.reopened,
        "answers lost, and looked for": play.door.lost_answers,
        "refusals": ", ".join(f"{name} {count}" for name, count in sorted(play.door.refusals.items())) or "none",
    }
    if found.away_seconds is not None:
        facts["seconds away after kill -9"] = round(found.away_seconds, 1)
    if found.cpu_seconds is not None:
        facts["CPU seconds of the service"] = round(found.cpu_seconds)
    for name, fact in facts.items():
        yield f"{name:<48}{fact}"


def _wrong(play: Play, found: Found) -> Iterator[str]:
    for fault in found.faults[:MOST_FAULTS_TOLD]:
        yield f"FAULT: {fault}"
    for code, count in play.door.faults.items():
        yield f"ERROR: {code} {count}"


def _percentiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    """The 50th, 95th and 99th of a hundred."""
    if len(seconds) < 2:
        only = max(seconds, default=0.0)
        return only, only, only
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]


def _three(seconds: Sequence[float], highest: float = 0.99) -> str:
    p50, p95, last = _percentiles(seconds)
    if highest == 1.0:
        last = max(seconds, default=0.0)
    return f"{p50:.3f} {p95:.3f} {last:.3f}"
