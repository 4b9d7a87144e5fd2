"""Lists of pairs: a verdict for each, under limits that hold for everybody together (V3, V4, V5, A8)."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from errors import InvalidInput, NotAllowed, TooManyTries
from models.entry import Entry
from models.result import Outcome
from models.trail import TrailEntry
from models.tries import RateWindow, WrongTries
from models.viewer import Kind, Viewer
from resolvers import purges, verifying
from resolvers.verifying import DATES, LOOK_UPS, MISSES, MOST_AT_ONCE, Answer, Pair
from tests.client import Client
from tests.conftest import ControlledClock, Statements, client_of
from tests.looking_up import BORN, PURPOSE, Numbers, Office, office, paper, secrets, used_up
from tests.world import PASSWORD, SECRET, World

NOTHING_AWARDED = dict.fromkeys(("headline", "grade", "cefr", "overall_score"))
WRONG = {"statementNumber": "S0", "dateOfBirth": BORN}


@pytest.fixture
async def asking(client: Client, world: World) -> Office:
    return await office(client, world)


def viewer_of(world: World, asking: Office, address: str = "192.0.2.1") -> Viewer:
    """The officer as the worker would be who checks a list for them."""
    return Viewer(Kind.VERIFIER, world.clock(), address, id=asking.user.id, institution_id=asking.institution.id)


# ---- verdicts


async def one_of_each(world: World, clock: ControlledClock) -> list[tuple[Numbers, str]]:
    """A pair of each kind with its verdict."""
    stands, entry = await world.result(), await world.entry()
    await world.result(entry)
    amended = await world.result(version=2)
    return [
        (paper(stands), "GENUINE"),
        ({"statementNumber": "?", "dateOfBirth": "yesterday"}, "NOT_MATCHED"),
        (secrets(entry), "GENUINE"),
        (paper(stands, dateOfBirth="2001-02-04"), "NOT_MATCHED"),
        (paper(await world.result(withheld_at=clock())), "WITHHELD"),
        (paper(amended, version=1), "SUPERSEDED"),
        (paper(amended), "GENUINE"),
        (secrets(entry, secretNumber="4321"), "NOT_MATCHED"),
        (paper(await world.result(revoked_at=clock())), "REVOKED"),
        (paper(await world.result(released_at=None)), "NOT_MATCHED"),
        ({}, "NOT_MATCHED"),
        (paper(await world.result(outcome=Outcome.WITHHELD, skills={}, **NOTHING_AWARDED)), "WITHHELD"),
    ]


async def test_each_row_has_its_verdict_in_the_order_asked_whatever_the_others_are(
    asking: Office, world: World, clock: ControlledClock
) -> None:
    """V5: rows that cannot be read among them; the other way round, and each alone, it is the same."""
    rows = await one_of_each(world, clock)
    told = await asking.verify(*(pair for pair, _ in rows))
    assert [one["verdict"] for one in told] == [verdict for _, verdict in rows]
    assert (await asking.verify(*(pair for pair, _ in reversed(rows))))[::-1] == told
    assert [await asking.find(pair) for pair, _ in rows] == told
    assert [bool(one["problems"]) for one in told] == [pair in ({}, rows[1][0]) for pair, _ in rows]


async def test_rows_may_stand_there_twice(asking: Office, world: World) -> None:
    """Also oftener than there are tries: a pair is compared once."""
    entry = await world.entry()
    result = await world.result(entry)
    pairs = [secrets(entry), paper(result), WRONG] * 20
    assert await asking.verdicts(*pairs) == ["GENUINE", "GENUINE", "NOT_MATCHED"] * 20


async def test_a_list_is_1_to_500_pairs(asking: Office) -> None:
    for pairs in ([], [WRONG] * (MOST_AT_ONCE + 1)):
        refusal = await asking.refusal(*pairs)
        assert (refusal["code"], [one["path"] for one in refusal["problems"]]) == ("BAD_USER_INPUT", ["pairs"])
    assert await asking.verdicts(*[WRONG] * MOST_AT_ONCE) == ["NOT_MATCHED"] * MOST_AT_ONCE


async def many(world: World, count: int) -> list[Numbers]:
    """So many pairs that match, of either kind, by a few statements."""
    first = await world.result()
    entry = await first.entry
    candidate = await entry.candidate
    await database.rows(
        """WITH person AS (INSERT INTO candidate SELECT (jsonb_populate_record(c, jsonb_build_object(
                   'id', gen_random_uuid(), 'email', 'c' || n || '@mail.example'))).*
               FROM candidate AS c, generate_series(1, :n) AS n
               WHERE c.id = :candidate RETURNING id),
           numbered AS (SELECT id, row_number() OVER () AS n FROM person),
           entered AS (INSERT INTO entry SELECT (jsonb_populate_record(e, jsonb_build_object(
                   'id', gen_random_uuid(), 'candidate_id', numbered.id, 'candidate_number', (5000 + n)::text,
                   'id_number', 'XQY' || lpad(n::text, 6, '0')))).* FROM entry AS e, numbered
               WHERE e.id = :entry RETURNING id, id_number)
           INSERT INTO result SELECT (jsonb_populate_record(r, jsonb_build_object(
               'id', gen_random_uuid(), 'entry_id', entered.id, 'statement_number', 'T' || entered.id_number))).*
           FROM result AS r, entered WHERE r.id = :result""",
        n=count,
        candidate=candidate.id,
        entry=entry.id,
        result=first.id,
    )
    numbers = [f"XQY{number:06}" for number in range(1, count + 1)]
    return [{"statementNumber": f"T{number}", "dateOfBirth": BORN} for number in numbers]


async def test_500_rows_take_as_many_statements_as_one(asking: Office, world: World, statements: Statements) -> None:
    """Session; counting; tries, finding, settling the tries, reading, the trail; giving back; three transactions."""
    pairs = await many(world, 500)
    sent = []
    for some in (pairs[:1], pairs):
        with statements.counted():
            assert await asking.verdicts(*some) == ["GENUINE"] * len(some)
        sent.append([" ".join(one.split())[:40] for one in statements.sent])
    assert sent[0] == sent[1]
    assert len(sent[0]) <= 16


async def test_500_rows_that_do_not_match_take_as_many_statements_as_one(
    asking: Office, world: World, statements: Statements
) -> None:
    wrong = [pair | {"dateOfBirth": "1999-01-01"} for pair in await many(world, 249)]
    wrong += [{"idNumber": f"XQY{number:06}", "secretNumber": "0000"} for number in range(1, 250)]
    counts = []
    for some in ([wrong[0], wrong[-1]], wrong):
        with statements.counted():
            assert await asking.verdicts(*some) == ["NOT_MATCHED"] * len(some)
        counts.append(len(statements))
    assert counts[0] == counts[1]


# ---- traces


LOG = "{ me { accessLog { edges { node { act purpose result { statementNumber } } } } } }"


async def test_a_list_is_one_entry_in_the_trail_and_each_candidate_reads_their_own_line(
    client: Client, asking: Office, world: World
) -> None:
    """V3: and how many did not match."""
    results = [await world.result() for _ in range(3)]
    await asking.verify(*map(paper, results), WRONG, WRONG, {})
    entry = await TrailEntry.get()
    assert (set(entry.results), len(entry.candidates)) == ({one.id for one in results}, 3)
    assert (entry.path, entry.purpose) == ("query verifyResults: 3 of 6 not matched", PURPOSE)
    for result in results:
        own = client.as_(await world.token(await (await result.entry).candidate))
        (line,) = [edge["node"] for edge in (await own.ask(LOG))["me"]["accessLog"]["edges"]]
        number = {"statementNumber": result.statement_number}
        assert line == {"act": "LOOKED_UP", "purpose": PURPOSE, "result": number}


async def test_nothing_is_told_that_could_not_be_left_in_the_trail(asking: Office, world: World) -> None:
    """G1: what was counted in the same transaction is undone, too."""
    result = await world.result()
    await database.rows("ALTER TABLE trail ADD CONSTRAINT broken CHECK (act <> 'LOOKED_UP') NOT VALID")
    try:
        body = (await asking.client.post(VERIFY_ONE, input={"pairs": [paper(result)], "purpose": PURPOSE})).json()
    finally:
        await database.rows("ALTER TABLE trail DROP CONSTRAINT broken")
    assert (body["data"], len(body["errors"])) == ({"verifyResults": None}, 1)
    assert await WrongTries.all().count() == 0


VERIFY_ONE = "query ($input: VerifyResultsInput!) { verifyResults(input: $input) { verdict } }"


# ---- tries against one number


async def register(client: Client, entry: Entry, secret: str) -> str:
    """What becomes of registering with these numbers."""
    order = {
        "idNumber": entry.id_number, "secretNumber": secret, "email": "a@mail.example", "emailAgain": "a@mail.example",
        "password": PASSWORD, "passwordAgain": PASSWORD, "acceptsTerms": True,
    }  # fmt: skip
    return str((await client.order("register", "", **order))["__typename"])


async def unclaimed(world: World) -> Entry:
    entry = await world.entry(await world.candidate(registered=False))
    await world.result(entry)
    return entry


async def test_wrong_secret_numbers_of_verifiers_and_of_candidates_are_counted_together(
    client: Client, asking: Office, world: World, clock: ControlledClock
) -> None:
    """A8, V4: three lock the number for 30 minutes, for everybody and for the right one, too."""
    entry = await unclaimed(world)
    assert (
        await asking.verdicts(secrets(entry, secretNumber="0001"), secrets(entry, secretNumber="0002"))
        == ["NOT_MATCHED"] * 2
    )
    assert await register(client, entry, "0003") == "RegistrationLocked"
    told = await asking.find(secrets(entry))
    assert (told["verdict"], told["result"]) == ("NOT_CHECKED", None)
    assert told["retryAfter"] == (clock() + timedelta(minutes=30)).isoformat()
    clock.forward(minutes=29)
    assert await register(client, entry, SECRET) == "RegistrationLocked"
    clock.forward(minutes=1)
    assert await asking.verdicts(secrets(entry)) == ["GENUINE"]
    assert await register(client, entry, SECRET) == "LoggedIn"


async def test_ten_wrong_secret_numbers_close_it_until_the_centre_issues_new_ones(
    asking: Office, world: World, clock: ControlledClock
) -> None:
    """A8: the eleventh is not compared, right or wrong, and no time is told."""
    entry = await unclaimed(world)
    verdicts = []
    for secret in range(12):
        verdicts += await asking.verdicts(secrets(entry, secretNumber=f"{secret:04}"))
        if secret % 3 == 2:
            clock.forward(minutes=30)
            await asking.log_in(world)
    assert verdicts == ["NOT_MATCHED"] * 10 + ["NOT_CHECKED"] * 2
    closed = await asking.find(secrets(entry))
    assert (closed["verdict"], closed["result"], closed["retryAfter"]) == ("NOT_CHECKED", None, None)
    assert "issues new numbers" in closed["problems"][0]["message"]


async def test_of_many_secret_numbers_in_one_list_three_are_compared(
    asking: Office, world: World, clock: ControlledClock
) -> None:
    """A8: as if they came one after the other; a number that nobody has is locked as well."""
    entry = await unclaimed(world)
    for id_number in (entry.id_number, "ZZZ999999"):
        tried = [{"idNumber": id_number, "secretNumber": f"{secret:04}"} for secret in (1, 2, 3, 1234, 4)]
        told = await asking.verdicts(*tried)
        assert told == ["NOT_MATCHED"] * 3 + ["NOT_CHECKED"] * 2
    clock.forward(minutes=30)
    assert await asking.verdicts(*[secrets(entry, secretNumber=one) for one in ("0005", SECRET, "0006")]) == [
        "NOT_MATCHED",
        "GENUINE",
        "NOT_MATCHED",
    ]


async def test_a_right_secret_number_takes_back_the_wrong_ones_in_a_row(asking: Office, world: World) -> None:
    """A8: also before the result is released, or its candidate could be locked out by a verifier who is early."""
    entry = await world.entry()
    for _ in range(4):
        wrong = [secrets(entry, secretNumber=f"000{number}") for number in range(2)]
        assert await asking.verdicts(*wrong, secrets(entry)) == ["NOT_MATCHED"] * 3
    assert (await WrongTries.get()).in_a_row == 0


async def test_ten_wrong_dates_of_birth_lock_a_statement_number_for_a_day(
    asking: Office, client: Client, world: World, clock: ControlledClock
) -> None:
    """V3: for everybody, whether or not there is such a number; so nobody tries out the days of twenty years."""
    result = await world.result()
    for number in (result.statement_number, "S0"):
        dates = [{"statementNumber": number, "dateOfBirth": f"2001-01-{day:02}"} for day in range(1, 13)]
        assert await asking.verdicts(*dates) == ["NOT_MATCHED"] * 10 + ["NOT_CHECKED"] * 2
        other = await office(client, world)
        told = await other.find({"statementNumber": number, "dateOfBirth": BORN})
        assert (told["verdict"], told["result"]) == ("NOT_CHECKED", None)
        assert told["retryAfter"] == (clock() + DATES.length).isoformat()
    clock.forward(days=1)
    await asking.log_in(world)
    assert await asking.verdicts(paper(result)) == ["GENUINE"]


async def test_a_right_date_of_birth_starts_the_count_afresh_once_the_result_is_released(
    asking: Office, world: World, clock: ControlledClock
) -> None:
    """R3: before that not even a count tells that the number is there."""
    result = await world.result(released_at=clock() + timedelta(minutes=1))
    nine = [paper(result, dateOfBirth=f"2001-01-{day:02}") for day in range(1, 9)]
    assert await asking.verdicts(*nine, paper(result)) == ["NOT_MATCHED"] * 9
    assert (await WrongTries.get()).in_a_row == 9
    clock.forward(minutes=1)
    assert await asking.verdicts(paper(result)) == ["GENUINE"]
    assert (await WrongTries.get()).in_a_row == 0


async def test_tries_against_statement_numbers_are_kept_no_longer_than_they_count(
    asking: Office, world: World, clock: ControlledClock
) -> None:
    """Those against ID Numbers count for ever (A8)."""
    await asking.verify(WRONG, {"idNumber": "ABC999999", "secretNumber": "0000"})
    clock.forward(days=2)
    await purges.purge(clock())
    assert await WrongTries.all().count() == 2
    clock.forward(seconds=1)
    await purges.purge(clock())
    assert [one.kind for one in await WrongTries.all()] == ["secret number"]


# ---- limits


def subject_of(asking: Office, name: str) -> str:
    return {
        "USER": str(asking.user.id),
        "INSTITUTION": str(asking.institution.id),
        "ADDRESS": "127.0.0.1",
        "SERVICE": "all",
    }[name]


@pytest.mark.parametrize("name", LOOK_UPS)
@pytest.mark.parametrize("rates", [LOOK_UPS, MISSES], ids=["look-ups", "misses"])
async def test_past_a_limit_nothing_is_compared_and_the_refusal_says_which_and_until_when(
    asking: Office, world: World, clock: ControlledClock, rates: dict[str, Any], name: str
) -> None:
    """V3: both sides of each; a list that is too long for what is left counts nothing."""
    rate, subject = rates[name], subject_of(asking, name)
    clock.forward(minutes=25)
    result = await world.result()
    await used_up(clock, rate, subject, left=3)
    refusal = await asking.refusal(paper(result), WRONG, WRONG, WRONG)
    assert (refusal["code"], refusal["limit"]) == ("TOO_MANY_TRIES", rate.kind)
    assert refusal["retryAfter"] == rate.ends_at(clock()).isoformat()
    assert await asking.verdicts(paper(result), WRONG, WRONG) == ["GENUINE", "NOT_MATCHED", "NOT_MATCHED"]
    left = 1 if rates is MISSES else 0  # the one that matched is no miss
    assert (await asking.refusal(*[paper(result)] * (left + 1)))["limit"] == rate.kind
    clock.now = rate.ends_at(clock())
    await asking.log_in(world)
    assert await asking.verdicts(paper(result)) == ["GENUINE"]


async def test_what_matches_counts_as_looked_up_and_not_as_missed(asking: Office, world: World) -> None:
    result = await world.result()
    await asking.verify(*[paper(result)] * 5, WRONG)
    counts = {one.kind: one.count for one in await RateWindow.filter(kind__in=[*_kinds(LOOK_UPS), *_kinds(MISSES)])}
    assert counts == dict.fromkeys(_kinds(LOOK_UPS), 6) | dict.fromkeys(_kinds(MISSES), 1)


def _kinds(rates: dict[str, Any]) -> list[str]:
    return [rate.kind for rate in rates.values()]


async def test_users_institutions_and_addresses_are_counted_apart(
    app: Starlette, asking: Office, client: Client, world: World, clock: ControlledClock
) -> None:
    """What one of them has used up stands in nobody else's way."""
    result = await world.result()
    await used_up(clock, LOOK_UPS["USER"], str(asking.user.id), left=0)
    colleague = await office(client, world, asking.institution)
    assert await colleague.verdicts(paper(result)) == ["GENUINE"]
    await used_up(clock, LOOK_UPS["INSTITUTION"], str(asking.institution.id), left=0)
    assert (await colleague.refusal(paper(result)))["limit"] == LOOK_UPS["INSTITUTION"].kind
    elsewhere = await office(client, world)
    assert await elsewhere.verdicts(paper(result)) == ["GENUINE"]
    await used_up(clock, LOOK_UPS["ADDRESS"], "127.0.0.1", left=0)
    assert (await elsewhere.refusal(paper(result)))["limit"] == LOOK_UPS["ADDRESS"].kind
    async with client_of(app, "192.0.2.7") as away:
        assert await (await office(away, world)).verdicts(paper(result)) == ["GENUINE"]


async def test_lists_that_come_at_the_same_time_are_let_in_as_often_as_one_after_the_other(
    asking: Office, client: Client, world: World, clock: ControlledClock
) -> None:
    """By several users and connections at once: counted in the database, under one lock."""
    offices = [asking] + [await office(client, world, asking.institution) for _ in range(3)]
    await used_up(clock, MISSES["INSTITUTION"], str(asking.institution.id), left=35)
    bodies = await asyncio.gather(
        *(one.client.post(VERIFY_ONE, input={"pairs": [WRONG] * 10, "purpose": PURPOSE}) for one in offices * 3)
    )
    let_in = [body for body in bodies if body.json()["data"]["verifyResults"]]
    assert (len(bodies), len(let_in)) == (12, 3)
    assert (await RateWindow.get(kind=MISSES["INSTITUTION"].kind)).count == MISSES["INSTITUTION"].most - 5


# ---- for whoever keeps verdicts in a transaction of their own


async def test_decided_within_a_transaction_that_ends_in_nothing_leaves_nothing(asking: Office, world: World) -> None:
    """So that a job that was killed can check the same rows again; what was admitted stays counted."""
    result = await world.result()
    pairs = [Pair(result.statement_number, date(2001, 2, 3)), Pair("S0", date(2001, 2, 3))]
    viewer = viewer_of(world, asking)
    await verifying.admit(viewer, len(pairs))
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            told = await verifying.decide(viewer, pairs, PURPOSE)
            raise ZeroDivisionError
    assert [one.answer for one in told] == [Answer.GENUINE, Answer.NOT_MATCHED]
    assert await TrailEntry.all().count() == await WrongTries.all().count() == 0
    await verifying.give_back(viewer, told)
    assert (await RateWindow.get(kind=MISSES["USER"].kind)).count == 1


async def test_verdicts_may_be_asked_for_within_a_transaction(asking: Office, world: World) -> None:
    """And a limit is told there as well, without an end to the transaction."""
    result = await world.result()
    pairs = [Pair(result.statement_number, date(2001, 2, 3))]
    viewer = viewer_of(world, asking)
    async with database.transaction():
        assert [one.answer for one in await verifying.verdicts(viewer, pairs, PURPOSE)] == [Answer.GENUINE]
        await RateWindow.filter(kind=LOOK_UPS["USER"].kind).update(count=LOOK_UPS["USER"].most)
        with pytest.raises(TooManyTries):
            await verifying.verdicts(viewer, pairs, PURPOSE)
    assert await TrailEntry.all().count() == 1


@pytest.mark.parametrize("purpose", [PURPOSE, ""])
async def test_whoever_decides_is_asked_again_who_they_are_and_what_for(
    open_database: None, world: World, purpose: str
) -> None:
    """U2, V3: a user may have become a reader since the list was handed in."""
    result = await world.result()
    reader = world.viewer(Kind.VERIFIER, result.id, institution_id=result.id, is_reader=bool(purpose))
    async with database.transaction():
        with pytest.raises(NotAllowed if purpose else InvalidInput):
            await verifying.decide(reader, [Pair(result.statement_number, date(2001, 2, 3))], purpose)
    assert await TrailEntry.all().count() == 0


def test_a_pair_does_not_show_its_secret() -> None:
    """G3: not in a log, nor in a traceback."""
    assert SECRET not in repr(Pair(id_number="ABC999999", secret_number=SECRET))
