"""What badly behaved clients do to a well-behaved one: `python -m benchmarks.abuse`.

The well-behaved one asks for inbox pages, one after the other, from an address of its own; its p99 is measured while
nothing else happens and while each kind of abuse goes on, at a steady rate, from another process and from other
addresses. Afterwards memory and connections are looked at again.
"""

import asyncio
import contextlib
import random
import statistics
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count

import asyncpg
import orjson
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from benchmarks import data, database
from benchmarks.cases import CASES
from benchmarks.data import QUICK, VERIFIER
from benchmarks.driver import Round, drive, post, to_service
from benchmarks.processes import Measured, service
from engine import embedded
from engine.clock import system_clock
from settings import Settings

SOCKETS, PINGS, CANCELLED, SLOW_BODIES = 2000, 10_000, 1000, 1000
PER_SECOND = 100  # sockets or operations begun
PINGS_PER_SOCKET = 250  # more than the rate of messages allows, so each of these sockets is closed with 4429
INBOX = CASES[0]
IDLE_SECONDS = 5.0
DOCUMENT = "subscription { newShares { cursor } }"
dice = random.Random("abuse")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the well-behaved client saw meanwhile."""

    name: str
    round: Round
    memory_mib: float

    @property
    def p99_ms(self) -> float:
        """The 99th of a hundred of its requests, in milliseconds."""
        return statistics.quantiles(self.round.latencies, n=100)[98] * 1000


async def many(one: Callable[[int], Awaitable[None]], times: int, per_second: float = PER_SECOND) -> None:
    """Begin one thing many times at a steady rate; that a connection breaks is what happens here."""

    async def after_its_wait(number: int) -> None:
        await asyncio.sleep(number / per_second)
        with contextlib.suppress(OSError, ConnectionClosed, TimeoutError):
            await one(number)

    await asyncio.gather(*(after_its_wait(number) for number in range(times)))


def address(number: int) -> tuple[str, int]:
    """Whom the abuse comes from: never the address of the well-behaved client."""
    return (f"127.0.{1 + number % 20}.1", 0)


def socket_to(port: int, number: int) -> connect:
    """A WebSocket that is about to be opened."""
    return connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        local_addr=address(number),
        compression=None,
        ping_interval=None,
    )


async def sockets_cut(port: int) -> None:
    """Sockets opened, taken to different stages of the protocol, and cut."""

    async def one(number: int) -> None:
        socket = await socket_to(port, number)
        if number % 3:
            await init(socket, number)
        if number % 3 == 2:
            await subscribe(socket, "1")
        socket.transport.abort()

    await many(one, SOCKETS)


async def pings(port: int) -> None:
    """Pings as fast as they go, from as many sockets as the rate of messages closes meanwhile."""

    async def one(number: int) -> None:
        async with socket_to(port, number) as socket:
            await init(socket, number)
            for _ in range(PINGS_PER_SOCKET):
                await socket.send('{"type":"ping"}')
            async with asyncio.timeout(20):
                async for _ in socket:
                    pass

    await many(one, PINGS // PINGS_PER_SOCKET, per_second=4)


async def cancelled(port: int) -> None:
    """Subscriptions completed at random, and requests whose client goes away before the answer."""
    inbox = to_service(INBOX, INBOX.asked(0, QUICK))

    async def one(number: int) -> None:
        if number % 2:
            async with socket_to(port, number) as socket:
                await init(socket, number)
                await subscribe(socket, "1")
                await asyncio.sleep(dice.random() * 0.02)
                await socket.send('{"id":"1","type":"complete"}')
        else:
            _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=address(number))
            writer.write(inbox)
            await asyncio.sleep(dice.random() * 0.02)
            writer.transport.abort()

    await many(one, CANCELLED, per_second=40)  # half of them are inbox pages, which run to their end


async def slow_bodies(port: int) -> None:
    """Requests whose body never comes, all open at the same time."""
    begun = post("/graphql", b"x" * 1000)[:-990]
    writers = []
    for number in range(SLOW_BODIES):
        _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=address(number))
        writer.write(begun)
        writers.append(writer)
    await asyncio.sleep(3)
    for writer in writers:
        writer.transport.abort()


async def init(socket: ClientConnection, number: int) -> None:
    """Log a socket in, each as one of some verifiers."""
    token = data.token(VERIFIER, QUICK.institutions + number % QUICK.dashboards)
    payload = {"authorization": f"Bearer {token}"}
    await socket.send(orjson.dumps({"type": "connection_init", "payload": payload}).decode())
    await socket.recv()


async def subscribe(socket: ClientConnection, id: str) -> None:
    """Subscribe to new shares."""
    message = {"id": id, "type": "subscribe", "payload": {"query": DOCUMENT}}
    await socket.send(orjson.dumps(message).decode())


async def idle(_port: int) -> None:
    """Nothing at all, for comparison."""
    await asyncio.sleep(IDLE_SECONDS)


PHASES = {
    "idle": idle,
    f"{SOCKETS} sockets opened and cut": sockets_cut,
    f"{PINGS} pings": pings,
    f"{CANCELLED} operations cancelled": cancelled,
    f"{SLOW_BODIES} slow bodies": slow_bodies,
    "the same once more": slow_bodies,  # what the first time took from the system is used again, and no more
    "idle again": idle,
}


async def phase(name: str, served: Measured) -> Seen:
    """One kind of abuse, and the well-behaved client beside it."""
    requests = (to_service(INBOX, INBOX.asked(number, QUICK)) for number in count())
    command = [sys.executable, "-m", "benchmarks.abuse", name, str(served.port)]
    abuse = await asyncio.create_subprocess_exec(*command)
    seen = Round()
    while abuse.returncode is None:
        seen.add(await drive(served.port, requests, INBOX.sign, 1, 0.25))
    return Seen(name, seen, served.memory_mib)


async def measure(url: str, settings: Settings) -> None:
    """All kinds of abuse, one after the other, against one process of the service."""
    folder = settings.var / "bench"
    async with database.fresh_copy(url, "bench_quick", QUICK, system_clock()) as copy:
        with service(copy, folder) as served:
            await drive(served.port, iter(_warm()), INBOX.sign, 1, 0.1)
            all_seen = [await phase(name, served) for name in PHASES]
            await asyncio.sleep(1)
            report(all_seen, await connections(copy), served)


def _warm() -> list[bytes]:
    return [to_service(INBOX, INBOX.asked(number, QUICK)) for number in range(1000)]


async def connections(url: str) -> dict[str, int]:
    """The service's connections to the database, by what they do."""
    connection = await asyncpg.connect(url)
    states = await connection.fetch(
        "SELECT state, count(*) FROM pg_stat_activity WHERE application_name = 'seiseki' GROUP BY state"
    )
    await connection.close()
    return {row["state"]: row["count"] for row in states}


def report(all_seen: list[Seen], states: dict[str, int], served: Measured) -> None:
    """Print what was seen."""
    base = all_seen[0].p99_ms
    sys.stdout.write(f"{'meanwhile':<32}{'requests':>9}{'p99 ms':>9}{'x idle':>8}{'memory MiB':>12}\n")
    for seen in all_seen:
        ratio = seen.p99_ms / base
        sys.stdout.write(
            f"{seen.name:<32}{len(seen.round.latencies):>9}{seen.p99_ms:>9.1f}{ratio:>8.1f}{seen.memory_mib:>12.1f}\n"
        )
    sys.stdout.write(f"connections to the database afterwards: {states}\n")
    sys.stdout.write(f"open files of the service afterwards: {served.process.num_fds()}\n")


def main() -> None:
    """Measure, with a database of its own unless DATABASE_URL is set; or be the abuse that is measured."""
    if len(sys.argv) == 3:
        uvloop.run(PHASES[sys.argv[1]](int(sys.argv[2])))
        return
    settings = Settings.from_env()
    (settings.var / "bench").mkdir(parents=True, exist_ok=True)
    url = settings.database_url or embedded.start(settings.var / "bench" / "postgres")
    uvloop.run(measure(url, settings))


if __name__ == "__main__":
    main()
