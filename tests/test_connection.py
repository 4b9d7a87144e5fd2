"""Who follows a sitting counts as connected as long as they are heard; who is not is lost after 15 seconds (H5)."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from engine import database
from errors import SittingStateForbids, Unavailable
from models.candidate import Candidate
from models.sittings.proctoring import AppealOutcome
from models.sittings.reasons import WORDS, Reason
from models.verifier import StaffUser
from models.viewer import Kind, Viewer
from resolvers import sessions
from resolvers.sittings import appeals, moves, proctoring, proctors, running, views
from resolvers.sittings.presence import Presence
from tests.conftest import ControlledClock, Statements
from tests.served import until
from tests.sitting_world import HERE, Home, proctor_of
from tests.world import World

LOST_AFTER = timedelta(seconds=15)
INSTANT = timedelta(microseconds=1)


class Client:
    """The other end of a stream, which is heard until it falls silent."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.silent_since: datetime | None = None

    def __call__(self) -> datetime | None:
        return self.silent_since or self.clock()

    def falls_silent(self) -> None:
        self.silent_since = self.clock()


@pytest.fixture
async def home(open_database: None, world: World, clock: ControlledClock) -> Home:
    """A candidate in the middle of the test."""
    return (await in_the_test(1, world, clock))[0]


async def in_the_test(count: int, world: World, clock: ControlledClock) -> list[Home]:
    """Candidates who have begun at the same moment, each with a proctor of their own."""
    homes = [await Home.booked(world, clock) for _ in range(count)]
    for home in homes:
        await home.begun()
    return homes


@pytest.fixture
def presence(clock: ControlledClock) -> Presence:
    """That of one process."""
    return Presence(clock)


async def seen_at(home: Home) -> datetime:
    seen: datetime = (await home.row())["seen_at"]
    return seen


async def passed(home: Home, presence: Presence, seconds: int) -> None:
    """Let so much time go by, in which signs of life are written as often as they come."""
    for _ in range(seconds // 5):
        home.clock.forward(seconds=5)
        await presence.note()


async def test_who_is_heard_over_a_stream_is_connected_and_lost_fifteen_seconds_after_the_last_sign(
    home: Home, presence: Presence
) -> None:
    """H5, H11: both sides of the edge."""
    client = Client(home.clock)
    with presence.connected(home.viewer, home.id, client):
        await passed(home, presence, 60)
        assert await home.stands() == "IN_PROGRESS"
        client.falls_silent()  # and nothing tells that the stream is dead
        await passed(home, presence, 15)
        assert await home.stands() == "IN_PROGRESS"
        home.clock.now += INSTANT
        assert await home.stands() == "INTERRUPTED"
        await presence.note()
    assert await seen_at(home) == client.silent_since
    home.clock.forward(seconds=5)
    assert await moves.settle(home.clock()) == 1
    assert (await home.told())[-1] == "CONNECTION_LOST"


@pytest.mark.parametrize("state", ["CHECKING_IN", "INTERRUPTED", "ON_BREAK"])
async def test_both_sides_are_told_once_of_who_is_silent_in_check_in_interruption_and_break_and_that_they_are_back(
    open_database: None, presence: Presence, world: World, clock: ControlledClock, state: str
) -> None:
    """H10: by the clock, though it changes no state; and anew after the next silence."""
    home = await Home.booked(world, clock)
    await in_state(home, state)
    client, before = Client(clock), (await home.row())["since"]
    with presence.connected(home.viewer, home.id, client):
        await passed(home, presence, 20)
        for _ in range(2):
            known = len(await home.told())
            client.falls_silent()
            clock.now += LOST_AFTER + moves.GRACE
            assert await moves.settle(clock()) == 0
            clock.now += INSTANT
            assert [await moves.settle(clock()) for _ in range(3)] == [1, 0, 0]
            client.silent_since = None
            await passed(home, presence, 30)
            for viewer in (home.viewer, home.proctor):
                assert (await home.told(viewer))[known:] == ["CONNECTION_LOST", "CONNECTION_BACK"]
    row = await home.row()
    assert (row["state"], row["since"], row["lost_at"]) == (state, before, None)
    lost = [one for one in await views.timeline(home.viewer, home.id) if one["kind"] == "CONNECTION_LOST"][-1]
    assert (lost["state"], lost["actor"]) == (state, "CLOCK")


async def in_state(home: Home, state: str) -> None:
    """Where a candidate may be silent without harm."""
    if state == "CHECKING_IN":
        await home.taken()
        return
    await home.begun()
    if state == "ON_BREAK":
        await home.sections(2)
        await running.start_break(home.viewer, home.id)
        return
    home.clock.forward(seconds=16)
    await running.report_connection(home.viewer, home.id)


async def test_who_comes_back_from_a_break_in_silence_is_told_to_be_back_before_it_ends(home: Home) -> None:
    """H6, H10: as an app does that was closed meanwhile; and a silence hastens no end."""
    await home.sections(2)
    await running.start_break(home.viewer, home.id)
    home.clock.forward(minutes=10)
    assert await moves.settle(home.clock()) == 1
    await running.end_break(home.viewer, home.id)
    assert (await home.told())[-3:] == ["CONNECTION_LOST", "CONNECTION_BACK", "BREAK_ENDED"]


async def test_a_sign_that_was_written_late_tells_that_they_are_back(home: Home, presence: Presence) -> None:
    """H10: a process that could not write for some seconds takes back what the job has told meanwhile."""
    with presence.connected(home.viewer, home.id, home.clock):
        home.clock.forward(seconds=5)
        await presence.note()
        home.clock.forward(seconds=10)
        presence._candidates[home.id, home.candidate.id].listen()
        home.clock.forward(seconds=8)
        assert await moves.settle(home.clock()) == 1
        await presence.note()
    assert (await home.told())[-2:] == ["CONNECTION_LOST", "CONNECTION_BACK"]
    assert (await home.row())["lost_at"] is None


async def test_a_stream_that_cannot_tell_whether_its_client_lives_connects_nobody_for_longer_than_its_opening(
    home: Home, presence: Presence
) -> None:
    home.clock.forward(seconds=5)
    with presence.connected(home.viewer, home.id, lambda: None):
        opened_at = home.clock()
        await passed(home, presence, 15)
        assert await seen_at(home) == opened_at


async def test_who_comes_back_is_told_of_and_goes_on_once_the_proctor_says_so(home: Home, presence: Presence) -> None:
    """H5: by the same proctor, who follows it too, though nobody has written down meanwhile that they were lost."""
    lost_at = home.clock() + LOST_AFTER
    home.clock.forward(seconds=40)
    with ExitStack() as streams:
        streams.enter_context(presence.connected(home.proctor, home.id, home.clock))
        streams.enter_context(presence.connected(home.viewer, home.id, home.clock))
        await presence.note()
        assert (await home.told())[-2:] == ["CONNECTION_LOST", "CONNECTION_BACK"]
        assert (await home.row())["since"] == lost_at
        await passed(home, presence, 30)
        assert await proctoring.queue(home.proctor) == []
        await running.resume(home.proctor, home.id)
        await passed(home, presence, 30)
    assert (await home.told())[-1] == "RESUMED"
    assert await home.stands() == "IN_PROGRESS"


async def test_a_stream_of_a_proctor_keeps_all_their_sittings_and_the_next_one_takes_over_when_it_is_silent(
    home: Home, presence: Presence, world: World
) -> None:
    """H5"""
    other = await Home.booked(world, home.clock, replace(HERE, starts_at=HERE.starts_at + timedelta(hours=5)))
    other.staff = home.staff
    await other.taken()
    third = (await proctor_of(world)).id
    client = Client(home.clock)
    with presence.connected(home.proctor, home.id, client):
        await passed(home, presence, 60)
        assert await proctoring.take_next(world.viewer(Kind.PROCTOR, third)) is None
        client.falls_silent()
        await passed(home, presence, 20)
    taken = [await proctoring.take_next(world.viewer(Kind.PROCTOR, third)) for _ in range(3)]
    assert taken == [home.id, other.id, None]


async def test_signs_of_all_streams_of_a_process_are_written_by_one_statement_a_kind(
    open_database: None, presence: Presence, world: World, clock: ControlledClock, statements: Statements
) -> None:
    """H5: 200 sittings give one each, every five seconds."""
    homes = await in_the_test(4, world, clock)
    with ExitStack() as streams:
        for home in homes:
            streams.enter_context(presence.connected(home.viewer, home.id, clock))
            streams.enter_context(presence.connected(home.proctor, home.id, clock))
        await presence.note()
        clock.forward(seconds=5)
        with statements.counted():
            await presence.note()
            await presence.note()  # as nothing is new
    assert len(statements) == 2
    assert {await seen_at(home) for home in homes} == {clock()}


async def test_nobody_is_lost_because_the_database_was_away_while_they_were_heard(
    home: Home, presence: Presence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H5: a sign counts from when it came; what is read before it is written is put right by it."""

    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable

    with presence.connected(home.viewer, home.id, home.clock):
        with monkeypatch.context() as broken:
            broken.setattr(database, "rows", away)
            for _ in range(20):
                home.clock.forward(seconds=5)
                with pytest.raises(Unavailable):
                    await presence.note()
        assert await home.stands() == "INTERRUPTED"
        await presence.note()
    assert await home.stands() == "IN_PROGRESS"
    assert "CONNECTION_LOST" not in await home.told()


async def test_who_was_silent_while_the_database_was_away_is_interrupted_and_no_more_than_that(
    home: Home, presence: Presence
) -> None:
    """As after a restart of the service: everybody comes back interrupted, and is resumed."""
    client = Client(home.clock)
    with presence.connected(home.viewer, home.id, client):
        home.clock.forward(seconds=5)
        presence._candidates[home.id, home.candidate.id].listen()
        client.falls_silent()
        home.clock.forward(seconds=16)
        client.silent_since = None
        await presence.note()
    assert await home.stands() == "INTERRUPTED"
    assert (await home.told())[-2:] == ["CONNECTION_LOST", "CONNECTION_BACK"]


async def test_what_one_process_does_not_hear_another_one_may(home: Home, clock: ControlledClock) -> None:
    """H5: a process that is killed writes nothing more, and what it wrote last keeps nobody connected."""
    first, second = Presence(clock), Presence(clock)
    with first.connected(home.viewer, home.id, clock):
        with second.connected(home.viewer, home.id, clock):
            await passed(home, second, 30)
            assert await home.stands() == "IN_PROGRESS"
            await passed(home, first, 10)  # the second is killed
            assert await home.stands() == "IN_PROGRESS"
        clock.forward(seconds=16)  # and so is the first
        assert await home.stands() == "INTERRUPTED"


async def test_of_two_streams_of_one_person_one_is_enough(home: Home, presence: Presence) -> None:
    silent, heard = Client(home.clock), Client(home.clock)
    silent.falls_silent()
    with presence.connected(home.viewer, home.id, silent):
        with presence.connected(home.viewer, home.id, heard):
            await passed(home, presence, 30)
        assert await home.stands() == "IN_PROGRESS"
        await passed(home, presence, 20)
    assert await home.stands() == "INTERRUPTED"


async def test_the_last_sign_of_a_stream_that_was_closed_is_written(home: Home, presence: Presence) -> None:
    async with presence.written():
        with presence.connected(home.viewer, home.id, home.clock):
            home.clock.forward(seconds=5)
        home.clock.forward(seconds=5)
    assert await seen_at(home) == home.clock() - timedelta(seconds=5)
    assert presence._candidates[home.id, home.candidate.id].unwritten is None
    await presence.note()
    assert presence._candidates == {}  # nothing is kept of who is gone


async def test_a_row_that_somebody_holds_keeps_no_others_from_being_written(
    open_database: None, presence: Presence, world: World, clock: ControlledClock, database_url: str
) -> None:
    home, other = await in_the_test(2, world, clock)
    clock.forward(seconds=5)
    holder = await asyncpg.connect(database_url)
    try:
        with ExitStack() as streams:
            for one in (home, other):
                streams.enter_context(presence.connected(one.viewer, one.id, clock))
            async with holder.transaction():
                await holder.execute("SELECT 1 FROM sitting WHERE id = $1 FOR UPDATE", home.id)
                noting = asyncio.create_task(presence.note())

                async def is_written() -> bool:
                    return await seen_at(other) == clock()

                await until(is_written)
                assert not noting.done()
            await noting
    finally:
        await holder.close()
    assert await seen_at(home) == clock()


async def test_who_comes_back_after_an_outage_waits_for_no_row_that_somebody_holds_of_another(
    open_database: None, presence: Presence, world: World, clock: ControlledClock, database_url: str
) -> None:
    """H5: nor do proctors, whose sittings would be another's else."""
    home, other = await in_the_test(2, world, clock)
    clock.forward(seconds=40)
    holder = await asyncpg.connect(database_url)
    try:
        with ExitStack() as streams:
            streams.enter_context(presence.connected(home.viewer, home.id, clock))
            streams.enter_context(presence.connected(other.viewer, other.id, clock))
            streams.enter_context(presence.connected(home.proctor, home.id, clock))
            async with holder.transaction():
                await holder.execute("SELECT 1 FROM sitting WHERE id = $1 FOR UPDATE", home.id)
                noting = asyncio.create_task(presence.note())

                async def is_back() -> bool:
                    return (await other.told())[-1] == "CONNECTION_BACK"

                await until(is_back)
                assert [one["id"] for one in await proctoring.queue(home.proctor)] == [other.id]
                assert not noting.done()
            await noting
    finally:
        await holder.close()
    assert "CONNECTION_BACK" in await home.told()


async def test_a_process_that_is_to_end_waits_for_no_row_that_somebody_holds(
    home: Home, presence: Presence, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.sittings.presence.LAST_SECONDS", 0.1)
    home.clock.forward(seconds=40)
    holder = await asyncpg.connect(database_url)
    try:
        async with holder.transaction(), asyncio.timeout(20):  # a statement is given up after 30
            await holder.execute("SELECT 1 FROM sitting WHERE id = $1 FOR UPDATE", home.id)
            async with presence.written():
                with presence.connected(home.viewer, home.id, home.clock):
                    pass
        assert (await home.told())[-1] == "TEST_ENTERED"
    finally:
        await holder.close()


async def test_no_stream_prolongs_a_break_or_a_sitting_that_is_over(home: Home, presence: Presence) -> None:
    """H6"""
    await home.sections(2)
    await running.start_break(home.viewer, home.id)
    with presence.connected(home.viewer, home.id, home.clock):
        await passed(home, presence, 600)
        assert await home.stands() == "ON_BREAK"
        in_time = await seen_at(home)
        await passed(home, presence, 5)
        assert await home.stands() == "BREAK_OVERRUN"
        assert await moves.settle(home.clock() + moves.GRACE_OF_ENDS) == 1
        await passed(home, presence, 10)
    assert await seen_at(home) == in_time
    assert (await home.told())[-1] == "BREAK_OVERRUN"


@pytest.mark.parametrize("kind", [Kind.CANDIDATE, Kind.STAFF, Kind.PROCTOR])
async def test_nobody_else_is_a_sign_of_life_of_the_candidate(home: Home, presence: Presence, kind: Kind) -> None:
    stranger: Viewer = home.world.viewer(kind, home.staff.id)
    before = await seen_at(home)
    with presence.connected(stranger, home.id, home.clock):
        await passed(home, presence, 10)
    assert await seen_at(home) == before


async def test_a_proctor_who_is_lost_and_one_who_is_back_is_told_to_their_sittings_once(
    open_database: None, presence: Presence, world: World, clock: ControlledClock
) -> None:
    """H10: as of the moment at which it was so; not to the sittings of others, or those that are over."""
    home, over, others = await in_the_test(3, world, clock)
    await proctoring.end(over.proctor, over.id, Reason.LEFT, "You left.")
    over_told = await over.told()
    client, lost_at = Client(clock), clock() + LOST_AFTER
    client.falls_silent()
    with presence.connected(home.proctor, home.id, client), presence.connected(others.proctor, others.id, clock):
        clock.now = lost_at + moves.GRACE
        await presence.note()
        await proctors.tell_of_lost(clock())
        assert (await home.told())[-1] == "TEST_ENTERED"  # in time, to the moment
        clock.now += INSTANT
        for _ in range(2):
            await proctors.tell_of_lost(clock())
        client.silent_since = None
        for _ in range(2):
            clock.forward(seconds=5)
            await presence.note()
    told = [event for event in await views.timeline(home.viewer, home.id) if event["kind"].startswith("PROCTOR")]
    assert [(one["kind"], one["actor"], one["happened_at"]) for one in told] == [
        ("PROCTOR_LOST", "CLOCK", lost_at),
        ("PROCTOR_BACK", "PROCTOR", clock() - timedelta(seconds=5)),
    ]
    assert not [kind for kind in await others.told() if kind.startswith("PROCTOR")]
    assert await over.told() == over_told


async def test_a_proctor_is_there_whatever_is_the_matter_with_the_sitting_they_report_for(home: Home) -> None:
    await proctoring.end(home.proctor, home.id, Reason.LEFT, "You left.")
    home.clock.forward(minutes=1)
    with pytest.raises(SittingStateForbids):
        await running.report_connection(home.proctor, home.id)
    colleague = home.world.viewer(Kind.PROCTOR, (await proctor_of(home.world)).id)
    assert [one["id"] for one in await proctoring.others(colleague)] == [home.staff.id]


async def test_who_could_not_be_back_from_the_break_because_the_service_was_away_is_told_to_appeal(home: Home) -> None:
    """H6, H9: the clock decides, and people about what it could not know."""
    await home.sections(2)
    await running.start_break(home.viewer, home.id)
    home.clock.forward(minutes=11)  # and no process ran
    assert await moves.settle(home.clock()) == 1
    reason = Reason((await home.row())["reason"])
    assert "appeal here" in WORDS[reason].remedy
    await appeals.make(home.viewer, home.id, "Your service did not answer.")
    await appeals.answer(home.board, home.id, AppealOutcome.NEW_SITTING, "We are sorry: book another one.")
    assert (await home.told())[-1] == "APPEAL_ANSWERED"


# ---- sessions


@pytest.fixture(params=["candidate", "proctor"])
async def viewer(request: pytest.FixtureRequest, home: Home) -> Viewer:
    """The candidate, or the proctor, with a session."""
    return await with_session(home, home.candidate if request.param == "candidate" else home.staff)


async def with_session(home: Home, owner: Candidate | StaffUser) -> Viewer:
    return await sessions.viewer_of(await home.world.token(owner), home.clock(), "192.0.2.1")


async def is_logged_in(viewer: Viewer, home: Home) -> bool:
    assert viewer.session_id is not None
    return viewer.session_id in await sessions.still_valid([viewer.session_id], home.clock())


async def test_whoever_is_heard_in_a_test_is_not_logged_out_though_they_ask_for_nothing(
    home: Home, presence: Presence, viewer: Viewer
) -> None:
    """H4, A10: a section may last longer than sessions that nobody uses."""
    with presence.connected(viewer, home.id, home.clock):
        await passed(home, presence, 45 * 60)
        assert await is_logged_in(viewer, home)
    home.clock.forward(minutes=29, seconds=59)
    assert await is_logged_in(viewer, home)
    home.clock.forward(seconds=11)
    assert not await is_logged_in(viewer, home)


async def test_a_session_ends_after_twelve_hours_in_a_test_as_well(
    home: Home, presence: Presence, viewer: Viewer
) -> None:
    """A10"""
    with presence.connected(viewer, home.id, home.clock):
        for _ in range(12 * 3 - 1):
            home.clock.forward(minutes=20)
            await presence.note()
        assert await is_logged_in(viewer, home)
        home.clock.forward(minutes=20)
        await presence.note()
        assert not await is_logged_in(viewer, home)


async def test_a_stream_keeps_no_session_once_the_sitting_is_over(
    home: Home, presence: Presence, viewer: Viewer
) -> None:
    """A10"""
    with presence.connected(viewer, home.id, home.clock):
        await presence.note()
        await proctoring.end(home.proctor, home.id, Reason.LEFT, "You left.")
        await passed(home, presence, 30 * 60 + 10)
        assert not await is_logged_in(viewer, home)


async def test_a_client_that_is_silent_or_cannot_be_asked_keeps_no_session(
    home: Home, presence: Presence, viewer: Viewer
) -> None:
    """A10"""
    client = Client(home.clock)
    with presence.connected(viewer, home.id, client), presence.connected(viewer, home.id, lambda: None):
        await presence.note()
        client.falls_silent()
        await passed(home, presence, 30 * 60 + 10)
        assert not await is_logged_in(viewer, home)


async def test_who_takes_no_part_in_the_sitting_keeps_no_session_by_following_it(
    home: Home, presence: Presence, world: World
) -> None:
    """A10"""
    others = [await with_session(home, owner) for owner in (await world.candidate(), await proctor_of(world))]
    with ExitStack() as streams:
        for other in others:
            streams.enter_context(presence.connected(other, home.id, home.clock))
        await passed(home, presence, 30 * 60 + 10)
        assert [await is_logged_in(other, home) for other in others] == [False, False]


async def test_a_session_that_has_ended_is_not_taken_up_again_by_its_stream(
    home: Home, presence: Presence, viewer: Viewer
) -> None:
    """A10: by logging out, or because it was idle."""
    second = await with_session(home, home.candidate if viewer.kind is Kind.CANDIDATE else home.staff)
    await sessions.log_out(second, everywhere=False)
    home.clock.forward(minutes=31)
    with presence.connected(viewer, home.id, home.clock), presence.connected(second, home.id, home.clock):
        await passed(home, presence, 30)
        assert [await is_logged_in(one, home) for one in (viewer, second)] == [False, False]


async def test_uses_of_all_sessions_of_a_process_are_noted_by_one_statement_every_ten_seconds(
    open_database: None, presence: Presence, world: World, clock: ControlledClock, statements: Statements
) -> None:
    homes = await in_the_test(3, world, clock)
    with ExitStack() as streams:
        for home in homes:
            for owner in (home.candidate, home.staff):
                streams.enter_context(presence.connected(await with_session(home, owner), home.id, clock))
        await presence.note()
        with statements.counted():
            await passed(home, presence, 30)
    assert len([one for one in statements.sent if "UPDATE session" in one]) == 3
