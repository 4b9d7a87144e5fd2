"""Signs of life over real connections, by each transport: whether a client is there, or is not any more (H5)."""

import asyncio
import contextlib
import ctypes
import json
import platform
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import pytest
from websockets.exceptions import ConnectionClosed

from models.session import Session
from models.sittings.table import LOST_AFTER
from resolvers.sittings import views
from schema.ids import global_id
from tests.conftest import START, ControlledClock
from tests.door import Door, Socket, post
from tests.served import until
from tests.sitting_world import Home
from tests.world import World
from transport import operations

FOLLOW = 'subscription { sittingEvents(sittingId: "%s") { kind cursor } }'
EVENTS, MULTIPART = "text/event-stream", 'multipart/mixed;subscriptionSpec="1.0", application/json'
OFTEN = 0.2  # seconds from sign to sign
HARDLY = timedelta(seconds=0.1)  # the system counts in milliseconds, and packets are on their way
TELLS = platform.system() == "Linux"  # others do not tell what a client's machine has acknowledged
HTTP = ("events", "multipart")
ALIVE = ("websocket", "websocket that pings", *(HTTP if TELLS else ()))
MUTE = ("websocket that answers no ping", "events behind a proxy", *(() if TELLS else HTTP))


class TickingClock(ControlledClock):
    """One that goes on by itself from where it was set."""

    def __init__(self) -> None:
        self.now = START

    @property
    def now(self) -> datetime:
        return self._set_to + timedelta(seconds=time.monotonic() - self._set_at)

    @now.setter
    def now(self, moment: datetime) -> None:
        self._set_to, self._set_at = moment, time.monotonic()


@pytest.fixture(scope="module")
def door_clock() -> ControlledClock:
    return TickingClock()


@pytest.fixture
def clock(door_clock: ControlledClock) -> ControlledClock:
    """Set back to where every test begins."""
    door_clock.now = START
    return door_clock


@pytest.fixture(scope="module")
def world(door: Door, door_clock: ControlledClock) -> World:
    """One for all tests on the database of this door."""
    return World(door_clock)


@dataclass
class End:
    """A client's end of one stream of one sitting."""

    home: Home
    line: socket.socket
    heard: bytearray = field(default_factory=bytearray)
    pongs: int = 0
    is_gone: bool = False

    def vanishes(self) -> None:
        """From now on its machine takes nothing and says nothing, as if the cable were cut: no FIN, no RST."""
        self.is_gone = True
        nothing = Instruction(0x06, 0, 0, 0)  # of a packet, so much is let through
        program = Program(1, ctypes.pointer(nothing))
        if TELLS:
            self.line.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, bytes(program))


class Instruction(ctypes.Structure):
    """One of a packet filter, as Linux takes it."""

    _fields_ = [("code", ctypes.c_ushort), ("true", ctypes.c_ubyte), ("false", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class Program(ctypes.Structure):
    """A packet filter."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(Instruction))]


ATTACH_FILTER = 26  # SO_ATTACH_FILTER


@asynccontextmanager
async def following(kind: str, door: Door, home: Home) -> AsyncIterator[End]:
    """A candidate's stream of their sitting, of this kind."""
    token = await home.world.token(home.candidate)
    query = FOLLOW % global_id("Sitting", home.id)
    open_it = _over_websocket if kind.startswith("websocket") else _over_http
    async with open_it(kind, door, token, query, home) as (end, reading):
        try:
            yield end
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@asynccontextmanager
async def _over_websocket(
    kind: str, door: Door, token: str, query: str, home: Home
) -> AsyncIterator[tuple[End, asyncio.Task[None]]]:
    async with door.opened({"authorization": f"Bearer {token}"}) as opened:
        await opened.subscribe("1", query)
        end = End(home, opened.connection.transport.get_extra_info("socket"))
        yield end, asyncio.create_task(_answer(kind, opened, end))
        opened.connection.transport.abort()


async def _answer(kind: str, opened: Socket, end: End) -> None:
    """Answer pings as the protocol wants it, or send some, or do neither."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            kind_of_message = await _next(opened, OFTEN if kind == "websocket that pings" else None)
            end.pongs += kind_of_message == "pong"
            if end.is_gone:
                return
            if kind_of_message is None:
                await opened.say({"type": "ping"})
            elif kind_of_message == "ping" and kind == "websocket":
                await opened.say({"type": "pong"})


async def _next(opened: Socket, seconds: float | None) -> str | None:
    """What kind of message comes next; None if nothing comes for so long."""
    try:
        async with asyncio.timeout(seconds):
            return str(json.loads(await opened.connection.recv())["type"])
    except TimeoutError:
        return None


@asynccontextmanager
async def _over_http(
    kind: str, door: Door, token: str, query: str, home: Home
) -> AsyncIterator[tuple[End, asyncio.Task[None]]]:
    headers = {"Accept": MULTIPART if kind == "multipart" else EVENTS, "Authorization": f"Bearer {token}"}
    if kind == "events behind a proxy":
        headers["X_Forwarded_For"] = "192.0.2.7"
    async with door.connection() as (reader, writer):
        writer.write(post({"query": query}, **headers))
        end = End(home, writer.get_extra_info("socket"))
        yield end, asyncio.create_task(_read(reader, end))
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader, end: End) -> None:
    while piece := await reader.read(1000):
        end.heard += piece


async def seen_at(home: Home) -> datetime:
    seen: datetime = (await home.row())["seen_at"]
    return seen


async def test_only_clients_that_answer_are_connected_over_every_transport_and_none_that_has_vanished(
    door: Door, world: World, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H5: a connection that is dead without a word looks to the service like one on which nothing happens."""
    monkeypatch.setattr(operations, "SIGN_SECONDS", OFTEN)
    homes = {kind: await Home.booked(world, clock) for kind in (*ALIVE, *MUTE)}
    for home in homes.values():
        await home.begun()
    clock.now = max([await seen_at(home) for home in homes.values()]) + timedelta(seconds=1)  # each set it back
    await one_is_closed(door, homes["events"])
    async with AsyncExitStack() as open_streams:
        ends = {kind: await open_streams.enter_async_context(following(kind, door, homes[kind])) for kind in homes}
        await until(lambda: door.services.sitting_hub.open_streams == len(ends))
        opened_at = clock() + HARDLY
        for kind in ALIVE:
            await until(partial(is_seen_after, homes[kind], opened_at))
        assert ends["websocket that pings"].pongs > 0
        for kind in MUTE:
            assert await seen_at(homes[kind]) < opened_at, kind
        for kind in ALIVE:
            ends[kind].vanishes()
        for _ in range(2):  # what was on its way has come, even if this process was held up in the first of them
            await asyncio.sleep(OFTEN)
        vanished_at = clock()
        await asyncio.sleep(10 * OFTEN)
        await door.services.presence.note()
        for kind in ALIVE:
            last_seen = await seen_at(homes[kind])
            assert last_seen <= vanished_at, kind
            assert await stands(homes[kind], last_seen + LOST_AFTER) == "IN_PROGRESS", kind
            assert await stands(homes[kind], last_seen + LOST_AFTER + HARDLY) == "INTERRUPTED", kind


async def one_is_closed(door: Door, home: Home) -> None:
    """A stream that came to its end; it must not stand in the way of the others."""
    async with following("events", door, home):
        await until(lambda: door.services.sitting_hub.open_streams == 1)
    await until(lambda: door.services.sitting_hub.open_streams == 0)


async def is_seen_after(home: Home, moment: datetime) -> bool:
    return await seen_at(home) > moment


async def stands(home: Home, moment: datetime) -> str:
    """Where a sitting stands at a moment."""
    return views.facts_at(await home.row(), moment).state.value


@pytest.mark.parametrize("kind", [kind for kind in ("websocket", "events") if kind in ALIVE])
async def test_a_client_that_is_heard_in_a_test_is_still_logged_in_after_a_section_in_which_it_asked_for_nothing(
    door: Door, world: World, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """H4, A10: sessions that nobody uses end after 30 minutes, and sections may take longer."""
    monkeypatch.setattr(operations, "SIGN_SECONDS", OFTEN)
    home = await Home.booked(world, clock)
    await home.begun()
    async with following(kind, door, home):
        await until(lambda: door.services.sitting_hub.open_streams == 1)
        for _ in range(4):
            clock.forward(minutes=9)
            await until(partial(is_used_after, home, clock()))
        assert door.services.sitting_hub.open_streams == 1


async def is_used_after(home: Home, moment: datetime) -> bool:
    """Whether a session of the candidate was used after this moment."""
    return bool(await Session.filter(candidate_id=home.candidate.id, used_at__gte=moment).exists())
