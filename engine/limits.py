"""Limits that hold across processes: counted atomically in the database, before anything is compared."""

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
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
    """One try, or several at once, counted as wrong in advance; `right()` takes that back."""

    lock: Lock
    subject: bytes
    in_a_row: int
    ever: int
    locked_until: datetime | None
    count: int = 1

    @property
    def is_closed(self) -> bool:
        """Whether the tries of a lifetime were used up before this one."""
        return self.lock.ever is not None and self.ever > self.lock.ever

    @property
    def is_used_up(self) -> bool:
        """Whether there are no more tries left in this lifetime, this one counted."""
        return self.lock.ever is not None and self.ever >= self.lock.ever

    @property
    def is_refused(self) -> bool:
        """Whether nothing may be compared: closed, or locked before this try."""
        return self.is_closed or self.in_a_row > self.lock.tries

    @property
    def allowed(self) -> int:
        """How many of several tries, the first ones, may be compared."""
        within = max(0, min(self.count, self.lock.tries - (self.in_a_row - self.count)))
        return within if self.lock.ever is None else max(0, min(within, self.lock.ever - (self.ever - within)))

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
        await _right(self.lock, [self.subject], [self.subject])


TAKE = """
    INSERT INTO wrong_tries AS t (kind, subject, in_a_row, ever, locked_until, last_at)
    SELECT :kind, subject, count, least(count, :tries::int),
           CASE WHEN count >= :tries THEN :locks_until::timestamptz END, :now::timestamptz
    FROM unnest(:subjects::bytea[], :counts::int[]) AS wanted (subject, count)
    ON CONFLICT (kind, subject) DO UPDATE SET
        in_a_row = CASE WHEN t.locked_until <= :now THEN 0 ELSE t.in_a_row END + excluded.in_a_row,
        ever = t.ever + CASE WHEN t.locked_until > :now THEN 0 WHEN t.locked_until <= :now THEN excluded.ever
                             ELSE least(excluded.in_a_row, :tries - t.in_a_row) END,
        locked_until = CASE WHEN t.locked_until > :now THEN t.locked_until
                            WHEN t.locked_until <= :now THEN excluded.locked_until
                            WHEN t.in_a_row + excluded.in_a_row >= :tries THEN :locks_until END,
        last_at = :now
    RETURNING subject, in_a_row, ever, locked_until
"""


async def take(lock: Lock, name: str, now: datetime) -> Attempt:
    """Count one try against a name, whether or not such a name exists."""
    return (await take_all(lock, {name: 1}, now))[name]


async def take_all(lock: Lock, counts: Mapping[str, int], now: datetime) -> dict[str, Attempt]:
    """Count so many tries against each of these names, by one statement; always in one order, against deadlocks."""
    names = {_subject(lock, name): name for name in counts}
    subjects = sorted(names)
    found = await database.rows(
        TAKE,
        kind=lock.kind,
        subjects=subjects,
        counts=[counts[names[subject]] for subject in subjects],
        now=now,
        tries=lock.tries,
        locks_until=now + lock.length,
    )
    return {names[row["subject"]]: _attempt(lock, row, counts[names[row["subject"]]]) for row in found}


def _attempt(lock: Lock, row: Row, count: int) -> Attempt:
    return Attempt(lock, row["subject"], row["in_a_row"], row["ever"], row["locked_until"], count)


async def right(lock: Lock, names: Iterable[str], among: Iterable[str]) -> None:
    """A try against each of these was right: forget the wrong ones in a row, and do not count that one.

    The others among which they are, all counted in this transaction, are written as well, as they were: so it takes as
    long whichever was right.
    """
    await _right(lock, [_subject(lock, name) for name in names], [_subject(lock, name) for name in among])


async def _right(lock: Lock, subjects: Sequence[bytes], among: Sequence[bytes]) -> None:
    await database.rows(
        """UPDATE wrong_tries SET in_a_row = CASE WHEN subject = ANY(:subjects) THEN 0 ELSE in_a_row END,
               locked_until = CASE WHEN subject = ANY(:subjects) THEN NULL ELSE locked_until END,
               ever = CASE WHEN subject = ANY(:subjects) THEN greatest(ever - 1, 0) ELSE ever END
           WHERE kind = :kind AND subject = ANY(:among)""",
        kind=lock.kind,
        subjects=list(subjects),
        among=list(among),
    )


def _subject(lock: Lock, name: str) -> bytes:
    return hashlib.sha256(f"{lock.kind}:{name}".encode("utf-8", "surrogatepass")).digest()


async def forget(lock: Lock, name: str) -> None:
    """Forget all tries against a name (a centre issued new numbers, a password was reset)."""
    await database.rows(
        "DELETE FROM wrong_tries WHERE kind = :kind AND subject = :subject",
        kind=lock.kind,
        subject=_subject(lock, name),
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


Counted = Sequence[tuple[Rate, str]]  # rates, each with the subject that is counted; the widest last, against deadlocks


async def count_all(rates: Counted, amount: int, now: datetime) -> list[Rate]:
    """Count so many of each by one statement, and tell which are past their limit now.

    Within a transaction: whoever refuses lets it end, and nothing was counted.
    """
    found = await database.rows(
        """INSERT INTO rate_window AS w (kind, subject, window_started_at, count)
           SELECT kind, subject, started_at, :amount::int
           FROM unnest(:kinds::text[], :subjects::text[], :started::timestamptz[]) AS n (kind, subject, started_at)
           ON CONFLICT (kind, subject, window_started_at) DO UPDATE SET count = w.count + excluded.count
           RETURNING kind, count""",
        amount=amount,
        **_windows(rates, now),
    )
    counts = {row["kind"]: row["count"] for row in found}
    return [rate for rate, _ in rates if counts[rate.kind] > rate.most]


async def give_back_all(rates: Counted, amount: int, now: datetime) -> None:
    """Take back so many that turned out not to count; in the order in which they are counted."""
    await database.rows(
        """INSERT INTO rate_window AS w (kind, subject, window_started_at, count)
           SELECT kind, subject, started_at, 0
           FROM unnest(:kinds::text[], :subjects::text[], :started::timestamptz[]) AS n (kind, subject, started_at)
           ON CONFLICT (kind, subject, window_started_at) DO UPDATE SET count = greatest(w.count - :amount::int, 0)""",
        amount=amount,
        **_windows(rates, now),
    )


def _windows(rates: Counted, now: datetime) -> dict[str, list[str] | list[datetime]]:
    return {
        "kinds": [rate.kind for rate, _ in rates],
        "subjects": [subject for _, subject in rates],
        "started": [rate.started_at(now) for rate, _ in rates],
    }


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
