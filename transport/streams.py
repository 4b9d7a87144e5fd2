"""Operations over a stream of HTTP: server-sent events (graphql-sse, distinct connections) and Apollo's multipart."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from errors import Unavailable
from schema.context import Context
from transport import subscriptions
from transport.allowances import headers
from transport.gates import asker
from transport.negotiation import EVENTS, MULTIPART, VARY
from transport.operations import Operation, formatted, until_sign
from transport.services import Services

HEARTBEAT_SECONDS = 12
HEADERS = {"Cache-Control": "no-store", "Vary": VARY, "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Framing:
    """How one kind of stream is written; gateways split events on LF LF, so no CR there."""

    media_type: str
    opening: bytes
    before: bytes
    after: bytes
    heartbeat: bytes
    end: bytes
    wraps: bool = False

    def next(self, result: dict[str, Any]) -> bytes:
        """One result."""
        body = {"payload": result} if self.wraps else result
        return self.before + orjson.dumps(body) + self.after


SERVER_SENT_EVENTS = Framing(EVENTS, b":\n\n", b"event: next\ndata: ", b"\n\n", b":\n\n", b"event: complete\ndata:\n\n")
# A client takes a part for whole when the line behind it has come, so every part brings that line along.
LINE = b"\r\n--graphql"
HEAD = b"\r\ncontent-type: application/json\r\n\r\n"
APOLLO_MULTIPART = Framing(
    'multipart/mixed;boundary="graphql";subscriptionSpec=1.0', LINE, HEAD, LINE, HEAD + b"{}" + LINE, b"--\r\n",
    wraps=True,
)  # fmt: skip
FRAMINGS = {EVENTS: SERVER_SENT_EVENTS, MULTIPART: APOLLO_MULTIPART}


def response(operation: Operation, context: Context, services: Services, wanted: str) -> StreamingResponse:
    """The operation's results as a stream. Raises TooMany.

    When the process goes down, or the database stays away, it breaks off without its end: clients come back from that.
    """
    services.streams.check(asker(context.viewer))
    framing = FRAMINGS[wanted]
    written = _written(operation, _results(operation, context), framing, services.draining)
    counted = _counted(written, context, services)
    limits = headers(context.viewer.allowance, services.clock())
    return StreamingResponse(counted, headers=HEADERS | limits, media_type=framing.media_type)


def told(result: dict[str, Any], wanted: str, limits: Mapping[str, str] | None = None) -> Response:
    """A stream of one result, for a client that takes nothing but streams."""
    framing = FRAMINGS[wanted]
    body = framing.opening + framing.next(result) + framing.end
    return Response(body, headers=HEADERS | dict(limits or {}), media_type=framing.media_type)


async def _counted(written: AsyncGenerator[bytes, None], context: Context, services: Services) -> AsyncIterator[bytes]:
    """The stream, counted among those of its viewer while it is open."""
    with services.streams.passing(asker(context.viewer)), suppress(Unavailable):
        async with aclosing(written):
            async for piece in written:
                yield piece


async def _results(operation: Operation, context: Context) -> AsyncGenerator[dict[str, Any], None]:
    async with aclosing(subscriptions.results(operation, context)) as results:
        async for result in results:
            yield formatted(result)


def _seconds(operation: Operation) -> float:
    """How long nothing may happen until the next heartbeat."""
    return until_sign(asyncio.get_running_loop().time()) if operation.keeps_connected else HEARTBEAT_SECONDS


async def _written(
    operation: Operation, results: AsyncGenerator[dict[str, Any], None], framing: Framing, draining: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The results in their framing, with a heartbeat while nothing happens."""
    going_down = asyncio.ensure_future(draining.wait())
    following = _next(results)
    try:
        yield framing.opening
        while not draining.is_set():
            waited_for: set[asyncio.Future[Any]] = {following, going_down}
            await asyncio.wait(waited_for, timeout=_seconds(operation), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                yield framing.heartbeat
                continue
            result = following.result()
            if result is None:
                yield framing.end
                return
            yield framing.next(result)
            following = _next(results)
    finally:
        for task in (following, going_down):
            task.cancel()
        await asyncio.gather(following, going_down, return_exceptions=True)
        await results.aclose()


def _next(results: AsyncGenerator[dict[str, Any], None]) -> asyncio.Task[dict[str, Any] | None]:
    """The next result as a task; None behind the last one."""

    async def following() -> dict[str, Any] | None:
        return await anext(results, None)

    return asyncio.create_task(following())
