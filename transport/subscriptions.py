"""The results of a subscription, the same for every transport: each told whole, or not yet (G1, N6).

While the database is away an event can neither be read whole nor be left in the trail. The stream then waits and takes
the event up again, behind the last one that was told: so it is read as it is by then, and nothing is told twice.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from strawberry.types.graphql import OperationType

from engine.events import Cursor
from errors import Unavailable
from schema.build import schema
from schema.context import Context
from transport.operations import Operation

T = TypeVar("T")
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds; the last one again and again
# A standby takes over within one to two minutes. Clients that are sent away try for half a minute, and then no more.
AWAY_SECONDS = 120


class Patience:
    """Waiting for the database, longer each time, and anew wherever the stream has got on."""

    def __init__(self) -> None:
        self._place: Cursor | None = None
        self._began: float | None = None
        self._tries = 0

    async def wait(self, place: Cursor | None = None) -> None:
        """Wait until it is time for another try. Raises Unavailable when that has gone on for too long."""
        now = asyncio.get_running_loop().time()
        if self._began is None or place != self._place:
            self._place, self._began, self._tries = place, now, 0
        if now - self._began > AWAY_SECONDS:
            raise Unavailable
        pause = PAUSES[min(self._tries, len(PAUSES) - 1)]
        self._tries += 1
        await asyncio.sleep(pause)


async def waited_for(attempt: Callable[[], Awaitable[T]]) -> T:
    """What the attempt brings once the database is there. Raises Unavailable when it has been away for too long."""
    patience = Patience()
    while True:
        try:
            return await attempt()
        except Unavailable:
            await patience.wait()


async def results(operation: Operation, context: Context) -> AsyncGenerator[Any, None]:
    """Each result, whole and in the trail. Raises Unavailable when the database has been away for too long."""
    patience = Patience()
    while True:
        try:
            async with aclosing(await _source(operation, context)) as source:
                async for result in source:
                    _check_whole(result)
                    await context.settle()
                    yield result
            return
        except Unavailable:
            await patience.wait(context.told_up_to)
            context.take_up_again()


async def _source(operation: Operation, context: Context) -> Any:
    asked = operation.asked
    return await schema.stream(
        asked.query,
        variable_values=asked.variables,
        context_value=context,
        operation_name=asked.operation_name,
        operation_extensions=asked.extensions,
        allowed_operation_types=[OperationType.SUBSCRIPTION],
    )


def _check_whole(result: Any) -> None:
    """Raises Unavailable if something of the result, or the next event itself, could not be read for that reason."""
    if any((error.extensions or {}).get("code") == "SERVICE_UNAVAILABLE" for error in result.errors or []):
        raise Unavailable
