"""Orders about a sitting that are given again because no answer came, and how many are taken of one kind (H1-H9)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette

from errors import InvalidInput, SittingStateForbids, TooManyTries
from models.sittings.check_in import STEPS
from models.sittings.reasons import Reason
from models.sittings.states import BY_CLOCK, Act
from models.sittings.table import LED_TO, RULES, Facts, is_done
from models.viewer import Viewer
from resolvers.sittings import bookings, chat, check_ins, proctoring, running, scores
from tests.client import Client
from tests.conftest import ControlledClock
from tests.sitting_world import Home
from tests.world import World

SAY = """mutation ($input: SittingNoteInput!) { sendMessage(input: $input) {
    ... on SittingChanged { sitting { messages { text } } } } }"""
Order = Callable[[Viewer, Any], Awaitable[Any]]


@pytest.fixture
async def home(open_database: None, world: World, clock: ControlledClock) -> Home:
    return await Home.booked(world, clock)


async def twice(home: Home, *orders: Order) -> None:
    """Give each order, and a second later, as no answer came, give it again."""
    for order in orders:
        first = await order(home.viewer, home.id)
        home.clock.forward(seconds=1)
        again = await order(home.viewer, home.id)
        if isinstance(first, Facts):
            assert (again.state, again.since, again.sections_done) == (first.state, first.since, first.sections_done)
        else:
            assert again == first


async def test_an_order_whose_answer_was_lost_is_answered_again_and_happens_once(home: Home) -> None:
    """S4's promise for sittings: nothing happens twice, and nobody is refused what they have done."""
    await home.check_system()
    home.clock.now = (await home.row())["appointment_at"]
    await twice(home, check_ins.start)
    await proctoring.take_next(home.proctor)
    await home.confirm(*STEPS)
    await check_ins.enter_test(home.viewer, home.id, home.released.test_id, home.released.password)
    section = (running.start_section, running.finish_section)
    await twice(home, *section, *section, running.start_break, running.end_break, *section, *section, running.finish)
    asked = await scores.cancel(home.viewer, home.id)
    assert asked is not None
    for _ in range(2):
        assert await scores.cancel(home.viewer, home.id, asked.confirmation) is None
    await twice(home, scores.undo, scores.report)
    happened = Counter(await home.told())
    once = {"CHECK_IN_STARTED", "BREAK_STARTED", "BREAK_ENDED", "FINISHED", "CANCELLED", "CANCEL_UNDONE", "REPORTED"}
    assert {happened[one] for one in once} == {1}
    assert (happened["SECTION_STARTED"], happened["SECTION_FINISHED"]) == (4, 4)


async def test_a_check_in_that_was_started_in_time_is_answered_again_after_it(home: Home) -> None:
    """H2"""
    await home.come(late=timedelta(minutes=15))
    home.clock.forward(minutes=1)
    await home.start()
    assert await home.stands() == "CHECKING_IN"


async def test_a_break_that_was_ended_in_time_is_answered_again_after_it_and_a_late_one_is_not(home: Home) -> None:
    """H6"""
    await home.begun()
    await home.sections(2)
    await running.start_break(home.viewer, home.id)
    home.clock.forward(minutes=10)
    await running.end_break(home.viewer, home.id)
    home.clock.forward(seconds=1)
    assert (await running.end_break(home.viewer, home.id)).state.value == "IN_PROGRESS"
    home.clock.forward(seconds=15)
    with pytest.raises(SittingStateForbids):  # the connection was lost meanwhile: that is news to the candidate
        await running.end_break(home.viewer, home.id)


async def test_the_test_password_works_once_and_the_refusal_tells_that_the_test_has_begun(home: Home) -> None:
    """H3"""
    await home.begun()
    with pytest.raises(SittingStateForbids) as refusal:
        await check_ins.enter_test(home.viewer, home.id, home.released.test_id, home.released.password)
    assert refusal.value.state == "IN_PROGRESS"


async def test_a_message_that_is_sent_again_under_its_key_stands_once_and_is_answered_as_at_first(home: Home) -> None:
    """Also by both tries at once, beyond the limit of a minute, and when the sitting is over."""
    await home.taken()
    key = uuid4()
    sent = await asyncio.gather(*[chat.send(home.viewer, home.id, "Hello?", key) for _ in range(3)])
    for _ in range(19):
        await chat.send(home.viewer, home.id, "Hello?")
    await proctoring.end(home.proctor, home.id, Reason.LEFT, "Gone.")
    assert {*sent, await chat.send(home.viewer, home.id, " Hello? ", key)} == {sent[0]}
    assert len(await chat.of_sitting(home.viewer, home.id)) == 20
    assert Counter(await home.told())["MESSAGE_SENT"] == 20


async def test_a_key_stands_for_one_text_of_one_side_of_one_sitting(home: Home) -> None:
    """Another text under it is refused rather than left out; others may come upon the same key."""
    other = await Home.booked(home.world, home.clock)
    await home.taken()
    await other.check_system()
    await other.start()
    await proctoring.take_next(other.proctor)
    key = uuid4()
    first = await chat.send(home.viewer, home.id, "Hello?", key)
    with pytest.raises(InvalidInput) as refusal:
        await chat.send(home.viewer, home.id, "Are you there?", key)
    assert [problem.path for problem in refusal.value.problems] == ["key"]
    assert await chat.send(home.proctor, home.id, "Hello?", key) != first
    assert await chat.send(other.viewer, other.id, "Hello?", key) != first
    assert [len(await chat.of_sitting(one.viewer, one.id)) for one in (home, other)] == [2, 1]


async def test_an_incident_that_is_noted_again_under_its_key_stands_once(home: Home) -> None:
    """H7: also when what was noted has ended the sitting; one without a key is another one."""
    await home.taken()
    key = uuid4()
    for _ in range(2):
        await proctoring.note_incident(home.proctor, home.id, "A noise.", key)
    await proctoring.note_incident(home.proctor, home.id, "A noise.")
    with pytest.raises(InvalidInput):
        await proctoring.note_incident(home.proctor, home.id, "A voice.", key)
    await proctoring.end(home.proctor, home.id, Reason.LEFT, "Gone.")
    await proctoring.note_incident(home.proctor, home.id, "A noise.", key)
    assert [one["text"] for one in await proctoring.incidents(home.board, [home.id])] == ["A noise."] * 2
    assert Counter(await home.told(home.board))["INCIDENT_NOTED"] == 2


async def test_a_key_that_is_none_is_refused_at_the_door(app: Starlette, client: Client, home: Home) -> None:
    """And one that is works there."""
    await home.taken()
    own = client.as_(await home.world.token(home.candidate))
    for key, expected in (("first", "BAD_USER_INPUT"), (str(uuid4()), None), (None, None)):
        errors = await own.errors(SAY, input={"sittingId": home.gid, "text": "Hello?", "key": key})
        assert [error["extensions"]["code"] for error in errors] == [expected] * bool(expected)
    assert len(await chat.of_sitting(home.viewer, home.id)) == 2


@pytest.mark.parametrize(("act", "state"), LED_TO, ids=lambda one: one.value)
def test_what_counts_as_done_is_where_the_act_leads_and_nowhere_that_it_can_be_done(act: Act, state: Any) -> None:
    assert act not in BY_CLOCK
    assert {rule.next for rule in RULES.values() if rule.act is act} == {state}


def test_nothing_is_done_and_possible_at_once(clock: ControlledClock) -> None:
    """Over all facts that decide about it: else the second order of two would be lost."""
    now, sections = clock(), ("READING", "LISTENING", "SPEAKING", "WRITING")
    for (act, state), done, is_in, broken in product(LED_TO, range(5), (True, False), (None, now)):
        facts = Facts(state, now, now, sections, 7, done, is_in, now, None, True, now, broken)
        rule = RULES.get((state, act))
        if rule is not None and rule.guard(facts, now):
            assert not is_done(facts, act), (act, facts)


# ---- how many


async def test_a_side_writes_twenty_messages_a_minute_and_the_other_still_answers(home: Home) -> None:
    """H4"""
    await home.taken()
    for _ in range(20):
        await chat.send(home.viewer, home.id, "Hello?")
    with pytest.raises(TooManyTries) as refusal:
        await chat.send(home.viewer, home.id, "Hello?")
    await chat.send(home.proctor, home.id, "One moment.")
    home.clock.now = refusal.value.retry_after
    await chat.send(home.viewer, home.id, "Thank you.")
    assert len(await chat.of_sitting(home.viewer, home.id)) == 22


async def test_a_sitting_holds_so_many_messages_of_each_side(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "MOST_MESSAGES", 2)
    await home.taken()
    for _ in range(2):
        await chat.send(home.viewer, home.id, "Hello?")
    with pytest.raises(InvalidInput):
        await chat.send(home.viewer, home.id, "Hello?")
    await chat.send(home.proctor, home.id, "Yes?")
    assert len(await chat.of_sitting(home.viewer, home.id)) == 3


async def test_however_often_the_system_was_checked_the_check_that_passes_opens_the_check_in(home: Home) -> None:
    """H1, H2"""
    for _ in range(20):
        await bookings.record_system_check(home.viewer, home.id, [])
    with pytest.raises(TooManyTries):
        await bookings.record_system_check(home.viewer, home.id, [])
    await home.check_system()
    assert await home.stands() == "SYSTEM_CHECKED"
    with pytest.raises(TooManyTries):
        await home.check_system()


async def test_twenty_system_checks_an_hour_are_noted(home: Home) -> None:
    """H1"""
    for _ in range(20):
        await home.check_system()
    with pytest.raises(TooManyTries) as refusal:
        await bookings.record_system_check(home.viewer, home.id, [])
    assert await home.stands() == "SYSTEM_CHECKED"
    home.clock.now = refusal.value.retry_after
    await bookings.record_system_check(home.viewer, home.id, [])
    assert await home.stands() == "BOOKED"
