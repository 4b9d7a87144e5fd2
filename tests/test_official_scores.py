"""Official scores of many sittings by file, and what waits for the board's staff (H8, H9)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from models.consent import CONSENT_VERSION
from models.sittings.proctoring import AppealOutcome
from models.sittings.reasons import Reason
from resolvers import entries, loading, releases
from resolvers.loading import Loaded
from resolvers.rows import Given
from resolvers.shares import Consent
from resolvers.sittings import appeals, official_scores, proctoring, recipients, scores
from tests.client import Client
from tests.conftest import ControlledClock
from tests.sitting_world import EXAM, HERE, IN_TOKYO, Home
from tests.world import World

SCORES = {"reading": "25", "listening": "24", "speaking": "23", "writing": "23"}
LISTS = """{ staff {
    appeals { edges { node { id appeal { text } } cursor } pageInfo { hasNextPage endCursor } }
    heldSittings { edges { node { id entry { candidateNumber examDate centre { number } } } } } } }"""
NEXT = """query ($after: String) { staff { heldSittings(first: 1, after: $after) {
    edges { node { id } } pageInfo { hasNextPage endCursor } } } }"""


@pytest.fixture
async def homes(app: Starlette, world: World, clock: ControlledClock) -> list[Home]:
    """Two sittings of one day that were reported, each with an institution that is to get the result."""
    homes = [await Home.booked(world, clock) for _ in range(2)]
    for home in homes:
        await home.finished()
        named = [(await world.institution()).id]
        await recipients.change(home.viewer, home.id, named, Consent(CONSENT_VERSION, "en"))
        await scores.report(home.viewer, home.id)
    return homes


async def row(home: Home, **texts: str) -> dict[str, str]:
    """A row of a file that says these of the sitting's entry."""
    entry = (await entries.by_ids(home.board, [(await home.row())["entry_id"]])).popitem()[1]
    return {
        "centre": "HOME",
        "examCode": EXAM,
        "examDate": str(entry["exam_date"]),
        "candidateNumber": entry["candidate_number"],
        **texts,
    }


async def official(home: Home) -> dict[str, str]:
    """A row with official scores."""
    return await row(home, overallScore="95", **SCORES)


async def load(home: Home, rows: Sequence[dict[str, str]], replaces: bool = False) -> Loaded:
    """What became of a file of one batch."""
    given = [Given(line, texts) for line, texts in enumerate(rows, start=2)]
    (done,) = [one async for one in loading.load(home.board, given, replaces)]
    return done


async def stands(home: Home) -> tuple[str, bool, int]:
    """Outcome of the result, whether it is released, and how many institutions have it."""
    found = await database.row(
        """SELECT outcome, released_at IS NOT NULL AS is_released,
                  (SELECT count(*) FROM share WHERE share.result_id = result.id) AS shares
           FROM result JOIN sitting USING (entry_id) WHERE sitting.id = :id""",
        id=home.id,
    )
    assert found is not None
    return found["outcome"], found["is_released"], found["shares"]


async def test_a_file_of_official_scores_releases_each_sitting_to_who_was_named(homes: list[Home]) -> None:
    """H8: beside results of centres, which wait for their session's release as ever."""
    first, second = homes
    entry = await first.world.entry(exam="B2_FIRST")
    centre = await first.world.centre()
    other = {"centre": centre.number, "examCode": "B2_FIRST", "examDate": str(entry.exam_date)}
    other |= {"candidateNumber": entry.candidate_number, "outcome": "PENDING"}
    rows: list[dict[str, Any]] = [await official(first), other, await official(second)]
    done = await load(first, rows)
    assert (done.new, done.replaced, done.bad) == (3, 0, [])
    for home in homes:
        assert await stands(home) == ("LEVEL", True, 1)
        assert (await home.told())[-1] == "SCORES_RECORDED"
    assert await database.value("SELECT count(*) FROM result WHERE released_at IS NULL") == 1
    assert await releases.tell(first.clock()) == 2
    again = await load(first, rows)
    assert (again.there, again.new) == (3, 0)
    assert (await first.told()).count("SCORES_RECORDED") == 1


async def test_what_is_no_score_yet_stays_held_until_the_official_ones_replace_it(homes: list[Home]) -> None:
    """H8, R6"""
    home = homes[0]
    assert (await load(home, [await row(home, outcome="WITHHELD")])).new == 1
    assert await stands(home) == ("WITHHELD", False, 0)
    refused = await load(home, [await official(home)])
    assert [fault.reason for bad in refused.bad for fault in bad.faults] == [loading.SAY_REPLACE]
    await load(home, [await official(home)], replaces=True)
    assert (await stands(home))[1:] == (True, 1)
    changed = await official(home) | {"overallScore": "96", "reading": "26"}
    refused = await load(home, [changed], replaces=True)
    assert [fault.reason for bad in refused.bad for fault in bad.faults] == [loading.SAY_AMEND]


async def test_scores_by_file_and_by_hand_at_once_release_once_and_nobody_waits_for_ever(homes: list[Home]) -> None:
    first, second = homes
    rows = [await official(second), await official(first)]
    by_hand = {"READING": 25, "LISTENING": 24, "SPEAKING": 23, "WRITING": 23}
    async with asyncio.timeout(60):
        await asyncio.gather(
            load(first, rows),
            load(first, rows[::-1]),
            *(official_scores.record(home.board, home.id, 95, by_hand) for home in homes),
            return_exceptions=True,
        )
    for home in homes:
        assert (await stands(home))[1:] == (True, 1)
        assert (await home.told()).count("SCORES_RECORDED") == 1


async def test_staff_see_the_appeals_and_the_sittings_that_wait_for_them(homes: list[Home], client: Client) -> None:
    """H8, H9"""
    world, board = homes[0].world, homes[0].board
    ended = await Home.booked(world, homes[0].clock, replace(HERE, starts_at=IN_TOKYO + timedelta(days=2)))
    await ended.taken()
    await proctoring.end(ended.proctor, ended.id, Reason.TECHNICAL_FAULT, "The camera failed.")
    await appeals.make(ended.viewer, ended.id, "It was yours.")
    staff = client.as_(await world.token(await world.staff()))
    lists = (await staff.ask(LISTS))["staff"]
    (waits,) = lists["appeals"]["edges"]
    assert waits["node"] == {"id": ended.gid, "appeal": {"text": "It was yours."}}
    held = [edge["node"] for edge in lists["heldSittings"]["edges"]]
    assert {one["id"] for one in held} == {home.gid for home in homes}
    assert {one["entry"]["centre"]["number"] for one in held} == {"HOME"}
    seen, after = [], None
    for _ in homes:
        page = (await staff.ask(NEXT, after=after))["staff"]["heldSittings"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert (seen, page["pageInfo"]["hasNextPage"]) == ([one["id"] for one in held], False)
    await appeals.answer(board, ended.id, AppealOutcome.FEE_RETURNED, "It was.")
    await load(homes[0], [await official(homes[0])])
    lists = (await staff.ask(LISTS))["staff"]
    assert lists["appeals"]["edges"] == []
    assert [edge["node"]["id"] for edge in lists["heldSittings"]["edges"]] == [homes[1].gid]
    centre = client.as_(await world.token(await world.staff(centre=await world.centre())))
    assert await centre.ask(LISTS) == {"staff": {"appeals": None, "heldSittings": None}}
