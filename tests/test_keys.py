"""Keys of institutions' programs (P1): who is behind one, for how long, by which ways in, and what it costs."""

import asyncio
import secrets
import string
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from engine import keys
from models import key_token
from models.key import ApiKey
from models.scope import Scope
from models.verifier import VerifierStatus
from resolvers import key_viewers
from schema.key import KeyScope
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, Statements, client_of, running
from tests.events import events
from tests.keyed import VIEWER, Office, kind, only_key, seen
from tests.locks import holding
from tests.world import World, gid

SIGN = st.sampled_from(string.ascii_letters + string.digits)
NEW_SHARES = 'subscription { newShares(after: "0.0") { cursor share { id result { skillScores { score } } } } }'
STATEMENT = "query ($id: ID!) { result(id: $id) { statement { address } } }"


@pytest.fixture
async def office(app: Starlette, client: Client, world: World) -> Office:
    return await Office.of(client, world)


# ---- how it is written


def test_a_key_has_256_random_bits_and_is_written_as_the_readme_says() -> None:
    made = {key_token.new(is_production=True) for _ in range(100)}
    assert len({key[17:60] for key in made}) == 100
    assert len(key_token.SIGNS) ** key_token.SECRET > 2**256
    assert all(key_token.FORM.fullmatch(key) and key.startswith("sk_seiseki_") and len(key) == 66 for key in made)
    assert all(key_token.shown(key) == key[:17] and len(key_token.shown(key)) <= 20 for key in made)
    assert len(key_token.shown(key_token.new(is_production=False))) == 20


@given(place=st.integers(0, 65), sign=SIGN)
def test_one_wrong_sign_makes_it_no_key(place: int, sign: str) -> None:
    key = key_token.new(is_production=True)
    slip = key[:place] + sign + key[place + 1 :]
    assert key_token.is_whole(slip, is_production=True) is (slip == key)


def test_a_key_of_a_trial_is_none_of_production_and_the_other_way_round() -> None:
    for here in (True, False):
        assert key_token.is_whole(key_token.new(here), here)
        assert not key_token.is_whole(key_token.new(here), not here)


def test_no_token_of_a_session_is_taken_for_a_key() -> None:
    """Sessions' tokens have 43 signs: what begins as a key does is longer."""
    assert not any(key_token.is_meant(keys.new_token()) for _ in range(1000))
    assert not key_token.is_whole(key_token.BEGINS + secrets.token_urlsafe(32), is_production=True)


async def test_what_cannot_be_a_key_is_refused_without_asking_the_database(
    office: Office, statements: Statements
) -> None:
    """And what nobody has costs the one statement that somebody's costs."""
    good, other = await office.key(), key_token.new(is_production=False)
    assert await kind(good) == "KEY"
    told = []
    for token in (good.token or "", other, other[:-1] + "_", other + "0", "sk_seiseki", key_token.new(True)):
        with statements.counted():
            told.append((await kind(office.client.as_(token)), len(statements)))
    assert told == [("KEY", 1), ("REFUSED", 1), *[("REFUSED", 0)] * 4]


async def test_a_service_in_production_knows_its_own_keys_alone(
    settings: Settings, clock: ControlledClock, clean: None
) -> None:
    world = World(clock)
    async with running(replace(settings, production=True), clock) as app, client_of(app) as client:
        office = await Office.of(client, world)
        token = key_token.new(is_production=True)
        await office.key(hash=keys.hashed(token))
        assert await kind(client.as_(token)) == "KEY"
        assert await kind(await office.key()) == "REFUSED"


# ---- who it is


async def test_a_program_is_told_whose_key_it_has(office: Office, clock: ControlledClock) -> None:
    """P1: name, prefix, scopes, institution and end; not who made it, unless it manages."""
    ends_at = clock() + timedelta(days=3)
    key = await office.key(Scope.VERIFY, name="Admissions server", expires_at=ends_at)
    told = (await key.ask(VIEWER))["viewer"]
    assert (told["kind"], told["sessionEndsAt"], told["verifier"], told["candidate"]) == (
        "KEY", ends_at.isoformat(), None, None,
    )  # fmt: skip
    assert told["key"] == {
        "name": "Admissions server", "prefix": (key.token or "")[:20], "scopes": ["VERIFY"],
        "expiresAt": ends_at.isoformat(), "institution": {"name": office.institution.name}, "createdBy": None,
    }  # fmt: skip
    told = (await (await office.key(Scope.MANAGE)).ask(VIEWER))["viewer"]
    assert told["key"]["createdBy"] == {"name": office.user.name}
    assert (await office.primary.ask(VIEWER))["viewer"]["key"] is None


async def test_a_key_is_good_until_the_moment_it_expires(office: Office, clock: ControlledClock) -> None:
    key = await office.key(expires_at=clock() + timedelta(days=1))
    clock.forward(days=1, microseconds=-1)
    assert await kind(key) == "KEY"
    clock.forward(microseconds=1)
    assert await kind(key) == "REFUSED"


async def test_a_key_ends_with_its_institution_and_comes_back_with_it(office: Office) -> None:
    """O3"""
    key, board = await office.key(), office.client.as_(await office.world.token(await office.world.staff()))
    given = {"id": gid(office.institution)}
    await board.order("suspendInstitution", "", reason="A reason.", **given)
    assert await kind(key) == "REFUSED"
    await board.order("reinstateInstitution", "", **given)
    assert await kind(key) == "KEY"


async def test_the_keys_of_an_account_that_goes_up_in_another_end(office: Office) -> None:
    """The Primary User of the account that is kept finds them in its history, revoked."""
    key, kept = await office.key(), await office.world.institution()
    primary = office.client.as_(await office.world.token(await office.world.verifier(kept)))
    board = office.client.as_(await office.world.token(await office.world.staff()))
    merging = {"duplicateId": gid(office.institution), "intoId": gid(kept), "reason": "The same."}
    assert (await board.order("mergeInstitutions", "", **merging))["__typename"] == "InstitutionsMerged"
    assert await kind(key) == "REFUSED"
    told = await primary.ask("{ organisation { keys { edges { node { status } } } } }")
    assert told["organisation"]["keys"]["edges"] == [{"node": {"status": "REVOKED"}}]


async def test_a_key_lives_on_when_whoever_made_it_leaves(office: Office) -> None:
    """It is the institution's; its Primary User sees it, and who made it."""
    made_by = await office.world.verifier(office.institution)
    key = await office.key(created_by_id=made_by.id)
    made_by.status, made_by.removed_at = VerifierStatus.REMOVED, office.world.clock()
    await made_by.save()
    assert await kind(key) == "KEY"
    told = await office.primary.ask("{ organisation { keys { edges { node { createdBy { name status } } } } } }")
    assert told["organisation"]["keys"]["edges"][0]["node"]["createdBy"] == {"name": made_by.name, "status": "REMOVED"}


# ---- by which ways


async def test_a_key_is_never_taken_from_a_cookie_or_an_address(office: Office) -> None:
    """Browsers send cookies by themselves, and addresses are logged (G3)."""
    key = await office.key()
    nobody, operation = office.client.http, {"query": "{ viewer { kind } }"}
    told = [
        await nobody.post("/graphql", json=operation, headers={"Cookie": f"seiseki={key.token}"}),
        *[
            await nobody.post(f"/graphql?{name}={key.token}", json=operation)
            for name in ("access_token", "authorization", "key", "token")
        ],
    ]
    assert [answer.json()["data"]["viewer"]["kind"] for answer in told] == ["ANONYMOUS"] * 5
    session = {"Cookie": f"seiseki={office.primary.token}"}
    answer = await nobody.post("/graphql", json=operation, headers=session)
    assert answer.json()["data"]["viewer"]["kind"] == "VERIFIER"


async def revoked(office: Office, clock: ControlledClock) -> None:
    told = await office.primary.ask("{ organisation { keys { edges { node { id } } } } }")
    for edge in told["organisation"]["keys"]["edges"]:
        assert (await office.revoke(edge["node"]["id"]))["__typename"] == "KeyRevoked"


async def expired(office: Office, clock: ControlledClock) -> None:
    clock.forward(minutes=5)


async def suspended(office: Office, clock: ControlledClock) -> None:
    await office.world.suspend(office.institution)


End = Callable[[Office, ControlledClock], Awaitable[None]]


@pytest.mark.parametrize("end", [revoked, expired, suspended])
async def test_streams_and_files_end_with_the_key_at_once(
    office: Office, app: Starlette, clock: ControlledClock, end: End
) -> None:
    """P1, O3, D6: a share that comes afterwards is not told, and an address that was given leads nowhere."""
    key = await office.key(expires_at=clock() + timedelta(minutes=5))
    address = (await key.ask(STATEMENT, id=gid(office.result)))["result"]["statement"]["address"]
    path = urlsplit(address).path
    assert (await office.client.http.get(path)).status_code == 200
    new = await office.world.result()
    async with events(app, NEW_SHARES, {}, key.token) as stream:
        first = await stream.next()
        assert first is not None
        assert first["data"]["newShares"]["share"]["id"] == office.share
        await end(office, clock)
        if end is not suspended:  # nobody can send to it then
            await office.world.share(new, office.institution)
        last = await stream.next()
        assert last is not None
        assert [error["extensions"]["code"] for error in last["errors"]] == ["UNAUTHENTICATED"]
        assert await stream.next() is None
    assert (await office.client.http.get(path)).status_code == 404


# ---- several at once, and their last use


async def test_a_new_key_is_put_in_place_while_the_old_one_is_good(office: Office) -> None:
    """P1: both at once, until the old one is revoked."""
    old, new = await office.key(name="Old"), await office.key(name="New")
    assert [await kind(old), await kind(new)] == ["KEY", "KEY"]
    found = await ApiKey.get(name="Old")
    await office.revoke(gid(found))
    assert [await kind(old), await kind(new)] == ["REFUSED", "KEY"]


async def test_the_last_use_is_noted_at_most_every_minute(
    office: Office, clock: ControlledClock, statements: Statements
) -> None:
    key = await office.key()
    assert (await only_key()).last_used_at is None
    first = clock()
    noted = []
    for seconds in (0, 59.999999, 0.000001, 30):
        clock.forward(seconds=seconds)
        with statements.counted():
            assert await kind(key) == "KEY"
        noted.append(((await only_key()).last_used_at, len(statements)))
    minute = first + timedelta(minutes=1)
    assert noted == [(first, 2), (first, 1), (minute, 2), (minute, 1)]


async def test_a_use_does_not_wait_for_an_order_about_the_key(office: Office, database_url: str) -> None:
    """Nor do many first uses at once wait for one another: that one notes it is enough."""
    key = await office.key()
    async with holding(database_url, "SELECT 1 FROM api_key FOR UPDATE"), asyncio.timeout(60):
        assert await kind(key) == "KEY"
    assert (await only_key()).last_used_at is None


async def test_neither_a_stream_nor_a_file_is_a_use(office: Office, clock: ControlledClock) -> None:
    key = await office.key()
    row = await only_key()
    viewer = await key_viewers.viewer_of_key(row.id, clock(), "192.0.2.1")
    assert viewer.id == row.id
    assert (await only_key()).last_used_at is None
    assert await kind(key) == "KEY"


async def test_a_request_by_key_costs_no_more_statements_than_one_by_session(
    office: Office, statements: Statements
) -> None:
    key = await office.key()
    assert await seen(key)
    counted = []
    for client in (key, office.primary):
        with statements.counted():
            assert await seen(client)
        counted.append(len(statements))
    assert counted[0] == counted[1]


def test_the_scopes_of_the_schema_are_those_of_the_keys() -> None:
    assert [scope.name for scope in KeyScope] == [scope.value for scope in Scope]
