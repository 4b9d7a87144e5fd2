"""The door as the network sees it: the service behind a real uvicorn in this process, raw HTTP, and raw sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import orjson
import websockets
from websockets.asyncio.client import ClientConnection

import cli
from engine.clock import Clock
from settings import Settings
from tests.client import Client
from transport.services import Services

PROTOCOL = "graphql-transport-ws"
WAIT_SECONDS = 60  # for what must come; nothing waits that long unless it is wrong


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came, byte for byte."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> Any:
        """The one error that a refusal tells."""
        (error,) = orjson.loads(self.body)["errors"]
        return error


class Door:
    """The service on a port of its own."""

    def __init__(self, port: int, server: cli.Server) -> None:
        self.port = port
        self.services: Services = server.services
        self.app: Any = server.config.app
        self.connections: Any = server.config.http  # the class of them
        self.url = f"http://127.0.0.1:{port}"

    @asynccontextmanager
    async def client(self, token: str | None = None) -> AsyncIterator[Client]:
        """GraphQL over real HTTP."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=WAIT_SECONDS) as http:
            yield Client(http, token)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection that a test writes what it likes to."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def sent(self, request: bytes, *later: bytes) -> Answer:
        """The answer to a request that is written byte for byte."""
        async with self.connection() as (reader, writer):
            for piece in (request, *later):
                writer.write(piece)
                await writer.drain()
            return await answer_from(reader)

    @asynccontextmanager
    async def socket(
        self, protocols: Iterable[str] = (PROTOCOL,), path: str = "/graphql", **headers: str
    ) -> AsyncIterator["Socket"]:
        """A WebSocket before its connection_init; `headers` are more headers, with _ for -."""
        async with websockets.connect(
            f"ws://127.0.0.1:{self.port}{path}",
            subprotocols=[websockets.Subprotocol(name) for name in protocols] or None,
            additional_headers={name.replace("_", "-"): value for name, value in headers.items()},
            open_timeout=WAIT_SECONDS,
            close_timeout=1,
            proxy=None,
        ) as connection:
            yield Socket(connection)

    @asynccontextmanager
    async def opened(self, payload: Any = None, **headers: str) -> AsyncIterator["Socket"]:
        """A WebSocket behind its connection_ack."""
        async with self.socket(**headers) as socket:
            await socket.init(payload)
            yield socket


class Socket:
    """A WebSocket that a test writes what it likes to."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: Any) -> None:
        """Send anything as JSON, and text and bytes as they are."""
        is_raw = isinstance(message, str | bytes)
        await self.connection.send(message if is_raw else json.dumps(message))

    async def hear(self) -> Any:
        """The next message."""
        async with asyncio.timeout(WAIT_SECONDS):
            return json.loads(await self.connection.recv())

    async def ask(self, message: Any) -> Any:
        """The message that comes next after this one was sent."""
        await self.say(message)
        return await self.hear()

    async def init(self, payload: Any = None) -> None:
        """Open the protocol."""
        message = {"type": "connection_init"} | ({} if payload is None else {"payload": payload})
        answer = await self.ask(message)
        assert answer == {"type": "connection_ack"}, answer

    async def subscribe(self, id: str, query: str, **more: Any) -> None:
        """Start an operation."""
        await self.say({"id": id, "type": "subscribe", "payload": {"query": query, **more}})

    async def pongs(self) -> bool:
        """Whether the socket still answers."""
        return bool(await self.ask({"type": "ping"}) == {"type": "pong"})

    async def closed(self) -> tuple[int, str]:
        """The code and the reason that the service closes it with; whatever comes before is left out."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while True:
                    await self.connection.recv()
        except websockets.ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")


async def answer_from(reader: asyncio.StreamReader) -> Answer:
    """One answer with a Content-Length."""
    async with asyncio.timeout(WAIT_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(lines[0].split(" ")[1]), headers, body)


def post(body: bytes | Any, **headers: str) -> bytes:
    """A POST of an operation, byte for byte; `headers` are more headers or others, with _ for -."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    fixed = {"Host": "testserver", "Content-Type": "application/json", "Content-Length": str(len(text))}
    given = fixed | {name.replace("_", "-").title(): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST /graphql HTTP/1.1\r\n{lines}\r\n".encode() + text


@asynccontextmanager
async def standing(settings: Settings, clock: Clock) -> AsyncIterator[Door]:
    """The service as `cli.py serve` starts it, on any free port, with a clock of the test's."""
    server = cli.server_of(replace(settings, port=0), clock)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn sets no event
        await asyncio.sleep(0.005)
    try:
        yield Door(server.servers[0].sockets[0].getsockname()[1], server)
    finally:
        server.should_exit = True
        await serving
