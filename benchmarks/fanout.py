"""The alert: a share is sent, and one service process tells every open dashboard of its institution by WebSocket."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks import data
from benchmarks.data import CANDIDATE, INSTITUTION, RESULT, VERIFIER, Size
from benchmarks.processes import Measured
from engine import database
from engine.clock import system_clock
from models.consent import CONSENT_VERSION
from models.viewer import Kind, Viewer
from resolvers import journal, shares

DOCUMENT = """
    subscription Alerts($after: String!) { newShares(after: $after) {
        cursor share { id sentAt candidate { name } result { qualification headline } } } }"""
AT_ONCE = 50  # so many dashboards connect at one time
PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class FanOut:
    """Seconds from the commit to the first and the last dashboard, per share sent; the service's CPU and memory."""

    dashboards: int
    first: list[float]
    last: list[float]
    cpu_seconds: float
    kib_per_dashboard: float


async def measure(url: str, service: Measured, size: Size, sends: int) -> FanOut:
    """Open the dashboards, send some shares to their institution, and see when each dashboard has them."""
    before = service.memory_mib
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database.opened(url, pool_size=2))
        after = journal.cursor_text((await journal.position(), 0))
        dashboards = await _dashboards(stack, service.port, size, after)
        sendable = _sendable(size)
        await _sent(dashboards, next(sendable), size)  # whoever has this one is really subscribed
        memory = service.memory_mib - before
        cpu_before = service.cpu_seconds
        seen = [await _sent(dashboards, next(sendable), size) for _ in range(sends)]
        return FanOut(
            size.dashboards,
            [min(moments) for moments in seen],
            [max(moments) for moments in seen],
            service.cpu_seconds - cpu_before,
            memory * 1024 / size.dashboards,
        )


async def _dashboards(stack: AsyncExitStack, port: int, size: Size, after: str) -> list[ClientConnection]:
    """Every dashboard is another user of institution 0, at another address."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def opened(number: int) -> ClientConnection:
        async with gate:
            return await stack.enter_async_context(_connect(port, number))

    dashboards = await asyncio.gather(*(opened(number) for number in range(size.dashboards)))
    for number, dashboard in enumerate(dashboards):
        await _subscribe(dashboard, data.token(VERIFIER, size.institutions + number), after)
    return dashboards


def _connect(port: int, number: int) -> connect:
    return connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        local_addr=(f"127.0.{1 + number // 250}.{1 + number % 250}", 0),
        compression=None,
        ping_interval=None,
        open_timeout=PATIENCE_SECONDS,
    )


async def _subscribe(dashboard: ClientConnection, token: str, after: str) -> None:
    await _send(dashboard, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
    if orjson.loads(await dashboard.recv())["type"] != "connection_ack":
        raise RuntimeError("The service did not let a dashboard in.")
    payload = {"query": DOCUMENT, "variables": {"after": after}}
    await _send(dashboard, {"id": "alerts", "type": "subscribe", "payload": payload})


async def _send(dashboard: ClientConnection, message: object) -> None:
    await dashboard.send(orjson.dumps(message).decode())


def _sendable(size: Size) -> Iterator[int]:
    """Results that institution 0 has not got; the case of sending does not come so far."""
    return (number for number in range(size.logged_in, size.results) if data.institution_of(number, size) != 0)


async def _sent(dashboards: list[ClientConnection], result: int, size: Size) -> list[float]:
    """Send one result to institution 0; seconds from just before the commit until each dashboard has it."""
    candidate = Viewer(Kind.CANDIDATE, system_clock(), id=data.key(CANDIDATE, data.candidate_of(result, size)))
    listening = [asyncio.create_task(_told(dashboard)) for dashboard in dashboards]
    async with database.transaction():
        consent = shares.Consent(CONSENT_VERSION, "en")
        await shares.send(candidate, data.key(RESULT, result), data.key(INSTITUTION, 0), consent)
        committed_at = time.perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS):
        moments = await asyncio.gather(*listening)
    return [moment - committed_at for moment in moments]


async def _told(dashboard: ClientConnection) -> float:
    """The moment at which the dashboard is told of a share."""
    message = orjson.loads(await dashboard.recv())
    if message["type"] != "next" or "errors" in message["payload"]:
        raise RuntimeError(f"Not an alert: {message}")
    return time.perf_counter()
