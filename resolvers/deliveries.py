"""Messages to webhooks: made of what came behind each one's cursor in the journal, and tried until taken (N7).

A message and the cursor that it is behind are written in one transaction, so nothing is lost and nothing is made twice.
It is claimed before it is sent, and what became of it is noted afterwards; nothing stays open while a receiver thinks.
Whoever dies in between leaves it to the next, under the same id: a receiver may get it twice, but never not at all.
"""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from engine import database
from engine.clock import Clock
from engine.database import Row
from engine.events import Cursor
from engine.outbound import SECONDS, Answer, NotAnswered, Outbound
from models import webhook_messages as messages
from models.base import new_id
from models.institution import APPROVED
from models.journal import EventKind
from models.names import shown_name
from models.webhook import DeliveryFailure, PauseReason
from resolvers import journal, letters

PAGE = 500  # events of one transaction
AT_ONCE = 8  # messages to one webhook at one time
LEASE = timedelta(seconds=4 * SECONDS)  # how long a message is its sender's alone, even if that one is dead
PAUSED_AFTER = timedelta(days=5)  # of failures and nothing else
GONE = 410

OF_INSTITUTION = "FROM webhook JOIN institution ON institution.id = webhook.institution_id"
LIVE = f"webhook.deleted_at IS NULL AND webhook.paused_at IS NULL AND {APPROVED}"
WAITING = "webhook_delivery.status = 'WAITING'"
# Each webhook's next event and next message are found by one step through an index.
HAS_NEWS = """EXISTS (
    SELECT 1 FROM institution AS own CROSS JOIN LATERAL (
        SELECT journal.xid FROM journal WHERE journal.institution_id = own.id
        AND (journal.xid, journal.id) > (webhook.xid::text::xid8, webhook.event_id)
        ORDER BY journal.xid, journal.id LIMIT 1) AS event
    WHERE (own.id = webhook.institution_id OR own.merged_into_id = webhook.institution_id)
    AND event.xid < pg_snapshot_xmin(pg_current_snapshot()))"""
IS_DUE = f"""(webhook.held_until IS NULL OR webhook.held_until <= :now) AND EXISTS (
    SELECT 1 FROM webhook_delivery
    WHERE webhook_delivery.webhook_id = webhook.id AND {WAITING} AND webhook_delivery.next_try_at <= :now)"""

log = structlog.get_logger()


async def stirred(now: datetime) -> list[Row]:
    """The webhooks that there is something to do for: `has_news` to make messages of, or `is_due`."""
    return await database.rows(
        f"""SELECT * FROM (SELECT webhook.id, {HAS_NEWS} AS has_news, {IS_DUE} AS is_due {OF_INSTITUTION} WHERE {LIVE})
            AS found WHERE has_news OR is_due ORDER BY id""",
        now=now,
    )


# ---- making messages


async def tell(webhook_id: UUID, now: datetime) -> int:
    """Make messages of the next events behind a webhook's cursor, unless somebody else is at it; tells how many events.

    Replayed, an event that has its message already has that one sent again.
    """
    async with database.transaction():
        webhook = await database.row(
            f"SELECT webhook.* {OF_INSTITUTION} WHERE webhook.id = :id AND {LIVE} FOR UPDATE OF webhook SKIP LOCKED",
            id=webhook_id,
        )
        if webhook is None:
            return 0
        after = webhook["xid"], webhook["event_id"]
        events = await journal.settled_behind(webhook["institution_id"], after, PAGE)
        if events:
            wanted = [event for event in events if not webhook["kinds"] or event["kind"] in webhook["kinds"]]
            await _write(webhook_id, wanted, now)
            await move(webhook_id, (events[-1]["xid"], events[-1]["id"]))
        return len(events)


async def move(webhook_id: UUID, cursor: Cursor) -> None:
    """Let a webhook be told of what comes behind this place; within a transaction that holds it."""
    await database.rows(
        "UPDATE webhook SET xid = :xid, event_id = :event_id WHERE id = :id",
        id=webhook_id,
        xid=cursor[0],
        event_id=cursor[1],
    )


async def _write(webhook_id: UUID, events: list[Row], now: datetime) -> None:
    kinds = [EventKind(event["kind"]) for event in events]
    texts = [messages.body(messages.payload(kind, event)).decode() for kind, event in zip(kinds, events, strict=True)]
    await database.rows(
        """INSERT INTO webhook_delivery (id, webhook_id, xid, event_id, kind, payload, status, created_at, next_try_at,
                                         give_up_at)
           SELECT id, :webhook_id, xid, event_id, kind, payload, 'WAITING', :now, :now, :give_up_at
           FROM unnest(:ids::uuid[], :xids::bigint[], :event_ids::bigint[], :kinds::text[], :payloads::text[]::jsonb[])
                AS event (id, xid, event_id, kind, payload)
           ON CONFLICT (webhook_id, xid, event_id) WHERE xid IS NOT NULL
           DO UPDATE SET status = 'WAITING', tries = 0, next_try_at = :now, give_up_at = :give_up_at""",
        webhook_id=webhook_id,
        now=now,
        give_up_at=now + messages.TRIED_FOR,
        ids=[new_id() for _ in events],
        xids=[event["xid"] for event in events],
        event_ids=[event["id"] for event in events],
        kinds=[kind.value for kind in kinds],
        payloads=texts,
    )


async def send_again(webhook_id: UUID, delivery_id: UUID, now: datetime) -> bool:
    """Have one message sent again under its id, whatever became of it; False if there is none."""
    return bool(
        await database.rows(
            """UPDATE webhook_delivery SET status = 'WAITING', tries = 0, next_try_at = :now, give_up_at = :give_up_at
               WHERE id = :id AND webhook_id = :webhook_id AND xid IS NOT NULL RETURNING id""",
            id=delivery_id,
            webhook_id=webhook_id,
            now=now,
            give_up_at=now + messages.TRIED_FOR,
        )
    )


async def add_test(webhook_id: UUID, now: datetime) -> UUID:
    """A message of its own, which is claimed already: whoever made it sends it, and nobody tries it again."""
    id = new_id()
    await database.rows(
        """INSERT INTO webhook_delivery (id, webhook_id, kind, payload, status, tries, created_at, next_try_at,
                                         give_up_at, last_try_at)
           VALUES (:id, :webhook_id, 'TEST', :payload, 'WAITING', 1, :now, :lease_ends_at, :now, :now)""",
        id=id,
        webhook_id=webhook_id,
        payload=messages.test_payload(webhook_id, now),
        now=now,
        lease_ends_at=now + LEASE,
    )
    return id


# ---- sending them

CLAIMED = """delivery.id, delivery.webhook_id, delivery.xid, delivery.payload, delivery.tries, delivery.give_up_at,
    owner.url, owner.secret_number, owner.previous_until, owner.failures"""


async def claim(webhook_id: UUID, now: datetime) -> list[Row]:
    """The next messages to a webhook, for us to send now; one alone where the last ones have failed."""
    return await database.rows(
        f"""WITH owner AS MATERIALIZED (
                SELECT webhook.* {OF_INSTITUTION}
                WHERE webhook.id = :id AND {LIVE} AND (webhook.held_until IS NULL OR webhook.held_until <= :now)),
            due AS MATERIALIZED (
                SELECT webhook_delivery.id FROM webhook_delivery
                WHERE webhook_delivery.webhook_id = :id AND {WAITING} AND webhook_delivery.next_try_at <= :now
                AND EXISTS (SELECT 1 FROM owner) ORDER BY webhook_delivery.next_try_at, webhook_delivery.id
                LIMIT (SELECT CASE WHEN owner.failures >= {messages.PATIENCE} THEN 1 ELSE {AT_ONCE} END FROM owner)
                FOR UPDATE SKIP LOCKED)
            UPDATE webhook_delivery AS delivery
            SET tries = delivery.tries + 1, last_try_at = :now, next_try_at = :lease_ends_at
            FROM due, owner WHERE delivery.id = due.id RETURNING {CLAIMED}""",
        id=webhook_id,
        now=now,
        lease_ends_at=now + LEASE,
    )


async def claimed(delivery_id: UUID) -> Row | None:
    """A message that was made claimed."""
    return await database.row(
        f"SELECT {CLAIMED} FROM webhook_delivery AS delivery JOIN webhook AS owner ON owner.id = delivery.webhook_id "
        "WHERE delivery.id = :id",
        id=delivery_id,
    )


async def deliver(delivery: Row, outbound: Outbound, clock: Clock) -> None:
    """Send a claimed message once, and note what became of it."""
    now = clock()
    text = messages.body(delivery["payload"])
    headers = messages.headers(delivery["id"], text, secrets_of(delivery, now), now)
    began = time.monotonic()
    answer, failure = await _answer(outbound, delivery, headers, text)
    outcome = {
        "last_status": answer.status if answer else None,
        "last_failure": failure.value if failure else None,
        "last_milliseconds": round((time.monotonic() - began) * 1000),
    }
    if failure is None:
        await _taken(delivery, outcome)
    else:
        await _failed(delivery, outcome, answer, clock())


async def _answer(
    outbound: Outbound, delivery: Row, headers: dict[str, str], text: bytes
) -> tuple[Answer | None, DeliveryFailure | None]:
    """What was answered, and what is wrong with it."""
    try:
        answer = await outbound.post(delivery["url"], headers, text)
    except NotAnswered as error:
        return None, DeliveryFailure(error.failure.value)
    except Exception:  # a fault of ours in one message must not stop all behind it
        log.exception("webhook.fault", webhook=str(delivery["webhook_id"]))
        return None, DeliveryFailure.BROKEN_OFF
    return answer, None if 200 <= answer.status < 300 else DeliveryFailure.REFUSED


def secrets_of(webhook: Row, now: datetime) -> list[str]:
    """The secrets that sign at this moment, the newest first."""
    id, number, until = webhook["webhook_id"], webhook["secret_number"], webhook["previous_until"]
    numbers = [number, number - 1] if until is not None and now < until else [number]
    return [messages.secret(id, one) for one in numbers]


NOTED = "last_status = :last_status, last_failure = :last_failure, last_milliseconds = :last_milliseconds"


async def _taken(delivery: Row, outcome: dict[str, Any]) -> None:
    """Whoever was resent meanwhile, and so claimed anew, has been delivered all the same."""
    await database.rows(
        f"""UPDATE webhook_delivery SET status = 'DELIVERED', next_try_at = NULL, {NOTED} WHERE id = :id""",
        id=delivery["id"],
        **outcome,
    )
    if delivery["failures"]:
        await _recovered(delivery["webhook_id"])


async def _recovered(webhook_id: UUID) -> None:
    """It takes messages again: after an outage, those that were to be tried later are tried now."""
    before = await database.row(
        """UPDATE webhook SET failures = 0, failing_since = NULL, held_until = NULL
           FROM (SELECT id, failures FROM webhook WHERE id = :id FOR UPDATE) AS before
           WHERE webhook.id = before.id RETURNING before.failures""",
        id=webhook_id,
    )
    if before is not None and before["failures"] >= messages.PATIENCE:
        await database.rows(
            f"""UPDATE webhook_delivery SET next_try_at = last_try_at
                WHERE webhook_id = :id AND {WAITING} AND next_try_at > last_try_at + :lease::interval""",
            id=webhook_id,
            lease=LEASE,
        )


async def _failed(delivery: Row, outcome: dict[str, Any], answer: Answer | None, now: datetime) -> None:
    """Note when to try again, or that it is given up; a test is tried once, and says nothing of the webhook."""
    status, asked_for = (answer.status, answer.retry_after) if answer else (None, None)
    log.info("webhook.failed", webhook=str(delivery["webhook_id"]), status=status, reason=outcome["last_failure"])
    if delivery["xid"] is None:
        await _note(delivery, outcome, None)
        return
    asked = messages.asked_wait(status, asked_for, now)
    async with database.transaction():
        webhook = await _count_failure(delivery["webhook_id"], asked, now)
        is_over = now >= delivery["give_up_at"]
        wait = max(messages.wait_after(delivery["tries"], str(delivery["id"])), asked or timedelta(0))
        await _note(delivery, outcome, None if is_over else min(now + wait, delivery["give_up_at"]))
        if is_over:
            await _give_up(webhook, now)
        if status == GONE:
            await _pause(webhook, PauseReason.GONE, now)
        elif now - webhook["failing_since"] >= PAUSED_AFTER:
            await _pause(webhook, PauseReason.FAILING, now)


async def _note(delivery: Row, outcome: dict[str, Any], next_try_at: datetime | None) -> None:
    """What became of a try counts only while nobody began a newer one."""
    await database.rows(
        f"""UPDATE webhook_delivery SET next_try_at = :next_try_at::timestamptz, {NOTED},
                   status = CASE WHEN :next_try_at::timestamptz IS NULL THEN 'FAILED' ELSE 'WAITING' END
            WHERE id = :id AND tries = :tries AND {WAITING}""",
        id=delivery["id"],
        tries=delivery["tries"],
        next_try_at=next_try_at,
        **outcome,
    )


async def _count_failure(webhook_id: UUID, asked: timedelta | None, now: datetime) -> Row:
    """One failure more; after some, or where the receiver asks for it, everything waits a while."""
    webhook = await database.row("SELECT * FROM webhook WHERE id = :id FOR UPDATE", id=webhook_id)
    assert webhook is not None
    holds = [one for one in (messages.hold_after(webhook["failures"] + 1), asked) if one is not None]
    counted = await database.row(
        """UPDATE webhook SET failures = failures + 1, failing_since = coalesce(failing_since, :now),
                  held_until = greatest(held_until, :held_until::timestamptz) WHERE id = :id RETURNING *""",
        id=webhook_id,
        now=now,
        held_until=now + max(holds) if holds else None,
    )
    assert counted is not None
    return counted


async def _give_up(webhook: Row, now: datetime) -> None:
    """What waits for longer than it is tried fails with it, and the Primary User is told, once in an outage and day."""
    await database.rows(
        f"""UPDATE webhook_delivery SET status = 'FAILED', next_try_at = NULL
            WHERE webhook_id = :id AND {WAITING} AND give_up_at <= :now
            AND (last_try_at IS NULL OR last_try_at <= :free_since)""",
        id=webhook["id"],
        now=now,
        free_since=now - LEASE,
    )
    told_at = webhook["told_at"]
    if told_at is None or (told_at < webhook["failing_since"] and now - told_at >= timedelta(days=1)):
        await _tell_primary("webhook_failing", webhook, now, {"since": webhook["failing_since"].isoformat()})
        await database.rows("UPDATE webhook SET told_at = :now WHERE id = :id", id=webhook["id"], now=now)


async def _pause(webhook: Row, reason: PauseReason, now: datetime) -> None:
    """Send nothing more until somebody resumes it, and tell the Primary User; what waits stays."""
    paused = await database.rows(
        """UPDATE webhook SET paused_at = :now, pause_reason = :reason WHERE id = :id AND paused_at IS NULL
           AND deleted_at IS NULL RETURNING id""",
        id=webhook["id"],
        now=now,
        reason=reason.value,
    )
    if paused:
        await _tell_primary("webhook_paused", webhook, now, {"reason": reason.value})


async def _tell_primary(kind: str, webhook: Row, now: datetime, facts: dict[str, Any]) -> None:
    """Of the address only its host: what is behind that may be a secret."""
    user = await database.row(
        """SELECT verifier_user.id, verifier_user.email, verifier_user.language,
                  institution.name, institution.department
           FROM verifier_user JOIN institution ON institution.id = verifier_user.institution_id
           WHERE verifier_user.institution_id = :id AND verifier_user.is_primary
           AND verifier_user.status = 'ACTIVE'""",
        id=webhook["institution_id"],
    )
    if user is not None:
        receiver = letters.Receiver(user["email"], user["language"], verifier_id=user["id"])
        named = {"institution": shown_name(user["name"], user["department"]), "host": urlsplit(webhook["url"]).hostname}
        await letters.write(kind, receiver, named | facts, now)


async def deliver_all(webhook_id: UUID, outbound: Outbound, clock: Clock) -> int:
    """Send what is due to one webhook, some at a time; tells how many were tried. Several senders share them."""
    due = await claim(webhook_id, clock())
    noted = await asyncio.gather(*(deliver(one, outbound, clock) for one in due), return_exceptions=True)
    for error in noted:
        if isinstance(error, BaseException):
            raise error  # once all the others are noted
    return len(due)
