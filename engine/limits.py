"""Limits that hold across processes: counted atomically in the database, before anything is compared."""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine import database
from engine.database import Row


@dataclass(frozen=True, slots=True)
class Lock:
    """How many wrong tries lock a name, for how long, and how many in a lifetime close it (None: never)."""

    kind: str
    tries: int
    length: timedelta
    ever: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, counted as wrong in advance; `right()` takes that back."""

    lock: Lock
    subject: bytes
    in_a_row: int
    ever: int
    locked_until: datetime | None

    @property
    def is_closed(self) -> bool:
        """Whether the tries of a lifetime were used up before this one."""
        return self.lock.ever is not None and self.ever > self.lock.ever

    @property
    def is_refused(self) -> bool:
        """Whether nothing may be compared: closed, or locked before this try."""
        return self.is_closed or self.in_a_row > self.lock.tries

    @property
    def is_last(self) -> bool:
        """Whether this try, if wrong, is the one that locks."""
        return self.in_a_row == self.lock.tries

    @property
    def closes(self) -> bool:
        """Whether this try, if wrong, is the last of a lifetime."""
        return self.lock.ever is not None and self.ever >= self.lock.ever

    async def right(self) -> None:
        """The try was right: forget the wrong ones in a row, and do not count this one."""
        await database.rows(
            """UPDATE wrong_tries SET in_a_row = 0, locked_until = NULL, ever = greatest(ever - 1, 0)
               WHERE kind = :kind AND subject = :subject""",
            kind=self.lock.kind,
            subject=self.subject,
        )


TAKE = """
    INSERT INTO wrong_tries AS t (kind, subject, in_a_row, ever, locked_until, last_at)
    VALUES (:kind, :subject, 1, 1, NULL, :now)
    ON CONFLICT (kind, subject) DO UPDATE SET
        in_a_row = CASE WHEN t.locked_until <= :now THEN 1 ELSE t.in_a_row + 1 END,
        ever = CASE WHEN t.locked_until > :now THEN t.ever ELSE t.ever + 1 END,
        locked_until = CASE WHEN t.locked_until <= :now THEN NULL
                            WHEN t.locked_until IS NULL AND t.in_a_row + 1 >= :tries THEN :locks_until
                            ELSE t.locked_until END,
        last_at = :now
    RETURNING in_a_row, ever, locked_until
"""


async def take(lock: Lock, name: str, now: datetime) -> Attempt:
    """Count one try against a name, whether or not such a name exists."""
    subject = hashlib.sha256(f"{lock.kind}:{name}".encode("utf-8", "surrogatepass")).digest()
    found: Row = (
        await database.rows(
            TAKE, kind=lock.kind, subject=subject, now=now, tries=lock.tries, locks_until=now + lock.length
        )
    )[0]
    return Attempt(lock, subject, found["in_a_row"], found["ever"], found["locked_until"])


async def forget(lock: Lock, name: str) -> None:
    """Forget all tries against a name (a centre issued new numbers, a password was reset)."""
    subject = hashlib.sha256(f"{lock.kind}:{name}".encode("utf-8", "surrogatepass")).digest()
    await database.rows(
        "DELETE FROM wrong_tries WHERE kind = :kind AND subject = :subject", kind=lock.kind, subject=subject
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `most` of a kind by one subject in one window of time; windows begin at multiples of their length."""

    kind: str
    most: int
    window: timedelta

    def started_at(self, now: datetime) -> datetime:
        """When the window that holds `now` began."""
        length = self.window.total_seconds()
        return datetime.fromtimestamp(now.timestamp() // length * length, UTC)

    def ends_at(self, now: datetime) -> datetime:
        """When the window that holds `now` ends, and counting starts afresh."""
        return self.started_at(now) + self.window

    async def count(self, subject: str, now: datetime) -> bool:
        """Count one, and tell whether it was still within the limit."""
        counted: int = await database.value(
            """INSERT INTO rate_window AS w (kind, subject, window_started_at, count)
               VALUES (:kind, :subject, :started_at, 1)
               ON CONFLICT (kind, subject, window_started_at) DO UPDATE SET count = w.count + 1
               RETURNING count""",
            kind=self.kind,
            subject=subject,
            started_at=self.started_at(now),
        )
        return counted <= self.most

    async def give_back(self, subject: str, now: datetime) -> None:
        """Take back one that turned out not to count."""
        await database.rows(
            """UPDATE rate_window SET count = greatest(count - 1, 0)
               WHERE kind = :kind AND subject = :subject AND window_started_at = :started_at""",
            kind=self.kind,
            subject=subject,
            started_at=self.started_at(now),
        )


def network(address: str) -> str:
    """What one client's addresses have in common: an IPv4 address itself, the first 64 bits of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))
