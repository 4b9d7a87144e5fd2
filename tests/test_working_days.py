"""Working days: by when an application is decided (O2)."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from models.working_days import Calendar
from settings import Settings

NEW_YEAR = frozenset({date(2027, 1, 1), date(2027, 1, 2), date(2027, 1, 4)})


@pytest.mark.parametrize(
    ("confirmed", "due"),
    [
        ("2026-11-16T09:00", "2026-11-23"),  # Monday
        ("2026-11-20T23:59", "2026-11-27"),  # Friday
        ("2026-11-21T00:00", "2026-11-27"),  # Saturday
        ("2026-11-22T23:59", "2026-11-27"),  # Sunday
        ("2026-11-23T00:00", "2026-11-30"),
    ],
)
def test_an_application_is_due_on_the_fifth_working_day_after_its_own(confirmed: str, due: str) -> None:
    """O2: weekends do not count, nor does the day itself."""
    assert Calendar().due_on(datetime.fromisoformat(confirmed).replace(tzinfo=UTC)) == date.fromisoformat(due)


def test_holidays_of_the_board_do_not_count() -> None:
    """O2: one that falls on a weekend costs no second day."""
    moment = datetime(2026, 12, 30, 9, tzinfo=UTC)
    assert Calendar().due_on(moment) == date(2027, 1, 6)
    assert Calendar(holidays=NEW_YEAR).due_on(moment) == date(2027, 1, 8)


def test_the_day_is_the_boards() -> None:
    """O2: Friday 15:00 UTC is Saturday in Tokyo."""
    friday, second = datetime(2026, 11, 20, 14, 59, 59, tzinfo=UTC), datetime(2026, 11, 20, 15, tzinfo=UTC)
    tokyo = Calendar("Asia/Tokyo")
    assert (tokyo.today(friday), tokyo.today(second)) == (date(2026, 11, 20), date(2026, 11, 21))
    thursday = datetime(2026, 11, 19, 14, 59, 59, tzinfo=UTC)
    assert tokyo.due_on(thursday) == date(2026, 11, 26)
    assert tokyo.due_on(thursday.replace(hour=15, minute=0, second=0)) == date(2026, 11, 27)


def test_what_is_due_today_is_late_tomorrow() -> None:
    """O2: by the board's midnight."""
    tokyo, due = Calendar("Asia/Tokyo"), date(2026, 11, 26)
    assert not tokyo.is_late(due, datetime(2026, 11, 26, 14, 59, 59, tzinfo=UTC))
    assert tokyo.is_late(due, datetime(2026, 11, 26, 15, tzinfo=UTC))


def test_zone_and_holidays_are_configured(tmp_path: Path) -> None:
    """O2"""
    days = tmp_path / "holidays.txt"
    days.write_text("# The board's\n2027-01-01 # New Year\n\n2027-01-04\n", "utf-8")
    env = {"VAR_DIR": str(tmp_path), "HOLIDAYS": str(days), "BOARD_TIMEZONE": "Asia/Tokyo"}
    settings = Settings.from_env(env)
    assert (settings.timezone, settings.holidays) == ("Asia/Tokyo", frozenset({date(2027, 1, 1), date(2027, 1, 4)}))
    plain = Settings.from_env({"VAR_DIR": str(tmp_path)})
    assert (plain.timezone, plain.holidays) == ("UTC", frozenset())


@pytest.mark.parametrize(
    ("name", "value"), [("BOARD_TIMEZONE", "Mars/Olympus"), ("BOARD_TIMEZONE", "../etc"), ("HOLIDAYS", "1 January")]
)
def test_what_cannot_be_used_is_told_by_name(tmp_path: Path, name: str, value: str) -> None:
    if name == "HOLIDAYS":
        (tmp_path / "days").write_text(value, "utf-8")
        value = str(tmp_path / "days")
    with pytest.raises(ValueError, match=name):
        Settings.from_env({"VAR_DIR": str(tmp_path), name: value})
