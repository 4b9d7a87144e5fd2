"""A real PostgreSQL for each worker, a migrated database on it, and the service in front of it.

Workers must not share a server: a transaction that is open anywhere on it holds back what readers of the journal are
told, and tests say exactly what they are told.
"""

import asyncio
import contextlib
import gc
import io
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx2
import hypothesis
import pytest
import structlog
from starlette.applications import Starlette

from app import create_app, working
from documents.signing import own_signer
from engine import database, embedded, keys, log, migrations
from engine.jobs import Worker
from resolvers import exams
from settings import Settings
from tests.client import Client
from tests.door import Door, standing
from tests.mail_server import MailServer, mail_server_running
from tests.world import World

HOME = "SEISEKI_TEST_HOME"
PLENTY = 10**9  # points a minute: the clock stands still, so that a whole test is one minute
START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
REFERENCE_TABLES = {"exam", "scale", "grade_band", "tortoise_migrations"}


def pytest_configure(config: pytest.Config) -> None:
    """One folder for the run, made before workers start; they find it in the environment."""
    gc.set_threshold(100_000, 50, 100)  # by default an eighth of the run goes into looking at what stays anyway
    # By default an example has failed that takes a fifth of a second, which says that the machine was busy.
    hypothesis.settings.register_profile("patient", hypothesis.settings(), deadline=None)
    hypothesis.settings.load_profile("patient")
    if HOME not in os.environ:
        os.environ[HOME] = tempfile.mkdtemp(prefix="seiseki-test-")
        Path(os.environ[HOME]).chmod(0o755)
        config.stash[OWNS_HOME] = True


OWNS_HOME: pytest.StashKey[bool] = pytest.StashKey()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The servers go with the run, and their data too."""
    if config.stash.get(OWNS_HOME, False):
        home = Path(os.environ.pop(HOME))
        for folder in home.glob("postgres-*"):
            embedded.remove(folder)
        shutil.rmtree(home, ignore_errors=True)


class ControlledClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> None:
        """Move it by a duration, given as `timedelta` takes it."""
        self.now += timedelta(**duration)


@pytest.fixture(scope="session")
def anyio_backend() -> Any:
    """One that a file may replace; of the session's scope, so that a fixture may last as long as its file."""
    return "asyncio"


@pytest.fixture(scope="session")
def server_url(worker_id: str) -> str:
    """Address of this worker's PostgreSQL server."""
    return embedded.start(Path(os.environ[HOME]) / f"postgres-{worker_id}", fast=True)


@pytest.fixture(scope="session")
def database_url(server_url: str, worker_id: str) -> Iterator[str]:
    """Address of this worker's database, copied from a migrated template."""
    name = f"test_{worker_id}"
    asyncio.run(copy_of_template(server_url, name))
    yield with_name(server_url, name)


def with_name(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}", netloc=urlsplit(url).netloc or "postgres@"))


async def copy_of_template(server_url: str, name: str) -> None:
    """A migrated database without rows but the exams, under this name."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute("SELECT pg_advisory_lock(1)")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'template'"):
            await connection.execute("CREATE DATABASE unfinished")
            await _migrate(with_name(server_url, "unfinished"))
            await connection.execute("ALTER DATABASE unfinished RENAME TO template")
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
    finally:
        await connection.close()


async def _migrate(url: str) -> None:
    async with database.opened(url, pool_size=2, everywhere=False):
        await migrations.migrate(url)
        await exams.load_reference_data()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a service on this worker's database."""
    return settings_for(database_url, tmp_path)


def settings_for(database_url: str, var: Path) -> Settings:
    """Settings of a service on this database, which does no jobs unless a test asks for `worker`."""
    return replace(
        Settings(),
        var=var,
        database_url=database_url,
        secret_key=b"k" * 32,
        public_url="http://testserver",
        runs_worker=False,
        points_per_institution=PLENTY,
        points_per_key=PLENTY,
    )


@pytest.fixture(scope="session")
def signing_pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its certificate, made once per worker: RSA keys take their time."""
    path = tmp_path_factory.mktemp("key") / "signing.pem"
    own_signer(path, "Lanternfield Examinations Board")
    return path


@pytest.fixture
def clock() -> ControlledClock:
    """The time that everything in the test is handed."""
    return ControlledClock()


@pytest.fixture
async def clean(database_url: str) -> None:
    """Empty all tables but the exams."""
    await empty(database_url)


# A table that has grown is made anew; from the others rows are deleted, which takes a fiftieth of the time.
GROWN_BYTES = 1_000_000


async def empty(database_url: str) -> None:
    """Empty all tables but the exams, at this address."""
    connection = await asyncpg.connect(database_url)
    tables = await connection.fetch(
        "SELECT relname AS name, pg_relation_size(oid) > $1 AS has_grown FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL($2)",
        GROWN_BYTES,
        list(REFERENCE_TABLES),
    )
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")  # the trail's triggers refuse it else
        if grown := ", ".join(f'"{table["name"]}"' for table in tables if table["has_grown"]):
            await connection.execute(f"TRUNCATE {grown} CASCADE")
        await connection.execute(";".join(f'DELETE FROM "{table["name"]}"' for table in tables))
        await connection.fetch(
            "SELECT setval(sequence.oid, 1, false) FROM pg_class AS sequence"
            " JOIN pg_depend ON pg_depend.objid = sequence.oid JOIN pg_class AS owner ON owner.oid = pg_depend.refobjid"
            " WHERE sequence.relkind = 'S' AND owner.relname = ANY($1::text[])",
            [table["name"] for table in tables],
        )
    await connection.close()


@pytest.fixture
async def app(settings: Settings, clock: ControlledClock, clean: None) -> AsyncIterator[Starlette]:
    """The service, running in this process on an empty database, with the controlled clock."""
    async with running(settings, clock) as app:
        yield app


@asynccontextmanager
async def running(settings: Settings, clock: ControlledClock) -> AsyncIterator[Starlette]:
    """The service with settings of one's own, running inside the block."""
    app = create_app(settings, clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def worker(app: Starlette, settings: Settings, clock: ControlledClock) -> AsyncIterator[Worker]:
    """A worker beside `app`, which does its jobs and sends its letters."""
    async with working(settings, clock) as worker:
        yield worker


@pytest.fixture
async def open_database(settings: Settings, clean: None) -> AsyncIterator[None]:
    """The empty database, open for models and resolvers, without the service."""
    keys.use(settings.secret_key)
    assert settings.database_url is not None
    async with database.opened(settings.database_url, settings.pool_size):
        yield


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[Client]:
    """GraphQL through the door of the service in this process, as nobody."""
    async with client_of(app) as client:
        yield client


@pytest.fixture(scope="module")
def door_clock() -> ControlledClock:
    """The time behind `door`."""
    return ControlledClock()


@pytest.fixture(scope="module")
async def door(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, door_clock: ControlledClock
) -> AsyncIterator[Door]:
    """The service behind a real uvicorn, once for all tests of a file, whose rows stay; not together with `app`."""
    await empty(database_url)
    async with standing(settings_for(database_url, tmp_path_factory.mktemp("var")), door_clock) as door:
        yield door


@asynccontextmanager
async def client_of(app: Starlette, address: str = "127.0.0.1") -> AsyncIterator[Client]:
    """A client that comes from an address of its own."""
    transport = httpx2.ASGITransport(app=app, client=(address, 40000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield Client(http)


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    """A real SMTP server."""
    async with mail_server_running() as server:
        yield server


@pytest.fixture
def world(clock: ControlledClock) -> World:
    """Makes candidates, results, institutions and verifiers; ask for `app` or `open_database` too."""
    return World(clock)


@pytest.fixture
def logged(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is logged, as JSON or in the style that is asked for."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    with contextlib.redirect_stderr(io.StringIO()) as written:
        log.configure(getattr(request, "param", "json"))
    yield written
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


COUNTED: ContextVar[bool] = ContextVar("counted", default=False)


class Statements:
    """The SQL statements that the service sent while it was counted."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def __len__(self) -> int:
        return len(self.sent)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count afresh what is sent on behalf of this block; not what the mailer and the live events send beside it."""
        self.sent.clear()
        token = COUNTED.set(True)
        yield
        COUNTED.reset(token)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Notes every statement that goes through the pool on behalf of a block `with statements.counted():`."""
    counted = Statements()
    for name in ("fetch", "fetchrow", "fetchval", "execute", "executemany"):
        monkeypatch.setattr(asyncpg.Connection, name, _counting(getattr(asyncpg.Connection, name), counted))
    return counted


def _counting(original: Any, counted: Statements) -> Any:
    async def call(self: Any, statement: str, *values: Any, **options: Any) -> Any:
        if COUNTED.get():
            counted.sent.append(statement)
        return await original(self, statement, *values, **options)

    return call
