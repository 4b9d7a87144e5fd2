"""Subscriptions as apps follow them, and a ledger of what each was told: nothing may be missing, nothing come twice."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from commands.simulate.door import App, Payload

PROTOCOL = Subprotocol("graphql-transport-ws")
SITTING_EVENTS = """subscription ($id: ID!, $after: String) {
    sittingEvents(sittingId: $id, after: $after) { kind state happenedAt actor detail cursor } }"""
NEW_SHARES = """subscription ($after: String) {
    newShares(after: $after) { cursor share { sentAt candidate { name } } } }"""
PAUSE_SECONDS = 0.3
OPEN_SECONDS = 30
PATIENCE_SECONDS = 60
AFTER_THE_LAST_SECONDS = 5  # what is not told by then is lost; two writers at once may be told in another order
BY_CLOCK = "CLOCK"  # written by a job, some seconds after it fell due
SIGNS = frozenset({"CONNECTION_BACK", "PROCTOR_BACK"})  # as of when a sign came, and written with those of others later
SETTLED_SECONDS = 30.0  # after a stream was taken up again


@dataclass(slots=True)
class Ledger:
    """What all streams were told: seconds from the moment of an event, taken by the service before its commit, to the
    client; and events that came twice, or that came after a break behind a cursor.
    """

    seconds: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)  # of them, those on streams that had not just broken off
    told: int = 0
    doubled: int = 0
    caught_up: int = 0
    reopened: int = 0
    compared: int = 0  # streams with timelines
    lost: int = 0
    made_up: int = 0


class Stream:
    """One subscription over a WebSocket of its own; wherever it breaks off, it goes on behind its last cursor."""

    def __init__(self, app: App, ledger: Ledger, document: str, variables: Payload, moment: str) -> None:
        """`moment` names the field that tells when an event happened; a stream with `after` begins behind it."""
        self.door = app.door
        self.token = app.token
        self.ledger = ledger
        self.document = document
        self.variables = variables
        self.moment = moment
        self.events: list[Payload] = []
        self.heard: Callable[[Payload], None] = lambda _: None
        self.is_over = False  # the service has ended it
        self._last: tuple[int, int] | None = None
        self._opened_at: datetime | None = None
        self._is_first = True
        self._following: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Follow it from now on, if it is not followed."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Break it off, without a word."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None

    async def _follow(self) -> None:
        while not self.is_over:
            try:
                async with connect(
                    self.door.socket_url, subprotocols=[PROTOCOL], compression=None, ping_interval=None,
                    open_timeout=OPEN_SECONDS, proxy=None,
                ) as socket:  # fmt: skip
                    await self._hear(socket)
            except (OSError, TimeoutError, WebSocketException):
                pass
            if not self.is_over:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _hear(self, socket: ClientConnection) -> None:
        await _say(socket, type="connection_init", payload={"authorization": f"Bearer {self.token}"})
        await socket.recv()
        self._is_first = self._opened_at is None
        self.ledger.reopened += not self._is_first
        self._opened_at = self.door.now()
        await _say(socket, id="1", type="subscribe", payload={"query": self.document, "variables": self.variables})
        async for text in socket:
            message = orjson.loads(text)
            if message["type"] == "next":
                self._take(message["payload"])
            elif message["type"] == "ping":
                await _say(socket, type="pong")
            elif message["type"] == "error":
                self.door.faults["stream refused"] += 1
                self.is_over = True
                return
            elif message["type"] == "complete":
                self.is_over = True
                return

    def _take(self, payload: Payload) -> None:
        """Note one event. A cursor that is not behind the last one means that it came twice."""
        if payload.get("errors"):
            self.door.faults.update(str(error.get("extensions", {}).get("code")) for error in payload["errors"])
            return
        (event,) = payload["data"].values()
        cursor = _cursor(event.pop("cursor"))
        self.ledger.told += 1
        if self._last is not None and cursor <= self._last:
            self.ledger.doubled += 1
            return
        self._last = cursor
        self.variables["after"] = f"{cursor[0]}.{cursor[1]}"
        self.events.append(event)
        self._time(event)
        self.heard(event)

    def _time(self, event: Payload) -> None:
        """How long it took; what happened before the stream was open cannot have been told at once."""
        happened_at = datetime.fromisoformat(_found(event, self.moment))
        assert self._opened_at is not None
        if event.get("actor") == BY_CLOCK or event.get("kind") in SIGNS:
            return
        if happened_at < self._opened_at:
            self.ledger.caught_up += 1
            return
        now = self.door.now()
        self.ledger.seconds.append((now - happened_at).total_seconds())
        if self._is_first or (now - self._opened_at).total_seconds() > SETTLED_SECONDS:
            self.ledger.settled.append(self.ledger.seconds[-1])

    async def compare(self, timeline: list[Payload], is_all: bool) -> None:
        """Note what of a timeline was not told, and what was told beside it if the timeline holds all there will be.

        A stream that the service has ended, because its viewer may not see the sitting any more, proves nothing.
        """
        await happens(lambda: timeline[-1] in self.events or self.is_over, PATIENCE_SECONDS)
        await happens(lambda: not self._missing(timeline) or self.is_over, AFTER_THE_LAST_SECONDS)
        missing = self._missing(timeline)
        if missing and self.is_over:
            return
        self.ledger.compared += 1
        self.ledger.lost += missing
        if is_all:
            self.ledger.made_up += (_counted(self.events) - _counted(timeline)).total()

    def _missing(self, timeline: list[Payload]) -> int:
        return (_counted(timeline) - _counted(self.events)).total()


async def happens(happened: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so, for so many seconds at most; tells whether it is."""
    ends_at = asyncio.get_running_loop().time() + seconds
    while not happened() and asyncio.get_running_loop().time() < ends_at:  # noqa: ASYNC110  # of many that may happen
        await asyncio.sleep(0.1)
    return happened()


def _counted(events: list[Payload]) -> Counter[bytes]:
    return Counter(_as_key(event) for event in events)


def _as_key(event: Payload) -> bytes:
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)


def _cursor(text: str) -> tuple[int, int]:
    xid, _, number = text.partition(".")
    return int(xid), int(number)


def _found(event: Payload, path: str) -> str:
    found: Any = event
    for name in path.split("."):
        found = found[name]
    return str(found)


async def _say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(orjson.dumps(message).decode())
