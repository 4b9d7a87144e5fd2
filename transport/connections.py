"""Connections round their requests: how many one address may open, how large and how slow a request's head may be,
and how long an answer may lie unread.

Uvicorn leaves all of it open: it reads headers without a limit, waits for them for ever, counts no addresses, and
keeps for ever what nobody reads. What is no HTTP it answers with text.
"""

import asyncio
import socket
import struct
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from engine.limits import network
from transport.middleware import SECURITY_HEADERS

LONGEST_ADDRESS = 8 * 1024
LARGEST_HEAD = 32 * 1024
HEAD_SECONDS = 15
UNREAD_SECONDS = 20

SILENCE = "seiseki.silence"  # where the scope of a request keeps how long its client has been silent
TCP_FACTS, LAST_ACKNOWLEDGED = 60, 56  # of Linux's tcp_info: so many bytes, and the place of tcpi_last_ack_recv
OF_OTHERS = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-real-ip"})

log = structlog.get_logger()


def heard(scope: Scope, now: datetime) -> datetime | None:
    """When the client of a request, to which a stream is written, was last heard: its machine, as pages cannot answer.

    None where nobody can tell, as behind a proxy: what is acknowledged there is acknowledged by the proxy.
    """
    silence: Callable[[], float | None] = scope.get(SILENCE, lambda: None)
    seconds = silence()
    if seconds is None or any(name in OF_OTHERS for name, _ in scope["headers"]):
        return None
    return now - timedelta(seconds=seconds)


class Refusal:
    """An app that answers one thing: a coded error, and the end of the connection."""

    def __init__(self, status: int, message: str, code: str = "BAD_REQUEST", **facts: int) -> None:
        self.status = status
        self.message = message
        self.code = code
        self.facts = facts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.response()(scope, receive, send)

    def written(self) -> bytes:
        """The same answer for a connection whose request never came to an app."""
        response = self.response()
        head = b"".join(name + b": " + value + b"\r\n" for name, value in response.raw_headers)
        return f"HTTP/1.1 {self.status} \r\n".encode() + head + b"\r\n" + bytes(response.body)

    def response(self) -> Response:
        """The answer, with a request id of its own, which the log knows too."""
        request_id = uuid.uuid4().hex
        log.info("connection.refused", status=self.status, request_id=request_id)
        error = {"message": self.message, "extensions": {"code": self.code, "requestId": request_id, **self.facts}}
        own = {"Connection": "close", "Cache-Control": "no-store", "X-Request-Id": request_id}
        body = orjson.dumps({"errors": [error]})
        return Response(body, self.status, headers=SECURITY_HEADERS | own, media_type="application/json; charset=utf-8")


NOT_HTTP = Refusal(400, "This is not a request by HTTP.")
TOO_LONG_ADDRESS = Refusal(414, f"The address may have at most {LONGEST_ADDRESS} bytes; use POST.")
TOO_LARGE_HEAD = Refusal(431, f"The headers may have at most {LARGEST_HEAD} bytes.")
TOO_SLOW = Refusal(408, f"The headers must be sent within {HEAD_SECONDS} seconds.")
open_by_address: Counter[str] = Counter()


def _too_many(most: int) -> Refusal:
    return Refusal(429, f"Too many connections from this address, at most {most}.", "TOO_MANY_CONNECTIONS", limit=most)


class Connection(HttpToolsProtocol):
    """One connection, whose heads are limited in size and time, and its unread answers in time."""

    most_per_address = 1000

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._service: ASGIApp = self.app
        self._head_size = 0
        self._head_open = False
        self._timer: asyncio.TimerHandle | None = None
        self._address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._address = network(self.client[0]) if self.client else ""
        open_by_address[self._address] += 1
        if open_by_address[self._address] > self.most_per_address:
            self._refuse(_too_many(self.most_per_address))
        self._await_head()
        self._limit_unread()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def _leave(self) -> None:
        self._head_came()
        open_by_address[self._address] -= 1
        if not open_by_address[self._address]:
            del open_by_address[self._address]

    def handle_websocket_upgrade(self) -> None:
        """From here on the socket is counted by transport/websocket.py."""
        if isinstance(self.app, Refusal):
            self._refuse(self.app)
            return
        self._leave()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        if self._head_open:
            self._head_size += len(data)
        super().data_received(data)
        if self._head_open and self._head_size > LARGEST_HEAD and not self.transport.is_closing():
            self._refuse(TOO_LARGE_HEAD)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[SILENCE] = self._silence  # type: ignore[literal-required]  # one of ours
        if not self._head_open:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head_came()
        self.app = self._judged()
        super().on_headers_complete()

    def _judged(self) -> ASGIApp:
        """The service, or a refusal for a head that is too large."""
        if len(self.url) > LONGEST_ADDRESS:
            self.url = b"/"  # one of more than 64 KiB would be no HTTP to its parser
            return TOO_LONG_ADDRESS
        size = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return TOO_LARGE_HEAD if size > LARGEST_HEAD else self._service

    def _await_head(self) -> None:
        self._head_open, self._head_size = True, 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._refuse, TOO_SLOW)

    def _head_came(self) -> None:
        self._head_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _limit_unread(self) -> None:
        """Let the kernel cut off a client that reads nothing of what is sent to it; a WebSocket's client too."""
        connection = self.transport.get_extra_info("socket")
        if hasattr(socket, "TCP_USER_TIMEOUT") and connection.family != socket.AF_UNIX:  # Linux
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNREAD_SECONDS * 1000))

    def _silence(self) -> float | None:
        """Seconds since the client's machine has acknowledged anything; None where the system does not tell."""
        connection = self.transport.get_extra_info("socket")
        if sys.platform != "linux" or connection is None or connection.family == socket.AF_UNIX:
            return None
        try:
            facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_FACTS)
        except (OSError, ValueError):  # it is closed; uvloop tells that by the latter
            return None
        milliseconds: int = struct.unpack_from("I", facts, LAST_ACKNOWLEDGED)[0]
        return milliseconds / 1000

    def send_400_response(self, msg: str) -> None:
        """Coded, as all answers are."""
        self._refuse(NOT_HTTP)

    def _refuse(self, refusal: Refusal) -> None:
        if not self.transport.is_closing():
            self.transport.write(refusal.written())
            self.transport.close()
