"""Webhooks: an institution's addresses that are told what happens to its shares and results (N7).

Whoever keeps them is the Primary User, or a key that may manage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from engine import database, outbound
from engine.clock import Clock
from engine.database import Row
from engine.limits import Rate
from engine.outbound import Fault
from errors import (
    CursorNotValid,
    DeliveryNotFound,
    InvalidInput,
    Problem,
    Sentence,
    TooManyTries,
    WebhookNotFound,
)
from models import webhook_messages as messages
from models.base import new_id, required
from models.journal import EventKind
from models.scope import Scope
from models.viewer import Kind, Viewer
from models.webhook import Webhook
from resolvers import deliveries, journal
from resolvers.pages import Page, Place, page_of
from resolvers.reading import Source, grouped

MOST = 20  # of one institution
OVERLAP = timedelta(hours=24)  # in which the secret before signs as well
TESTS = Rate("webhook tests by institution", most=20, window=timedelta(minutes=10))
REPLAYS = Rate("webhook replays by institution", most=20, window=timedelta(hours=1))
RESENDINGS = Rate("webhook resendings by institution", most=1000, window=timedelta(hours=1))
FAULTS = {
    Fault.NO_URL: Problem("url", "This is no address that begins with https://, at most 2,000 characters long."),
    Fault.NOT_HTTPS: Problem("url", "The address must begin with https://."),
    Fault.HAS_PASSWORD: Problem("url", "The address may not hold a user name or password."),
    Fault.PORT: Problem("url", "The port must be 443, or 1024 or above."),
    Fault.NOT_PUBLIC: Problem("url", "The address must be one of the public internet."),
}

SOURCE = Source(Webhook, "SELECT webhook.* FROM webhook", "webhook.id", "id")
by_ids = SOURCE.by_ids


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be changed; None stays as it is."""

    url: str | None = None
    kinds: Sequence[EventKind] | None = None
    is_paused: bool | None = None
    ends_previous_secret: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A webhook, and a secret of it that is shown this once."""

    webhook: Row
    secret: str


async def own(viewer: Viewer) -> list[Row]:
    """The institution's webhooks, the oldest first."""
    return await SOURCE.rows(viewer, "true", f"ORDER BY webhook.created_at, webhook.id LIMIT {MOST}")


async def create(viewer: Viewer, url: str, kinds: Sequence[EventKind]) -> Shown:
    """A webhook that is told of what happens from now on.

    Raises NotLoggedIn, NotAllowed or InvalidInput.
    """
    institution_id = _managed(viewer)
    _check(url)
    id = new_id()
    async with database.transaction():
        await database.rows("SELECT 1 FROM institution WHERE id = :id FOR NO KEY UPDATE", id=institution_id)
        if len(await own(viewer)) >= MOST:
            too_many = Sentence.of("An institution has at most {most} webhooks: delete one first.", most=MOST)
            raise InvalidInput([Problem("url", too_many)])
        await database.rows(
            """INSERT INTO webhook (id, institution_id, url, kinds, created_by, created_at, xid, event_id)
               VALUES (:id, :institution_id, :url, :kinds, :created_by, :now, :xid, 0)""",
            id=id,
            institution_id=institution_id,
            url=url,
            kinds=_values(kinds),
            created_by=viewer.id,
            now=viewer.at,
            xid=await journal.position(),
        )
        return Shown(await _one(viewer, id), messages.secret(id, 1))


async def change(viewer: Viewer, id: UUID, wishes: Wishes) -> Row:
    """Change a webhook; resumed, it is told of everything since, and what waits is tried anew.

    Raises NotLoggedIn, NotAllowed, WebhookNotFound or InvalidInput.
    """
    _managed(viewer)
    if wishes.url is not None:
        _check(wishes.url)
    async with database.transaction():
        webhook = await _held(viewer, id)
        await database.rows(
            """UPDATE webhook SET url = :url, kinds = :kinds,
                      previous_until = CASE WHEN :ends THEN NULL ELSE previous_until END WHERE id = :id""",
            id=id,
            url=webhook.url if wishes.url is None else wishes.url,
            kinds=webhook.kinds if wishes.kinds is None else _values(wishes.kinds),
            ends=wishes.ends_previous_secret,
        )
        if wishes.is_paused is True and webhook.paused_at is None:
            await database.rows(
                "UPDATE webhook SET paused_at = :now, pause_reason = 'BY_HAND' WHERE id = :id", id=id, now=viewer.at
            )
        if wishes.is_paused is False or (wishes.url is not None and wishes.url != webhook.url):
            await _begin_anew(viewer, webhook, wishes.is_paused is False)
        return await _one(viewer, id)


async def _begin_anew(viewer: Viewer, webhook: Webhook, is_resumed: bool) -> None:
    """What went wrong before counts no more, and everything that waits is due."""
    await database.rows(
        """UPDATE webhook SET failures = 0, failing_since = NULL, held_until = NULL,
                  paused_at = CASE WHEN :is_resumed THEN NULL ELSE paused_at END,
                  pause_reason = CASE WHEN :is_resumed THEN NULL ELSE pause_reason END WHERE id = :id""",
        id=webhook.id,
        is_resumed=is_resumed,
    )
    await database.rows(
        """UPDATE webhook_delivery SET tries = 0, next_try_at = :now, give_up_at = :give_up_at
           WHERE webhook_id = :id AND status = 'WAITING' AND xid IS NOT NULL""",
        id=webhook.id,
        now=viewer.at,
        give_up_at=viewer.at + messages.TRIED_FOR,
    )


async def delete(viewer: Viewer, id: UUID) -> None:
    """End a webhook for good: nothing more is sent to it.

    Raises NotLoggedIn, NotAllowed or WebhookNotFound.
    """
    _managed(viewer)
    async with database.transaction():
        await _held(viewer, id)
        await database.rows("UPDATE webhook SET deleted_at = :now WHERE id = :id", id=id, now=viewer.at)


async def rotate(viewer: Viewer, id: UUID) -> Shown:
    """A new secret; the one before signs as well for 24 hours, the one before that no more.

    Raises NotLoggedIn, NotAllowed or WebhookNotFound.
    """
    _managed(viewer)
    async with database.transaction():
        webhook = await _held(viewer, id)
        await database.rows(
            "UPDATE webhook SET secret_number = secret_number + 1, previous_until = :until WHERE id = :id",
            id=id,
            until=viewer.at + OVERLAP,
        )
        return Shown(await _one(viewer, id), messages.secret(id, webhook.secret_number + 1))


async def test(viewer: Viewer, id: UUID, clock: Clock) -> Row:
    """Send a test now, to a paused webhook too; answers the delivery, with what became of it.

    Raises NotLoggedIn, NotAllowed, WebhookNotFound or TooManyTries.
    """
    institution_id = _managed(viewer)
    await _found(viewer, id)
    await _count(TESTS, institution_id, viewer)
    delivery_id = await deliveries.add_test(id, viewer.at)
    claimed = required(await deliveries.claimed(delivery_id))
    async with outbound.opened() as client:
        await deliveries.deliver(claimed, client, clock)
    return await _delivery(delivery_id)


async def replay(viewer: Viewer, id: UUID, after: str) -> Row:
    """Tell a webhook again of everything behind a cursor: each message under the id that it had.

    Raises NotLoggedIn, NotAllowed, WebhookNotFound, InvalidInput or TooManyTries.
    """
    institution_id = _managed(viewer)
    try:
        cursor = journal.cursor_from(after)
    except CursorNotValid:
        raise InvalidInput([Problem("after", "This is not a cursor of this service.")]) from None
    await _found(viewer, id)
    await _count(REPLAYS, institution_id, viewer)
    async with database.transaction():
        await _held(viewer, id)
        cursor = min(cursor, (await journal.position(), 0))  # what is still to come is not skipped
        await deliveries.move(id, cursor)
        return await _one(viewer, id)


async def resend(viewer: Viewer, delivery_id: UUID) -> Row:
    """Have one message sent again, under its id.

    Raises NotLoggedIn, NotAllowed, DeliveryNotFound or TooManyTries.
    """
    institution_id = _managed(viewer)
    delivery = await database.row("SELECT webhook_id FROM webhook_delivery WHERE id = :id", id=delivery_id)
    if delivery is None or delivery["webhook_id"] not in await by_ids(viewer, [delivery["webhook_id"]]):
        raise DeliveryNotFound
    await _count(RESENDINGS, institution_id, viewer)
    if not await deliveries.send_again(delivery["webhook_id"], delivery_id, viewer.at):
        raise DeliveryNotFound
    return await _delivery(delivery_id)


async def deliveries_of(viewer: Viewer, webhook_ids: Sequence[UUID], place: Place) -> dict[UUID, Page]:
    """A page of each webhook's messages, newest first, as far as the viewer may see the webhook."""
    visible = Webhook.visible_to(viewer)
    behind = place.condition("webhook_delivery.created_at", "webhook_delivery.id")
    found = await database.rows(
        f"""SELECT page.* FROM webhook CROSS JOIN LATERAL (
                SELECT webhook_delivery.* FROM webhook_delivery
                WHERE webhook_delivery.webhook_id = webhook.id AND {behind}
                ORDER BY webhook_delivery.created_at DESC, webhook_delivery.id DESC LIMIT :limit) AS page
            WHERE webhook.id = ANY(:ids) AND {visible}""",
        ids=list(webhook_ids),
        limit=place.first + 1,
        **place.named,
        **visible.named,
    )
    pages = grouped(found, "webhook_id")
    return {id: page_of(pages.get(id, []), place.first) for id in webhook_ids}


async def _delivery(id: UUID) -> Row:
    found: Row = required(await database.row("SELECT * FROM webhook_delivery WHERE id = :id", id=id))
    return found


def _managed(viewer: Viewer) -> UUID:
    """The institution that the viewer manages. Raises NotLoggedIn or NotAllowed."""
    if viewer.kind is not Kind.KEY:
        viewer.must_be_primary()
    return viewer.must_act(Scope.MANAGE)


def _check(url: str) -> None:
    fault = outbound.fault_of(url)
    if fault is not None:
        raise InvalidInput([FAULTS[fault]])


def _values(kinds: Sequence[EventKind]) -> list[str]:
    """Each kind once; all of them is what none means, and a new kind will be among them."""
    return sorted({kind.value for kind in kinds})


async def _count(rate: Rate, institution_id: UUID, viewer: Viewer) -> None:
    if not await rate.count(str(institution_id), viewer.at):
        raise TooManyTries(rate.ends_at(viewer.at))


async def _found(viewer: Viewer, id: UUID) -> None:
    if await Webhook.visible_to(viewer).get_or_none(id) is None:
        raise WebhookNotFound


async def _held(viewer: Viewer, id: UUID) -> Webhook:
    """The webhook, held until the transaction ends."""
    webhook = await Webhook.visible_to(viewer).get_or_none(id, lock="FOR NO KEY UPDATE")
    if webhook is None:
        raise WebhookNotFound
    return webhook


async def _one(viewer: Viewer, id: UUID) -> Row:
    return (await by_ids(viewer, [id]))[id]
