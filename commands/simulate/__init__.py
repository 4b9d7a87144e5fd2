"""`cli.py simulate sittings`: many sittings at once through the real door; also the load test of events (H1-H10)."""

import argparse
import asyncio
import math
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from commands.simulate import accounts, report
from commands.simulate.door import Door
from commands.simulate.play import ended
from commands.simulate.proctors import MOST_WATCHED
from commands.simulate.service import Service, checked, own_settings
from commands.simulate.simulation import Found, People, Simulation
from commands.simulate.stories import dealt
from engine import database, embedded, keys, log
from models.verifier import StaffRole
from settings import Settings

TOLD = """
Without --url it starts a service of its own, with data under VAR_DIR/simulation (or in the database of DATABASE_URL,
which must be empty or hold the demo loaded by this command). With --url the service is one that runs: its environment
must be ours too (DATABASE_URL, SECRET_KEY, VAR_DIR with demo.json), for candidates and staff are made in its database.
They stay there: never use a production.

Ten minutes of a break cannot pass in a short run. So at the end our own service is ended and started again with a clock
that is 17 minutes ahead (`serve --ahead`); with --url, stories that need it are left out.
"""


def add_to(commands: Any) -> None:
    """The command and its options."""
    parser = commands.add_parser("simulate", help="play many sittings at once; not in production")
    named = parser.add_subparsers(dest="simulate", required=True)
    playing = named.add_parser(
        "sittings",
        help="from booking to report or cancel, by apps that talk HTTP and WebSocket",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=TOLD,
    )
    playing.add_argument("--sittings", type=int, default=200, metavar="N", help="how many at once (200)")
    playing.add_argument("--proctors", type=int, metavar="N", help=f"how many (one for {MOST_WATCHED} sittings)")
    playing.add_argument("--minutes", type=float, default=3.0, help="how long one takes; three hours in real life (3)")
    playing.add_argument("--limit", type=float, default=1.0, metavar="SECONDS", help="99 of 100 events come within (1)")
    playing.add_argument("--kill", action="store_true", help="kill -9 the service in the middle, and start it again")
    playing.add_argument("--url", help="of a service that runs, such as http://127.0.0.1:8000/graphql")
    playing.add_argument("--seed", type=int, default=1, help="of the dice")
    playing.set_defaults(tell=_tell)


def _tell(options: argparse.Namespace) -> int:
    """Play; 0 if nothing was lost or doubled, and events came in time."""
    if options.kill and options.url:
        return _not_possible("Only a service that was started here can be killed.")
    try:
        settings = checked(Settings.from_env()) if options.url else own_settings()
        log.configure(settings.log_format)
        return asyncio.run(_play(options, settings))
    except (ValueError, accounts.NotPossible, embedded.EmbeddedFailure) as error:
        return _not_possible(str(error))
    except asyncio.CancelledError:
        return 1


def _not_possible(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 2


async def _play(options: argparse.Namespace, settings: Settings) -> int:
    service = None if options.url else Service(settings)
    playing = asyncio.current_task()
    assert playing is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)  # so that the service ends too
    try:
        if service is not None:
            await service.start()
        url = options.url or (service.url if service else "")
        people = await _people(options, settings, with_clock=service is not None)
        simulation = Simulation(Door(url), people, options.minutes, service, options.seed)
        found = await _while_it_serves(simulation.run(options.kill), service)
    finally:
        if service is not None:
            await service.stop()
    sys.stdout.write(report.written(simulation.play, found, options.limit))
    return 0 if report.is_good(simulation.play, found, options.limit) else 1


async def _while_it_serves(playing: Coroutine[Any, Any, Found], service: Service | None) -> Found:
    """What is found at the end. Raises NotPossible when our service ends by itself: apps would wait for it for long."""
    if service is None:
        return await playing
    play, broken = asyncio.ensure_future(playing), asyncio.ensure_future(service.broken())
    try:
        await asyncio.wait({play, broken}, return_when=asyncio.FIRST_COMPLETED)
        return play.result() if play.done() else await broken
    finally:
        await ended([play, broken])


async def _people(options: argparse.Namespace, settings: Settings, with_clock: bool) -> People:
    """Everybody, made as the command line makes them."""
    user = accounts.dashboard_login(settings.var)
    rooms = accounts.rooms(dealt(options.sittings, with_clock))
    proctors = options.proctors or math.ceil(len(rooms) / MOST_WATCHED)
    keys.use(settings.secret_key)
    url = settings.database_url or embedded.start(settings.var / "postgres")
    async with database.opened(url, pool_size=2, everywhere=False):
        numbers = await accounts.enter(rooms)
        (board,) = await accounts.engage(StaffRole.BOARD, 1)
        return People(rooms, numbers, await accounts.engage(StaffRole.PROCTOR, proctors), board, user)
