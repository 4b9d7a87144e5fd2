"""A consumer behind a line that drops, doubles and reorders messages ends with what we hold; workers may die (N7)."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from starlette.applications import Starlette

from engine import database
from models import webhook_messages as texts
from models.scope import Scope
from models.share import Share
from models.viewer import Kind
from resolvers import corrections, deliveries, shares, withdrawals
from resolvers.corrections import Facts, Order
from tests.client import Client
from tests.conftest import ControlledClock
from tests.hooks import Hook, hooked
from tests.receiver import Received, Reply, receiving
from tests.rows import board
from tests.served import Served, until
from tests.test_deliveries import verify
from tests.world import World, gid, settled

SHARE = "query ($id: ID!) { share(id: $id) { id status result { id version headline } } }"
CHANGES = """query ($after: String) { changes(after: $after, first: 1000) { cursor hasMore nodes {
    kind shareId resultId resultVersion } } }"""

LAST_TRY = 6  # of eight within a day


@dataclass
class Consumer:
    """A program of the institution: it fetches what messages name, and keeps what it was told last of each share."""

    client: Client
    check: Callable[[Received], Any]
    chance: random.Random
    seen: set[str] = field(default_factory=set)
    kept: dict[str, Any] = field(default_factory=dict)  # share -> what it looked like
    delayed: list[Received] = field(default_factory=list)
    forged: int = 0
    comes: Counter[str] = field(default_factory=Counter)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self, request: Received) -> Reply:
        """A message as it comes over a bad line; in the end it comes, or by chance it would be given up after a day."""
        luck = self.chance.random()
        self.comes[request.id] += 1
        if self.comes[request.id] == LAST_TRY:
            luck = 1.0
        if luck < 0.15:
            return Reply(500)  # never seen
        if luck < 0.25:
            return Reply(cuts=True)
        if luck < 0.35:
            self.delayed.append(request)  # answered, and worked on after later ones
            return Reply(202)
        await self.work(request)
        if luck < 0.45:
            return Reply(503)  # worked on, and sent again all the same
        if luck < 0.55:
            await self.work(request)
        return Reply(204)

    async def work(self, request: Received) -> None:
        """What a receiver should do: one after the other, or what one has fetched is old when it is kept."""
        async with self.turn:
            await self._work(request)

    async def _work(self, request: Received) -> None:
        """Check, leave out what was seen, and fetch what is now."""
        try:
            message = self.check(request)
        except WebhookVerificationError:
            self.forged += 1
            return
        if request.id in self.seen:
            return
        share_id = message["data"]["shareId"]
        share = (await self.client.ask(SHARE, id=share_id))["share"]
        if share is None:
            self.kept.pop(share_id, None)
        else:
            self.kept[share_id] = share
        self.seen.add(request.id)

    async def catch_up(self) -> None:
        """Work on what was put off, in any order."""
        self.chance.shuffle(self.delayed)
        for request in self.delayed:
            await self.work(request)
        self.delayed.clear()


@dataclass
class Life:
    """What happens at random to an institution's shares."""

    hook: Hook
    chance: random.Random
    live: list[Share] = field(default_factory=list)

    async def goes_on(self) -> None:
        """One thing."""
        deeds = [self.sends, self.opens, self.marks, self.amends, self.withdraws]
        await self.chance.choice(deeds if self.live else [self.sends])()
        self.hook.clock.forward(seconds=1)

    async def sends(self) -> None:
        self.live += await self.hook.happens()

    async def opens(self) -> None:
        await shares.open_share(self.viewer, self.chance.choice(self.live).id)

    async def marks(self) -> None:
        await shares.mark(self.viewer, self.chance.choice(self.live).id, is_read=False)

    async def amends(self) -> None:
        share = self.chance.choice(self.live)
        version = await database.value("SELECT version FROM result WHERE id = :id", id=share.result_id)
        score = 181 + version % 2
        await corrections.amend(
            board(self.hook.world), Order(share.result_id, version, "A slip."), Facts(overall_score=score)
        )

    async def withdraws(self) -> None:
        share = self.live.pop(self.chance.randrange(len(self.live)))
        await withdrawals.withdraw(self.hook.world.viewer(Kind.CANDIDATE, share.candidate_id), share.id)

    @property
    def viewer(self) -> Any:
        """An officer."""
        return self.hook.world.viewer(Kind.VERIFIER, self.hook.webhook.id, institution_id=self.hook.institution.id)


@pytest.fixture
async def hook(app: Starlette, world: World, clock: ControlledClock) -> AsyncIterator[Hook]:
    """A webhook of an institution with a user."""
    async with hooked(world, clock) as hook:
        await world.verifier(hook.institution)
        yield hook


async def truth(client: Client, life: Life) -> dict[str, Any]:
    """Every live share as the institution sees it."""
    return {gid(share): (await client.ask(SHARE, id=gid(share)))["share"] for share in life.live}


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_consumer_behind_a_bad_line_ends_with_what_we_hold(
    hook: Hook, client: Client, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N7: it is told of every event at least once, under one id, and needs nothing but ids and the API."""
    chance = random.Random(seed)
    _, token = await hook.world.key(hook.institution, Scope.READ_SHARES)
    secret = texts.secret(hook.webhook.id, 1)
    consumer = Consumer(client.as_(token), lambda request: verify(hook, request, secret, monkeypatch), chance)
    hook.receiver.answer = consumer.take
    life = Life(hook, chance)
    for _ in range(25):
        await life.goes_on()
        if chance.random() < 0.5:
            await hook.look()
        if chance.random() < 0.2:
            await consumer.catch_up()
    while {status for status, _ in await hook.states()} != {"DELIVERED"} or await unmade(hook):
        hook.clock.forward(minutes=3)
        await hook.look()
        await consumer.catch_up()
    await consumer.catch_up()  # the last may have been put off
    assert consumer.kept == await truth(consumer.client, life)
    assert consumer.seen == {texts.message_id(one.id) for one in await hook.messages()}
    assert len(consumer.seen) == await database.value("SELECT count(*) FROM journal")
    assert len(hook.receiver.received) > len(consumer.seen)
    assert consumer.forged == 0
    told = (await consumer.client.ask(CHANGES))["changes"]["nodes"]
    assert sorted(one["kind"] for one in told) == sorted(one.kind for one in await hook.messages())


async def unmade(hook: Hook) -> bool:
    """Whether anything that happened has no message yet."""
    await settled()
    return bool(await deliveries.stirred(hook.clock()))


# ---- workers that are killed

LEASE_OVER = "UPDATE webhook_delivery SET next_try_at = now() WHERE status = 'WAITING'"


async def test_nothing_is_lost_when_workers_are_killed_while_messages_are_on_their_way(
    open_database: None, database_url: str, tmp_path: Path
) -> None:
    """N7: kill -9 between sending and noting sends it again, under the same id; and SIGTERM ends it in order."""
    world = World(lambda: datetime.now(UTC))
    institution = await world.institution()
    await world.verifier(institution)
    may_answer = asyncio.Event()

    async def waits(request: Received) -> Reply:
        await may_answer.wait()
        return Reply()

    environment = {"WEBHOOKS_TO_PRIVATE": "1"}
    worker = Served(tmp_path / "var", database_url, environment, command="worker")
    async with receiving() as receiver:
        receiver.answer = waits
        webhook = await world.webhook(institution, url=receiver.url)
        for _ in range(5):
            await world.share(await world.result(), institution)
        worker.start()
        try:
            await until(lambda: len(receiver.received) == 5, seconds=90)
            worker.kill()
            first = {one.id: one.body for one in receiver.received}
            may_answer.set()
            await world.share(await world.result(), institution)
            await database.rows(LEASE_OVER)  # a minute would have to pass
            worker.start()
            await until(lambda: len({one.id for one in receiver.received}) == 6, seconds=90)
            await until(lambda: is_done(6), seconds=90)
            worker.terminate()
            assert worker.ended() == 0
        finally:
            worker.stop()
    again = {one.id: one for one in receiver.received[5:]}
    assert set(first) < set(again)
    assert all(again[id].body == body for id, body in first.items())
    for one in again.values():
        Verifier(secret_of(webhook.id)).verify(one.body, one.headers)


def secret_of(webhook_id: Any) -> str:
    """The secret that the worker's own key makes."""
    return texts.secret(webhook_id, 1)


async def is_done(count: int) -> bool:
    """Whether so many messages were taken."""
    found = await database.value("SELECT count(*) FROM webhook_delivery WHERE status = 'DELIVERED'")
    return bool(found == count)
