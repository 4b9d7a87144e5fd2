"""Locks and rates: both sides of every edge, and many at once (A4, A8, P3)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from engine import database
from engine.limits import Attempt, Lock, Rate, count_all, forget, give_back_all, network, right, take, take_all
from tests.conftest import START, ControlledClock

LOCK = Lock("test", tries=4, length=timedelta(minutes=30))
SECRET = Lock("secret", tries=3, length=timedelta(minutes=30), ever=10)
RATE = Rate("test", most=5, window=timedelta(hours=1))
TICK = timedelta(microseconds=1)

stored = pytest.mark.usefixtures("open_database")


async def wrong(lock: Lock, times: int, now: datetime, name: str = "ABC123456") -> list[Attempt]:
    """So many wrong tries, one after the other."""
    return [await take(lock, name, now) for _ in range(times)]


@stored
async def test_fourth_wrong_try_locks_and_the_fifth_is_refused() -> None:
    """A4."""
    attempts = await wrong(LOCK, 5, START)
    assert [attempt.is_refused for attempt in attempts] == [False, False, False, False, True]
    assert [attempt.is_last for attempt in attempts] == [False, False, False, True, False]
    assert [attempt.locked_until for attempt in attempts] == [None] * 3 + [START + LOCK.length] * 2


@stored
async def test_lock_holds_until_its_last_moment_and_not_a_moment_longer() -> None:
    """A4."""
    await wrong(LOCK, 4, START)
    assert (await take(LOCK, "ABC123456", START + LOCK.length - TICK)).is_refused
    after = await take(LOCK, "ABC123456", START + LOCK.length)
    assert (after.is_refused, after.in_a_row, after.locked_until) == (False, 1, None)


@stored
async def test_tries_during_a_lock_neither_lengthen_it_nor_count_for_the_lifetime() -> None:
    """A4, A8: or anybody could keep an account locked for ever by knocking."""
    await wrong(SECRET, 3, START)
    for minutes in range(0, 30, 5):
        refused = await take(SECRET, "ABC123456", START + timedelta(minutes=minutes))
        assert (refused.is_refused, refused.locked_until, refused.ever) == (True, START + SECRET.length, 3)
    assert not (await take(SECRET, "ABC123456", START + SECRET.length)).is_refused


@stored
async def test_right_try_starts_the_count_afresh_and_is_not_counted_itself() -> None:
    """A4: a success resets the count; what counts for the lifetime are wrong tries alone."""
    await wrong(SECRET, 2, START)
    third = await take(SECRET, "ABC123456", START)
    assert third.is_last
    await third.right()
    attempts = await wrong(SECRET, 3, START)
    assert [attempt.is_refused for attempt in attempts] == [False, False, False]
    assert [attempt.ever for attempt in attempts] == [3, 4, 5]


@stored
async def test_ten_wrong_tries_in_a_lifetime_close_a_name_for_good() -> None:
    """A8."""
    now = START
    ever: list[tuple[int, bool]] = []
    while len(ever) < 10:
        attempt = await take(SECRET, "ABC123456", now)
        if not attempt.is_refused:
            ever.append((attempt.ever, attempt.closes))
        now += timedelta(minutes=31)
    assert ever == [(number, number == 10) for number in range(1, 11)]
    later = await take(SECRET, "ABC123456", now + timedelta(days=3650))
    assert (later.is_closed, later.is_refused) == (True, True)


@stored
async def test_new_numbers_forget_all_wrong_tries() -> None:
    """A7, A8."""
    for days in range(12):
        await take(SECRET, "ABC123456", START + timedelta(days=days))
    await forget(SECRET, "ABC123456")
    fresh = await take(SECRET, "ABC123456", START + timedelta(days=12))
    assert (fresh.in_a_row, fresh.ever, fresh.is_refused) == (1, 1, False)


@stored
async def test_names_and_kinds_are_counted_apart() -> None:
    await wrong(LOCK, 5, START, "one")
    assert not (await take(LOCK, "two", START)).is_refused
    assert not (await take(SECRET, "one", START)).is_refused
    assert not (await take(LOCK, "\ud800 half a pair", START)).is_refused


@stored
async def test_names_are_not_stored() -> None:
    """G3: what somebody typed into a log-in form may be a password."""
    await take(LOCK, "correct horse 42", START)
    stored = await database.row("SELECT wrong_tries::text AS text FROM wrong_tries")
    assert stored is not None
    assert "horse" not in stored["text"]
    assert b"correct horse 42".hex() not in stored["text"]


@stored
async def test_tries_that_come_all_at_once_are_let_through_as_often_as_one_after_the_other() -> None:
    """A4, A8: ten thousand Secret Numbers must not be searchable by asking fast."""
    attempts = await asyncio.gather(*[take(LOCK, "ABC123456", START) for _ in range(60)])
    assert sorted(attempt.in_a_row for attempt in attempts) == list(range(1, 61))
    assert sum(not attempt.is_refused for attempt in attempts) == 4
    assert sum(attempt.is_last for attempt in attempts) == 1
    assert {attempt.locked_until for attempt in attempts if attempt.is_refused} == {START + LOCK.length}


@stored
async def test_tries_that_come_all_at_once_as_a_lock_ends_are_counted_afresh_once() -> None:
    await wrong(LOCK, 4, START)
    attempts = await asyncio.gather(*[take(LOCK, "ABC123456", START + LOCK.length) for _ in range(20)])
    assert sum(not attempt.is_refused for attempt in attempts) == 4


# ---- rates


@stored
async def test_rate_allows_its_number_and_not_one_more() -> None:
    assert [await RATE.count("me", START) for _ in range(6)] == [True] * 5 + [False]
    assert await RATE.count("somebody else", START)
    assert await Rate("other", 5, RATE.window).count("me", START)


@stored
async def test_window_ends_at_its_last_moment_and_the_next_one_starts_afresh(clock: ControlledClock) -> None:
    clock.forward(minutes=17)
    for _ in range(5):
        await RATE.count("me", clock())
    ends_at = RATE.ends_at(clock())
    assert ends_at == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert not await RATE.count("me", ends_at - TICK)
    assert await RATE.count("me", ends_at)


@stored
async def test_what_is_given_back_does_not_count_and_never_makes_more_room_than_there_was() -> None:
    for _ in range(5):
        await RATE.count("me", START)
    await RATE.give_back("me", START)
    assert [await RATE.count("me", START) for _ in range(2)] == [True, False]
    for _ in range(20):
        await RATE.give_back("me", START)
    assert [await RATE.count("me", START) for _ in range(6)] == [True] * 5 + [False]


@stored
async def test_rate_holds_for_what_comes_all_at_once() -> None:
    allowed = await asyncio.gather(*[RATE.count("me", START) for _ in range(60)])
    assert sum(allowed) == 5


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
        ("unix", "elsewhere", False),
    ],
)
def test_one_client_is_an_ipv4_address_or_the_network_of_an_ipv6_one(one: str, other: str, same: bool) -> None:
    """A8: whoever has a /64 has 18 quintillion addresses; and a server on `::` sees IPv4 addresses in IPv6 dress."""
    assert (network(one) == network(other)) is same


# ---- many at once, by one statement


@stored
@pytest.mark.parametrize("counts", [[1, 1, 1], [3], [2, 5], [7], [1, 1, 1, 1], [10, 10]])
async def test_several_tries_at_once_are_allowed_as_often_as_one_after_the_other(counts: list[int]) -> None:
    """A8: while it is locked, and until the tries of a lifetime are used up."""
    now, let_in = START, 0
    for _ in range(5):
        at_once = [(await take_all(SECRET, {"together": count}, now))["together"] for count in counts]
        singly = [one for count in counts for one in await wrong(SECRET, count, now, "singly")]
        assert sum(one.allowed for one in at_once) == sum(not one.is_refused for one in singly)
        assert (at_once[-1].locked_until, at_once[-1].ever) == (singly[-1].locked_until, singly[-1].ever)
        let_in += sum(one.allowed for one in at_once)
        now += SECRET.length
    assert let_in == 10
    assert at_once[-1].is_used_up


@stored
async def test_of_several_names_those_that_were_right_are_forgotten_and_no_other() -> None:
    await take_all(SECRET, {"right": 2, "wrong": 2}, START)
    await right(SECRET, ["right"], among=["right", "wrong"])
    taken = await take_all(SECRET, {"right": 1, "wrong": 1}, START)
    assert {name: (one.in_a_row, one.ever) for name, one in taken.items()} == {"right": (1, 2), "wrong": (3, 3)}


@stored
async def test_many_names_taken_in_any_order_by_many_at_once_never_wait_for_one_another_in_a_circle() -> None:
    names = [f"name {number}" for number in range(30)]

    async def take_some(turn: int) -> None:
        async with database.transaction():
            await take_all(LOCK, dict.fromkeys(names[turn:] + names[:turn], 1), START)
            await right(LOCK, names[:turn], among=names)

    await asyncio.gather(*(take_some(turn) for turn in range(0, 30, 3)))


@stored
async def test_several_rates_are_counted_together_and_those_past_their_limit_are_told() -> None:
    """To the last one; what is given back can be counted again, and never more than was counted."""
    wide = Rate("wide", most=9, window=timedelta(hours=1))
    both = [(RATE, "me"), (wide, "all")]
    assert await count_all(both, 5, START) == []
    assert await count_all(both, 1, START) == [RATE]
    assert await count_all([(RATE, "you"), (wide, "all")], 4, START) == [wide]
    await give_back_all(both, 2, START)
    assert await count_all(both, 1, START) == []
    await give_back_all(both, 100, START)
    assert await count_all(both, 5, START) == []
