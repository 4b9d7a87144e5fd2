"""Files that come in over HTTP: by signed addresses only, one file to an address.

What kinds there are, and who may send them, is said in `resolvers/photos.py`, `resolvers/sittings/photos.py` and
`resolvers/list_checks.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from engine import pictures, sheets
from engine.pictures import NotAPicture, Picture
from engine.sheets import SheetNotReadable
from errors import Unavailable
from models.viewer import Viewer
from resolvers import files, list_checks, photos
from resolvers.files import Asked
from resolvers.sittings import photos as sitting_photos
from schema.ids import global_id
from transport.files import AWAY, GONE, NO_STORE, asker
from transport.services import Services

BODY_SECONDS = 120
TOO_LARGE = "The file may have at most {most} bytes.\n"
TOO_SLOW = f"The file must be sent whole, within {BODY_SECONDS} seconds.\n"

Find = Callable[[Request], Awaitable[Asked | None]]


@dataclass(frozen=True, slots=True)
class Photos:
    """One kind of photo: of what key it is awaited, and who takes it in."""

    kind: str
    is_awaited: Callable[[Viewer, UUID, str], Awaitable[bool]]
    take: Callable[[Viewer, UUID, str, bytes], Awaitable[Picture | None]]


OF_ENTRIES = Photos(photos.NEW, photos.is_awaited, photos.take)
OF_SITTINGS = Photos(sitting_photos.NEW, sitting_photos.is_awaited, sitting_photos.take)


async def take_photo(request: Request) -> Response:
    """A photo sent to its address: 201, or why not. One that is refused can be sent again, better, to the same one."""
    return await _taken_photo(request, OF_ENTRIES)


async def take_sitting_photo(request: Request) -> Response:
    """The photo of a sitting, in the same way."""
    return await _taken_photo(request, OF_SITTINGS)


async def _taken_photo(request: Request, of: Photos) -> Response:
    return await _taken(request, partial(_photo_asked, of), pictures.MOST_BYTES, partial(_keep_photo, of))


async def take_list(request: Request) -> Response:
    """A list sent to its address: 201, or what is wrong with it. A better one can be sent to the same address."""
    return await _taken(request, _list_asked, sheets.MOST_BYTES, _keep_list)


async def _photo_asked(of: Photos, request: Request) -> Asked | None:
    """Who came, and for which entry or sitting, as of now; None if no photo is awaited there."""
    asked = await _asked(request, of.kind)
    if asked is None or not await of.is_awaited(asked.viewer, asked.key, asked.detail):
        return None
    return asked


async def _list_asked(request: Request) -> Asked | None:
    """Who came, and with which list, as of now; None if no list is awaited there."""
    asked = await _asked(request, list_checks.NEW)
    return asked if asked is not None and await list_checks.is_awaited(asked.viewer, asked.key) else None


async def _asked(request: Request, kind: str) -> Asked | None:
    services: Services = request.app.state.services
    return await files.asked_by(kind, request.path_params["token"], asker(request, services, kind))


async def _keep_photo(of: Photos, asked: Asked, raw: bytes) -> Response | None:
    try:
        picture = await of.take(asked.viewer, asked.key, asked.detail, raw)
    except NotAPicture as error:
        return PlainTextResponse(f"{error}\n", 422, NO_STORE)
    if picture is None:
        return None
    return JSONResponse({"width": picture.width, "height": picture.height}, 201, NO_STORE)


async def _keep_list(asked: Asked, raw: bytes) -> Response | None:
    try:
        rows = await list_checks.take(asked.viewer, asked.key, asked.detail, raw)
    except SheetNotReadable as refused:
        problems = [
            {"line": fault.line or None, "column": fault.column or None, "reason": fault.reason}
            for fault in refused.faults
        ]
        return JSONResponse({"problems": problems}, 422, NO_STORE)
    return (
        None if rows is None else JSONResponse({"id": global_id("ListCheck", asked.key), "rows": rows}, 201, NO_STORE)
    )


async def _taken(
    request: Request, find: Find, most: int, keep: Callable[[Asked, bytes], Awaitable[Response | None]]
) -> Response:
    try:
        if await find(request) is None:
            return _told(404, GONE)
        raw = await _whole(request, most)
        if isinstance(raw, Response):
            return raw
        asked = await find(request)  # it took its time to come in
        return (asked and await keep(asked, raw)) or _told(404, GONE)
    except Unavailable:
        return PlainTextResponse(AWAY, 503, NO_STORE | {"Retry-After": "1"})


async def _whole(request: Request, most: int) -> bytes | Response:
    """The file, or why it is not read to its end."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > most:
        return _told(413, TOO_LARGE.format(most=most))
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await _body(request, most)
    except (TimeoutError, ClientDisconnect):
        return _told(408, TOO_SLOW)
    return _told(413, TOO_LARGE.format(most=most)) if raw is None else raw


async def _body(request: Request, most: int) -> bytes | None:
    """The file; None as soon as it is too large."""
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > most:
            return None
    return bytes(pieces)


def _told(status: int, text: str) -> Response:
    """A refusal before the file was read to its end: what is left of it must not be taken for a next request."""
    return PlainTextResponse(text, status, NO_STORE | {"Connection": "close"})
