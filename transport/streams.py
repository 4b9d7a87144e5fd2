"""Subscriptions over server-sent events, by the distinct connections mode of graphql-sse."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson
from starlette.responses import StreamingResponse
from strawberry.types.graphql import OperationType

from schema.build import schema
from schema.context import Context
from transport.requests import GraphQLRequest
from transport.services import Services

HEARTBEAT_SECONDS = 12
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def events(asked: GraphQLRequest, context: Context, services: Services) -> StreamingResponse:
    """The operation's results as a stream of events; it breaks off without `complete` when the process goes down."""
    results = _results(asked, context)
    return StreamingResponse(_written(results, services.draining), headers=HEADERS, media_type="text/event-stream")


async def _results(asked: GraphQLRequest, context: Context) -> AsyncGenerator[dict[str, Any], None]:
    source = await schema.stream(
        asked.query,
        variable_values=asked.variables,
        context_value=context,
        operation_name=asked.operation_name,
        operation_extensions=asked.extensions,
        allowed_operation_types=[OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION],
    )
    async with aclosing(source):
        async for result in source:
            yield formatted(result)


def formatted(result: Any) -> dict[str, Any]:
    """One result as it goes out on any stream."""
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    if result.extensions:
        body["extensions"] = result.extensions
    return body


async def _written(results: AsyncGenerator[dict[str, Any], None], draining: asyncio.Event) -> AsyncIterator[bytes]:
    """Events with LF line ends, a comment as heartbeat while nothing happens."""
    going_down = asyncio.ensure_future(draining.wait())
    following = _next(results)
    yield b":\n\n"
    try:
        while not draining.is_set():
            waited_for: set[asyncio.Future[Any]] = {following, going_down}
            await asyncio.wait(waited_for, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                yield b":\n\n"
                continue
            result = following.result()
            if result is None:
                yield b"event: complete\ndata:\n\n"
                return
            yield b"event: next\ndata: " + orjson.dumps(result) + b"\n\n"
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
