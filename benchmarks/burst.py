"""A burst of shares to one institution whose users are all mailed at once: `python -m benchmarks.burst`.

Another process sends 10,000 results to institution 0 at a steady rate, into the same database. The process that is
measured serves inbox pages meanwhile, tells the users' dashboards, and does the jobs: 50 users of the institution want
mail at once. Its p99 is compared with its own idle value, and afterwards with the mails: how many each user got, how
close together, and whether they told of every share once.
"""

import asyncio
import statistics
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count, islice, pairwise

import asyncpg
import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from benchmarks import data, database
from benchmarks.cases import CASES
from benchmarks.data import CANDIDATE, INSTITUTION, RESULT, Size
from benchmarks.driver import Round, drive, to_service
from benchmarks.processes import Measured, service
from engine import database as service_database
from engine import embedded
from engine.clock import system_clock
from models.consent import CONSENT_VERSION
from models.viewer import Kind, Viewer
from resolvers import shares
from settings import Settings

SIZE = Size(candidates=20_000, results=30_000, institutions=500, dashboards=50)
SHARES, USERS, PER_SECOND = 10_000, 50, 100
IDLE_SECONDS = 10.0
LAST_MAIL_SECONDS = 150
INBOX = CASES[0]
WANT_MAIL = """
    UPDATE verifier_user SET notify = 'AT_ONCE', news_xid = pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    WHERE institution_id = $1 AND NOT is_primary"""


@dataclass(slots=True)
class Postbox:
    """Takes every mail, and notes for whom."""

    receivers: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """One mail."""
        self.receivers += envelope.rcpt_tos
        return "250 OK"


@asynccontextmanager
async def postbox() -> AsyncIterator[tuple[Postbox, str]]:
    """A mail server in this process, and its address."""
    box = Postbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, hostname="localhost", loop=loop), "127.0.0.1", 0)
    async with server:
        yield box, f"smtp+plain://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def send_all(url: str) -> None:
    """The burst: as `sendResult` does it, at a steady rate."""
    async with service_database.opened(url, pool_size=4):
        started = asyncio.get_running_loop().time()
        for number, result in enumerate(islice(_sendable(), SHARES)):
            await asyncio.sleep(max(0.0, started + number / PER_SECOND - asyncio.get_running_loop().time()))
            candidate = Viewer(Kind.CANDIDATE, system_clock(), id=data.key(CANDIDATE, data.candidate_of(result, SIZE)))
            consent = shares.Consent(CONSENT_VERSION, "en")
            await shares.send(candidate, data.key(RESULT, result), data.key(INSTITUTION, 0), consent)


def _sendable() -> Iterator[int]:
    """Results that institution 0 has not got."""
    return (n for n in range(SIZE.results) if data.institution_of(n, SIZE) != 0 and n % data.ABSENT_EVERY != 16)


async def seen_while(process: asyncio.subprocess.Process, served: Measured) -> Round:
    """What a well-behaved client sees until another process has ended."""
    seen = Round()
    while process.returncode is None:
        seen.add(await drive(served.port, _requests(), INBOX.sign, 1, 0.25))
    return seen


def _requests() -> Iterator[bytes]:
    return (to_service(INBOX, INBOX.asked(number, SIZE)) for number in count())


def p99_ms(seen: Round) -> float:
    """The 99th of a hundred of its requests, in milliseconds."""
    return statistics.quantiles(seen.latencies, n=100)[98] * 1000


async def measure(server_url: str, settings: Settings) -> None:
    """Idle, then the burst, then the mails."""
    async with database.fresh_copy(server_url, "bench_burst", SIZE, system_clock()) as copy, postbox() as (box, smtp):
        connection = await asyncpg.connect(copy)
        await connection.execute(WANT_MAIL, data.key(INSTITUTION, 0))
        with service(copy, settings.var / "bench", SMTP_URL=smtp) as served:
            await drive(served.port, _requests(), INBOX.sign, 1, 3.0)
            idle = await drive(served.port, _requests(), INBOX.sign, 1, IDLE_SECONDS)
            burst = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.burst", copy)
            during = await seen_while(burst, served)
            told = await all_told(connection)
            report(idle, during, told, box)
        await connection.close()


async def all_told(connection: asyncpg.Connection) -> dict[str, list[tuple[datetime, int]]]:
    """When each user's mails were written, and of how many shares they tell, once that is all, or time is over."""
    for _ in range(LAST_MAIL_SECONDS):
        told = defaultdict(list)
        found = await connection.fetch(
            """SELECT address, written_at, (facts ->> 'count')::int AS shares, sent_at FROM letter
               WHERE kind = 'new_shares' ORDER BY written_at"""
        )
        for letter in found:
            told[letter["address"]].append((letter["written_at"], letter["shares"]))
        is_all = len(told) == USERS and all(sum(n for _, n in mails) >= SHARES for mails in told.values())
        if is_all and all(letter["sent_at"] for letter in found):
            return told
        await asyncio.sleep(1)
    return told


def report(idle: Round, during: Round, told: dict[str, list[tuple[datetime, int]]], box: Postbox) -> None:
    """Print what was seen."""
    gaps = [(b[0] - a[0]).total_seconds() for mails in told.values() for a, b in pairwise(mails)]
    sums = sorted({sum(number for _, number in mails) for mails in told.values()})
    lines = {
        "requests, idle": len(idle.latencies),
        "p99 ms, idle": round(p99_ms(idle), 1),
        "requests, during the burst": len(during.latencies),
        "p99 ms, during the burst": round(p99_ms(during), 1),
        "times idle": round(p99_ms(during) / p99_ms(idle), 1),
        "shares sent": SHARES,
        "seconds of the burst": round(during.seconds),
        "users who were mailed": len(told),
        "mails taken in by the server": len(box.receivers),
        "shares told of, each user": sums,
        "least seconds between two mails of a user": min(gaps, default=None),
    }
    sys.stdout.write("\n".join(f"{name:<45}{value!s:>10}" for name, value in lines.items()) + "\n")


def main() -> None:
    """Measure, with a database of its own unless DATABASE_URL is set; or be the burst."""
    if len(sys.argv) == 2:
        uvloop.run(send_all(sys.argv[1]))
        return
    settings = Settings.from_env()
    (settings.var / "bench").mkdir(parents=True, exist_ok=True)
    url = settings.database_url or embedded.start(settings.var / "bench" / "postgres")
    uvloop.run(measure(url, settings))


if __name__ == "__main__":
    main()
