"""Whoever guesses numbers learns nothing, and is cut: alone, with colleagues, with other institutions (V3, V4, A8).

Ten thousand guesses each, in lists of five hundred, all at one time.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import cycle, islice
from typing import Any

import pytest
from starlette.applications import Starlette

from models.entry import Entry
from models.result import Result
from models.trail import TrailEntry
from resolvers.verifying import DATES, LOOK_UPS, MISSES, MOST_AT_ONCE
from tests.client import Client
from tests.conftest import client_of
from tests.looking_up import BORN, PURPOSE, Numbers, Office, office, paper, secrets
from tests.world import SECRET, World

GUESSES = 10_000
LISTS = GUESSES // MOST_AT_ONCE
KNOWN = 5  # statements, and entries, whose numbers the guesser has
VERDICTS = "query ($input: VerifyResultsInput!) { verifyResults(input: $input) { verdict } }"
BORN_BETWEEN = (date(1998, 1, 1), date(2008, 12, 31))


@dataclass
class Prey:
    """Released results whose numbers, but not what proves them, are known to the guesser."""

    results: list[Result]
    entries: list[Entry]

    def guesses(self) -> Iterator[Numbers]:
        """Every date of eleven years, and every Secret Number but the right one, over and over."""
        first, last = BORN_BETWEEN
        days = [first + timedelta(days=day) for day in range((last - first).days)]
        dates = (
            paper(result, dateOfBirth=day.isoformat()) for day in days for result in self.results if str(day) != BORN
        )
        numbers = (
            secrets(entry, secretNumber=f"{secret:04}")
            for secret in range(10_000)
            for entry in self.entries
            if f"{secret:04}" != SECRET
        )
        return (one for pair in zip(cycle(dates), cycle(numbers), strict=False) for one in pair)

    def lists(self, count: int) -> list[list[Numbers]]:
        """So many lists, each of other guesses."""
        guesses = self.guesses()
        return [list(islice(guesses, MOST_AT_ONCE)) for _ in range(count)]

    @property
    def right(self) -> list[Numbers]:
        """What would match."""
        return [paper(self.results[0]), secrets(self.entries[0])]


@pytest.fixture
async def prey(client: Client, world: World) -> Prey:
    entries = [await world.entry() for _ in range(KNOWN)]
    return Prey([await world.result(entry) for entry in entries], entries)


async def told(guesser: Office, pairs: Sequence[Numbers]) -> tuple[Counter[str], str | None]:
    """How often each verdict was told, or the limit that cut the list."""
    body = (await guesser.client.post(VERDICTS, input={"pairs": list(pairs), "purpose": PURPOSE})).json()
    if body["data"]["verifyResults"] is None:
        (error,) = body["errors"]
        assert error["extensions"]["code"] == "TOO_MANY_TRIES"
        return Counter(), error["extensions"]["limit"]
    return Counter(one["verdict"] for one in body["data"]["verifyResults"]), None


async def guess(guessers: Sequence[Office], lists: Sequence[Sequence[Numbers]]) -> tuple[int, set[Any]]:
    """Guess all these lists at one time, each guesser in turn; how many were let in, and what cut the others.

    Nothing was learnt: no verdict told that anything was right.
    """
    answers = await asyncio.gather(*(told(guesser, one) for guesser, one in zip(cycle(guessers), lists, strict=False)))
    verdicts: Counter[str] = sum((verdict for verdict, _ in answers), Counter())
    assert set(verdicts) <= {"NOT_MATCHED", "NOT_CHECKED"}
    tries = DATES.tries * KNOWN + 3 * KNOWN  # and no more of them were compared than there are tries
    assert verdicts["NOT_MATCHED"] == tries
    let_in = [limit for _, limit in answers if limit is None]
    return len(let_in), {limit for _, limit in answers} - {None}


async def refused(guesser: Office, prey: Prey) -> set[str]:
    """What is said to right pairs now."""
    return {(await guesser.refusal(pair)).get("limit", "") for pair in prey.right}


async def test_one_user_guesses_a_thousand_times_a_day(client: Client, world: World, prey: Prey) -> None:
    """After that they are not told what is right, either."""
    guesser = await office(client, world)
    most = MISSES["USER"].most // MOST_AT_ONCE
    assert await guess([guesser], prey.lists(LISTS)) == (most, {MISSES["USER"].kind})
    assert await refused(guesser, prey) == {MISSES["USER"].kind}


async def test_many_users_of_an_institution_guess_no_more_than_it_may(client: Client, world: World, prey: Prey) -> None:
    first = await office(client, world)
    guessers = [first] + [await office(client, world, first.institution) for _ in range(9)]
    most = MISSES["INSTITUTION"].most // MOST_AT_ONCE
    assert (await guess(guessers, prey.lists(LISTS)))[0] == most
    colleague = await office(client, world, first.institution)  # of the others, one may have used up their own, too
    assert await refused(colleague, prey) == {MISSES["INSTITUTION"].kind}


async def test_many_institutions_guess_no_more_than_their_address_may(client: Client, world: World, prey: Prey) -> None:
    guessers = [await office(client, world) for _ in range(10)]
    most = MISSES["ADDRESS"].most // MOST_AT_ONCE
    assert await guess(guessers, prey.lists(LISTS)) == (most, {MISSES["ADDRESS"].kind})
    assert await refused(await office(client, world), prey) == {MISSES["ADDRESS"].kind}


@pytest.fixture
async def everywhere(app: Starlette, client: Client, world: World) -> AsyncIterator[list[Office]]:
    """Officers of institutions of their own, each behind an address of their own."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client_of(app, f"192.0.2.{number}")) for number in range(1, 13)]
        yield [await office(one, world) for one in clients]


async def test_many_institutions_everywhere_guess_no_more_than_the_service_allows(
    everywhere: list[Office], world: World, prey: Prey
) -> None:
    """In an hour; and one who has guessed nothing yet is not told what is right, either."""
    most = MISSES["SERVICE"].most // MOST_AT_ONCE
    assert most == LISTS
    let_in, cut = await guess(everywhere, prey.lists(2 * len(everywhere)))
    assert (let_in, cut) == (most, {MISSES["SERVICE"].kind})
    assert await refused(everywhere[0], prey) <= {MISSES["SERVICE"].kind, MISSES["USER"].kind}
    newcomer = await office(everywhere[0].client, world)
    assert len(await refused(newcomer, prey)) == 1


async def test_who_guessed_stands_in_the_trail_of_their_institution_and_no_candidate_in_it(
    client: Client, world: World, prey: Prey
) -> None:
    guesser = await office(client, world)
    await guess([guesser], prey.lists(2))
    entries = await TrailEntry.filter(chain=guesser.institution.id)
    assert [(one.viewer_id, one.candidates, one.path) for one in entries] == [
        (guesser.user.id, [], "query verifyResults: 500 of 500 not matched")
    ] * 2


def test_limits_leave_room_for_honest_work_and_not_for_guessing() -> None:
    """A full file a day for each user; and of a known number, all dates of twenty years take two years at least."""
    assert LOOK_UPS["USER"].most >= 10_000
    assert MISSES["USER"].most >= 2 * MOST_AT_ONCE
    assert 20 * 365 / (DATES.tries * (timedelta(days=365) / DATES.length)) >= 2
    for rates in (LOOK_UPS, MISSES):
        assert rates["USER"].most <= rates["INSTITUTION"].most <= rates["ADDRESS"].most <= rates["SERVICE"].most
