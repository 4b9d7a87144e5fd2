"""Files that come in over HTTP: by signed addresses only, one file to an address (see `resolvers/photos.py`)."""

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from engine.pictures import MOST_BYTES, NotAPicture
from errors import Unavailable
from resolvers import files, photos
from resolvers.files import Asked
from transport.files import AWAY, GONE, NO_STORE, asker
from transport.services import Services

BODY_SECONDS = 120
TOO_LARGE = f"The file may have at most {MOST_BYTES} bytes.\n"
TOO_SLOW = f"The file must be sent whole, within {BODY_SECONDS} seconds.\n"


async def take_photo(request: Request) -> Response:
    """A photo sent to its address: 201, or why not. One that is refused can be sent again, better, to the same one."""
    try:
        if await _asked(request) is None:
            return _told(404, GONE)
        return await _taken(request)
    except Unavailable:
        return PlainTextResponse(AWAY, 503, NO_STORE | {"Retry-After": "1"})


async def _asked(request: Request) -> Asked | None:
    """Who came, and for which entry, as of now; None if no photo is awaited there."""
    services: Services = request.app.state.services
    asked = await files.asked_by(photos.NEW, request.path_params["token"], asker(request, services, photos.NEW))
    if asked is None or not await photos.is_awaited(asked.viewer, asked.key, asked.detail):
        return None
    return asked


async def _taken(request: Request) -> Response:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        return _told(413, TOO_LARGE)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await _body(request)
    except (TimeoutError, ClientDisconnect):
        return _told(408, TOO_SLOW)
    if raw is None:
        return _told(413, TOO_LARGE)
    asked = await _asked(request)  # it took its time to come in
    try:
        picture = None if asked is None else await photos.take(asked.viewer, asked.key, asked.detail, raw)
    except NotAPicture as error:
        return PlainTextResponse(f"{error}\n", 422, NO_STORE)
    if picture is None:
        return _told(404, GONE)
    return JSONResponse({"width": picture.width, "height": picture.height}, 201, NO_STORE)


async def _body(request: Request) -> bytes | None:
    """The file; None as soon as it is too large."""
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > MOST_BYTES:
            return None
    return bytes(pieces)


def _told(status: int, text: str) -> Response:
    """A refusal before the file was read to its end: what is left of it must not be taken for a next request."""
    return PlainTextResponse(text, status, NO_STORE | {"Connection": "close"})
