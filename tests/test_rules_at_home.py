"""What candidates read before a sitting and accept at its check-in, and when it is by their own clock (H1, H3)."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from starlette.applications import Starlette

from models.candidate import Candidate
from models.sittings import rules
from models.sittings.check_in import Step
from models.sittings.rules import RULES, RULES_VERSION, Rule
from schema.ids import global_id
from schema.sittings.rules import SittingRuleKind
from tests.client import Client
from tests.conftest import ControlledClock
from tests.sitting_world import EXAM, HERE, Home
from tests.world import World

READ = "query ($code: String!) { exam(code: $code) { rulesAtHome { version rules { kind text } } } }"
STEPS = "query ($id: ID!) { sitting(id: $id) { checkInSteps { kind accepted { version text language acceptedAt } } } }"
WHEN = "query ($id: ID!) { sitting(id: $id) { appointmentAt appointmentLocal timezone } }"


def test_the_schema_names_all_rules() -> None:
    assert {rule.value for rule in Rule} == set(SittingRuleKind.__members__)
    assert list(RULES) == list(Rule)


@pytest.mark.parametrize(("language", "begins"), [("en", "My room is quiet and bright"), ("ja", "部屋は静かで明るく")])
async def test_the_rules_of_an_exam_at_home_can_be_read_by_anybody_before_booking(
    client: Client, language: str, begins: str
) -> None:
    """H1, A12"""
    body = {"query": READ, "variables": {"code": EXAM}}
    answer = (await client.send(body, **{"Accept-Language": language})).json()["data"]["exam"]["rulesAtHome"]
    assert answer["version"] == RULES_VERSION
    assert [one["kind"] for one in answer["rules"]] == [rule.value for rule in Rule]
    assert answer["rules"][0]["text"].startswith(begins)
    assert (await client.ask(READ, code="C1_ADVANCED"))["exam"] == {"rulesAtHome": None}


async def steps(client: Client, home: Home) -> dict[str, Any]:
    """What was accepted with each step, as the candidate reads it."""
    own = client.as_(await home.world.token(home.candidate))
    found = (await own.ask(STEPS, id=global_id("Sitting", home.id)))["sitting"]["checkInSteps"]
    return {one["kind"]: one["accepted"] for one in found}


async def test_what_was_accepted_is_kept_word_for_word_when_the_rules_change(
    app: Starlette, client: Client, world: World, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H3: in the candidate's language, with the version and the moment."""
    home = await Home.booked(world, clock)
    await Candidate.filter(id=home.candidate.id).update(language="ja")
    await home.taken()
    await home.confirm(Step.DOCUMENT)
    assert not any((await steps(client, home)).values())
    clock.forward(minutes=1)
    await home.confirm(Step.RULES)
    accepted_at = clock()
    monkeypatch.setitem(RULES, Rule.ROOM, "Another room.")
    monkeypatch.setattr(rules, "RULES_VERSION", "2027")
    clock.forward(minutes=1)
    await home.confirm(Step.SCREEN)
    told = await steps(client, home)
    accepted = told.pop("RULES")
    assert not any(told.values())
    lines = accepted["text"].splitlines()
    assert (len(lines), lines[0]) == (len(Rule), "部屋は静かで明るく、ドアは閉まっています。")
    assert (accepted["version"], accepted["language"]) == (RULES_VERSION, "ja")
    assert datetime.fromisoformat(accepted["acceptedAt"]) == accepted_at


@pytest.mark.parametrize(
    ("timezone", "shown"),
    [
        ("Asia/Tokyo", "2026-11-25T10:00:00+09:00"),
        ("America/New_York", "2026-11-25T10:00:00-05:00"),
    ],
)
async def test_an_appointment_is_shown_as_the_clock_on_the_candidates_wall_shows_it(
    app: Starlette, client: Client, world: World, clock: ControlledClock, timezone: str, shown: str
) -> None:
    """H1"""
    home = await Home.booked(world, clock, replace(HERE, timezone=timezone))
    own = client.as_(await world.token(home.candidate))
    sitting = (await own.ask(WHEN, id=global_id("Sitting", home.id)))["sitting"]
    assert (sitting["appointmentLocal"], sitting["timezone"]) == (shown, timezone)
    assert datetime.fromisoformat(sitting["appointmentAt"]) == datetime.fromisoformat(shown)
