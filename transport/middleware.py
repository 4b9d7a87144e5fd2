"""Round every request: an id, one line in the log, and headers that browsers obey."""

import time
import uuid

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
QUIET_PATHS = ("/healthz", "/readyz")
LONGEST_NAME = 60


class RequestLog:
    """Names each request with an id, which its log lines and its errors carry; logs of an address its route alone."""

    def __init__(self, app: ASGIApp, production: bool) -> None:
        self.app = app
        transport = {"Strict-Transport-Security": "max-age=31536000"} if production else {}
        self.headers = SECURITY_HEADERS | transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        scope["request_id"] = uuid.uuid4().hex
        started, status = time.perf_counter(), 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"].endswith("http.response.start"):  # a socket's refusal has one too
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = scope["request_id"]
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=scope["request_id"]):
            try:
                await self.app(scope, receive, send_named)
            finally:
                if scope["path"] not in QUIET_PATHS:
                    log.info(
                        "request", kind=scope["type"], path=route_in(scope["path"]), status=status,
                        milliseconds=round((time.perf_counter() - started) * 1000, 1),
                    )  # fmt: skip


def route_in(path: str) -> str:
    """The first name of a path, and no more of it than ours have: what follows may be a token (G3)."""
    name, slash, _ = path.removeprefix("/").partition("/")
    return f"/{name[:LONGEST_NAME]}{slash and '/...'}"
