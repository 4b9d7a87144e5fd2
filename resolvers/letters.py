"""Letters: written in the transaction that causes them, sent after it, tried again until they are taken (N4)."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from engine import database
from engine.database import Row
from engine.jobs import LATER, enqueue, enqueue_all
from errors import Unavailable
from mailers.letters import Mail
from mailers.post import AddressRefused, Refused, TryLater
from models.base import new_id
from models.letter import LAST, NEWS, WAITING, Letter
from resolvers.letter_texts import composed

Send = Callable[[Mail], Awaitable[None]]
JOB = "letter"
MOST_TRIES = 10
LONGEST_WAIT = timedelta(hours=6)
SEND_SECONDS = 130.0
SETTLE_TRIES, SETTLE_SECONDS = 60, 0.5
# Parked, too, if its worker was taken for dead while it only waited for the database to write down how it went.
ENDED = {"begun_at": None, "parked_at": None}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whom a letter goes to; where the address belongs to an account, a refusal for good is marked there."""

    address: str
    language: str
    candidate_id: UUID | None = None
    verifier_id: UUID | None = None


async def write(
    kind: str, receiver: Receiver, facts: dict[str, Any], now: datetime, letter_id: UUID | None = None
) -> UUID:
    """Have a letter sent once the surrounding transaction has committed; never put a secret into `facts`.

    A job, which may run twice, hands in the `letter_id`: a letter that is there already is not written again.
    """
    letter = Letter(
        id=letter_id or new_id(),
        kind=kind,
        address=receiver.address,
        language=receiver.language,
        candidate_id=receiver.candidate_id,
        verifier_id=receiver.verifier_id,
        facts=facts,
        written_at=now,
        next_try_at=now,
    )
    await Letter.bulk_create([letter], ignore_conflicts=True)
    await enqueue(JOB, *_job(letter.id))
    return letter.id


async def write_all(kind: str, receivers: Sequence[Receiver], now: datetime) -> None:
    """Write one letter without facts to each of many, by one statement; they are sent after all that is more urgent."""
    ids = [new_id() for _ in receivers]
    await database.rows(
        """INSERT INTO letter (id, kind, candidate_id, verifier_id, address, language, facts, tries,
                               written_at, next_try_at)
           SELECT id, :kind, candidate_id, verifier_id, address, language, '{}', 0, :now, :now
           FROM unnest(:ids::uuid[], :candidates::uuid[], :verifiers::uuid[], :addresses::text[], :languages::text[])
                AS receiver (id, candidate_id, verifier_id, address, language)""",
        kind=kind,
        now=now,
        ids=ids,
        candidates=[one.candidate_id for one in receivers],
        verifiers=[one.verifier_id for one in receivers],
        addresses=[one.address for one in receivers],
        languages=[one.language for one in receivers],
    )
    await enqueue_all(JOB, map(_job, ids), priority=LATER)


def _job(letter_id: UUID) -> tuple[dict[str, str], str]:
    """The facts and the key of a letter's job."""
    return {"id": str(letter_id)}, f"{JOB} {letter_id}"


def lease(seconds: float) -> timedelta:
    """How long a letter is its worker's alone, where sending takes so long at most, even if that worker is dead."""
    return timedelta(seconds=seconds * 1.2)


async def deliver(
    letter_id: UUID, send: Send, public_url: str, now: datetime, seconds: float = SEND_SECONDS
) -> timedelta | None:
    """Try to send a letter, if it is due and nobody else is at it; tells after how long to come back, if at all.

    What is tried is marked before and after, each in a transaction of its own: none stays open while the mail server
    thinks. A worker that dies in between leaves the letter to the next, which sends it with the same Message-ID.
    """
    letter = await _begun(letter_id, now, now - lease(seconds))
    if letter is None:
        return await _time_left(letter_id, now, lease(seconds))

    async def send_in_time(mail: Mail) -> None:
        async with asyncio.timeout(seconds):
            await send(mail)

    changes = await _outcome(letter, send_in_time, public_url, now)
    await _settle(letter, changes)
    is_waiting = "next_try_at" in changes and "parked_at" not in changes
    return timedelta(seconds=(changes["next_try_at"] - now).total_seconds()) if is_waiting else None


# Written by a job that had read the address just before: it must not be used, nor kept (G2).
TO_CLOSED = """EXISTS (SELECT 1 FROM candidate WHERE candidate.id = letter.candidate_id
                       AND candidate.closed_at IS NOT NULL)"""
# News that waited while its receiver turned it off or left, or the institution was suspended (N2, O3).
UNWANTED = f"""letter.kind IN ({", ".join(f"'{kind}'" for kind in sorted(NEWS))}) AND NOT EXISTS (
    SELECT 1 FROM verifier_user JOIN institution ON institution.id = verifier_user.institution_id
    WHERE verifier_user.id = letter.verifier_id AND verifier_user.status = 'ACTIVE' AND verifier_user.notify <> 'OFF'
    AND institution.status = 'APPROVED')"""
NOBODYS = f"({TO_CLOSED} OR {UNWANTED})"


async def _begun(letter_id: UUID, now: datetime, free_since: datetime) -> Row | None:
    return await database.row(
        f"""UPDATE letter SET tries = tries + 1, begun_at = :now WHERE id = :id AND {WAITING} AND tries < {MOST_TRIES}
            AND next_try_at <= :now AND (begun_at IS NULL OR begun_at <= :free_since) AND NOT {NOBODYS}
            RETURNING *""",
        id=letter_id,
        now=now,
        free_since=free_since,
    )


async def _time_left(letter_id: UUID, now: datetime, leased_for: timedelta) -> timedelta | None:
    """How long until a letter that waits may be tried, by us or, if its worker lives, by nobody any more.

    One to a closed account, or with news that nobody wants any more, will never be: it goes.
    """
    await database.rows(f"DELETE FROM letter WHERE id = :id AND {WAITING} AND {NOBODYS}", id=letter_id)
    letter = await database.row(f"SELECT * FROM letter WHERE id = :id AND {WAITING}", id=letter_id)
    if letter is None:
        return None
    free_at: datetime = max(letter["next_try_at"], letter["begun_at"] + leased_for if letter["begun_at"] else now)
    if letter["tries"] >= MOST_TRIES and free_at <= now:  # its last try died with its worker
        await _settle(letter, {"parked_at": now, "begun_at": None})
        return None
    return max(free_at - now, timedelta(seconds=1))


async def _outcome(letter: Row, send: Send, public_url: str, now: datetime) -> dict[str, Any]:
    """Send it; what is to be written of it then."""
    known = {"letter": str(letter["id"]), "tries": letter["tries"]}
    try:
        await send(composed(letter, public_url))
    except Refused as error:
        log.warning("letter.refused", reason=str(error), **known)
        is_address = isinstance(error, AddressRefused)
        return ENDED | {"refused_at": now, "last_error": str(error), "is_address_refused": is_address}
    except (TryLater, TimeoutError) as error:
        log.warning("letter.delayed", reason=str(error), **known)
        return _later(letter, str(error) or "It took too long.", now)
    except Exception as error:  # a fault of ours in one letter must not stop all behind it
        log.exception("letter.failed", **known)
        return _later(letter, type(error).__name__, now)
    return ENDED | {"sent_at": now, "last_error": None}


def _later(letter: Row, reason: str, now: datetime) -> dict[str, Any]:
    changes = {"next_try_at": now + wait_after(letter["tries"], str(letter["id"])), "last_error": reason}
    parked = {"parked_at": now} if letter["tries"] >= MOST_TRIES else {}
    return changes | parked | {"begun_at": None}


def wait_after(tries: int, seed: str) -> timedelta:
    """How long to wait after so many tries: a minute, then three times as long each time, six hours at most.

    Up to a fifth more or less, so that letters which were delayed together do not come back together. Ten tries take
    about a day.
    """
    jitter = random.Random(f"{seed} {tries}").uniform(0.8, 1.2)  # noqa: S311  # chance that need not be secret
    return min(timedelta(minutes=3 ** min(tries - 1, 9)) * jitter, LONGEST_WAIT)


async def _settle(letter: Row, changes: dict[str, Any]) -> None:
    """Write down what became of a try; if the database is away just now, wait for it: what was sent must be known."""
    for _ in range(SETTLE_TRIES):
        try:
            return await _write_down(letter, dict(changes))
        except Unavailable:
            await asyncio.sleep(SETTLE_SECONDS)
    await _write_down(letter, dict(changes))


async def _write_down(letter: Row, changes: dict[str, Any]) -> None:
    is_address_refused = changes.pop("is_address_refused", False)
    async with database.transaction():
        if letter["kind"] == LAST and {"sent_at", "refused_at"} & changes.keys():
            await Letter.filter(id=letter["id"]).delete()
            return
        await Letter.filter(**_tried(letter, changes)).update(**changes)
        if is_address_refused:
            await _mark_owner(letter, changes["refused_at"])
        elif "sent_at" in changes:
            await _mark_owner(letter, None)


def _tried(letter: Row, changes: dict[str, Any]) -> dict[str, Any]:
    """Which row an outcome changes: an end counts whoever tells it, a delay only while nobody began a newer try."""
    is_end = bool({"sent_at", "refused_at"} & changes.keys())
    return {"id": letter["id"]} if is_end else {name: letter[name] for name in ("id", "tries", "begun_at")}


async def _mark_owner(letter: Row, refused_at: datetime | None) -> None:
    """Note on the account that its address is refused for good, or, with None, that it takes mail after all.

    An account that has another address by now is left alone.
    """
    for table, owner in (("candidate", letter["candidate_id"]), ("verifier_user", letter["verifier_id"])):
        if owner is not None:
            await database.rows(
                f"""UPDATE {table} SET email_refused_at = :refused_at WHERE id = :id AND email = :address
                    AND (email_refused_at IS NOT NULL OR :refused_at::timestamptz IS NOT NULL)""",
                refused_at=refused_at,
                id=owner,
                address=letter["address"],
            )


async def start_over(addresses: Mapping[UUID, str], now: datetime) -> None:
    """Have letters that were parked or refused tried anew, from the first try, each at its address.

    Inside the transaction that locked them; whoever asks has looked whether they may be sent.
    """
    await database.rows(
        """UPDATE letter SET address = wanted.address, tries = 0, next_try_at = :now,
                             parked_at = NULL, refused_at = NULL
           FROM unnest(:ids::uuid[], :addresses::text[]) AS wanted (id, address) WHERE letter.id = wanted.id""",
        now=now,
        ids=list(addresses),
        addresses=list(addresses.values()),
    )
    await enqueue_all(JOB, map(_job, addresses))


async def find_forgotten(now: datetime) -> int:
    """Give every letter that should have been tried by now a job again, if it lost its own; tells for how many.

    Jobs are held after faults of ours and dropped when a worker is stopped in their middle; letters must not be.
    """
    found = await database.rows(
        f"""SELECT id FROM letter WHERE {WAITING} AND next_try_at < :late AND (begun_at IS NULL OR begun_at < :late)
            ORDER BY next_try_at LIMIT 5000""",
        late=now - lease(SEND_SECONDS) - timedelta(minutes=1),
    )
    if found:
        async with database.transaction():
            await enqueue_all(JOB, [_job(letter["id"]) for letter in found])
    return len(found)
