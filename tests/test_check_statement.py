"""The public check of a Statement of Results, by the field and by the page (V6)."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from engine import keys
from models.names import initials
from models.result import Outcome, Result
from models.statement import check_address, check_token, version_in
from models.trail import TrailEntry
from models.tries import RateWindow
from resolvers.checks import BY_ADDRESS, OF_SERVICE, written_statement_number
from tests.client import Client
from tests.conftest import ControlledClock, Statements, client_of, with_name
from tests.served import Served, until
from tests.world import World, gid

FIELDS = "verdict version initials examTitle headline"
CHECK = f"query ($number: String!, $token: String!) {{ checkStatement(number: $number, token: $token) {{ {FIELDS} }} }}"
NOT_KNOWN = {"verdict": "NOT_KNOWN", "version": None, "initials": None, "examTitle": None, "headline": None}
GENUINE = {
    "verdict": "GENUINE",
    "version": 1,
    "initials": "A. T.",
    "examTitle": "C1 Advanced",
    "headline": "Council of Europe Level B2",
}
NOTHING_AWARDED = {"headline": None, "cefr": None, "overall_score": None}


async def checked(client: Client, result: Result, version: int | None = None) -> Any:
    """What is answered to whoever holds this version of a result's statement."""
    return await answer(
        client, result.statement_number, check_token(result.statement_number, version or result.version)
    )


async def answer(client: Client, number: str, token: str) -> Any:
    return (await client.ask(CHECK, number=number, token=token))["checkStatement"]


async def change(result: Result, **facts: Any) -> None:
    await Result.filter(id=result.id).update(**facts)


# ---- the verdicts


async def test_a_statement_that_stands_is_genuine_and_tells_initials_exam_and_headline(
    client: Client, world: World
) -> None:
    assert await checked(client, await world.result()) == GENUINE


async def test_the_field_has_nothing_else_to_tell(client: Client) -> None:
    """No name, date of birth, score, centre or institution can be asked for."""
    kinds = await client.ask('{ __type(name: "StatementCheck") { fields { name } } }')
    assert [one["name"] for one in kinds["__type"]["fields"]] == FIELDS.split()


async def test_a_number_typed_in_any_case_and_width_with_blanks_is_the_same_number(
    client: Client, world: World
) -> None:
    number = (await world.result()).statement_number
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in number.lower())
    for typed in (number.lower(), f" {number[:3]} {number[3:]}\n", wide):
        assert await answer(client, typed, f" {check_token(number, 1)}\n") == GENUINE


async def test_an_older_version_of_a_statement_is_superseded_and_tells_nothing_of_the_new_one(
    client: Client, world: World
) -> None:
    """R11."""
    result = await world.result(version=3)
    for version in (1, 2):
        told = await checked(client, result, version)
        assert told == GENUINE | {"verdict": "SUPERSEDED", "version": version, "headline": None}
    assert (await checked(client, result, 3))["verdict"] == "GENUINE"


async def test_a_version_that_is_yet_to_come_is_not_known(client: Client, world: World) -> None:
    assert await checked(client, await world.result(version=3), 4) == NOT_KNOWN


async def test_a_withheld_result_has_no_genuine_statement_and_nobody_learns_that_it_is_withheld(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R6: the answer is that of a result that was corrected, word for word."""
    withheld, loaded, corrected = await world.result(), await world.result(), await world.result(version=2)
    await change(withheld, withheld_at=clock())
    await change(loaded, outcome=Outcome.WITHHELD, **NOTHING_AWARDED)
    told = [await checked(client, one, 1) for one in (withheld, loaded, corrected)]
    assert told[0] == told[1] == told[2] == GENUINE | {"verdict": "SUPERSEDED", "headline": None}


async def test_what_is_released_again_is_genuine_by_its_new_statement_alone(client: Client, world: World) -> None:
    """R11: one version was withheld, the next one released again."""
    result = await world.result(version=3, withheld_at=None)
    assert [(await checked(client, result, one))["verdict"] for one in (1, 2, 3)] == [
        "SUPERSEDED",
        "SUPERSEDED",
        "GENUINE",
    ]


@pytest.mark.parametrize("version", [1, 2])
async def test_every_version_of_a_revoked_result_is_revoked(
    client: Client, world: World, clock: ControlledClock, version: int
) -> None:
    result = await world.result(version=2)
    await change(result, revoked_at=clock())
    told = await checked(client, result, version)
    assert told == GENUINE | {"verdict": "REVOKED", "version": version, "headline": None}


async def test_the_statement_of_an_absence_has_no_headline(client: Client, world: World) -> None:
    """Whoever writes a grade on it must not be told that it is so."""
    result = await world.result(outcome=Outcome.ABSENT_FROM_ALL, skills={}, **NOTHING_AWARDED)
    assert await checked(client, result) == GENUINE | {"headline": None}


async def test_nothing_is_known_one_microsecond_before_the_release_and_all_at_its_moment(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R3: of one that was revoked before its release, too."""
    moment = clock() + timedelta(seconds=1)
    results = [await world.result(released_at=moment), await world.result(released_at=moment, revoked_at=clock())]
    assert [await checked(client, one) for one in results] == [NOT_KNOWN] * 2
    clock.forward(seconds=1, microseconds=-1)
    assert [await checked(client, one) for one in results] == [NOT_KNOWN] * 2
    clock.forward(microseconds=1)
    assert [(await checked(client, one))["verdict"] for one in results] == ["GENUINE", "REVOKED"]


async def test_a_result_without_a_moment_of_release_is_not_known(client: Client, world: World) -> None:
    assert await checked(client, await world.result(released_at=None)) == NOT_KNOWN


# ---- the token


async def test_a_wrong_token_and_an_unknown_number_are_answered_alike_and_ask_the_same(
    client: Client, world: World, statements: Statements
) -> None:
    """And therefore in the same time: neither gets as far as the table of results."""
    there, other = await world.result(), await world.result()
    wrong = check_token(other.statement_number, 1)
    asked = []
    for number, token in ((there.statement_number, wrong), ("S269999999", wrong)):
        with statements.counted():
            assert await answer(client, number, token) == NOT_KNOWN
        asked.append(list(statements.sent))
    assert asked[0] == asked[1]
    assert [statement for statement in asked[0] if "result" in statement.lower()] == []


NONSENSE = ["", " ", "x", "=", "é", "\0", "A" * 24, "A" * 10_000, "____", "-" * 24, "٣" * 24, "AAE" + "=" * 21]


@pytest.mark.parametrize("token", NONSENSE)
async def test_nonsense_in_place_of_a_token_is_not_known(client: Client, world: World, token: str) -> None:
    assert await answer(client, (await world.result()).statement_number, token) == NOT_KNOWN


@pytest.mark.parametrize("number", ["", "\0", "' OR 1=1 --", "S" * 10_000, "確認"])
async def test_nonsense_in_place_of_a_number_is_not_known(client: Client, number: str) -> None:
    assert await answer(client, number, "A" * 24) == NOT_KNOWN


@given(st.text(max_size=30), st.integers(0, 65535), st.binary(max_size=24))
def test_only_the_token_of_this_number_and_version_is_one(number: str, version: int, other: bytes) -> None:
    keys.use(b"k" * 32)
    token = check_token(number, version)
    assert version_in(number, token) == version
    assert version_in(f"{number}1", token) is None
    assert version_in(number, token[:-1]) is None
    for place in (0, 3, 23):  # of the version, and of the seal
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert version_in(number, changed) is None
    assert version_in(number, other.hex()) is None


def test_a_token_of_another_key_is_none() -> None:
    keys.use(b"x" * 32)
    token = check_token("S260000001", 1)
    keys.use(b"k" * 32)
    assert version_in("S260000001", token) is None


def test_the_address_keeps_number_and_token_behind_the_hash() -> None:
    """G3: what is behind it never leaves the browser."""
    keys.use(b"k" * 32)
    site, _, secret = check_address("https://results.example", "S260000001", 2).partition("#")
    assert site == "https://results.example/check"
    number, token = secret.split(".")
    assert version_in(number, token) == 2
    assert len(token) == 24
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


NAMES = {
    ("Aoi", "Tanaka"): "A. T.",
    ("aoi maria", "van der Berg"): "A. V.",
    ("", "Suharto"): "S.",
    ("'Abd", "Ōno"): "A. Ō.",
    ("E\u0301lodie", "ßen"): "É. S.",
    ("", ""): "",
    ("1", "-"): "",
}


@pytest.mark.parametrize("name", NAMES)
def test_initials_are_two_letters_at_most(name: tuple[str, str]) -> None:
    assert initials(*name) == NAMES[name]


@given(st.text(), st.text())
def test_initials_of_any_name_are_two_letters_at_most(given_name: str, family_name: str) -> None:
    assert sum(sign.isalpha() for sign in initials(given_name, family_name)) <= 2


@given(st.text())
def test_any_text_can_be_typed_as_a_number(text: str) -> None:
    assert not set(written_statement_number(text)) & set(" \n\t")


# ---- limits


async def used_up(clock: ControlledClock, rate: Any, subject: str, left: int) -> None:
    window = {"kind": rate.kind, "subject": subject, "window_started_at": rate.started_at(clock())}
    await RateWindow.create(**window, count=rate.most - left)


async def refusal(client: Client) -> dict[str, Any]:
    (error,) = await client.errors(CHECK, number="S260000001", token="A" * 24)
    return error


async def test_a_client_that_checks_too_much_is_told_when_it_may_again(
    client: Client, app: Starlette, world: World, clock: ControlledClock
) -> None:
    result = await world.result()
    clock.forward(minutes=25)
    await used_up(clock, BY_ADDRESS, "127.0.0.1", left=1)
    assert await checked(client, result) == GENUINE
    error = await refusal(client)
    assert error["extensions"]["code"] == "TOO_MANY_TRIES"
    assert error["extensions"]["retryAfter"] == BY_ADDRESS.ends_at(clock()).isoformat() == "2026-11-22T10:00:00+00:00"
    body = (
        await client.post(CHECK, number=result.statement_number, token=check_token(result.statement_number, 1))
    ).json()
    assert body["data"] == {"checkStatement": None}  # a right one is not told either
    async with client_of(app, "192.0.2.7") as elsewhere:
        assert await checked(elsewhere, result) == GENUINE
    clock.forward(minutes=35)
    assert await checked(client, result) == GENUINE


async def test_the_whole_service_has_a_limit_too(
    client: Client, app: Starlette, world: World, clock: ControlledClock
) -> None:
    result = await world.result()
    await used_up(clock, OF_SERVICE, "all", left=1)
    assert await checked(client, result) == GENUINE
    async with client_of(app, "192.0.2.7") as elsewhere:
        assert (await refusal(elsewhere))["extensions"]["code"] == "TOO_MANY_TRIES"


async def test_a_client_past_its_own_limit_uses_up_nothing_of_the_services(
    client: Client, clock: ControlledClock
) -> None:
    await used_up(clock, BY_ADDRESS, "127.0.0.1", left=0)
    for _ in range(3):
        assert (await refusal(client))["extensions"]["code"] == "TOO_MANY_TRIES"
    assert not await RateWindow.filter(kind=OF_SERVICE.kind).exists()


async def test_many_in_one_operation_and_at_one_time_are_counted_one_by_one(
    client: Client, clock: ControlledClock
) -> None:
    await used_up(clock, BY_ADDRESS, "127.0.0.1", left=5)
    one = 'checkStatement(number: "S1", token: "x") { verdict }'
    query = f"{{ {' '.join(f'a{number}: {one}' for number in range(4))} }}"
    answers = [answer.json() for answer in await asyncio.gather(*(client.post(query) for _ in range(3)))]
    told = [value for body in answers for value in body["data"].values()]
    assert (len(told), len([value for value in told if value])) == (12, 5)


# ---- what could not be checked


@asynccontextmanager
async def away(database_url: str) -> AsyncIterator[None]:
    """The database takes no connections inside the block, and has ended those that were open."""
    name = urlsplit(database_url).path[1:]
    connection = await asyncpg.connect(with_name(database_url, "postgres"))
    await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
    finally:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await connection.close()


async def test_what_cannot_be_checked_is_never_called_genuine(
    database_url: str, tmp_path: Path, open_database: None, world: World
) -> None:
    """By a real process: null and an error for as long as it lasts, and nothing from a cache; the page stays."""
    result = await world.result(released_at=datetime(2020, 1, 1, tzinfo=UTC))
    wanted = {"number": result.statement_number, "token": check_token(result.statement_number, 1)}
    served = Served(tmp_path / "var", database_url).start().ready()
    try:
        async with httpx2.AsyncClient(base_url=served.url, timeout=60, trust_env=False) as http:
            client = Client(http)
            assert await checked(client, result) == GENUINE
            async with away(database_url):
                body = (await client.post(CHECK, **wanted)).json()
                assert body["data"] == {"checkStatement": None}
                assert [error["extensions"]["code"] for error in body["errors"]] == ["SERVICE_UNAVAILABLE"]
                assert (await http.get("/check")).status_code == 200

            async def stands() -> bool:
                """Connections that were lost meanwhile may each cost one more answer of this kind."""
                return bool((await client.post(CHECK, **wanted)).json()["data"]["checkStatement"] == GENUINE)

            await until(stands)
    finally:
        served.stop()
    assert not any(secret in served.stderr for secret in wanted.values())


# ---- traces


async def test_neither_number_nor_token_nor_anything_told_stands_in_the_log(
    app: Starlette, client: Client, world: World, logged: io.StringIO
) -> None:
    """G3; nor is the answer kept by anybody on the way."""
    result = await world.result()
    token = check_token(result.statement_number, 1)
    response = await client.post(CHECK, number=result.statement_number, token=token)
    assert response.headers["cache-control"] == "no-store"
    await client.http.get("/graphql", params={"query": CHECK, "variables": f'{{"number":"{token}","token":"{token}"}}'})
    await client.http.get("/check", params={"number": result.statement_number, "token": token})
    await client.post(CHECK, number=result.statement_number, token=[token])
    said = logged.getvalue()
    assert said.count('"event": "request"') == 4
    assert [one for one in (result.statement_number, token, "Tanaka", "A. T.") if one in said] == []


async def test_a_check_by_nobody_leaves_no_trace_and_one_by_an_institution_its_entry(
    client: Client, world: World
) -> None:
    """G1: who checks a paper that was handed to them need not say who they are; who has logged in has."""
    result = await world.result()
    await checked(client, result)
    assert await TrailEntry.all().count() == 0
    verifier = await world.verifier()
    assert await checked(client.as_(await world.token(verifier)), result) == GENUINE
    entry = await TrailEntry.get()
    assert (entry.viewer_id, entry.results, entry.versions) == (verifier.id, [result.id], [1])
    assert entry.path == "query checkStatement"


async def test_checking_opens_no_other_way_to_the_result(client: Client, world: World) -> None:
    result = await world.result()
    await checked(client, result)
    assert await client.ask("query ($id: ID!) { result(id: $id) { id } }", id=gid(result)) == {"result": None}
