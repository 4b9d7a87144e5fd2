"""The command: serve, worker, migrate, demo, schema. `python cli.py COMMAND --help` tells more."""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import FrameType

import uvicorn

from app import create_app, working
from commands import Run, Tell, enter, letters, load, simulate, staff, trail
from demo.load import Logins
from demo.load import load as load_demo
from engine import database, embedded, keys, log, migrations
from engine.clock import Clock, ahead, system_clock
from errors import Unavailable
from mailers.post import post_of
from resolvers import exams
from schema.build import schema
from settings import Settings
from transport import page_documents
from transport.connections import Connection
from transport.handshakes import Socket
from transport.services import Services

GRACE_SECONDS = 7


class Server(uvicorn.Server):
    """Uvicorn, told to end open event streams before it waits for requests to finish."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self.services = services

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """To be asked to end is no failure: uvicorn would raise the signal again afterwards, and die of it."""
        super().handle_exit(sig, frame)
        self._captured_signals.clear()

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Sockets are closed with 1012, streams break off; clients come back with their cursor."""
        self.services.draining.set()
        await super().shutdown(sockets)  # type: ignore[arg-type]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 when it was done."""
    options = _parser().parse_args(arguments)
    tell: Tell | None = options.tell
    return tell(options) if tell else _with_settings(options)


def _parser() -> argparse.ArgumentParser:
    """Every command; what it does is `tell` without settings, `run` on the open database, or `begin`."""
    parser = argparse.ArgumentParser(prog="cli.py", description=__doc__)
    parser.set_defaults(tell=None, run=None, begin=lambda *_: 0, migrates=True, demo=False, ahead=0)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="migrate and serve; starts a database unless DATABASE_URL is set")
    serving.add_argument("--demo", action="store_true", help="load the demo if the database is empty")
    serving.add_argument(
        "--ahead",
        type=int,
        default=0,
        metavar="SECONDS",
        help="put the clock forward, to see what time does; not in production",
    )
    serving.set_defaults(begin=_serve)
    working = commands.add_parser("worker", help="do jobs and send letters, beside other processes")
    working.set_defaults(begin=lambda _, settings: asyncio.run(work(settings)))
    commands.add_parser("migrate", help="bring the database up to date")
    commands.add_parser("demo", help="load the demo into an empty database").set_defaults(demo=True)
    commands.add_parser("schema", help="print the GraphQL schema").set_defaults(tell=_print_schema)
    commands.add_parser("documents", help="print the documents of our pages").set_defaults(tell=_print_documents)
    for command in (letters, enter, load, staff, trail, simulate):
        command.add_to(commands)
    return parser


def _print_schema(_: argparse.Namespace) -> int:
    sys.stdout.write(schema_text())
    return 0


def _print_documents(_: argparse.Namespace) -> int:
    sys.stdout.write(page_documents.manifest())
    return 0


def _with_settings(options: argparse.Namespace) -> int:
    try:
        settings = Settings.from_env(os.environ)
        if options.ahead and settings.production:
            raise ValueError("The clock is not put forward in production.")
        post_of(settings)  # what is wrong with it is told before anything is begun
        settings = with_database(settings)
    except (ValueError, embedded.EmbeddedFailure) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    log.configure(settings.log_format)
    try:
        if options.migrates:
            asyncio.run(prepare(settings, options.demo))
        if options.run:
            return asyncio.run(_run(options.run, options, settings))
    except Unavailable:
        sys.stderr.write("The database cannot be reached: see DATABASE_URL.\n")
        return 1
    begin: Callable[[argparse.Namespace, Settings], int] = options.begin
    return begin(options, settings)


async def _run(run: Run, options: argparse.Namespace, settings: Settings) -> int:
    """One of the commands that work on rows."""
    assert settings.database_url is not None
    async with opened(settings.database_url):
        return await run(options, settings)


def schema_text() -> str:
    """The schema as it is committed in `schema.graphql`."""
    return schema.as_str() + "\n"


def with_database(settings: Settings) -> Settings:
    """The settings with the address of a database: the given one, or our own, started here."""
    if settings.database_url:
        return settings
    return replace(settings, database_url=embedded.start(settings.var / "postgres"))


async def prepare(settings: Settings, demo: bool) -> None:
    """Migrate, load the exams, and the demo if it is wanted and the database is empty."""
    keys.use(settings.secret_key)
    assert settings.database_url is not None
    async with opened(settings.database_url):
        await migrations.migrate(settings.database_url)
        await exams.load_reference_data()
        if demo:
            await load_demo(system_clock(), lambda logins: _keep(logins, settings.var))


def _keep(logins: Logins, folder: Path) -> None:
    """Write the log-ins where only we can read them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "demo.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(logins, ensure_ascii=False, indent=2) + "\n", "utf-8")


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[None]:
    """The database for one command."""
    async with database.opened(url, pool_size=2, everywhere=False):
        yield


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    return serve(settings, ahead(timedelta(seconds=options.ahead)) if options.ahead else system_clock)


def serve(settings: Settings, clock: Clock = system_clock) -> int:
    """Serve until SIGTERM or Ctrl-C; requests that run are finished first."""
    server = server_of(settings, clock)
    _tell(settings)
    gc.collect()
    gc.freeze()  # what is loaded now stays; collections look at requests' rows only
    server.run()
    return 0 if server.started else 1


async def work(settings: Settings, clock: Clock = system_clock) -> int:
    """Do jobs until SIGTERM or Ctrl-C; what is begun is finished first."""
    assert settings.database_url is not None
    keys.use(settings.secret_key)
    stopping = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopping.set)
    async with database.opened(settings.database_url, settings.pool_size), working(settings, clock, stopping):
        sys.stdout.write("Seiseki does jobs\n")
        sys.stdout.flush()
        await stopping.wait()
    return 0


def server_of(settings: Settings, clock: Clock = system_clock) -> Server:
    """The service behind a uvicorn with the limits that it has not got of itself."""
    app = create_app(settings, clock)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=_connections(settings),
        ws=Socket,
        ws_max_size=65536,
        timeout_graceful_shutdown=GRACE_SECONDS,
        access_log=False,
        server_header=False,
        log_config=None,
    )
    return Server(config, app.state.services)


def _connections(settings: Settings) -> type[Connection]:
    """Uvicorn makes connections itself, so what they need is given to their class."""
    return type("LimitedConnection", (Connection,), {"most_per_address": settings.connections_per_address})


def _tell(settings: Settings) -> None:
    """Where to go and whom to log in as."""
    sys.stdout.write(f"Seiseki serves http://{settings.host}:{settings.port}/graphql\n")
    path = settings.var / "demo.json"
    if path.exists():
        sys.stdout.write(f"{_greeting(json.loads(path.read_text('utf-8')))}All log-ins: {path}\n")
    sys.stdout.flush()


def _greeting(logins: dict[str, list[dict[str, str]]]) -> str:
    candidate, entry = logins["candidates"][0], logins["unclaimed"][0]
    verifier, board = logins["verifiers"][0], logins["staff"][0]
    return (
        f"  candidate:  {candidate['idNumber']} / {candidate['password']}\n"
        f"  to claim:   {entry['idNumber']} with Secret Number {entry['secretNumber']}\n"
        f"  verifier:   {verifier['email']} / {verifier['password']}  ({verifier['institution']})\n"
        f"  staff:      {board['email']} / {board['password']}, "
        f"with a code from `.venv/bin/python cli.py staff code {board['email']}`\n"
        f"{_greeting_of_sittings(logins)}"
    )


def _greeting_of_sittings(logins: dict[str, list[dict[str, str]]]) -> str:
    """Who takes an exam at home, and who watches; a demo that was loaded long ago has neither."""
    proctors = [one for one in logins["staff"] if one["role"] == "PROCTOR"][:1]
    watching = [f"  proctor:    {one['email']} / {one['password']}, with such a code too\n" for one in proctors]
    booked = [
        f"  at home:    {one['idNumber']}, {one['startsAt']} {one['timezone']}\n" for one in logins.get("sittings", [])
    ]
    return "".join(watching + booked)


if __name__ == "__main__":
    sys.exit(main())
