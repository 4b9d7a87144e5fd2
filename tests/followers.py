"""Whoever follows a sitting over WebSocket at a real process: what they are told, and pings answered as clients do."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from schema.ids import global_id
from tests.dashboards import socket
from tests.served import Served

FOLLOW = """subscription ($id: ID!, $after: String) {
    sittingEvents(sittingId: $id, after: $after) { kind cursor } }"""


@dataclass(slots=True)
class Follower:
    """What a candidate or a proctor was told of a sitting, over as many connections as it took."""

    sitting_id: UUID
    token: str
    kinds: list[str] = field(default_factory=list)
    cursor: str = "0.0"

    @asynccontextmanager
    async def at(self, served: Served) -> AsyncIterator[None]:
        """Follow it inside the block, from where it was left."""
        async with socket(served, self.token) as connection:
            variables = {"id": global_id("Sitting", self.sitting_id), "after": self.cursor}
            payload = {"query": FOLLOW, "variables": variables}
            await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            reading = asyncio.create_task(self._read(connection))
            try:
                yield
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                connection.transport.abort()

    async def _read(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                message = json.loads(text)
                if message["type"] == "ping":
                    await connection.send(json.dumps({"type": "pong"}))
                if message["type"] == "next":
                    told = message["payload"]["data"]["sittingEvents"]
                    self.kinds.append(told["kind"])
                    self.cursor = told["cursor"]
