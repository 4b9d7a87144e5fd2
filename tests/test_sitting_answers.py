"""Chat of a sitting: unread messages are signalled, and waiting for an answer is measured, shown and put first (H4)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from models.sittings.answering import Wait, judged
from models.sittings.reasons import Reason
from resolvers.sittings import chat, check_ins, proctoring
from schema.ids import global_id
from schema.sittings.answer_times import AnswerWait
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.events import EventStream, events
from tests.sitting_world import HERE, IN_TOKYO, Home
from tests.world import World

SECOND, TICK = timedelta(seconds=1), timedelta(microseconds=1)
CHAT = "chat { unread waitingSince wait longestSeconds meanSeconds }"
PAGE = f"{{ sittings {{ id {CHAT} }} }}"
TIMES = "{ staff { answerTimes { asked answered soon inTime medianSeconds longestSeconds } } }"


@pytest.fixture
async def home(app: Starlette, world: World, clock: ControlledClock) -> Home:
    home = await Home.booked(world, clock)
    await home.taken()
    return home


async def chat_of(client: Client, home: Home) -> Any:
    """The chat of a sitting as this session sees it."""
    id = global_id("Sitting", home.id)
    return (await client.ask(f"query ($id: ID!) {{ sitting(id: $id) {{ {CHAT} }} }}", id=id))["sitting"]["chat"]


async def watched_too(home: Home, days: int) -> Home:
    """Another candidate, whom the same proctor watches; the appointment was so many days later."""
    other = await Home.booked(home.world, home.clock, replace(HERE, starts_at=IN_TOKYO + timedelta(days=days)))
    other.staff = home.staff
    await other.check_system()
    began = "UPDATE sitting SET appointment_at = :now WHERE id = :id"
    await database.rows(began, now=home.clock() + days * TICK, id=other.id)
    home.clock.forward(seconds=1)
    await check_ins.start(other.viewer, other.id)
    assert await proctoring.take_next(other.proctor) == other.id
    return other


async def told_until(stream: EventStream, kind: str) -> Any:
    """The next event of this kind in a stream."""
    while True:
        told = await stream.next()
        assert told is not None
        if told["data"]["sittingEvents"]["kind"] == kind:
            return told["data"]["sittingEvents"]


def test_thirty_seconds_are_short_and_sixty_are_not_overdue() -> None:
    """H4, H11: both sides of each edge."""
    edges = {30 * SECOND: Wait.SHORT, 30 * SECOND + TICK: Wait.LONG, 60 * SECOND: Wait.LONG}
    edges[60 * SECOND + TICK] = Wait.OVERDUE
    assert {duration: judged(duration) for duration in edges} == edges
    assert {one.value for one in Wait} == set(AnswerWait.__members__)


async def test_both_sides_see_who_waits_and_for_how_long_it_was(home: Home, client: Client) -> None:
    """H4"""
    own = client.as_(await home.world.token(home.candidate))
    proctor = client.as_(await home.world.token(home.staff))
    asked_at = home.clock()
    await chat.send(home.viewer, home.id, "May I drink water?")
    for after, wait in ((30 * SECOND, "SHORT"), (TICK, "LONG"), (30 * SECOND, "OVERDUE")):
        home.clock.now += after
        told = [await chat_of(one, home) for one in (own, proctor)]
        assert [(one["unread"], one["wait"]) for one in told] == [(0, wait), (1, wait)]
        assert {one["waitingSince"] for one in told} == {asked_at.isoformat()}
    await chat.send(home.proctor, home.id, "Yes.")
    told = [await chat_of(one, home) for one in (own, proctor)]
    assert [(one["unread"], one["wait"], one["waitingSince"]) for one in told] == [(1, None, None), (0, None, None)]
    assert {one["longestSeconds"] for one in told} == {60.000001}


async def test_nobody_waits_for_an_answer_once_the_sitting_is_over(home: Home, client: Client) -> None:
    own = client.as_(await home.world.token(home.candidate))
    await chat.send(home.viewer, home.id, "Is it over?")
    await proctoring.end(home.proctor, home.id, Reason.LEFT, "You left.")
    home.clock.forward(minutes=5)
    told = await chat_of(own, home)
    assert (told["wait"], told["waitingSince"]) == (None, None)


async def test_a_message_is_signalled_to_the_other_side_at_once(home: Home, app: Starlette) -> None:
    """H4, H10: by an event that says which, and holds no text."""
    token = await home.world.token(home.staff)
    query = 'subscription ($id: ID!) { sittingEvents(sittingId: $id, after: "0.0") { kind detail } }'
    async with events(app, query, {"id": global_id("Sitting", home.id)}, token) as stream:
        await told_until(stream, "TAKEN")
        message_id = await chat.send(home.viewer, home.id, "Hello?")
        told = await told_until(stream, "MESSAGE_SENT")
    assert told["detail"] == global_id("Message", message_id)


async def test_a_proctor_reads_first_who_has_waited_for_more_than_thirty_seconds(
    home: Home, client: Client, statements: Statements
) -> None:
    """H4: the longest first; the others by appointment. It takes no statement more."""
    second, third = await watched_too(home, 1), await watched_too(home, 2)
    proctor = client.as_(await home.world.token(home.staff))

    async def order() -> list[str]:
        with statements.counted():
            told = (await proctor.ask(PAGE))["sittings"]
        names = {
            str(global_id("Sitting", one.id)): name for one, name in zip((home, second, third), "abc", strict=True)
        }
        return [names[one["id"]] for one in told]

    def of_sittings() -> int:
        return sum("sitting" in one for one in statements.sent)

    assert await order() == ["a", "b", "c"]
    few = of_sittings()
    await chat.send(third.viewer, third.id, "Hello?")
    home.clock.forward(seconds=30)
    await chat.send(second.viewer, second.id, "Hello?")
    assert await order() == ["a", "b", "c"]
    home.clock.now += TICK
    assert await order() == ["c", "a", "b"]
    home.clock.forward(seconds=30)
    assert await order() == ["c", "b", "a"]
    assert of_sittings() == few == 2  # the sittings, and their chats
    await chat.send(third.proctor, third.id, "Yes?")
    assert await order() == ["b", "a", "c"]


async def test_the_board_reads_how_long_candidates_waited_in_the_last_week(home: Home, client: Client) -> None:
    """H4: nobody else does."""
    board = client.as_(await home.world.token(await home.world.staff()))
    for seconds in (10, 30, 60, 70):
        await chat.send(home.viewer, home.id, "Hello?")
        home.clock.forward(seconds=seconds)
        await chat.send(home.proctor, home.id, "Yes?")
    await chat.send(home.viewer, home.id, "Hello?")
    told = (await board.ask(TIMES))["staff"]["answerTimes"]
    assert told == {
        "asked": 5, "answered": 4, "soon": 2, "inTime": 3, "medianSeconds": 45.0, "longestSeconds": 70.0,
    }  # fmt: skip
    centre = await home.world.staff(centre=await home.world.centre())
    assert (await client.as_(await home.world.token(centre)).ask(TIMES))["staff"]["answerTimes"] is None
    assert (await client.as_(await home.world.token(home.staff)).ask(TIMES))["staff"] is None
    await database.rows("UPDATE sitting_message SET sent_at = sent_at - interval '7 days'")
    assert (await board.ask(TIMES))["staff"]["answerTimes"]["asked"] == 0
