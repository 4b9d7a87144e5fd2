"""What is sent to webhooks, as Standard Webhooks has it: bodies, headers, signatures, and when to try again (N7)."""

import base64
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import orjson
from standardwebhooks import Webhook as Signer

from engine import keys
from models.global_ids import written
from models.journal import EventKind

TEST = "test"
PURPOSE = "webhook secret"
TRIED_FOR = timedelta(hours=24)
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
)
PATIENCE = 3  # failures one behind the other, after which one message at a time is tried
HOLDS = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5))  # and how long all wait before the next
LONGEST_ASKED = timedelta(hours=2)  # that a receiver may ask us to wait
BUSY = (429, 503)


def secret(webhook_id: UUID, number: int) -> str:
    """One of a webhook's secrets, as its receiver is shown it once; it is stored nowhere."""
    return f"whsec_{base64.b64encode(keys.seal(PURPOSE, f'{webhook_id} {number}')).decode()}"


def type_of(kind: EventKind) -> str:
    """How messages name an event, such as `share.sent`."""
    return kind.value.lower().replace("_", ".", 1)


def payload(kind: EventKind, event: Mapping[str, Any]) -> dict[str, Any]:
    """The message of an event: ids only, for whoever may fetch what they name."""
    return {
        "type": type_of(kind),
        "timestamp": event["happened_at"].isoformat(),
        "data": {
            "cursor": f"{event['xid']}.{event['id']}",
            "shareId": written("Share", event["share_id"]) if event["share_id"] else None,
            "resultId": written("Result", event["result_id"]) if event["result_id"] else None,
            "resultVersion": event["result_version"],
        },
    }


def test_payload(webhook_id: UUID, now: datetime) -> dict[str, Any]:
    """The message of a test."""
    return {"type": TEST, "timestamp": now.isoformat(), "data": {"webhookId": written("Webhook", webhook_id)}}


def body(message: Mapping[str, Any]) -> bytes:
    """The same bytes however often a message is sent: what is stored does not keep the order of its keys."""
    return orjson.dumps(message, option=orjson.OPT_SORT_KEYS)


def message_id(delivery_id: UUID) -> str:
    """The `webhook-id` of a message: the id of its delivery."""
    return written("WebhookDelivery", delivery_id)


def headers(delivery_id: UUID, text: bytes, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """What goes with a body: its id, the moment of this try, and a signature by each secret."""
    id = message_id(delivery_id)
    signatures = [Signer(one).sign(id, now, text.decode()) for one in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Seiseki-Webhooks",
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def wait_after(tries: int, seed: str) -> timedelta:
    """How long to wait after so many tries, up to a fifth more or less, so that messages do not come back together."""
    jitter = random.Random(f"{seed} {tries}").uniform(0.8, 1.2)  # noqa: S311  # chance that need not be secret
    return WAITS[min(tries, len(WAITS)) - 1] * jitter


def hold_after(failures: int) -> timedelta | None:
    """How long all messages wait after so many failures one behind the other, if at all."""
    return None if failures < PATIENCE else HOLDS[min(failures - PATIENCE, len(HOLDS) - 1)]


def asked_wait(status: int | None, retry_after: str | None, now: datetime) -> timedelta | None:
    """How long a receiver that is busy asks us to wait: a number of seconds, or until a moment."""
    if status not in BUSY or not retry_after:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return min(timedelta(seconds=int(retry_after[:9])), LONGEST_ASKED)
    try:
        wait = parsedate_to_datetime(retry_after) - now
    except (TypeError, ValueError):
        return None
    return max(timedelta(0), min(wait, LONGEST_ASKED))
