"""An institution's dashboard: `newShares` as real programs follow it, over WebSocket or server-sent events."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.client import Client
from tests.served import Served, until

PROTOCOL = Subprotocol("graphql-transport-ws")
KINDS = ("websocket", "events")
NEW_SHARES = "subscription ($after: String) { newShares(after: $after) { cursor share { id status } } }"
LIVE_CURSOR = "{ inbox(first: 100) { liveCursor edges { node { id } } } }"


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True)
class Dashboard:
    """What one open stream was told, and how it ended."""

    seen: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    told_at: list[float] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    completed: bool = False
    closed: bool = False
    close_code: int | None = None
    reading: asyncio.Task[None] | None = None
    reads: asyncio.Event = field(default_factory=_set)

    def take(self, payload: dict[str, Any]) -> None:
        """One result of the subscription."""
        self.errors += payload.get("errors", [])
        if payload.get("data"):
            told = payload["data"]["newShares"]
            self.seen.append(told["share"]["id"])
            self.cursors.append(told["cursor"])
            self.told_at.append(time.monotonic())

    @property
    def codes(self) -> list[str]:
        """The codes of the errors it was told."""
        return [error["extensions"]["code"] for error in self.errors]

    async def has_seen(self, *shares: str, seconds: float = 60) -> None:
        """Wait until it was told of exactly these shares, in this order."""
        await until(lambda: self.closed or len(self.seen) >= len(shares), seconds)
        assert self.seen == list(shares)

    async def has_ended(self, seconds: float = 60) -> None:
        """Wait until its connection is closed, or its stream completed."""
        await until(lambda: self.closed, seconds)


async def live_cursor(client: Client) -> str:
    """Where the inbox says that the stream takes over."""
    cursor: str = (await client.ask(LIVE_CURSOR))["inbox"]["liveCursor"]
    return cursor


@asynccontextmanager
async def dashboard(
    kind: str, served: Served, token: str | None, after: str | None = None, query: str = NEW_SHARES
) -> AsyncIterator[Dashboard]:
    """A dashboard that is open for the block, and is cut off at its end, without a word of good-bye.

    It does not read while `reads` is cleared.
    """
    open_it = {"websocket": _over_websocket, "events": _over_events}[kind]
    shown = Dashboard()
    async with open_it(served, token, {"query": query, "variables": {"after": after}}, shown):
        assert shown.reading is not None
        try:
            yield shown
        finally:
            shown.reading.cancel()
            await asyncio.gather(shown.reading, return_exceptions=True)


@asynccontextmanager
async def _over_websocket(
    served: Served, token: str | None, operation: dict[str, Any], shown: Dashboard
) -> AsyncIterator[None]:
    async with socket(served, token) as connection:
        await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": operation}))
        shown.reading = asyncio.create_task(_read_websocket(connection, shown))
        try:
            yield
        finally:
            connection.transport.abort()


@asynccontextmanager
async def socket(served: Served, token: str | None) -> AsyncIterator[ClientConnection]:
    """A socket whose connection_init was acknowledged; the token travels in its parameters."""
    url = served.url.replace("http", "ws") + "/graphql"
    async with connect(url, subprotocols=[PROTOCOL], compression=None, proxy=None) as connection:
        parameters = {} if token is None else {"authorization": f"Bearer {token}"}
        await connection.send(json.dumps({"type": "connection_init", "payload": parameters}))
        assert json.loads(await connection.recv()) == {"type": "connection_ack"}
        yield connection


async def _read_websocket(connection: ClientConnection, shown: Dashboard) -> None:
    try:
        async for text in connection:
            await shown.reads.wait()
            message = json.loads(text)
            if message["type"] == "next":
                shown.take(message["payload"])
            elif message["type"] == "error":
                shown.errors += message["payload"]
            elif message["type"] == "complete":
                shown.completed = True
    except ConnectionClosed:
        pass
    shown.close_code = connection.close_code
    shown.closed = True


@asynccontextmanager
async def _over_events(
    served: Served, token: str | None, operation: dict[str, Any], shown: Dashboard
) -> AsyncIterator[None]:
    headers = {"Accept": "text/event-stream"} | ({"Authorization": f"Bearer {token}"} if token else {})
    async with (
        httpx2.AsyncClient(base_url=served.url, timeout=60, trust_env=False) as http,
        http.stream("POST", "/graphql", json=operation, headers=headers) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        shown.reading = asyncio.create_task(_read_events(response, shown))
        yield


async def _read_events(response: httpx2.Response, shown: Dashboard) -> None:
    event = ""
    try:
        async for line in response.aiter_lines():
            await shown.reads.wait()
            name, _, value = line.partition(":")
            if name == "event":
                event = value.strip()
                shown.completed = shown.completed or event == "complete"
            elif name == "data" and event == "next":
                shown.take(json.loads(value))
    except httpx2.TransportError:
        pass
    shown.closed = True
