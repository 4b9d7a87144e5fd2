"""Where the benchmark's data are: kept between runs in one database, measured in a fresh copy of it.

Whatever a run sends or reads leaves no trace, so every run finds the same data.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from benchmarks import data
from benchmarks.data import Size
from engine import database, migrations
from resolvers import exams

ROOT = Path(__file__).parent.parent
MODELS = ("models/exams/*.csv", "models/consent.py", "models/names.py", "models/person_names.py")
SHAPES_THE_DATA = ("migrations/*.py", *MODELS, "benchmarks/data.py")


def fingerprint(size: Size) -> str:
    """What the data depend on; kept data with another one are built anew."""
    digest = hashlib.sha256(repr(size).encode())
    for pattern in SHAPES_THE_DATA:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def with_name(url: str, name: str) -> str:
    """The address of another database on the same server."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{name}" + (f"?{parts.query}" if parts.query else "")


@asynccontextmanager
async def fresh_copy(server_url: str, name: str, size: Size, now: datetime) -> AsyncIterator[str]:
    """The address of a copy of the kept data, with everybody logged in at `now`; it is dropped afterwards."""
    async with _connected(server_url) as server:
        await keep(server_url, f"{name}_data", size)
        await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await server.execute(f"CREATE DATABASE {name} TEMPLATE {name}_data STRATEGY file_copy", timeout=300)
        url = with_name(server_url, name)
        try:
            async with _connected(url) as connection:
                await data.load_sessions(connection, size, now)
                await connection.execute("VACUUM (ANALYZE) session")
                await connection.execute("CHECKPOINT", timeout=300)
            yield url
        finally:
            await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def keep(server_url: str, name: str, size: Size) -> bool:
    """Have the data in the database of this name; tells whether they had to be built."""
    async with _connected(server_url) as server:
        if await server.fetchval(KEPT, name) == fingerprint(size):
            return False
        await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await server.execute(f"DROP DATABASE IF EXISTS {name}_unfinished WITH (FORCE)")
        await server.execute(f"CREATE DATABASE {name}_unfinished")
        await _build(with_name(server_url, f"{name}_unfinished"), size)
        await server.execute(f"COMMENT ON DATABASE {name}_unfinished IS '{fingerprint(size)}'")
        await server.execute(f"ALTER DATABASE {name}_unfinished RENAME TO {name}")
        return True


KEPT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1"


async def _build(url: str, size: Size) -> None:
    async with database.opened(url, pool_size=2, everywhere=False):
        await migrations.migrate(url)
        await exams.load_reference_data()
    async with _connected(url) as connection:
        await data.load(connection, size)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()
