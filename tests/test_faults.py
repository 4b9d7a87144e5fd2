"""Processes that are killed, a database that goes away under load, and ending in order, all for real (N6, O3)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from engine import database, embedded
from engine.clock import Clock, system_clock
from engine.embedded.places import place_of
from engine.embedded.server import server_at
from engine.jobs import enqueue
from models.base import new_id
from models.consent import CONSENT_VERSION
from models.institution import Institution
from models.verifier import VerifierUser
from resolvers import letters
from resolvers.sittings import running
from schema.ids import global_id, key_of
from tests.client import Client
from tests.conftest import ControlledClock
from tests.dashboards import KINDS, dashboard, live_cursor, socket
from tests.followers import Follower
from tests.locks import holding
from tests.served import Served, until
from tests.sitting_world import Home
from tests.world import World, gid

SENT = "... on ResultSent { wasAlreadySent share { id } }"
SEND = f"""mutation ($input: SendResultInput!) {{ sendResult(input: $input) {{ __typename {SENT} }} }}"""
INBOX = "{ inbox(first: 5) { totalCount edges { node { id candidate { familyName } } } } }"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL of this file's own, which may be stopped."""

    folder: Path

    def create(self) -> None:
        """Quick on a slow disk; yet a commit has reached the system before it is answered, so no restart loses it."""
        embedded.start(self.folder, fast=True)
        embedded.stop(self.folder)
        with (server_at(place_of(self.folder)).data / "postgresql.conf").open("a") as settings:
            settings.write("\nfsync = off\n")

    def start(self) -> str:
        return embedded.start(self.folder)

    def stop(self, mode: str) -> None:
        server = server_at(place_of(self.folder))
        server.run("pg_ctl", "stop", "--pgdata", server.data, f"--mode={mode}", "--wait")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    postgres = Postgres(tmp_path_factory.mktemp("faults") / "postgres")
    postgres.create()
    yield postgres
    embedded.remove(postgres.folder)


@pytest.fixture(scope="module")
def database_url(postgres: Postgres) -> str:
    return postgres.start()


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service on that PostgreSQL."""
    served = Served(tmp_path_factory.mktemp("served"), database_url).start().ready()
    yield served
    served.stop()
    assert "Traceback" not in served.stderr


@pytest.fixture
def served(service: Served) -> Served:
    """The service, started again if the test before ended it."""
    if service.process is None or service.process.poll() is not None:
        service.start()
    return service.ready()


@pytest.fixture
def clock() -> Clock:
    """Real processes have the real time."""
    return system_clock


@dataclass(slots=True)
class Order:
    """A candidate who may send one result."""

    token: str
    input: dict[str, str]


@dataclass(slots=True)
class Stage:
    """An institution with a verifier, and candidates ready to send."""

    world: World
    institution: Institution
    verifier: VerifierUser
    token: str
    client: Client

    async def order(self) -> Order:
        result = await self.world.result()
        token = await self.world.token(await (await result.entry).candidate)
        wanted = {"resultId": gid(result), "institutionId": gid(self.institution), "consentVersion": CONSENT_VERSION}
        return Order(token, wanted)

    async def send(self, order: Order) -> str:
        """Give an order; the share's id."""
        answer = await self.client.as_(order.token).ask(SEND, input=order.input)
        share_id: str = answer["sendResult"]["share"]["id"]
        return share_id

    async def live_cursor(self) -> str:
        return await live_cursor(self.client.as_(self.token))


@pytest.fixture
async def stage(served: Served, open_database: None, world: World) -> AsyncIterator[Stage]:
    """An institution on an empty database."""
    institution = await world.institution("Aoba Gakuin University")
    verifier = await world.verifier(institution, is_primary=True)
    async with httpx2.AsyncClient(base_url=served.url, timeout=60, trust_env=False) as http:
        yield Stage(world, institution, verifier, await world.token(verifier), Client(http))


async def shares_and_events() -> tuple[int, int]:
    found = await database.row("SELECT (SELECT count(*) FROM share) AS a, (SELECT count(*) FROM journal) AS b")
    assert found is not None
    return found["a"], found["b"]


# ---- a killed process


async def test_share_that_was_sent_as_the_process_was_killed_is_told_once_after_its_restart(
    served: Served, stage: Stage
) -> None:
    """N6: the answer had come, the dashboards' news had not."""
    order, cursor = await stage.order(), await stage.live_cursor()
    async with dashboard("websocket", served, stage.token, cursor) as before:
        share = await stage.send(order)
        served.kill()
        await before.has_ended()
    assert await shares_and_events() == (1, 1)
    served.start().ready()
    async with dashboard("websocket", served, stage.token, (before.cursors or [cursor])[-1]) as after:
        await until(lambda: before.seen + after.seen)
        await asyncio.sleep(0.2)
        assert before.seen + after.seen == [share]
    assert await stage.send(order) == share
    assert await shares_and_events() == (1, 1)


async def test_process_killed_at_any_moment_leaves_each_order_done_wholly_or_not_at_all(
    served: Served, stage: Stage, database_url: str
) -> None:
    """S4, N6: what was answered was done; what was not answered can be sent again and is there once."""
    orders, cursor = [await stage.order() for _ in range(40)], await stage.live_cursor()
    answered: dict[int, str] = {}

    async def give(number: int) -> None:
        await asyncio.sleep(number * 0.005)
        answered[number] = await stage.send(orders[number])

    last = key_of(orders[-1].input["resultId"], "Result")
    async with holding(database_url, f"SELECT 1 FROM result WHERE id = '{last}' FOR UPDATE"):  # however late we kill
        giving = asyncio.gather(*[give(number) for number in range(len(orders))], return_exceptions=True)
        await until(lambda: len(answered) >= 5)
        served.kill()
    await giving
    shares, events = await shares_and_events()
    assert len(answered) <= shares == events < len(orders)
    served.start().ready()
    again = {number: await stage.send(order) for number, order in enumerate(orders)}
    assert answered.items() <= again.items()
    assert await shares_and_events() == (len(orders), len(orders))
    async with dashboard("events", served, stage.token, cursor) as shown:
        await until(lambda: len(shown.seen) >= len(orders))
        await asyncio.sleep(0.1)
        assert sorted(shown.seen) == sorted(again.values())
    assert await idle_in_transaction() == 0


async def idle_in_transaction() -> int:
    count: int = await database.value("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
    return count


# ---- a database that goes away


@dataclass(slots=True)
class Load:
    """Requests that go on whatever happens, and what came of them."""

    stage: Stage
    shares: list[str] = field(default_factory=list)
    answers: int = 0
    unavailable: int = 0
    strange: list[str] = field(default_factory=list)
    slowest: float = 0
    stopped: bool = False

    async def ask(self, token: str, query: str, **variables: Any) -> Any:
        """The data of an answer, or None if the service said that it is unavailable."""
        asked_at = time.monotonic()
        response = await self.stage.client.as_(token).post(query, **variables)
        self.slowest = max(self.slowest, time.monotonic() - asked_at)
        body = response.json()
        codes = {error["extensions"]["code"] for error in body.get("errors", [])}
        if not codes and response.status_code == 200:
            self.answers += 1
            return body["data"]
        if codes == {"SERVICE_UNAVAILABLE"}:
            self.unavailable += 1
        else:
            self.strange.append(response.text)
        return None

    async def reads(self) -> None:
        """A verifier who looks again and again."""
        while not self.stopped:
            await self.ask(self.stage.token, INBOX)
            await asyncio.sleep(0.01)

    async def sends(self, orders: list[Order]) -> None:
        """A candidate after the other, each trying until it worked."""
        for order in orders:
            done = None
            while done is None:
                await asyncio.sleep(0.03)
                done = await self.ask(order.token, SEND, input=order.input)
            self.shares.append(done["sendResult"]["share"]["id"])


@pytest.mark.parametrize("mode", ["immediate", "fast"])
async def test_restart_of_postgresql_under_load_is_told_clearly_and_survived_without_a_restart(
    mode: str, postgres: Postgres, served: Served, stage: Stage
) -> None:
    """N6: requests say so meanwhile and do not hang; afterwards all goes on; dashboards saw every share once."""
    load, cursor = Load(stage), await stage.live_cursor()
    orders = [[await stage.order() for _ in range(20)] for _ in range(3)]
    async with AsyncExitStack() as stack:
        dashboards = [await stack.enter_async_context(dashboard(kind, served, stage.token, cursor)) for kind in KINDS]
        sending = [asyncio.create_task(load.sends(some)) for some in orders]
        reading = [asyncio.create_task(load.reads()) for _ in range(3)]
        await until(lambda: len(load.shares) >= 8)
        await asyncio.to_thread(postgres.stop, mode)
        before = load.unavailable
        await until(lambda: load.unavailable >= before + 10)
        await _is_alive_and_not_ready(served)
        await _says_when_to_come_back(served, stage)
        await asyncio.to_thread(postgres.start)
        started_at = time.monotonic()
        await until(lambda: served.readiness() == 200)
        await asyncio.gather(*sending)
        load.stopped = True
        await asyncio.gather(*reading)
        assert load.strange == []
        assert load.slowest < 30
        assert time.monotonic() - started_at < 60
        assert len(set(load.shares)) == 60
        assert await shares_and_events() == (60, 60)
        for one in dashboards:
            await until(lambda one=one: len(one.seen) >= 60)  # type: ignore[misc]
            assert sorted(one.seen) == sorted(load.shares)
            assert not one.closed
        assert dashboards[0].cursors == dashboards[1].cursors
    assert "Traceback" not in served.stderr


WITH_VERSIONS = """subscription ($after: String) {
    newShares(after: $after) { cursor share { id result { versions { version } } } } }"""
WANTED = {"result_version": "FROM result_version", "trail": "INSERT INTO trail"}  # the table, and who asks for it


@dataclass(slots=True)
class Cut:
    """A table that is out of reach: whoever asks for it waits, and their connection is ended."""

    words: str
    ended: set[int] = field(default_factory=set)

    async def until(self, happened: Callable[[], object]) -> None:
        """Go on ending connections until something has happened."""
        async with asyncio.timeout(60):
            while not happened():
                await self._end_those_that_wait()
                await asyncio.sleep(0.01)

    async def _end_those_that_wait(self) -> None:
        found = await database.rows(
            """SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE wait_event_type = 'Lock' AND position(:words IN query) > 0 AND pid <> pg_backend_pid()""",
            words=self.words,
        )
        self.ended.update(row["pid"] for row in found)


@asynccontextmanager
async def out_of_reach(database_url: str, table: str) -> AsyncIterator[Cut]:
    """Inside the block the table is out of reach."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("BEGIN")
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield Cut(WANTED[table])
    finally:
        await connection.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("table", WANTED)
async def test_event_whose_connections_are_lost_while_it_is_read_or_noted_is_told_whole_and_once(
    kind: str, table: str, served: Served, stage: Stage, database_url: str
) -> None:
    """N6, G1: more of them than a statement has tries, for its fields and for its entry in the trail alike."""
    cursor, orders = await stage.live_cursor(), [await stage.order() for _ in range(2)]
    first = await stage.send(orders[0])
    async with AsyncExitStack() as stack:
        async with out_of_reach(database_url, table) as cut:
            shown = await stack.enter_async_context(dashboard(kind, served, stage.token, cursor, WITH_VERSIONS))
            await cut.until(lambda: len(cut.ended) >= 4 or shown.seen or shown.errors or shown.closed)
            assert (shown.seen, shown.errors, shown.completed, shown.closed) == ([], [], False, False)
        await until(lambda: shown.seen or shown.closed)
        second = await stage.send(orders[1])
        await shown.has_seen(first, second, seconds=60)
        assert (shown.errors, shown.completed, shown.closed) == ([], False, False)
    assert await entries_of_streams() == [1, 1]


async def entries_of_streams() -> list[int]:
    """How many results each entry names that a stream left."""
    found = await database.rows(
        "SELECT cardinality(results) AS count FROM trail WHERE path = 'subscription newShares' ORDER BY id"
    )
    return [row["count"] for row in found]


@pytest.mark.parametrize("kind", KINDS)
async def test_stream_whose_session_ended_while_it_waited_for_the_database_is_told_nothing_more(
    kind: str, served: Served, stage: Stage, database_url: str
) -> None:
    """O3, A10."""
    cursor = await stage.live_cursor()
    await stage.send(await stage.order())
    async with AsyncExitStack() as stack:
        async with out_of_reach(database_url, "trail") as cut:
            shown = await stack.enter_async_context(dashboard(kind, served, stage.token, cursor))
            await cut.until(lambda: len(cut.ended) >= 2)
            await database.rows("UPDATE session SET ended_at = now() WHERE verifier_id = :id", id=stage.verifier.id)
            await cut.until(lambda: shown.closed)
        assert (shown.codes, shown.seen) == (["UNAUTHENTICATED"], [])
    assert await entries_of_streams() == []


async def test_asked_to_end_while_streams_wait_for_the_database_it_sends_them_elsewhere_and_ends(
    served: Served, stage: Stage, database_url: str
) -> None:
    cursor = await stage.live_cursor()
    await stage.send(await stage.order())
    async with AsyncExitStack() as stack, out_of_reach(database_url, "trail") as cut:
        socket_, events = [
            await stack.enter_async_context(dashboard(kind, served, stage.token, cursor)) for kind in KINDS
        ]
        await cut.until(lambda: len(cut.ended) >= 6)
        served.terminate()
        for stream in (socket_, events):
            await stream.has_ended()
        assert (socket_.close_code, events.completed, socket_.errors + events.errors) == (1012, False, [])
        assert await asyncio.to_thread(served.ended) == 0


async def _is_alive_and_not_ready(served: Served) -> None:
    async with httpx2.AsyncClient(base_url=served.url, timeout=60, trust_env=False) as http:
        assert (await http.get("/healthz")).status_code == 200
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert "database" in ready.json()["failed"]


async def _says_when_to_come_back(served: Served, stage: Stage) -> None:
    """A dashboard that is opened just now must not take this for a refusal: clients give up on those."""
    response = await stage.client.as_(stage.token).post(INBOX)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    with pytest.raises(ConnectionClosed) as closed:
        async with socket(served, stage.token):
            pass
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
    async with socket(served, None) as connection:
        await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}}))
        assert json.loads(await connection.recv())["type"] == "error"


# ---- ending in order


@pytest.fixture
async def lock(stage: Stage, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that holds the institution, so that nothing can be sent to it before `ROLLBACK`."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("BEGIN")
    await connection.execute("SELECT 1 FROM institution WHERE id = $1 FOR UPDATE", stage.institution.id)
    yield connection
    await connection.close()


async def waits_for_a_lock(most: int = 1) -> bool:
    """Whether so many statements wait."""
    waiting: int = await database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    return waiting >= most


async def test_asked_to_end_it_finishes_what_runs_and_sends_streams_elsewhere(
    served: Served, stage: Stage, lock: asyncpg.Connection
) -> None:
    order, cursor = await stage.order(), await stage.live_cursor()
    async with (
        dashboard("websocket", served, stage.token, cursor) as socket_,
        dashboard("events", served, stage.token, cursor) as events,
    ):
        sending = asyncio.create_task(stage.send(order))
        await until(waits_for_a_lock)
        served.terminate()
        asked_at = time.monotonic()
        for stream in (socket_, events):
            await stream.has_ended()
        assert (socket_.close_code, events.completed, socket_.errors + events.errors) == (1012, False, [])
        assert served.readiness() == 0
        assert not sending.done()
        await lock.execute("ROLLBACK")
        assert await sending
    assert await asyncio.to_thread(served.ended) == 0
    assert time.monotonic() - asked_at < 20  # ten, and what a loaded machine adds
    assert await shares_and_events() == (1, 1)


async def test_asked_to_end_it_ends_within_ten_seconds_whatever_is_stuck(
    served: Served, stage: Stage, lock: asyncpg.Connection
) -> None:
    """A request and a job that wait for ever, and dashboards that do not read what they are sent."""
    order, cursor = await stage.order(), await stage.live_cursor()
    async with AsyncExitStack() as stack:
        for kind in KINDS:
            stuck = await stack.enter_async_context(dashboard(kind, served, stage.token, cursor))
            stuck.reads.clear()
        sending = asyncio.create_task(stage.client.as_(order.token).post(SEND, input=order.input))
        await lock.execute("LOCK TABLE letter IN ACCESS EXCLUSIVE MODE")
        async with database.transaction():
            await enqueue(letters.JOB, {"id": str(new_id())})
        await until(lambda: waits_for_a_lock(2))
        asked_at = time.monotonic()
        served.terminate()
        assert await asyncio.to_thread(served.ended) == 0
        assert 5 < time.monotonic() - asked_at < 20  # ten, and what a loaded machine adds
        answer = await sending
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    await lock.execute("ROLLBACK")
    assert await shares_and_events() == (0, 0)
    assert await idle_in_transaction() == 0


def test_second_start_keeps_the_data_of_the_first_and_both_end_with_their_own_postgresql(tmp_path: Path) -> None:
    served = Served(tmp_path, None)
    try:
        url = embedded.start(tmp_path / "postgres", fast=True)
        served.start().ready()
        asyncio.run(_keep(url))
        embedded.stop(tmp_path / "postgres")
        served.terminate()
        assert served.ended() == 0
        assert not list((tmp_path / "postgres").glob("*/postmaster.pid"))
        served.start().ready()
        assert asyncio.run(_kept(embedded.start(tmp_path / "postgres"))) == 1
        embedded.stop(tmp_path / "postgres")
        served.terminate()
        assert served.ended() == 0
    finally:
        if served.process:
            served.process.kill()
        embedded.remove(tmp_path / "postgres")


async def _keep(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO rate_window (kind, subject, window_started_at, count) VALUES ('a', '', now(), 1)"
    )
    await connection.close()


async def _kept(url: str) -> int:
    connection = await asyncpg.connect(url)
    count: int = await connection.fetchval("SELECT count(*) FROM rate_window WHERE kind = 'a'")
    await connection.close()
    return count


def test_database_that_cannot_be_reached_at_the_start_is_told_in_one_sentence(tmp_path: Path) -> None:
    served = Served(tmp_path, f"postgresql://postgres@/none?host={tmp_path}").start()
    assert served.ended() == 1
    assert served.stderr.endswith("\nThe database cannot be reached: see DATABASE_URL.\n")
    assert "Traceback" not in served.stderr


# ---- sittings


@dataclass(slots=True)
class Live:
    """A candidate in the middle of the test, the proctor, and what both are told."""

    home: Home
    candidate: Follower
    proctor: Follower

    @asynccontextmanager
    async def at(self, served: Served) -> AsyncIterator[None]:
        """Both are connected inside the block."""
        async with self.candidate.at(served), self.proctor.at(served):
            opened_at = system_clock()
            await until(lambda: self.is_seen_after(opened_at - FRESH))
            yield

    async def is_seen_after(self, moment: datetime) -> bool:
        """Whether both were heard later than that, as the database knows it."""
        row = await self.home.row()
        return bool(row["seen_at"] > moment and row["proctor_seen_at"] > moment)


FRESH = timedelta(seconds=1)
TOLD = ["BOOKED", "SYSTEM_CHECK_PASSED", "CHECK_IN_STARTED", "TAKEN", *["STEP_CONFIRMED"] * 7, "TEST_ENTERED"]


@pytest.fixture
async def live(served: Served, open_database: None) -> Live:
    clock = ControlledClock()
    home = await Home.booked(World(clock), clock)
    clock.now = system_clock()
    await database.rows("UPDATE sitting SET appointment_at = :now", now=clock.now)
    await home.begun()
    tokens = [await home.world.token(one) for one in (home.candidate, home.staff)]
    return Live(home, *[Follower(home.id, token) for token in tokens])


async def test_sittings_outlive_their_database_and_the_process_and_go_on_once_they_are_resumed(
    live: Live, served: Served, postgres: Postgres
) -> None:
    """H5, H10: connections stay over the one, and both sides come back to the other and are told all, once."""
    home = live.home
    query = f'subscription {{ sittingEvents(sittingId: "{global_id("Sitting", home.id)}") {{ kind }} }}'
    async with dashboard("events", served, live.candidate.token, query=query):
        pass  # whoever goes away stands in the way of nobody's signs of life
    async with live.at(served):
        await asyncio.to_thread(postgres.stop, "immediate")
        await asyncio.to_thread(postgres.start)
        await until(lambda: served.readiness() == 200)
        await until(partial(live.is_seen_after, system_clock()))
        served.kill()
    away = "20 seconds"  # so long, as it seems
    await database.rows(f"UPDATE sitting SET seen_at = seen_at - interval '{away}'")
    await database.rows(f"UPDATE proctor_presence SET seen_at = seen_at - interval '{away}'")
    home.clock.now = system_clock()
    assert await home.stands() == "INTERRUPTED"
    served.start().ready()
    times_back = live.candidate.kinds.count("CONNECTION_BACK")  # of a machine so slow that the restart took too long
    async with live.at(served):
        await until(lambda: live.candidate.kinds.count("CONNECTION_BACK") > times_back)
        home.clock.now = system_clock()
        await running.resume(home.proctor, home.id)
        await until(lambda: "RESUMED" in live.candidate.kinds and "RESUMED" in live.proctor.kinds)
    told = of_candidate(live.candidate.kinds)
    assert told == of_candidate(live.proctor.kinds)
    assert sorted(told) == sorted(of_candidate(await home.told()))
    assert told[: len(TOLD)] == TOLD
    assert told[-2:] == ["CONNECTION_BACK", "RESUMED"]


def of_candidate(kinds: list[str]) -> list[str]:
    """Without what is told of the proctor, whom a worker finds lost when it comes to it."""
    return [kind for kind in kinds if not kind.startswith("PROCTOR")]
