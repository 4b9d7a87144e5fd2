"""Many people who order everything at once in a few sittings: whatever comes of it is what the table allows (H2-H9)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from engine import database
from errors import Refusal
from models.consent import CONSENT_VERSION
from models.sittings.check_in import STEPS
from models.sittings.proctoring import AppealOutcome, Part
from models.sittings.reasons import Reason
from models.sittings.sitting import facts_of
from models.sittings.states import Act, SittingState
from models.sittings.table import RULES, possible
from models.viewer import Kind, Viewer
from resolvers import closing, mergers
from resolvers.shares import Consent
from resolvers.sittings import (
    appeals,
    bookings,
    chat,
    check_ins,
    moves,
    official_scores,
    proctoring,
    recipients,
    running,
    scores,
)
from tests.conftest import ControlledClock
from tests.sitting_world import Home
from tests.world import PASSWORD, World

PEOPLE, ORDERS = 8, 120  # at once, and of each
SCORES = {"READING": 25, "LISTENING": 24, "SPEAKING": 23, "WRITING": 23}
YES = Consent(CONSENT_VERSION, "en")
ACTS_OF = {
    kind.value: [act for act in moves.HAPPENINGS if moves.HAPPENINGS[act] is kind] for kind in moves.HAPPENINGS.values()
}
ACTS_OF["CONNECTION_BACK"] = [Act.GIVE_SIGN]
Order = Callable[[Home], Awaitable[Any]]


class Crowd:
    """Who orders what of a few sittings, by chance."""

    def __init__(self, world: World, clock: ControlledClock, dice: random.Random) -> None:
        self.world, self.clock, self.dice = world, clock, dice
        self.homes: list[Home] = []
        self.institutions: list[Any] = []
        self.bugs: list[Exception] = []
        self.orders = self._orders()

    async def gathers(self) -> None:
        """Some sittings, the appointment of all of them now, and institutions that can be named."""
        self.homes = [await Home.booked(self.world, self.clock) for _ in range(4)]
        for home in self.homes:
            await self.world.entry(home.candidate)
            await home.check_system()
        self.institutions = [(await self.world.institution()).id for _ in range(3)]
        self.clock.now = (await self.homes[0].row())["appointment_at"]

    async def person(self) -> None:
        """One of many, who orders one thing after the other, and time goes on."""
        for _ in range(ORDERS):
            order = self._forward if self.dice.random() < 0.5 else self.dice.choice(self.orders)
            try:
                await order(self.dice.choice(self.homes))
            except Refusal:
                pass  # as it should be, most of the time
            except Exception as bug:
                self.bugs.append(bug)
            if self.dice.random() < 0.15:
                self.clock.forward(seconds=self.dice.choice([0.5, 1, 2, 5]))

    async def _forward(self, home: Home) -> None:
        """Something that leads on, so that sittings come far."""
        row = await database.row(f"{moves.HELD} WHERE sitting.id = :id", id=home.id)
        assert row is not None
        ways: dict[Act, Order] = {
            Act.START_CHECK_IN: lambda home: check_ins.start(home.viewer, home.id),
            Act.TAKE: lambda home: proctoring.take_next(self._proctor()),
            Act.CONFIRM_STEP: self._confirm,
            Act.ENTER_TEST: self._enter,
            Act.START_SECTION: lambda home: running.start_section(home.viewer, home.id),
            Act.FINISH_SECTION: lambda home: running.finish_section(home.viewer, home.id),
            Act.START_BREAK: lambda home: running.start_break(home.viewer, home.id),
            Act.END_BREAK: lambda home: running.end_break(home.viewer, home.id),
            Act.RESUME: self._resume,
            Act.FINISH: lambda home: running.finish(home.viewer, home.id),
            Act.REPORT: lambda home: scores.report(home.viewer, home.id),
            Act.UNDO: lambda home: scores.undo(home.viewer, home.id),
        }
        able = [act for act in possible(facts_of(row), self.clock()) if act in ways]
        if able:
            await ways[able[0] if row["proctor_id"] is None else able[-1]](home)

    def _orders(self) -> list[Order]:
        """What else can be ordered, each as often as the others; what ends a sitting is rare."""
        return [
            lambda home: running.report_connection(home.viewer, home.id),
            lambda home: running.report_connection(self._proctor(), home.id),
            lambda home: bookings.record_system_check(home.viewer, home.id, list(Part)),
            lambda home: recipients.change(home.viewer, home.id, self.dice.sample(self.institutions, 2), YES),
            lambda home: chat.send(home.viewer, home.id, "Hello"),
            lambda home: proctoring.hand_over(self._proctor(), home.id, self.dice.choice(self.homes).staff.id),
            lambda home: moves.settle(self.clock()),
            lambda home: official_scores.record(home.board, home.id, 95, SCORES),
            lambda home: appeals.make(home.viewer, home.id, "I was ill"),
            lambda home: appeals.answer(home.board, home.id, AppealOutcome.STANDS, "No"),
            self._cancel,
            self._rare(lambda home: proctoring.end(self._proctor(), home.id, Reason.LEFT, "Gone")),
            self._rare(lambda home: proctoring.invalidate(home.board, home.id, Reason.HELP_BY_OTHERS, "Heard")),
            self._rare(lambda home: closing.close(home.viewer, PASSWORD, is_confirmed=True)),
            self._rare(self._merge),
        ]

    def _rare(self, order: Order) -> Order:
        async def once_in_a_while(home: Home) -> None:
            if self.dice.random() < 0.05:
                await order(home)

        return once_in_a_while

    def _proctor(self) -> Viewer:
        return self.world.viewer(Kind.PROCTOR, self.dice.choice(self.homes[:2]).staff.id)

    async def _watching(self, home: Home) -> Viewer:
        return self.world.viewer(Kind.PROCTOR, (await home.row())["proctor_id"])

    async def _confirm(self, home: Home) -> None:
        step = STEPS[min((await home.row())["steps"], len(STEPS) - 1)]
        name = f"{home.candidate.given_name} {home.candidate.family_name}"
        done = await check_ins.confirm_step(await self._watching(home), home.id, step, name)
        home.released = done.released or check_ins.Released("", "")

    async def _enter(self, home: Home) -> None:
        await check_ins.enter_test(home.viewer, home.id, home.released.test_id, home.released.password)

    async def _resume(self, home: Home) -> None:
        await running.report_connection(home.viewer, home.id)
        await running.resume(await self._watching(home), home.id)

    async def _merge(self, home: Home) -> None:
        one, other = self.dice.sample(self.institutions, 2)
        await mergers.merge(home.board, one, other, "The same")

    async def _cancel(self, home: Home) -> None:
        asked = await scores.cancel(home.viewer, home.id)
        if asked and self.dice.random() < 0.5:
            await scores.cancel(home.viewer, home.id, asked.confirmation)


async def test_whatever_many_order_at_once_every_sitting_goes_the_ways_of_the_table(
    open_database: None, world: World, clock: ControlledClock
) -> None:
    """H9, H11: no deadlock, no error, no step that no rule names, and no state before the one it came of."""
    crowd = Crowd(world, clock, random.Random(1))
    await crowd.gathers()
    await asyncio.gather(*(crowd.person() for _ in range(PEOPLE)))
    assert crowd.bugs == []
    for home in crowd.homes:
        await goes_by_the_table(home)
    assert await database.value("SELECT count(*) FROM sitting_event") > 40
    reported = "SELECT count(*) FROM sitting JOIN result USING (entry_id) WHERE state = 'REPORTED'"
    assert await database.value(reported) == await database.value("SELECT count(*) FROM result")


async def goes_by_the_table(home: Home) -> None:
    """Each event of a change follows from a rule and the state before, up to the state that is written."""
    events = await database.rows("SELECT * FROM sitting_event WHERE sitting_id = :id ORDER BY id", id=home.id)
    changes = [event for event in events if event["kind"] in ACTS_OF]
    state = SittingState.BOOKED
    since = home.clock.now - timedelta(days=9)
    for event in changes:
        ways = {RULES[state, act].next for act in ACTS_OF[event["kind"]] if (state, act) in RULES}
        assert SittingState(event["state"]) in ways, (state, dict(event))
        if event["state"] != state.value:
            assert event["happened_at"] >= since, (state, dict(event))
            state, since = SittingState(event["state"]), event["happened_at"]
    assert await database.value("SELECT state FROM sitting WHERE id = :id", id=home.id) == state.value
