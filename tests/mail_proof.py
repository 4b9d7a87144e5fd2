"""Nothing lost, nothing twice: letters, a mail server that behaves badly, and workers killed at random (N4).

`python -m tests.mail_proof 2000 40` runs it with 2,000 letters and 40 kills on a database of its own and prints what
happened; the suite runs a short one. Waits between tries are cut short, as if their time were over, and so is the
time that a mail may take; nothing else is different from a service at work.
"""

import asyncio
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from engine import database, embedded, keys, migrations
from engine.clock import system_clock
from models.base import new_id
from models.letter import WAITING, Letter
from resolvers import letters
from tests.mail_server import MailServer, mail_server_running, parsed
from tests.served import Served, until

WORKERS = 2
MAIL_SECONDS, HEARTBEAT_SECONDS = 3, 2
NO_SUCH_USER = 0.02
FEW_MOODS = 10
SETTLES_WITHIN = 1.0  # seconds from the server's answer to our row that says so; a kill in between loses the answer
HURRY = [
    f"UPDATE letter SET next_try_at = now() WHERE {WAITING} AND next_try_at > now()",
    "UPDATE pgqueuer SET execute_after = now() WHERE execute_after > now()",
]


@dataclass(slots=True)
class Delivery:
    """One time that a mail was taken in; `answered_at` stays None where the worker was never told."""

    id: str
    answered_at: float | None = None


class MoodyServer(MailServer):
    """A mail server that delays, refuses, hangs and hangs up as the dice fall."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__({})
        self.dice = dice
        self.is_moody = True
        self.deliveries: list[Delivery] = []
        self.moods: Counter[str] = Counter()

    def _mood(self, name: str, chance: float) -> bool:
        happens = self.is_moody and self.dice.random() < chance
        self.moods[name] += happens
        return happens

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Greylisting, a full disk, or a line that breaks."""
        if self._mood("451 at RCPT", 0.1):
            return "451 4.7.1 Greylisted, try again later"
        if self._mood("hung up at RCPT", 0.02):
            await self._end(server)
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """The mail is refused before it is taken, or taken in and perhaps never answered."""
        if self._mood("452 at DATA", 0.05):
            return "452 4.3.1 Insufficient system storage"
        assert isinstance(envelope.content, bytes)
        delivery = Delivery(str(parsed(envelope.content)["Message-ID"]))
        self.deliveries.append(delivery)
        self.recipients += envelope.rcpt_tos
        if self._mood("taken in, then silent", 0.01):
            await asyncio.Event().wait()
        if self._mood("taken in, then hung up", 0.02):
            await self._end(server)
        await asyncio.sleep(0.005)
        delivery.answered_at = time.monotonic()
        return "250 OK"


@dataclass(slots=True)
class Proof:
    """What happened."""

    letters: int
    refused: set[str]
    seconds: float = 0.0
    kills: list[float] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    moods: Counter[str] = field(default_factory=Counter)
    tries: Counter[int] = field(default_factory=Counter)
    unfinished: int = 0
    marked_refused: int = 0

    @property
    def delivered(self) -> Counter[str]:
        """How often each mail was taken in."""
        return Counter(delivery.id for delivery in self.deliveries)

    @property
    def lost(self) -> int:
        """Letters to real addresses that never arrived."""
        return self.letters - len(self.refused) - len(self.delivered)

    @property
    def twice(self) -> int:
        """Deliveries beyond the first of each mail."""
        return len(self.deliveries) - len(self.delivered)

    @property
    def unexcused(self) -> int:
        """Deliveries that were followed by another of the same mail though their answer could be written down."""
        last = {delivery.id: delivery for delivery in self.deliveries}
        earlier = [delivery for delivery in self.deliveries if last[delivery.id] is not delivery]
        return sum(not self._was_lost(delivery.answered_at) for delivery in earlier)

    def _was_lost(self, answered_at: float | None) -> bool:
        """Whether the server's answer was never sent, or met a worker that was killed just before or just after."""
        return answered_at is None or any(-0.1 <= kill - answered_at <= SETTLES_WITHIN for kill in self.kills)


async def prove(url: str, folder: Path, count: int, kills: int, seed: object = "mail") -> Proof:
    """Write so many letters, have them sent by workers of which so many are killed, and wait until all is settled."""
    dice = random.Random(str(seed))
    started = time.monotonic()
    async with moody_server(dice) as server:
        refused = {f"receiver{number}@mail.example" for number in range(count) if dice.random() < NO_SUCH_USER}
        server.refused = refused
        proof = Proof(count, refused)
        workers = [_worker(folder / f"worker{number}", url, server.url) for number in range(WORKERS)]
        try:
            await asyncio.gather(_write(count), _kill(workers, kills, server, proof))
            await _settled(proof, server)
        finally:
            await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers))
        proof.deliveries, proof.moods = server.deliveries, server.moods
    rows = await Letter.all()
    proof.tries = Counter(row.tries for row in rows)
    proof.marked_refused = sum(row.refused_at is not None and row.address in refused for row in rows)
    proof.unfinished = sum(row.sent_at is None and row.refused_at is None for row in rows)
    proof.seconds = time.monotonic() - started
    return proof


@contextlib.asynccontextmanager
async def moody_server(dice: random.Random) -> AsyncIterator[MoodyServer]:
    """A mail server in this process, with moods."""
    async with mail_server_running(office=MoodyServer(dice)) as server:
        assert isinstance(server, MoodyServer)
        yield server


def _worker(folder: Path, url: str, smtp_url: str) -> Served:
    times = {"MAIL_SECONDS": str(MAIL_SECONDS), "HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS)}
    return Served(folder, url, {"SMTP_URL": smtp_url} | times, command="worker").start()


async def _write(count: int) -> None:
    """Letters as they come: some at once, some later."""
    for number in range(count):
        receiver = letters.Receiver(f"receiver{number}@mail.example", "en")
        async with database.transaction():
            await letters.write("password_reset", receiver, {"reset_id": str(new_id())}, system_clock())
        await asyncio.sleep(0.002)


async def _kill(workers: list[Served], kills: int, server: MoodyServer, proof: Proof) -> None:
    """Kill one worker after the other, at any moment of what they do, and start it again."""
    for _ in range(kills):
        more = server.dice.randint(1, max(1, proof.letters // (kills + 1)))
        with contextlib.suppress(TimeoutError):
            await until(partial(_has_grown, server, len(server.heard) + more))
        await asyncio.sleep(server.dice.uniform(0, 0.2))
        worker = server.dice.choice(workers)
        worker.running.kill()
        proof.kills.append(time.monotonic())
        await asyncio.to_thread(worker.kill)
        worker.start()
        await _hurry()


def _has_grown(server: MoodyServer, to: int) -> bool:
    return len(server.heard) >= to


async def _hurry() -> None:
    """As if all waits were over."""
    for statement in HURRY:
        await database.rows(statement)


async def _settled(proof: Proof, server: MoodyServer) -> None:
    """Until every letter was taken, or refused for good; the server has moods for as long as it has had too few."""
    async with asyncio.timeout(60 + proof.letters / 10):
        while await database.value(f"SELECT count(*) FROM letter WHERE {WAITING}"):
            server.is_moody = server.moods.total() <= FEW_MOODS
            await _hurry()
            await asyncio.sleep(0.5)


def told(proof: Proof) -> str:
    """The figures, a line each."""
    lines = {
        "letters written": proof.letters,
        "of them to addresses that do not exist": len(proof.refused),
        "workers killed": len(proof.kills),
        "seconds": round(proof.seconds),
        "mails taken in by the server": len(proof.deliveries),
        "lost": proof.lost,
        "taken in more than once (answer lost)": proof.twice,
        "taken in more than once without reason": proof.unexcused,
        "not settled": proof.unfinished,
        "refused for good and marked": proof.marked_refused,
        "tries of a letter, most": max(proof.tries),
    }
    moods = {f"server: {name}": times for name, times in proof.moods.items()}
    return "\n".join(f"{name:<45}{value:>8}" for name, value in (lines | moods).items())


async def main(folder: Path, count: int, kills: int) -> None:
    """Run it on a database of its own."""
    url = embedded.start(folder / "postgres")
    keys.use(b"k" * 32)
    try:
        async with database.opened(url):
            await migrations.migrate(url)
            sys.stdout.write(told(await prove(url, folder, count, kills)) + "\n")
    finally:
        embedded.remove(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    home = Path(tempfile.mkdtemp(prefix="seiseki-proof-"))
    home.chmod(0o755)
    asyncio.run(main(home, int(sys.argv[1]), int(sys.argv[2])))
