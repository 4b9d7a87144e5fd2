"""A verifier finds a result that was not shared, by the numbers that its candidate gave (V3, V4)."""

import io
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from engine import database
from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.entry import Entry
from models.institution import Institution, InstitutionStatus
from models.result import Outcome, Result
from models.session import Session
from models.share import Share
from models.terms import Terms
from models.trail import TrailAct, TrailEntry
from models.verifier import VerifierRole, VerifierStatus, VerifierUser
from models.version import HolderNotice
from models.viewer import Kind
from resolvers import corrections, shares, trail, verifying, withdrawals
from resolvers.corrections import Order
from resolvers.shares import Consent
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.looking_up import BORN, FIND, NOT_MATCHED, PURPOSE, VERIFY, Numbers, Office, office, paper, secrets
from tests.rows import board
from tests.words import words
from tests.world import CES_SKILLS, World, gid

NOTHING_AWARDED = dict.fromkeys(("headline", "grade", "cefr", "overall_score"))
AWARD = ("certificateNumber", "headline", "grade", "cefr", "overallScore", "overallScoreShown")
BARE: dict[str, Any] = dict.fromkeys(AWARD) | {"skillScores": []}


@pytest.fixture
async def asking(client: Client, world: World) -> Office:
    return await office(client, world)


@pytest.fixture
async def entry(client: Client, world: World) -> Entry:
    return await world.entry(await world.candidate(family_name="Tanaka"))


@pytest.fixture
async def result(world: World, entry: Entry) -> Result:
    return await world.result(entry)


def shown(result: Result, **facts: Any) -> dict[str, Any]:
    """What an institution is told of a result of the world, as it stands."""
    award = {
        "certificateNumber": None, "outcome": "LEVEL", "headline": "Council of Europe Level B2", "grade": None,
        "cefr": "B2", "overallScore": 168, "overallScoreShown": "168", "scale": "CES",
        "skillScores": [{"skill": skill, "score": score} for skill, score in CES_SKILLS.items()],
    }  # fmt: skip
    person = {"name": "Aoi Tanaka", "nativeName": "田中 葵", "dateOfBirth": BORN}
    about = {"qualification": "C1 Advanced", "examDate": "2026-09-20", "statementNumber": result.statement_number}
    return {"id": gid(result), **person, **about, **award, "version": 1, "correctedAt": None} | facts


def genuine(result: Result, **facts: Any) -> dict[str, Any]:
    return {"verdict": "GENUINE", "result": shown(result, **facts), "problems": [], "retryAfter": None}


async def change(result: Result, **facts: Any) -> None:
    await Result.filter(id=result.id).update(**facts)


# ---- what is found


async def test_statement_number_and_date_of_birth_find_what_stands_on_the_statement(
    asking: Office, result: Result
) -> None:
    """V3; a photo, a centre, an address are not told."""
    assert await asking.find(paper(result)) == genuine(result)


async def test_id_number_and_secret_number_find_the_same(asking: Office, entry: Entry, result: Result) -> None:
    """V4, R1: before and after the candidate has claimed the entry with them."""
    assert await asking.find(secrets(entry)) == genuine(result)
    await Entry.filter(id=entry.id).update(claimed_at=None)
    assert await asking.find(secrets(entry)) == genuine(result)
    assert (await Entry.get(id=entry.id)).claimed_at is None


async def test_numbers_may_be_typed_as_people_type_them(asking: Office, entry: Entry, result: Result) -> None:
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in result.statement_number.lower())
    for typed in (
        {"statementNumber": wide, "dateOfBirth": " ２００１-０２-０３ "},
        {"statementNumber": f" {result.statement_number[:3]} {result.statement_number[3:]}", "dateOfBirth": BORN},
        {"idNumber": f"{entry.id_number[:3].lower()}-{entry.id_number[3:]} ", "secretNumber": "１２ 34"},
    ):
        assert await asking.find(typed) == genuine(result)


async def test_looking_up_opens_no_other_way_to_the_result(asking: Office, result: Result) -> None:
    await asking.find(paper(result))
    query = """query ($id: ID!, $n: [_Any!]!) { result(id: $id) { id } node(id: $id) { id }
        _entities(representations: $n) { __typename } inbox { edges { node { id } } } }"""
    named = [{"__typename": "Result", "statementNumber": result.statement_number}]
    told = await asking.client.ask(query, id=gid(result), n=named)
    assert told == {"result": None, "node": None, "_entities": [None], "inbox": {"edges": []}}


async def test_a_withdrawn_share_does_not_stand_in_the_way_of_whoever_has_the_paper(
    asking: Office, world: World, entry: Entry, result: Result
) -> None:
    """S10, V3: the share shows nothing any more; what the candidate gave with the paper still finds it."""
    share_id = await world.share(result, asking.institution)
    await withdrawals.withdraw(world.viewer(Kind.CANDIDATE, entry.candidate_id), share_id)
    assert await asking.find(paper(result)) == genuine(result)


async def test_a_closed_account_leaves_its_results_to_be_verified(
    asking: Office, entry: Entry, result: Result, clock: ControlledClock
) -> None:
    """G2: the award record stays."""
    await Candidate.filter(id=entry.candidate_id).update(closed_at=clock())
    assert await asking.find(paper(result)) == genuine(result)


async def send_without_skills(world: World, result: Result, institution_id: Any) -> None:
    candidate_id = (await Entry.get(id=result.entry_id)).candidate_id
    viewer = world.viewer(Kind.CANDIDATE, candidate_id)
    await shares.send(viewer, result.id, institution_id, Consent(CONSENT_VERSION, "en"), Terms(includes_skills=False))


async def test_skill_scores_stay_out_as_the_last_share_with_the_institution_says(
    asking: Office, client: Client, world: World, result: Result, clock: ControlledClock
) -> None:
    """S9: also once it was withdrawn, or withdrawing would show more; others are told what stands on the paper."""
    await send_without_skills(world, result, asking.institution.id)
    assert await asking.find(paper(result)) == genuine(result, skillScores=None)
    await Share.all().update(withdrawn_at=clock())
    assert await asking.find(paper(result)) == genuine(result, skillScores=None)
    assert await (await office(client, world)).find(paper(result)) == genuine(result)
    clock.forward(minutes=1)
    await world.share(result, asking.institution)
    assert await asking.find(paper(result)) == genuine(result)


async def test_a_withheld_or_revoked_result_is_told_to_be_so_and_nothing_of_its_award(
    asking: Office, world: World, result: Result, clock: ControlledClock
) -> None:
    """R6, R11."""
    await change(result, withheld_at=clock())
    withheld = await asking.find(paper(result))
    assert withheld == genuine(result, outcome="WITHHELD", **BARE) | {"verdict": "WITHHELD"}
    await change(result, revoked_at=clock())
    revoked = await asking.find(paper(result))
    assert revoked == genuine(result, outcome=None, **BARE) | {"verdict": "REVOKED"}


async def test_the_version_printed_is_superseded_once_another_stands(asking: Office, world: World) -> None:
    """R11: what stands now is told; of a version that is yet to come nothing is known."""
    result = await world.result(await world.entry(await world.candidate(family_name="Tanaka")), version=3)
    told = [await asking.find(paper(result, version=version)) for version in (1, 2, 3, 4)]
    now = genuine(result, version=3)
    assert told == [now | {"verdict": "SUPERSEDED"}] * 2 + [now, NOT_MATCHED]
    assert await asking.find(paper(result)) == now


async def test_when_a_version_took_the_place_of_another_is_told(
    asking: Office, world: World, result: Result, clock: ControlledClock
) -> None:
    """R11: so whoever does not know which version they hold can see by its date of issue."""
    clock.forward(minutes=1)
    order = Order(result.id, 1, "Withheld by mistake")
    await corrections.withhold(board(world), order)
    await corrections.release_again(board(world), Order(result.id, 2, "Back"))
    told = (await asking.find(paper(result)))["result"]
    assert (told["version"], told["correctedAt"]) == (3, clock().isoformat())


async def test_a_result_that_is_still_pending_is_as_if_it_was_not_released(asking: Office, world: World) -> None:
    """R6: nothing was awarded yet; one that is pending again stands no more as it was printed."""
    first = await world.result(outcome=Outcome.PENDING, skills={}, **NOTHING_AWARDED)
    again = await world.result(outcome=Outcome.PENDING, skills={}, version=2, **NOTHING_AWARDED)
    assert await asking.find(paper(first)) == NOT_MATCHED
    assert (await asking.find(paper(again)))["verdict"] == "SUPERSEDED"


# ---- what is not


async def test_nothing_is_found_one_microsecond_before_the_release_and_all_at_its_moment(
    asking: Office, world: World, entry: Entry, clock: ControlledClock
) -> None:
    """R3, by both pairs; nor of one that was revoked before, or whose release nobody has set."""
    moment = clock() + timedelta(seconds=1)
    results = [
        await world.result(entry, released_at=moment),
        await world.result(released_at=moment, revoked_at=clock()),
        await world.result(released_at=None),
    ]
    pairs = [secrets(entry), *map(paper, results)]
    clock.forward(seconds=1, microseconds=-1)
    assert [await asking.find(one) for one in pairs] == [NOT_MATCHED] * 4
    clock.forward(microseconds=1)
    assert [(await asking.find(one))["verdict"] for one in pairs] == ["GENUINE", "GENUINE", "REVOKED", "NOT_MATCHED"]


async def unreleased(world: World) -> Numbers:
    return paper(await world.result(released_at=world.clock() + timedelta(days=1)))


async def no_result_yet(world: World) -> Numbers:
    return secrets(await world.entry())


async def of_a_paper(world: World, **facts: Any) -> Numbers:
    return paper(await world.result(), **facts)


async def of_an_entry(world: World, **facts: Any) -> Numbers:
    entry = await world.entry()
    await world.result(entry)
    return secrets(entry, **facts)


WRONG: dict[str, Callable[[World], Awaitable[Numbers]]] = {
    "unknown number": lambda world: of_a_paper(world, statementNumber="S26-NOT-THERE"),
    "unknown number behind all": lambda world: of_a_paper(world, statementNumber="ZZZZ"),
    "beginning of a number": lambda world: of_a_paper(world, statementNumber="S26000"),
    "wrong date": lambda world: of_a_paper(world, dateOfBirth="2001-02-04"),
    "date of long ago": lambda world: of_a_paper(world, dateOfBirth="0001-01-01"),
    "not released": unreleased,
    "unknown ID Number": lambda world: of_an_entry(world, idNumber="ZZZ999999"),
    "wrong Secret Number": lambda world: of_an_entry(world, secretNumber="1235"),
    "without a result": no_result_yet,
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_whatever_is_wrong_the_answer_and_the_way_to_it_are_one(
    asking: Office, world: World, statements: Statements, wrong: str
) -> None:
    """V3: the same statements, one by one, of the same pair; so it takes the same time, too."""
    numbers = await WRONG[wrong](world)
    like = {"idNumber": "AAA000000", "secretNumber": "0000"} if "idNumber" in numbers else None
    like = like or {"statementNumber": "S1", "dateOfBirth": "1999-09-09"}
    sent = []
    for one in (like, numbers):
        with statements.counted():
            assert await asking.find(one) == NOT_MATCHED
        sent.append(list(statements.sent))
    assert sent[0] == sent[1]
    assert len(sent[0]) < 16


@pytest.mark.parametrize("numbers", verifying.NEIGHBOURS)
async def test_a_number_that_is_not_there_is_compared_with_its_neighbour(
    asking: Office, world: World, numbers: verifying.Numbers
) -> None:
    """So that it takes reading a row of each table, as one that is there does; after the last one comes the first."""
    results = {one.statement_number: one for one in [await world.result() for _ in range(3)]}
    entries = {(await one.entry).id_number: one for one in results.values()}
    there = results if numbers is verifying.Numbers.STATEMENT else entries
    first, second, _ = sorted(there)
    neighbours = {"A": first, first: first, f"{first}0": second, "ZZZ": first}
    at: dict[str, Any] = {"viewer_at": world.clock(), "viewer_sandbox_id": None}
    found = await database.rows(verifying.NEIGHBOURS[numbers], numbers=list(neighbours), **at)
    assert {row["number"]: row["neighbour"] for row in found} == neighbours
    assert {row["neighbour"]: row["result_id"] for row in found} == {one: there[one].id for one in (first, second)}


MALFORMED: dict[str, tuple[Numbers, list[str]]] = {
    "nothing": ({}, ["statementNumber"]),
    "both pairs": ({"statementNumber": "S1", "dateOfBirth": BORN, "idNumber": "ABC123456"}, ["statementNumber"]),
    "no date": ({"statementNumber": "S1"}, ["dateOfBirth"]),
    "no number": ({"dateOfBirth": BORN}, ["statementNumber"]),
    "no such day": ({"statementNumber": "S1", "dateOfBirth": "2001-02-30"}, ["dateOfBirth"]),
    "a moment": ({"statementNumber": "S1", "dateOfBirth": "2001-02-03T00:00"}, ["dateOfBirth"]),
    "day first": ({"statementNumber": "S1", "dateOfBirth": "03/02/2001"}, ["dateOfBirth"]),
    "nonsense": ({"statementNumber": "\0' OR 1=1 --", "dateOfBirth": "\0"}, ["statementNumber", "dateOfBirth"]),
    "too long": ({"statementNumber": "9" * 10_000, "dateOfBirth": BORN}, ["statementNumber"]),
    "version 0": ({"statementNumber": "S1", "dateOfBirth": BORN, "version": 0}, ["version"]),
    "short secret": ({"idNumber": "ABC123456", "secretNumber": "123"}, ["secretNumber"]),
    "no secret": ({"idNumber": "ABC123456"}, ["secretNumber"]),
    "other digits": ({"idNumber": "ABC１２３45٦", "secretNumber": "12٣4"}, ["idNumber", "secretNumber"]),
    "version of an entry": ({"idNumber": "ABC123456", "secretNumber": "1234", "version": 1}, ["version"]),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_cannot_be_a_pair_matches_nothing_and_is_told_why(asking: Office, name: str) -> None:
    numbers, paths = MALFORMED[name]
    told = await asking.find(numbers)
    assert told | {"problems": []} == NOT_MATCHED
    assert [one["path"] for one in told["problems"]] == paths


async def test_problems_are_told_in_the_viewers_language(client: Client, world: World) -> None:
    """A12: of a pair, and of the purpose."""
    asking = await office(client, world, language="ja")
    (problem,) = (await asking.find({"statementNumber": "S1"}))["problems"]
    assert problem["message"] == "生年月日は 2001-02-03 のように入力してください。"
    refusal = await asking.refusal({}, purpose="")
    assert "照会の目的" in refusal["problems"][0]["message"]


# ---- purpose


@pytest.mark.parametrize("purpose", ["", "ab", "  ab  ", "x" * 201, "a\nb c", "abc\0", "abc\u202edef"])
async def test_without_a_purpose_nothing_is_looked_up(asking: Office, result: Result, purpose: str) -> None:
    """V3: 3 to 200 characters after trimming, one plain line; and nothing was counted or left in the trail."""
    (error,) = await asking.client.errors(FIND, input=paper(result, purpose=purpose))
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert [one["path"] for one in error["extensions"]["problems"]] == ["purpose"]
    assert await TrailEntry.all().count() == 0
    assert await database.value("SELECT count(*) FROM rate_window WHERE kind LIKE 'look-ups%'") == 0


@pytest.mark.parametrize("purpose", ["abc", " 入学 審査 ", "x" * 200])
async def test_any_purpose_in_words_is_kept_as_it_was_said(asking: Office, result: Result, purpose: str) -> None:
    await asking.find(paper(result), purpose=purpose)
    assert (await TrailEntry.get()).purpose == purpose.strip()


# ---- who


async def as_stranger(client: Client, world: World, asking: Office) -> Client:
    return client


async def as_candidate(client: Client, world: World, asking: Office) -> Client:
    return client.as_(await world.token(await world.candidate()))


async def as_staff(client: Client, world: World, asking: Office) -> Client:
    return client.as_(await world.token(await world.staff()))


async def as_reader(client: Client, world: World, asking: Office) -> Client:
    return (await office(client, world, asking.institution, role=VerifierRole.READER, is_primary=False)).client


async def deactivated(client: Client, world: World, asking: Office) -> Client:
    await VerifierUser.filter(id=asking.user.id).update(
        status=VerifierStatus.DEACTIVATED, is_primary=False, deactivated_at=world.clock()
    )
    return asking.client


async def removed(client: Client, world: World, asking: Office) -> Client:
    await world.remove(asking.user)
    return asking.client


async def suspended(client: Client, world: World, asking: Office) -> Client:
    await world.suspend(asking.institution)
    return asking.client


async def not_approved(client: Client, world: World, asking: Office) -> Client:
    await Institution.filter(id=asking.institution.id).update(status=InstitutionStatus.EMAIL_CONFIRMED)
    return asking.client


async def logged_out(client: Client, world: World, asking: Office) -> Client:
    await Session.filter(verifier_id=asking.user.id).update(ended_at=world.clock())
    return asking.client


Who = Callable[[Client, World, Office], Awaitable[Client]]
REFUSED: dict[Who, str] = {
    as_stranger: "UNAUTHENTICATED",
    as_candidate: "FORBIDDEN",
    as_staff: "FORBIDDEN",
    as_reader: "FORBIDDEN",
    deactivated: "UNAUTHENTICATED",
    removed: "UNAUTHENTICATED",
    suspended: "UNAUTHENTICATED",
    not_approved: "UNAUTHENTICATED",
    logged_out: "UNAUTHENTICATED",
}


@pytest.mark.parametrize("who", REFUSED)
async def test_who_may_not_look_up_is_told_nothing(
    client: Client, world: World, asking: Office, result: Result, who: Who
) -> None:
    """O3, U2: a reader may read and open shares, and nothing else; nothing is counted against anybody."""
    caller = await who(client, world, asking)
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        "findResult": (FIND, paper(result, purpose=PURPOSE)),
        "verifyResults": (VERIFY, {"pairs": [paper(result)], "purpose": PURPOSE}),
    }
    for field, (query, numbers) in wanted.items():
        body = (await caller.post(query, input=numbers)).json()
        assert body["data"] == {field: None}
        assert [error["extensions"]["code"] for error in body["errors"]] == [REFUSED[who]]
    assert await TrailEntry.all().count() == 0
    assert await database.value("SELECT count(*) FROM wrong_tries") == 0


@pytest.mark.parametrize("facts", [{"is_primary": True, "role": VerifierRole.READER}, {"role": VerifierRole.OFFICER}])
async def test_officers_and_whoever_is_primary_may_look_up(
    client: Client, world: World, result: Result, facts: dict[str, Any]
) -> None:
    assert await (await office(client, world, **facts)).find(paper(result)) == genuine(result)


@pytest.mark.parametrize("ends", [{"minutes": 30, "seconds": 10}, {"hours": 12}])
async def test_a_session_that_has_expired_looks_nothing_up(
    asking: Office, result: Result, clock: ControlledClock, ends: dict[str, float]
) -> None:
    """A10."""
    clock.forward(**ends)
    if "hours" in ends:
        await Session.all().update(used_at=clock())
    assert (await asking.refusal(paper(result)))["code"] == "UNAUTHENTICATED"


# ---- traces


LOG = "{ me { accessLog { edges { node { act by times version purpose institution { id } result { id } } } } } }"


async def test_the_candidate_reads_who_looked_up_when_and_what_for(
    client: Client, world: World, asking: Office, entry: Entry, result: Result
) -> None:
    """V3: each look-up is a line of its own, and leaves no other."""
    await asking.find(paper(result))
    await asking.find(secrets(entry), purpose="Second look")
    own = client.as_(await world.token(await Candidate.get(id=entry.candidate_id)))
    lines = [edge["node"] for edge in (await own.ask(LOG))["me"]["accessLog"]["edges"]]
    line = {"act": "LOOKED_UP", "by": asking.institution.name, "times": 1, "version": 1}
    line |= {"institution": {"id": gid(asking.institution)}, "result": {"id": gid(result)}}
    assert sorted(lines, key=lambda one: str(one["purpose"])) == [
        line | {"purpose": PURPOSE},
        line | {"purpose": "Second look"},
    ]


async def test_a_look_up_that_failed_is_in_the_trail_of_the_institution_and_of_no_candidate(
    asking: Office, result: Result, clock: ControlledClock
) -> None:
    """V3: who, when, what for, and how many; not whose numbers were tried."""
    await asking.find(paper(result, dateOfBirth="2001-02-04"))
    entry = await TrailEntry.get()
    assert (entry.act, entry.at, entry.viewer_id) == (TrailAct.LOOKED_UP, clock(), asking.user.id)
    assert (entry.institution_id, entry.chain) == (asking.institution.id, asking.institution.id)
    assert (entry.candidates, entry.results, entry.versions) == ([], [], [])
    assert (entry.purpose, entry.path) == (PURPOSE, "query findResult: 1 of 1 not matched")
    written = await database.value("SELECT trail::text FROM trail")
    assert result.statement_number not in written


async def test_an_institution_that_looked_up_is_told_when_the_result_is_corrected(
    client: Client, world: World, asking: Office, result: Result
) -> None:
    """R11: it holds the version that it was shown; one that guessed wrong holds nothing."""
    other = await office(client, world)
    await asking.find(paper(result))
    await other.find(paper(result, dateOfBirth="2001-02-04"))
    assert await trail.holders(result.id, 1) == [asking.institution.id]
    told = await corrections.withhold(board(world), Order(result.id, 1, "Under review"))
    assert [notice["institution_id"] for notice in told.told] == [asking.institution.id]
    assert await HolderNotice.all().count() == 1


async def test_one_who_was_told_that_it_is_withheld_is_told_when_it_is_released_again(
    world: World, asking: Office, result: Result
) -> None:
    """R11."""
    await corrections.withhold(board(world), Order(result.id, 1, "Under review"))
    assert (await asking.find(paper(result)))["verdict"] == "WITHHELD"
    told = await corrections.release_again(board(world), Order(result.id, 2, "Found right"))
    assert [notice["institution_id"] for notice in told.told] == [asking.institution.id]


async def test_numbers_stand_in_no_log_and_no_table(
    asking: Office, entry: Entry, result: Result, logged: io.StringIO
) -> None:
    """G3: not by POST, and by GET they are refused before anything runs."""
    await asking.find(secrets(entry))
    await asking.find(paper(result, dateOfBirth="1987-06-05"))
    await asking.find(secrets(entry, secretNumber="9876"))
    variables = json.dumps({"input": secrets(entry, purpose=PURPOSE)})
    bearer = {"Authorization": f"Bearer {asking.client.token}"}
    answer = await asking.client.http.get("/graphql", params={"query": FIND, "variables": variables}, headers=bearer)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    told = answer.json()["errors"][0]["message"] + logged.getvalue()
    for table in ("trail", "wrong_tries", "rate_window"):
        # Without the number of the transaction, which may be any.
        rows = await database.rows(f"SELECT (to_jsonb(t) - 'xid')::text AS text FROM {table} AS t")
        told += "".join(row["text"] for row in rows)
    assert "verifier" in told
    numbers = ("9876", entry.id_number, result.statement_number, "1987-06-05")
    assert [one for one in numbers if one in words(told)] == []
    assert await TrailEntry.all().count() == 3
