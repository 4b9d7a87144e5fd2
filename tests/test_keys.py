"""Keys of institutions' programs (P1): who is behind one, for how long, and what each scope opens."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from starlette.applications import Starlette

from models.institution import Institution
from models.key import ApiKey
from models.scope import Scope
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.world import World

INBOX = "{ inbox { edges { node { id result { id skillScores { score } } } } } }"


@dataclass
class Office:
    """An institution with a share, and its Primary User."""

    client: Client
    world: World
    institution: Institution
    share_id: UUID
    primary: Client

    async def key(self, *scopes: Scope, **facts: Any) -> Client:
        return self.client.as_((await self.world.key(self.institution, *scopes, **facts))[1])


@pytest.fixture
async def office(app: Starlette, client: Client, world: World) -> Office:
    institution = await world.institution()
    share_id = await world.share(await world.result(), institution)
    token = await world.token(await world.verifier(institution))
    return Office(client, world, institution, share_id, client.as_(token))


async def seen(client: Client) -> list[Any] | None:
    """The shares in the inbox, or None if there is no inbox."""
    inbox = (await client.ask(INBOX))["inbox"]
    return inbox and [edge["node"] for edge in inbox["edges"]]


async def test_a_key_that_reads_shares_sees_the_inbox_of_its_institution(office: Office) -> None:
    shares = await seen(await office.key(Scope.READ_SHARES, Scope.READ_SKILLS))
    assert shares == await seen(office.primary)
    assert shares
    without = await seen(await office.key(Scope.READ_SHARES))
    assert without
    assert without[0]["id"] == shares[0]["id"]
    assert without[0]["result"]["skillScores"] is None
    assert await seen(await office.key(*set(Scope) - {Scope.READ_SHARES})) is None


async def test_a_key_is_good_until_the_moment_it_expires(office: Office, clock: ControlledClock) -> None:
    key = await office.key(Scope.READ_SHARES, expires_at=clock() + timedelta(days=1))
    clock.forward(days=1, microseconds=-1)
    assert await seen(key)
    clock.forward(microseconds=1)
    assert await seen(key) is None


async def test_a_revoked_key_sees_nothing(office: Office, clock: ControlledClock) -> None:
    key = await office.key(Scope.READ_SHARES)
    assert await seen(key)
    await ApiKey.all().update(revoked_at=clock())
    assert await seen(key) is None


async def test_a_request_by_key_costs_no_more_statements_than_one_by_session(
    office: Office, statements: Statements
) -> None:
    key = await office.key()
    await seen(key)
    with statements.counted():
        await seen(key)
    by_key = len(statements)
    with statements.counted():
        await seen(office.primary)
    assert by_key == len(statements)
