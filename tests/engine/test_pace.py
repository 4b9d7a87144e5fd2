"""Limits of rate that are counted in the process."""

from datetime import UTC, datetime, timedelta

from engine.limits import Rate
from engine.pace import Pace

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def test_as_many_as_the_rate_says_are_within_it_for_each_subject() -> None:
    pace = Pace(Rate("test", 3, timedelta(minutes=1)))
    assert [pace.count("a", START) for _ in range(5)] == [True, True, True, False, False]
    assert pace.count("b", START)


def test_counting_starts_afresh_with_the_next_window_and_nothing_is_kept_of_the_last() -> None:
    pace = Pace(Rate("test", 1, timedelta(minutes=1)))
    assert [pace.count(subject, START) for subject in ("a", "b", "a")] == [True, True, False]
    assert not pace.count("a", START + timedelta(seconds=59))
    assert pace.count("a", START + timedelta(seconds=60))
    assert len(pace) == 1
