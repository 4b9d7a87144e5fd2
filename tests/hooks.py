"""A webhook of an institution, its receiver, and a sender that does what a worker does, when the test says so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from engine import outbound
from models.institution import Institution
from models.share import Share
from models.webhook import Webhook, WebhookDelivery
from resolvers import deliveries
from tests.conftest import ControlledClock
from tests.receiver import Receiver, receiving
from tests.world import World, settled


@dataclass
class Hook:
    """One webhook, and what happens around it."""

    world: World
    clock: ControlledClock
    institution: Institution
    webhook: Webhook
    receiver: Receiver

    async def happens(self, count: int = 1) -> list[Share]:
        """So many shares are sent to the institution."""
        ids = [await self.world.share(await self.world.result(), self.institution) for _ in range(count)]
        return [await Share.get(id=id) for id in ids]

    async def look(self) -> int:
        """Make messages of what has happened, and send all that is due; tells how many were tried."""
        await settled()
        tried = 0
        async with outbound.opened() as client:
            for found in await deliveries.stirred(self.clock()):
                while await deliveries.tell(found["id"], self.clock()) == deliveries.PAGE:
                    pass
                while some := await deliveries.deliver_all(found["id"], client, self.clock):
                    tried += some
        return tried

    async def again(self) -> Webhook:
        """The webhook's row as it is now."""
        return await Webhook.get(id=self.webhook.id)

    async def messages(self, webhook_id: UUID | None = None) -> list[WebhookDelivery]:
        """Its messages, oldest first."""
        return await WebhookDelivery.filter(webhook_id=webhook_id or self.webhook.id).order_by("created_at", "id")

    async def states(self) -> list[tuple[str, int]]:
        """What has become of each, and after how many tries."""
        return [(one.status.value, one.tries) for one in await self.messages()]

    def told(self) -> list[Any]:
        """What arrived, in order."""
        return [one.message for one in self.receiver.received]


@asynccontextmanager
async def hooked(world: World, clock: ControlledClock, **facts: Any) -> AsyncIterator[Hook]:
    """An institution with a webhook to a receiver on this machine, which may be reached inside the block."""
    institution = await world.institution()
    async with receiving() as receiver:
        outbound.use(reaches_private=True)
        try:
            webhook = await world.webhook(institution, url=receiver.url, **facts)
            yield Hook(world, clock, institution, webhook, receiver)
        finally:
            outbound.use(reaches_private=False)
