"""`cli.py simulate sittings`: it plays them through the real door, and notices what is lost and what comes twice."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from commands.simulate import accounts, report
from commands.simulate.accounts import Login, NotPossible
from commands.simulate.door import Door as Way
from commands.simulate.play import Play
from commands.simulate.service import Service
from commands.simulate.simulation import Found, Outcome, People, Simulation
from commands.simulate.stories import DECK, PLAIN, dealt
from engine.clock import system_clock
from models.verifier import StaffRole
from settings import Settings
from tests.conftest import empty, settings_for
from tests.door import Door, standing
from tests.served import Served
from tests.world import PASSWORD, World

COMMAND_SECONDS = 500


# ---- the command


async def test_five_sittings_at_once_outlive_a_kill_and_lose_nothing(database_url: str, tmp_path: Path) -> None:
    """H1-H10: the command starts the service, kills it in the middle with signal 9, and puts its clock forward."""
    await empty(database_url)
    played = Served(tmp_path, database_url, command="simulate")
    try:
        played.start("sittings", "--sittings", "5", "--minutes", "0.05", "--limit", "60", "--kill")
        status = await asyncio.to_thread(played.ended, COMMAND_SECONDS)
        assert (status, "As it must be." in played.stdout) == (0, True), played.stdout + played.stderr
        for story in DECK[:5]:
            assert f"{story.name:<30}{story.end:<18}{story.reason:<24}{1:>8}\n" in played.stdout
        assert "seconds away after kill -9" in played.stdout
    finally:
        played.stop()
        await empty(database_url)


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["--kill", "--url", "http://127.0.0.1:1/graphql"], {}),
        (["--url", "http://127.0.0.1:1/graphql"], {"PRODUCTION": "1", "STATEMENTS": "0"}),
    ],
)
def test_it_plays_neither_in_production_nor_with_what_is_not_its_own(
    options: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    refused = Served(tmp_path, None, environment, command="simulate").start("sittings", *options)
    assert refused.ended() == 2
    assert refused.stdout == ""


def test_no_clock_is_put_forward_in_production(tmp_path: Path) -> None:
    environment = {"PRODUCTION": "1", "STATEMENTS": "0"}
    refused = Served(tmp_path, "postgresql://nobody@127.0.0.1:1/none", environment).start("--ahead", "60")
    assert refused.ended() == 2
    assert "not put forward in production" in refused.stderr


async def test_it_waits_for_no_service_that_has_ended_by_itself(tmp_path: Path) -> None:
    service = Service(Settings(var=tmp_path))
    service.process = await asyncio.create_subprocess_exec("false")
    service.is_wanted = True
    async with asyncio.timeout(60):
        with pytest.raises(NotPossible, match="ended by itself, with 1"):
            await service.broken()


# ---- what it notices


@dataclass
class Tampering:
    """A line between apps and the service: it loses one event, says another one twice, and breaks before one answer."""

    port: int
    loses: bytes
    doubles: bytes
    breaks_before: bytes
    done: set[bytes] = field(default_factory=set)

    def is_it(self, wanted: bytes, message: bytes) -> bool:
        """Whether this is the first message that holds this text."""
        is_it = wanted in message and wanted not in self.done
        if is_it:
            self.done.add(wanted)
        return is_it

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either side ends it."""
        service, to_service = await asyncio.open_connection("127.0.0.1", self.port)
        ways = [asyncio.ensure_future(_copy(reader, to_service)), asyncio.ensure_future(self._answer(service, writer))]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()
        to_service.close()

    async def _answer(self, service: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await service.readuntil(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 101"):
                writer.write(head)
                return await self._stream(service, writer)
            length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            body = await service.readexactly(length)
            if self.is_it(self.breaks_before, body):
                return None
            writer.write(head + body)

    async def _stream(self, service: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            start = await service.readexactly(2)
            start += await service.readexactly({126: 2, 127: 8}.get(start[1], 0))
            length = int.from_bytes(start[2:]) if len(start) > 2 else start[1]
            message = await service.readexactly(length)
            times = 0 if self.is_it(self.loses, message) else 2 if self.is_it(self.doubles, message) else 1
            writer.write((start + message) * times)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)


@asynccontextmanager
async def between(door: Door, loses: str, doubles: str, breaks_before: str) -> AsyncIterator[Way]:
    """A way to the service on which a line tampers with the first messages that hold these texts."""
    tampering = Tampering(door.port, loses.encode(), doubles.encode(), breaks_before.encode())
    async with await asyncio.start_server(tampering.connect, "127.0.0.1", 0) as server:
        yield Way(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql")


@pytest.fixture
async def door(database_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    """The service with the real clock."""
    await empty(database_url)
    async with standing(settings_for(database_url, tmp_path), system_clock) as door:
        yield door
    await empty(database_url)


async def people() -> People:
    """One candidate, one proctor, somebody of the board, and an institution's user."""
    world = World(system_clock)
    await world.centre()
    user = await world.verifier()
    rooms = accounts.rooms([PLAIN])
    (board,) = await accounts.engage(StaffRole.BOARD, 1)
    proctors = await accounts.engage(StaffRole.PROCTOR, 1)
    return People(rooms, await accounts.enter(rooms), proctors, board, Login(user.email, PASSWORD))


async def test_an_event_that_is_lost_on_the_way_and_one_that_comes_twice_are_noticed(door: Door) -> None:
    """And an order whose answer was lost is not given twice."""
    async with between(door, '"TEST_ENTERED"', '"SECTION_FINISHED"', '"sendMessage"') as way:
        simulation = Simulation(way, await people(), 0.02, None, seed=1)
        found = await simulation.run(kills=False)
    play = simulation.play
    assert (play.ledger.lost, play.ledger.doubled, play.ledger.made_up) == (1, 1, 0)
    assert not report.is_good(play, found, limit_seconds=60)
    assert play.door.lost_answers == 1
    asked = [one for one in simulation.candidates[0].stream.events if one["kind"] == "MESSAGE_SENT"]
    assert Counter(one["actor"] for one in asked)["CANDIDATE"] == PLAIN.questions
    assert found.faults == []
    assert all(one.is_as_told for one in found.outcomes)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda play, found: setattr(play.ledger, "lost", 1),
        lambda play, found: setattr(play.ledger, "doubled", 1),
        lambda play, found: setattr(play.ledger, "made_up", 1),
        lambda play, found: play.ledger.seconds.extend([1.0] * 5),
        lambda play, found: play.door.faults.update(["INTERNAL_ERROR"]),
        lambda play, found: found.faults.append("It does not end."),
        lambda play, found: found.outcomes.append(Outcome(found.outcomes[0].room, "MISSED", "NOT_STARTED_IN_TIME")),
        lambda play, found: found.shares.update({"2": 1, "1": -1}),
    ],
)
def test_whatever_is_wrong_is_told_by_the_verdict(wrong: Callable[[Play, Found], None]) -> None:
    """Nothing lost, doubled or made up, 99 of 100 events within the limit, each end as told, each share once."""
    play, found = Play(Way(""), 1.0, Random(1)), Found()
    play.ledger.seconds += [0.1] * 100
    (room,) = accounts.rooms([PLAIN])
    found.outcomes.append(Outcome(room, PLAIN.end, PLAIN.reason))
    found.shares_due, found.shares["1"] = 1, 1
    assert report.is_good(play, found, limit_seconds=1.0)
    wrong(play, found)
    assert not report.is_good(play, found, limit_seconds=1.0)
    assert "NOT as it must be." in report.written(play, found, 1.0)


def test_stories_that_need_the_clock_are_played_only_where_it_can_be_put_forward() -> None:
    assert dealt(len(DECK), with_clock=True) == list(DECK)
    assert {story.end for story in dealt(40, with_clock=False)} & {"MISSED", "BREAK_OVERRUN"} == set()
    assert len(dealt(40, with_clock=False)) == 40
