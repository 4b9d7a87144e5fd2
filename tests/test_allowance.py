"""The allowance in points (P3): told with every answer, refused clearly when it is used up, and the same everywhere."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from engine import allowance, database
from engine.allowance import CLOCK, AllowanceUsedUp, Spending
from engine.clock import system_clock
from models.base import new_id
from models.scope import Scope
from models.share import Share
from settings import LARGEST_OPERATION, Settings
from tests.client import Client
from tests.conftest import START, ControlledClock, Statements, client_of, running
from tests.dashboards import NEW_SHARES
from tests.door import Door, standing
from tests.requests import EVENTS, GRAPHQL, MULTIPART, is_refused, send
from tests.served import Served
from tests.world import World, gid

MOST = 6000  # of an institution, a minute
MOST_OF_KEY = 5000
COUNTS = "{ inbox(first: 1) { totalCount } }"
WHO = "{ viewer { kind } }"
NEXT_MINUTE = "2026-11-22T09:01:00+00:00"
MARK = """mutation ($input: MarkShareInput!) { markShare(input: $input) { ... on ShareMarked { share { status } } } }"""


def costing(points: int) -> str:
    """A query of the inbox that costs so many points, from 100 on."""
    pages, rest = divmod(points - 1, 99)
    sizes = [98] * pages + ([rest - 1] if rest > 1 else [])
    query = " ".join(f"a{n}: inbox(first: {size}) {{ edges {{ cursor }} }}" for n, size in enumerate(sizes))
    return f"{{ {query} {'viewer { kind } ' * (1 if rest > 1 else rest + 1)} }}"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With an allowance that is soon used up."""
    return replace(settings, points_per_institution=MOST, points_per_key=MOST_OF_KEY)


@pytest.fixture
async def verifier(client: Client, world: World) -> Client:
    """A user of an institution."""
    return client.as_(await world.token(await world.verifier()))


async def spent(client: Client, query: str) -> Any:
    """What is told of the allowance after an operation that was let in."""
    response = await client.post(query)
    assert response.status_code == 200, response.text
    return response.json()["extensions"]["allowance"]


def used_up(response: httpx2.Response, cost: int, remaining: int, **facts: object) -> str:
    """Check that an operation was refused for its cost, and nothing else told; the sentence."""
    told = {"of": "institution", "limit": MOST, "resetsAt": NEXT_MINUTE} | facts
    return is_refused(response, 429, "ALLOWANCE_USED_UP", cost=cost, remaining=remaining, **told)


# ---- told before it bites


async def test_every_answer_tells_what_is_left_of_the_allowance_and_when_it_comes_back(
    verifier: Client, clock: ControlledClock
) -> None:
    """In `extensions`, and in the fields that HTTP is to have for it."""
    clock.forward(seconds=18.5)
    remaining = MOST
    for query in (WHO, COUNTS, WHO):
        response = await verifier.post(query)
        told = response.json()["extensions"]
        remaining -= told["cost"]["estimated"]
        assert told["allowance"] == {
            "of": "institution",
            "limit": MOST,
            "remaining": remaining,
            "resetsAt": NEXT_MINUTE,
        }
        assert response.headers["ratelimit-policy"] == f'"institution";q={MOST};qu="points";w=60'
        assert response.headers["ratelimit"] == f'"institution";r={remaining};t=42'
    assert remaining < MOST - 10


async def test_what_costs_nothing_is_counted_as_one_point(verifier: Client) -> None:
    assert [(await spent(verifier, "{ __typename }"))["remaining"] for _ in range(2)] == [MOST - 1, MOST - 2]


async def test_an_answer_with_errors_and_a_refused_document_tell_as_much(verifier: Client) -> None:
    """They have been asked, and were counted before anybody knew."""
    with_error = await verifier.post('{ inbox(after: "nonsense") { totalCount } }')
    assert with_error.json()["errors"]
    assert with_error.json()["extensions"]["allowance"]["remaining"] < MOST
    invalid = await send(verifier, {"query": "{ nothing }"}, GRAPHQL, authorization=f"Bearer {verifier.token}")
    assert invalid.status_code == 400
    assert invalid.json()["extensions"]["allowance"]["remaining"] < MOST
    assert "ratelimit" in invalid.headers


async def test_candidates_staff_and_strangers_have_no_allowance_to_use_up(client: Client, world: World) -> None:
    """They have other limits: so many operations at the same time, and rates where numbers could be guessed."""
    for token in (None, await world.token(await world.candidate()), await world.token(await world.staff())):
        for _ in range(3):
            response = await client.as_(token).post(costing(4000))
            assert "allowance" not in response.json()["extensions"]
            assert "ratelimit" not in response.headers


# ---- refused after it


async def test_what_does_not_fit_into_the_allowance_is_refused_whole_and_a_smaller_one_still_fits(
    verifier: Client, clock: ControlledClock
) -> None:
    """Nothing is counted of what was refused."""
    clock.forward(seconds=59)
    assert (await spent(verifier, costing(4000)))["remaining"] == 2000
    refused = await verifier.post(costing(2001))
    said = used_up(refused, cost=2001, remaining=2000)
    assert said == (
        "The operation costs 2001 points; of the 6000 a minute, 2000 are left until 2026-11-22 09:01:00 UTC."
    )
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit"] == '"institution";r=2000;t=1'
    assert (await spent(verifier, costing(2000)))["remaining"] == 0
    used_up(await verifier.post("{ __typename }"), cost=1, remaining=0)


async def test_the_refusal_is_said_in_japanese_too(verifier: Client) -> None:
    await spent(verifier, costing(4000))
    refused = await verifier.send({"query": costing(4000)}, **{"Accept-Language": "ja"})
    assert used_up(refused, cost=4000, remaining=2000).startswith("この操作には4000ポイントが必要")


async def test_nothing_of_a_refused_operation_is_run(client: Client, world: World, statements: Statements) -> None:
    """One statement finds who is asking and counts; no other is sent."""
    institution = await world.institution()
    user = client.as_(await world.token(await world.verifier(institution)))
    share = await Share.get(id=await world.share(await world.result(), institution))
    await spent(user, costing(4000))
    await spent(user, costing(1990))
    with statements.counted():
        refused = await user.post(MARK, input={"shareId": gid(share), "isRead": True})
    used_up(refused, cost=12, remaining=10)
    assert len(statements) == 1, statements.sent
    assert not (await Share.get(id=share.id)).is_read


async def test_all_users_of_an_institution_share_its_allowance_and_nobody_elses(client: Client, world: World) -> None:
    """U3: from whatever session and address."""
    institution = await world.institution()
    users = [client.as_(await world.token(await world.verifier(institution))) for _ in range(2)]
    stranger = client.as_(await world.token(await world.verifier()))
    await spent(users[0], costing(4000))
    assert (await spent(users[1], costing(1999)))["remaining"] == 1
    for user in users:
        used_up(await user.post(costing(200)), cost=200, remaining=1)
    assert (await spent(stranger, costing(4000)))["remaining"] == 2000


# ---- the window


async def test_the_allowance_comes_back_at_the_full_minute_and_no_microsecond_before(
    verifier: Client, clock: ControlledClock
) -> None:
    await spent(verifier, costing(4000))
    clock.now = START + timedelta(minutes=1, microseconds=-1)
    refused = await verifier.post(costing(2001))
    used_up(refused, cost=2001, remaining=2000)
    assert refused.headers["retry-after"] == "1"
    clock.forward(microseconds=1)
    told = await spent(verifier, costing(4000))
    assert (told["remaining"], told["resetsAt"]) == (2000, "2026-11-22T09:02:00+00:00")


async def test_a_clock_that_lags_behind_counts_in_the_later_window(verifier: Client, clock: ControlledClock) -> None:
    """Two machines' clocks differ by a little; going back and forth must not give the allowance twice."""
    clock.now = START + timedelta(minutes=1)
    await spent(verifier, costing(4000))
    clock.now = START + timedelta(seconds=59.9)
    told = await spent(verifier, costing(1000))
    assert (told["remaining"], told["resetsAt"]) == (1000, "2026-11-22T09:02:00+00:00")
    clock.now = START + timedelta(minutes=1)
    assert (await spent(verifier, costing(1000)))["remaining"] == 0


# ---- many at once


async def test_of_200_requests_at_once_exactly_as_many_get_through_as_there_are_points(
    settings: Settings, clock: ControlledClock, clean: None, world: World
) -> None:
    async with running(replace(settings, operations_per_viewer=200), clock) as app, client_of(app) as client:
        user = client.as_(await world.token(await world.verifier()))
        await spent(user, costing(LARGEST_OPERATION))
        answers = await asyncio.gather(*(user.post(costing(137)) for _ in range(200)))
    fitting = (MOST - LARGEST_OPERATION) // 137
    assert Counter(answer.status_code for answer in answers) == {200: fitting, 429: 200 - fitting}
    left = sorted(one.json()["extensions"]["allowance"]["remaining"] for one in answers if one.status_code == 200)
    assert left == [1000 - 137 * n for n in range(fitting, 0, -1)]


async def test_processes_share_one_allowance_and_it_outlives_the_one_that_counted(
    settings: Settings, clean: None, tmp_path: Path
) -> None:
    """A process that is killed has counted before it ran anything: nothing is in its memory alone."""
    points = {"POINTS_PER_INSTITUTION": str(MOST), "WORKER": "0"}
    other = Served(tmp_path / "other", settings.database_url, points).start()
    try:
        other.ready()
        async with standing(settings, system_clock) as door, httpx2.AsyncClient(timeout=60, trust_env=False) as http:
            world = World(system_clock)
            while not await is_shared(world, http, door.url, other):
                other.start().ready()
    finally:
        other.stop()


async def is_shared(world: World, http: httpx2.AsyncClient, url: str, other: Served) -> bool:
    """Spend at both, kill the other, and check, by a new institution; tells whether it was done within one minute."""
    http.headers["authorization"] = f"Bearer {await world.token(await world.verifier())}"
    started_at = CLOCK.started_at(system_clock())
    asked = (http.post(f"{at}/graphql", json={"query": costing(1000)}) for at in (url, other.url) * 7)
    answers = await asyncio.gather(*asked)
    other.kill()
    last = await http.post(f"{url}/graphql", json={"query": costing(100)})
    if CLOCK.started_at(system_clock()) != started_at:
        return False
    assert Counter(answer.status_code for answer in answers) == {200: 6, 429: 8}
    assert last.status_code == 429
    return True


async def test_counting_is_neither_flushed_nor_kept_over_a_crash_of_the_database(open_database: None) -> None:
    """Or every read would wait for a disk. After a crash everybody has their whole allowance: nothing else is lost."""
    found = await database.row("SELECT relpersistence, reloptions FROM pg_class WHERE relname = 'allowance'")
    assert found is not None
    assert (found["relpersistence"], found["reloptions"]) == (b"u", ["fillfactor=50"])


# ---- keys


async def ask(institution: Any, key: Any, cost: int) -> allowance.Left:
    """What is left after a key's operation that costs so much."""
    spending = Spending(cost, MOST, MOST_OF_KEY, START)
    asking = "SELECT :institution::uuid AS institution_id, :key::uuid AS id"
    found = await allowance.asker(asking, spending, "asker.id", institution=institution, key=key)
    assert found is not None
    left = allowance.left_of(found, spending, has_key=key is not None)
    assert left is not None
    return left


async def remaining(institution: Any, key: Any, cost: int) -> dict[str, int]:
    """The same, as numbers."""
    return {one.name: one.remaining for one in (await ask(institution, key, cost)).quotas}


async def test_a_key_has_an_allowance_of_its_own_within_the_institutions(open_database: None) -> None:
    """P1, P3: a program that runs wild leaves something for the other programs and for the people."""
    institution, one, other = (new_id() for _ in range(3))
    assert await remaining(institution, one, 3000) == {"institution": 3000, "key": 2000}
    assert await remaining(institution, None, 500) == {"institution": 2500}
    with pytest.raises(AllowanceUsedUp) as refused:
        await ask(institution, one, 2001)
    assert (refused.value.short.name, refused.value.short.remaining) == ("key", 2000)
    assert await remaining(institution, other, 600) == {"institution": 1900, "key": 4400}
    assert await remaining(institution, one, 1900) == {"institution": 0, "key": 100}
    for key in (one, other, None):
        with pytest.raises(AllowanceUsedUp) as refused:
            await ask(institution, key, 1)
        assert refused.value.short.name == "institution"


async def test_what_a_key_was_refused_counts_for_nobody(open_database: None) -> None:
    institution, one = new_id(), new_id()
    await ask(institution, one, 4000)
    for _ in range(3):
        with pytest.raises(AllowanceUsedUp):
            await ask(institution, one, 1500)
    assert await remaining(institution, one, 1000) == {"institution": 1000, "key": 0}
    assert await remaining(institution, None, 1000) == {"institution": 0}


async def test_a_key_is_told_both_allowances_and_refused_by_the_one_that_is_short(
    client: Client, world: World, statements: Statements
) -> None:
    """P1, P3: by one statement, as for a session; rotating keys gives none of them more than the institution has."""
    institution = await world.institution()
    user = client.as_(await world.token(await world.verifier(institution)))
    one, other = [client.as_((await world.key(institution, Scope.READ_SHARES))[1]) for _ in range(2)]
    response = await one.post(costing(3000))
    assert response.json()["extensions"]["allowance"] == {
        "of": "key", "limit": MOST_OF_KEY, "remaining": 2000, "resetsAt": NEXT_MINUTE,
    }  # fmt: skip
    assert response.headers["ratelimit-policy"] == (
        f'"institution";q={MOST};qu="points";w=60, "key";q={MOST_OF_KEY};qu="points";w=60'
    )
    assert response.headers["ratelimit"] == '"institution";r=3000;t=60, "key";r=2000;t=60'
    with statements.counted():
        refused = await one.post(costing(2001))
    used_up(refused, cost=2001, remaining=2000, of="key", limit=MOST_OF_KEY)
    assert len(statements) == 1, statements.sent
    assert (await spent(user, costing(500)))["remaining"] == 2500
    assert (await spent(other, costing(2400)))["remaining"] == 100
    used_up(await one.post(costing(200)), cost=200, remaining=100)


# ---- streams


@pytest.fixture
async def listening(settings: Settings, clean: None, clock: ControlledClock) -> AsyncIterator[Door]:
    """The service behind a real uvicorn."""
    async with standing(settings, clock) as door:
        yield door


async def payloads(response: httpx2.Response, count: int) -> list[Any]:
    """The first results of a stream over HTTP."""
    found: list[Any] = []
    async for line in response.aiter_lines():
        text = line.removeprefix("data: ")
        if text.startswith("{") and len(text) > 2:
            result = json.loads(text)
            found.append(result.get("payload", result))
        if len(found) == count:
            return found
    raise AssertionError(found)


@pytest.mark.parametrize("accept", [EVENTS, MULTIPART])
async def test_a_stream_over_http_counts_once_and_tells_in_its_head_and_its_first_result(
    listening: Door, world: World, accept: str
) -> None:
    """Later events tell nothing: by then it has changed."""
    institution = await world.institution()
    for _ in range(2):
        await world.share(await world.result(), institution)
    token = await world.token(await world.verifier(institution))
    body = {"query": NEW_SHARES, "variables": {"after": "0.0"}}
    headers = {"accept": accept, "authorization": f"Bearer {token}"}
    async with (
        listening.client(token) as client,
        client.http.stream("POST", "/graphql", json=body, headers=headers) as response,
    ):
        async with asyncio.timeout(60):
            first, second = await payloads(response, 2)
        cost = first["extensions"]["cost"]["estimated"]
        assert first["extensions"]["allowance"]["remaining"] == MOST - cost
        assert "allowance" not in second["extensions"]
        assert response.headers["ratelimit"].startswith(f'"institution";r={MOST - cost};t=')
        assert (await spent(client, "{ __typename }"))["remaining"] == MOST - cost - 1
        await spent(client, costing(LARGEST_OPERATION))
        await spent(client, costing(MOST - LARGEST_OPERATION - cost - 1))
        refused = await client.http.post("/graphql", json=body, headers=headers)
    used_up(refused, cost=cost, remaining=0)


async def test_a_subscription_over_a_socket_counts_once_and_tells_in_its_first_result(
    listening: Door, world: World
) -> None:
    institution = await world.institution()
    for _ in range(2):
        await world.share(await world.result(), institution)
    token = await world.token(await world.verifier(institution))
    async with listening.opened({"authorization": f"Bearer {token}"}) as socket, listening.client(token) as client:
        await socket.subscribe("1", NEW_SHARES, variables={"after": "0.0"})
        first, second = [(await socket.hear())["payload"] for _ in range(2)]
        cost = first["extensions"]["cost"]["estimated"]
        assert first["extensions"]["allowance"]["remaining"] == MOST - cost
        assert "allowance" not in second["extensions"]
        await spent(client, costing(LARGEST_OPERATION))
        await spent(client, costing(MOST - LARGEST_OPERATION - cost))
        await socket.subscribe("2", NEW_SHARES)
        error = await socket.hear()
        assert (error["id"], error["type"]) == ("2", "error")
        told = error["payload"][0]["extensions"]
        assert told.pop("requestId")
        assert told == {
            "code": "ALLOWANCE_USED_UP",
            "of": "institution",
            "cost": cost,
            "limit": MOST,
            "remaining": 0,
            "resetsAt": NEXT_MINUTE,
        }
        assert await socket.pongs()


# ---- settings


@pytest.mark.parametrize("name", ["POINTS_PER_INSTITUTION", "POINTS_PER_KEY"])
def test_an_allowance_holds_at_least_the_largest_operation(name: str, tmp_path: Path) -> None:
    """A smaller one would refuse it for ever, whenever it is sent again."""
    env = {"VAR_DIR": str(tmp_path)}
    least = Settings.from_env(env | {name: str(LARGEST_OPERATION)})
    assert LARGEST_OPERATION in (least.points_per_institution, least.points_per_key)
    with pytest.raises(ValueError, match=f"{name} must be at least {LARGEST_OPERATION}"):
        Settings.from_env(env | {name: str(LARGEST_OPERATION - 1)})
