"""A client that costs little itself: prepared bytes over kept-alive connections, and a stop-watch."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import orjson

from benchmarks.cases import Asked, Case


@dataclass(slots=True)
class Round:
    """What one client saw: the latency of each request in seconds, and how long the round took."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def add(self, other: "Round") -> None:
        """Take in another round."""
        self.latencies += other.latencies
        self.seconds += other.seconds
        self.cpu_seconds += other.cpu_seconds


def to_service(case: Case, asked: Asked) -> bytes:
    """A GraphQL request as a client sends it."""
    body = orjson.dumps({"query": case.document, "variables": asked.variables})
    return post("/graphql", body, f"Authorization: Bearer {asked.token}\r\n")


def to_floor(case: Case, asked: Asked) -> bytes:
    """The same question to the floor."""
    return post(f"/floor/{case.name}", orjson.dumps(asked.values))


def post(path: str, body: bytes, header: str = "") -> bytes:
    """A request that keeps the connection alive."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"{header}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def drive(port: int, requests: Iterator[bytes], sign: bytes, clients: int, seconds: float) -> Round:
    """Ask one request after the other on each of so many connections, for so long.

    Raises RuntimeError when an answer is not 200, or has not the sign of a right one.
    """
    seen = Round()
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connected(port)) for _ in range(clients)]
        started = time.perf_counter()
        await asyncio.gather(
            *(_ask(reader, writer, requests, sign, started + seconds, seen) for reader, writer in connections)
        )
        seen.seconds = time.perf_counter() - started
    return seen


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server on this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: Iterator[bytes], sign: bytes,
    until: float, seen: Round
) -> None:  # fmt: skip
    while not seen.latencies or time.perf_counter() < until:
        request = next(requests)
        asked_at = time.perf_counter()
        status, body = await ask(reader, writer, request)
        seen.latencies.append(time.perf_counter() - asked_at)
        if status != 200 or sign not in body or body.startswith(b'{"errors"'):
            raise RuntimeError(f"A wrong answer, status {status}: {body[:2000].decode()}")


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to one request."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    return int(head[9:12]), await reader.readexactly(length)
