"""How sessions end (A10), and that nothing kept of them lets anybody in (G3)."""

import hashlib
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from models.candidate import Candidate
from models.verifier import StaffUser, VerifierUser
from tests.client import Client
from tests.conftest import ControlledClock
from tests.world import PASSWORD, World

VIEWER = "{ viewer { kind sessionEndsAt } }"
LOG_OUT = "mutation ($input: LogOutInput!) { logOut(input: $input) { ... on LoggedOut { sessionsEnded } } }"

Owner = Candidate | VerifierUser | StaffUser


@pytest.fixture(params=["candidate", "verifier", "staff"])
async def owner(request: pytest.FixtureRequest, app: Starlette, world: World) -> Owner:
    """An account of each kind."""
    match request.param:
        case "candidate":
            return await world.candidate()
        case "verifier":
            return await world.verifier()
        case _:
            return await world.staff()


async def kind(client: Client) -> str:
    """What kind of caller the client is at this moment."""
    found: str = (await client.ask(VIEWER))["viewer"]["kind"]
    return found


async def log_out(client: Client, **how_far: Any) -> int:
    """How many sessions it ended."""
    ended: int = (await client.ask(LOG_OUT, input=how_far))["logOut"]["sessionsEnded"]
    return ended


async def test_session_lasts_until_just_before_thirty_idle_minutes(
    client: Client, world: World, owner: Owner, clock: ControlledClock
) -> None:
    """A10."""
    mine = client.as_(await world.token(owner))
    clock.forward(minutes=29, seconds=59)
    assert await kind(mine) != "ANONYMOUS"


async def test_session_has_ended_ten_seconds_after_thirty_idle_minutes(
    client: Client, world: World, owner: Owner, clock: ControlledClock
) -> None:
    """A10: the last use is noted every ten seconds at most, so that is how exact it is."""
    mine = client.as_(await world.token(owner))
    clock.forward(minutes=30, seconds=10)
    assert [await kind(mine), await kind(mine)] == ["ANONYMOUS"] * 2  # asking does not make it young again


@pytest.mark.parametrize("used_after_seconds", [1, 9, 10, 11, 60])
async def test_every_request_begins_the_thirty_minutes_anew(
    client: Client, world: World, clock: ControlledClock, used_after_seconds: int
) -> None:
    """A10: uses within ten seconds of a noted one may be forgotten, to spare the database; the grace covers them."""
    mine = client.as_(await world.token(await world.candidate()))
    clock.forward(seconds=used_after_seconds)
    assert await kind(mine) == "CANDIDATE"
    clock.forward(minutes=29, seconds=59)
    assert await kind(mine) == "CANDIDATE"
    clock.forward(minutes=30, seconds=10)
    assert await kind(mine) == "ANONYMOUS"


async def test_session_in_constant_use_ends_after_twelve_hours(
    client: Client, world: World, owner: Owner, clock: ControlledClock
) -> None:
    """A10: and says so from the beginning."""
    mine = client.as_(await world.token(owner))
    assert (await mine.ask(VIEWER))["viewer"]["sessionEndsAt"] == "2026-11-22T21:00:00+00:00"
    for _ in range(25):
        clock.forward(minutes=28, seconds=47)
        assert await kind(mine) != "ANONYMOUS"
    clock.forward(seconds=24)
    assert clock().isoformat() == "2026-11-22T20:59:59+00:00"
    assert await kind(mine) != "ANONYMOUS"
    clock.forward(seconds=1)
    assert await kind(mine) == "ANONYMOUS"


async def test_logging_out_ends_this_session_and_leaves_the_others(client: Client, world: World, owner: Owner) -> None:
    """A10."""
    here, there = client.as_(await world.token(owner)), client.as_(await world.token(owner))
    assert await log_out(here) == 1
    assert await kind(here) == "ANONYMOUS"
    assert await kind(there) != "ANONYMOUS"


async def test_logging_out_everywhere_ends_every_session_of_the_account_and_no_other(
    client: Client, world: World, owner: Owner
) -> None:
    """A10."""
    mine = [client.as_(await world.token(owner)) for _ in range(3)]
    others = [client.as_(await world.token(other)) for other in (await world.candidate(), await world.staff())]
    assert await log_out(mine[0]) == 1
    assert await log_out(mine[1], everywhere=True) == 2
    assert [await kind(one) for one in mine] == ["ANONYMOUS"] * 3
    assert [await kind(one) for one in others] == ["CANDIDATE", "STAFF"]


async def test_logging_out_twice_or_as_nobody_is_no_fault(client: Client, world: World) -> None:
    """A10: an order that is repeated changes nothing."""
    mine = client.as_(await world.token(await world.candidate()))
    assert [await log_out(mine), await log_out(mine), await log_out(mine, everywhere=True)] == [1, 0, 0]
    assert await log_out(client, everywhere=True) == 0


async def test_rest_of_the_operation_that_logs_out_is_nobodys(client: Client, world: World) -> None:
    """A10: two orders in one document."""
    verifier = await world.verifier()
    mine = client.as_(await world.token(verifier))
    answer = await mine.ask(
        """mutation { logOut(input: {}) { ... on LoggedOut { sessionsEnded } }
                      again: logOut(input: { everywhere: true }) { ... on LoggedOut { sessionsEnded } } }"""
    )
    assert answer == {"logOut": {"sessionsEnded": 1}, "again": {"sessionsEnded": 0}}


async def test_logging_out_clears_the_cookie_and_its_session(client: Client, world: World) -> None:
    """A10: the browser forgets it, and a copy of it lets nobody in."""
    staff = await world.staff(await world.centre())
    await client.order("logInStaff", "", email=staff.email, password=PASSWORD, useCookie=True)
    copy = f"seiseki={client.http.cookies['seiseki']}"
    assert await kind(client) == "STAFF"
    response = await client.post(LOG_OUT, input={})
    assert "Max-Age=0" in response.headers["set-cookie"].split("; ")
    assert dict(client.http.cookies) == {}
    answer = await client.send({"query": VIEWER}, Cookie=copy)
    assert answer.json()["data"]["viewer"]["kind"] == "ANONYMOUS"


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, "a b", "0" * 43])
async def test_no_other_token_is_a_session(client: Client, world: World, token: str) -> None:
    """A10."""
    await world.token(await world.staff())
    answer = await client.send({"query": VIEWER}, Authorization=f"Bearer {token}")
    assert answer.json()["data"]["viewer"]["kind"] == "ANONYMOUS"


async def test_what_is_stored_of_a_session_is_no_token(client: Client, world: World) -> None:
    """G3: whoever reads the database has nothing to log in with."""
    token = await world.token(await world.staff())
    stored: bytes = await database.value("SELECT token_hash FROM session")
    assert stored == hashlib.sha256(token.encode()).digest()
    row = str(await database.value("SELECT session::text FROM session"))
    assert token not in row
    answer = await client.as_(stored.hex()).ask(VIEWER)
    assert answer["viewer"]["kind"] == "ANONYMOUS"
