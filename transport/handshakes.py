"""Answers to WebSocket handshakes that come to nothing.

Uvicorn and websockets write them as text in their own words, some of them empty; clients expect coded errors as JSON.
"""

import logging
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.http11 import Response
from websockets.server import ServerProtocol

from transport.connections import Refusal

WORDS = {
    400: ("The WebSocket handshake is not as RFC 6455 wants it.", "BAD_REQUEST"),
    403: ("Sockets are opened at /graphql, from our own pages or pages that are let in.", "FORBIDDEN"),
    405: ("A WebSocket is opened by GET.", "BAD_REQUEST"),
    426: ("Upgrade to a WebSocket.", "BAD_REQUEST"),
    505: ("A WebSocket is opened by HTTP/1.1.", "BAD_REQUEST"),
}
FAULT = ("Something went wrong on our side.", "INTERNAL_SERVER_ERROR")


class Handshake(ServerProtocol):
    """The library's handshake, whose refusals are worded and written as ours are."""

    def reject(self, status: int, text: str) -> Response:
        """A coded error for this status; the library adds Allow and Upgrade where they belong."""
        message, code = WORDS.get(status, FAULT)
        response = Refusal(status, message, code).response()
        headers = Headers((name.title(), value) for name, value in response.headers.items())
        return Response(status, HTTPStatus(status).phrase, headers, bytes(response.body))


class Socket(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket with our handshake."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn: ServerProtocol = Handshake(
            extensions=self.conn.available_extensions,
            max_size=self.config.ws_max_size,
            logger=logging.getLogger("uvicorn.error"),
        )
