"""Where the mails' link to stop them leads: one click of a mail program (RFC 8058), or a page with one button.

The address needs no session: its token says whose mails end, and can do nothing else. Opening it changes nothing,
because programs that look for harm in mails open every link.
"""

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from errors import Unavailable
from resolvers import news
from transport import pages
from transport.pages import FOLDER, POLICY

LARGEST_BODY = 16 * 1024
BODY_SECONDS = 20
HEADERS = pages.HEADERS | {"Content-Security-Policy": POLICY.replace("form-action 'none'", "form-action 'self'")}
ASK, DONE, UNKNOWN = (
    (FOLDER / f"{name}.html").read_text("utf-8") for name in ("unsubscribe", "unsubscribed", "unsubscribe-unknown")
)
AWAY = """Nothing was changed: please try again in a moment.
変更できませんでした。しばらくしてからもう一度お試しください。
"""


async def unsubscribe(request: Request) -> Response:
    """Ask on GET, stop on POST, whatever it says: mail programs send `List-Unsubscribe=One-Click`, our page nothing."""
    token = request.path_params["token"]
    if request.method != "POST":
        return _page(ASK) if news.can_stop(token) else _page(UNKNOWN, 404)
    if not await _is_small(request):
        return PlainTextResponse("The body is too large, or came too slowly.\n", 413, {"Connection": "close"})
    try:
        return _page(DONE) if await news.stop(token) else _page(UNKNOWN, 404)
    except Unavailable:
        return PlainTextResponse(AWAY, 503, {"Retry-After": "1"})


async def _is_small(request: Request) -> bool:
    """Take the body in, so that the connection can go on, but no more of it than such a form has."""
    taken = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                taken += len(piece)
                if taken > LARGEST_BODY:
                    return False
    except (TimeoutError, ClientDisconnect):
        return False
    return True


def _page(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, HEADERS)
