"""The Primary User is told 30 days, 7 days and a day before a key ends, exactly once each (P1, N4)."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine import database
from models.key import ApiKey
from models.letter import Letter
from models.verifier import VerifierStatus, VerifierUser
from resolvers import api_keys, jobs, key_endings
from tests.conftest import ControlledClock
from tests.world import World

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
async def user(open_database: None, world: World) -> VerifierUser:
    """The Primary User of an institution."""
    return await world.verifier()


async def ending(user: VerifierUser, world: World, after: timedelta, **facts: Any) -> ApiKey:
    """A key that was made a year ago and ends so long from now."""
    now = world.clock()
    facts = {"created_at": now - timedelta(days=365), "expires_at": now + after} | facts
    return (await world.key(await user.institution, **facts))[0]


async def told() -> list[datetime]:
    """When the letters were written."""
    return [letter.written_at for letter in await Letter.filter(kind="key_ends").order_by("written_at")]


@pytest.mark.parametrize("days", key_endings.DAYS)
async def test_a_letter_is_written_so_many_days_before_and_not_a_moment_earlier(
    user: VerifierUser, world: World, clock: ControlledClock, days: int
) -> None:
    before = next((one for one in reversed(key_endings.DAYS) if one > days), None)
    key = await ending(user, world, timedelta(days=days) + MICROSECOND, warned_days=before)
    assert await key_endings.tell(clock()) == 0
    clock.forward(microseconds=1)
    assert [await key_endings.tell(clock()), await key_endings.tell(clock())] == [1, 0]
    [letter] = await Letter.filter(kind="key_ends")
    assert (letter.verifier_id, letter.address) == (user.id, user.email)
    assert letter.facts["expires_at"] == key.expires_at.isoformat()


async def test_three_letters_are_written_over_a_keys_last_month(
    user: VerifierUser, world: World, clock: ControlledClock
) -> None:
    """Whatever the hour at which the worker looks; none once it has ended."""
    ends_at = (await ending(user, world, timedelta(days=32))).expires_at
    for _ in range(33 * 4):
        clock.forward(hours=6)
        await key_endings.tell(clock())
    assert [ends_at - moment for moment in await told()] == [timedelta(days=days) for days in key_endings.DAYS]


@pytest.mark.parametrize(("left", "letters"), [(timedelta(days=6), 2), (timedelta(hours=23), 1), (timedelta(0), 0)])
async def test_a_worker_that_was_away_tells_of_the_nearest_alone(
    user: VerifierUser, world: World, clock: ControlledClock, left: timedelta, letters: int
) -> None:
    """Nobody is told twice at once, and the later ones come in their time."""
    await ending(user, world, left)
    await key_endings.tell(clock())
    assert len(await told()) == min(letters, 1)
    clock.forward(days=5.5)
    await key_endings.tell(clock())
    assert len(await told()) == letters


async def test_a_short_key_is_told_of_by_what_comes_after_it_was_made(
    user: VerifierUser, world: World, clock: ControlledClock
) -> None:
    """Whoever makes one for five days knows that it ends within a month, and within a week."""
    await ending(user, world, timedelta(days=5), created_at=clock())
    assert await key_endings.tell(clock()) == 0
    clock.forward(days=4)
    assert await key_endings.tell(clock()) == 1


async def test_nobody_is_told_of_a_revoked_key(user: VerifierUser, world: World, clock: ControlledClock) -> None:
    await ending(user, world, timedelta(days=1), revoked_at=clock())
    assert await key_endings.tell(clock()) == 0


async def test_letters_wait_for_an_institution_that_is_there_and_for_a_primary_user(
    user: VerifierUser, world: World, clock: ControlledClock
) -> None:
    """O3, U1: and then there is one, to whoever is the Primary User by then."""
    institution = await user.institution
    await ending(user, world, timedelta(days=7))
    await world.suspend(institution)
    assert await key_endings.tell(clock()) == 0
    await database.rows("UPDATE institution SET status = 'APPROVED', suspended_at = NULL, suspension_reason = NULL")
    await VerifierUser.filter(id=user.id).update(status=VerifierStatus.REMOVED, is_primary=False, removed_at=clock())
    assert await key_endings.tell(clock()) == 0
    successor = await world.verifier(institution)
    assert await key_endings.tell(clock()) == 1
    assert (await Letter.get(kind="key_ends")).verifier_id == successor.id


async def test_workers_that_look_at_once_write_each_letter_once(
    user: VerifierUser, world: World, clock: ControlledClock
) -> None:
    for days in (1, 7, 30, 30):
        await ending(user, world, timedelta(days=days))
    counts = await asyncio.gather(*(key_endings.tell(clock()) for _ in range(4)))
    assert (sum(counts), len(await told())) == (4, 4)


async def test_a_worker_that_dies_in_the_middle_has_told_nobody(
    user: VerifierUser, world: World, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N4: that it was told and the letter stand together or not at all."""
    await ending(user, world, timedelta(days=1))

    async def dying(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(api_keys, "tell", dying)
        with pytest.raises(KeyboardInterrupt):
            await key_endings.tell(clock())
    assert (await ApiKey.get()).warned_days is None
    assert await key_endings.tell(clock()) == 1


def test_a_worker_looks_every_few_minutes() -> None:
    assert [schedule.cron for schedule in jobs.SCHEDULES if schedule.work is key_endings.tell] == ["*/5 * * * *"]
