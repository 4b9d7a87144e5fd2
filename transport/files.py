"""Files over HTTP: by signed addresses only (see `resolvers/files.py`, which says how to add a kind of file).

The log names the route and never the address, which is as good as the file itself (G3, `RequestLog`).
"""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from urllib.parse import quote
from uuid import UUID

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from engine.languages import told
from errors import FileEnded, NotPrintable, Unavailable
from models.viewer import Kind, Viewer
from models.visit import Visit
from resolvers import exports, files, list_checks, photos, statements
from resolvers.downloads import files as download_files
from resolvers.files import File, Serve
from resolvers.sittings import photos as sitting_photos
from transport.gates import Gate, TooMany
from transport.gates import asker as counted_as
from transport.http import request_id
from transport.services import Services

log = structlog.get_logger()

NO_STORE = {"Cache-Control": "no-store"}
GONE = """This link has ended, or leads nowhere. Go back to the page that showed it and open it again.
このリンクは期限切れか無効です。元のページに戻り、もう一度開いてください。
"""
AWAY = """The file cannot be had at this moment: please try again.
現在ファイルを取得できません。もう一度お試しください。
"""

NOT_PRINTABLE = """This document cannot be made yet: none of our fonts can print {signs} ({codes}) in the name on it.
They have most scripts of today, but not the rarest kanji, emoji and scripts of the past. Please tell your exam centre.
この文書は作成できません。氏名の {signs}（{codes}）は、当会のフォントでは印刷できません。
現在使われている文字の多くに対応していますが、ごくまれな漢字、絵文字、古代の文字などには対応していません。試験センターへご連絡ください。
"""

# The kinds of file there are, by the name in their address.
SERVED: dict[str, Serve] = {
    "statement": statements.file,
    photos.SHOWN: photos.file,
    sitting_photos.SHOWN: sitting_photos.file,
    download_files.KIND: download_files.file,
    exports.KIND: exports.file,
    list_checks.CHECKED: list_checks.file,
}
# Documents are made one behind the other for all: nobody may fill the queue by opening one address again and again.
# Photos are only read, and a page can show many.
MADE = frozenset({"statement", exports.KIND})
_made = Gate(10, "documents")


async def serve_file(request: Request) -> Response:
    """The file that a signed address leads to, or 404 whatever the reason."""
    services: Services = request.app.state.services
    kind, token = request.path_params["kind"], request.path_params["token"]
    serve = SERVED.get(kind)
    try:
        file = serve and await files.opened(kind, token, _in_turn(kind, serve), asker(request, services, kind))
    except TooMany:
        return PlainTextResponse(AWAY, 429, NO_STORE | {"Retry-After": "1"})
    except Unavailable:
        return PlainTextResponse(AWAY, 503, NO_STORE | {"Retry-After": "1"})
    except NotPrintable as error:
        log.error("file.not_printable", kind=kind, signs=error.codes)  # not the name that they are in
        return PlainTextResponse(NOT_PRINTABLE.format(signs=error.signs, codes=error.codes), 422, NO_STORE)
    except FileEnded as ended:
        return PlainTextResponse(f"{ended}\n{told(str(ended), 'ja')}\n", 410, NO_STORE)
    return _response(file) if file else PlainTextResponse(GONE, 404, NO_STORE)


def _in_turn(kind: str, serve: Serve) -> Serve:
    """The same, but of what is made for the file, an account has only so many at one time; raises TooMany."""

    async def served(viewer: Viewer, key: UUID, detail: str) -> File | None:
        with _made.passing(counted_as(viewer)) if kind in MADE else nullcontext():
            return await serve(viewer, key, detail)

    return served


def asker(request: Request, services: Services, kind: str) -> Viewer:
    """Nobody yet: who it is stands in the address."""
    visit = Visit(f"file {kind}", request_id(request))
    return Viewer(Kind.ANONYMOUS, services.clock(), request.client.host if request.client else "", visit=visit)


def _response(file: File) -> Response:
    headers = NO_STORE | {"Content-Disposition": _disposition(file), "Content-Length": str(file.size)}
    if file.etag:
        headers["ETag"] = f'"{file.etag}"'
    if isinstance(file.body, AsyncIterator):
        return StreamingResponse(file.body, headers=headers, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)


def _disposition(file: File) -> str:
    """The name in both of its spellings (RFC 6266): plain for old programs, and whole."""
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_. ") else "_" for sign in file.name)
    return f"{'inline' if file.inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, '')}"
