"""Server-sent events from the service in this process: HTTP clients for tests wait for whole answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message


class EventStream:
    """The answer to one operation as it arrives."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.left = asyncio.Event()
        self.unread = b""

    async def next(self, seconds: float = 60) -> dict[str, Any] | None:
        """The next result; None behind the last one."""
        async with asyncio.timeout(seconds):
            while b"\n\n" not in self.unread:
                piece = await self.pieces.get()
                if piece is None:
                    return None
                self.unread += piece
        event, _, self.unread = self.unread.partition(b"\n\n")
        lines = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
        if lines.get(b"event") == b"next":
            result: dict[str, Any] = json.loads(lines[b"data"])
            return result
        return await self.next(seconds)

    async def send(self, message: Message) -> None:
        """What the service says."""
        if message["type"] == "http.response.body":
            self.pieces.put_nowait(message.get("body", b""))
            if not message.get("more_body", False):
                self.pieces.put_nowait(None)


@asynccontextmanager
async def events(app: ASGIApp, query: str, variables: dict[str, Any], token: str | None) -> AsyncIterator[EventStream]:
    """One operation as a stream; the client goes away at the end of the block."""
    stream = EventStream()
    asked = [{"type": "http.request", "body": json.dumps({"query": query, "variables": variables}).encode()}]

    async def receive() -> Message:
        if asked:
            return asked.pop()
        await stream.left.wait()
        return {"type": "http.disconnect"}

    headers = {"host": "testserver", "content-type": "application/json", "accept": "text/event-stream"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 40000),
        "server": ("testserver", 80),
    }
    answering = asyncio.ensure_future(app(scope, receive, stream.send))
    try:
        yield stream
    finally:
        stream.left.set()
        async with asyncio.timeout(60):
            await answering
