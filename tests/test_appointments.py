"""Appointments in time zones, and names beside one another: what a booking and a check-in are decided by (H1, H3)."""

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest

from errors import InvalidInput
from models.sittings.appointments import LONGEST_AHEAD, Turning, check_bookable, moment
from models.sittings.check_in import is_same_name, letters, nearest

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def faults(local: datetime, timezone: str, turning: Turning | None = None) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        moment(local, timezone, turning)
    return [(problem.path, problem.message) for problem in refusal.value.problems]


@pytest.mark.parametrize(
    ("local", "timezone", "at"),
    [
        ("2027-01-15T09:00", "Asia/Tokyo", "2027-01-15T00:00Z"),
        ("2027-03-28T01:59:59", "Europe/Berlin", "2027-03-28T00:59:59Z"),  # the last moment of winter
        ("2027-03-28T03:00", "Europe/Berlin", "2027-03-28T01:00Z"),  # the first of summer
        ("2027-10-31T01:59:59", "Europe/Berlin", "2027-10-30T23:59:59Z"),  # before an hour comes twice
        ("2027-10-31T03:00", "Europe/Berlin", "2027-10-31T02:00Z"),  # after it
        ("2027-04-04T03:00", "Australia/Lord_Howe", "2027-04-03T16:30Z"),  # half an hour of summer time
    ],
)
def test_an_appointment_is_when_clocks_there_show_it(local: str, timezone: str, at: str) -> None:
    """H1"""
    assert moment(datetime.fromisoformat(local), timezone) == datetime.fromisoformat(at)


@pytest.mark.parametrize("local", ["2027-03-28T02:00", "2027-03-28T02:59:59"])
def test_a_time_that_clocks_leave_out_is_refused_with_another_one(local: str) -> None:
    """H1"""
    told = faults(datetime.fromisoformat(local), "Europe/Berlin", Turning.FIRST)
    assert [path for path, _ in told] == ["startsAt"]
    assert f"such as 03:{local[14:16]}" in told[0][1]


@pytest.mark.parametrize("local", ["2027-10-31T02:00", "2027-10-31T02:59:59"])
def test_a_time_that_comes_twice_is_refused_until_it_is_said_which_is_meant(local: str) -> None:
    """H1"""
    given = datetime.fromisoformat(local)
    assert [path for path, _ in faults(given, "Europe/Berlin")] == ["turning"]
    first = moment(given, "Europe/Berlin", Turning.FIRST)
    assert moment(given, "Europe/Berlin", Turning.SECOND) - first == timedelta(hours=1)
    assert first == given.replace(tzinfo=UTC) - timedelta(hours=2)


def test_a_zone_that_there_is_not_and_a_time_with_an_offset_are_refused() -> None:
    assert [path for path, _ in faults(datetime(2027, 1, 1), "Europe/Atlantis")] == ["timezone"]  # noqa: DTZ001
    assert [path for path, _ in faults(NOW, "Asia/Tokyo")] == ["startsAt"]


@pytest.mark.parametrize("timezone", ["localtime", "posixrules", "Factory", "posix/Asia/Tokyo", "/etc/localtime", ""])
def test_a_name_that_is_no_place_is_no_time_zone(timezone: str) -> None:
    """H1: not where the service stands, either."""
    assert [path for path, _ in faults(datetime(2027, 1, 1), timezone)] == ["timezone"]  # noqa: DTZ001


@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("local", ["0001-01-01T00:00", "9999-12-31T23:59"])
def test_the_ends_of_time_are_refused_wherever_it_is(local: str, timezone: str) -> None:
    """H1"""
    assert [path for path, _ in faults(datetime.fromisoformat(local), timezone)] == ["startsAt"]


@pytest.mark.parametrize("ahead", [timedelta(0), -timedelta(microseconds=1), LONGEST_AHEAD + timedelta(microseconds=1)])
def test_an_appointment_that_is_over_or_too_far_ahead_is_refused(ahead: timedelta) -> None:
    with pytest.raises(InvalidInput):
        check_bookable(NOW + ahead, NOW)


@pytest.mark.parametrize("ahead", [timedelta(microseconds=1), LONGEST_AHEAD])
def test_an_appointment_at_the_edge_can_be_booked(ahead: timedelta) -> None:
    check_bookable(NOW + ahead, NOW)


# ---- names


@pytest.mark.parametrize("name", ["Zoë Çelik", "田中 葵", "Nguyễn Ánh", "がぎ"])
def test_a_name_is_the_same_however_its_signs_are_composed(name: str) -> None:
    """H3"""
    assert is_same_name(name, unicodedata.normalize("NFD", name))
    assert all(letter.is_same for letter in letters(unicodedata.normalize("NFD", name), name))


@pytest.mark.parametrize(
    ("expected", "shown"),
    [
        ("Aoi Tanaka", "Aoi tanaka"),
        ("Zoë", "Zoe"),
        ("渡邉 葵", "渡邊 葵"),
        ("O'Brien", "O’Brien"),
        ("Anna Maria", "Anna  Maria"),
        ("葛", "葛\U000e0100"),  # another form of the same kanji
        ("Ａｏｉ", "Aoi"),
    ],
)
def test_a_name_that_is_spelled_otherwise_is_another_one(expected: str, shown: str) -> None:
    """H3: exactly as spelled."""
    assert not is_same_name(expected, shown)
    assert any(not letter.is_same for letter in letters(expected, shown))


def test_a_difference_is_shown_letter_by_letter() -> None:
    """H3"""
    assert letters("Zoë Tanaka", "Zoe Tanak") == [
        ("Z", "Z", True), ("o", "o", True), ("ë", "e", False), (" ", " ", True), ("T", "T", True), ("a", "a", True),
        ("n", "n", True), ("a", "a", True), ("k", "k", True), ("a", "", False),
    ]  # fmt: skip


def test_of_several_spellings_the_nearest_is_shown() -> None:
    assert nearest(["Aoi Tanaka", "Tanaka Aoi", "田中 葵"], "田中 蒼") == "田中 葵"
