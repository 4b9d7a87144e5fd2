"""What is invented for a sandbox is never taken for real, and nothing real is seen from a sandbox (P4)."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine import database
from errors import InvalidInput
from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.entry import Centre, Entry
from models.institution import Institution
from models.letter import Letter
from models.result import Result
from models.sandbox import cases, centre_number
from models.scope import Scope
from models.share import Share
from models.statement import check_token
from models.viewer import Kind
from resolvers import centres, releases, statements
from schema.ids import global_id
from tests.client import Client
from tests.conftest import ControlledClock, client_of
from tests.door import Door
from tests.looking_up import paper, secrets
from tests.rows import board, candidate_row
from tests.sandboxes import Playground, checked, papers, verdict
from tests.world import PASSWORD, World, gid

NODE = "query ($id: ID!) { node(id: $id) { id } }"
SEARCH = "query ($search: String!) { institutions(search: $search) { id } }"


@pytest.fixture(scope="module")
async def client(door: Door) -> AsyncIterator[Client]:
    """GraphQL as nobody."""
    async with client_of(door.app) as client:
        yield client


@pytest.fixture(scope="module")
def world(door: Door, door_clock: ControlledClock) -> World:
    """Makes what the tests of this file need; it stays."""
    return World(door_clock)


@pytest.fixture(scope="module")
async def playground(client: Client, world: World) -> Playground:
    """A sandbox, in which nothing is changed, in a world where there are real things too."""
    await world.share(await world.result(), await world.institution())
    return await Playground.of(client, world, await world.institution("Aoba Gakuin University"))


@pytest.fixture(scope="module")
async def other(client: Client, world: World) -> Playground:
    """Another one, which may be changed."""
    return await Playground.of(client, world)


@pytest.fixture(scope="module")
async def strangers(playground: Playground, other: Playground, client: Client, world: World) -> dict[str, Client]:
    """All to whom nothing in the sandbox is genuine: its own institution's users too."""
    _, key = await world.key(playground.owner)
    return {
        "its own institution": playground.primary,
        "a key of its institution": client.as_(key),
        "another institution": other.primary,
        "another sandbox": other.program,
    }


async def test_nobody_finds_a_sandbox_by_its_name(playground: Playground, client: Client) -> None:
    for search in ("Aoba Gakuin", "sandbox", "(sandbox)"):
        found = (await client.ask(SEARCH, search=search))["institutions"]
        assert gid(playground.sandbox) not in [one["id"] for one in found]


async def test_a_sandbox_is_there_for_its_own_institution_and_its_keys_alone(
    playground: Playground, client: Client, world: World
) -> None:
    other = client.as_(await world.token(await world.verifier()))
    candidate = client.as_(await world.token(await world.candidate()))
    staff = client.as_(await world.token(await world.staff()))
    for asker in (client, other, candidate, staff):
        assert await asker.ask(NODE, id=gid(playground.sandbox)) == {"node": None}
    for asker in (playground.primary, playground.program):
        assert await asker.ask(NODE, id=gid(playground.sandbox)) == {"node": {"id": gid(playground.sandbox)}}


async def test_nobody_real_can_send_a_result_to_a_sandbox(playground: Playground, client: Client, world: World) -> None:
    result = await world.result()
    candidate = client.as_(await world.token(await (await result.entry).candidate))
    input = {"resultId": gid(result), "institutionId": gid(playground.sandbox), "consentVersion": CONSENT_VERSION}
    payload = await candidate.order("sendResult", "", **input)
    assert payload["__typename"] == "InstitutionNotFound"
    assert not await Share.filter(institution_id=playground.id, result_id=result.id).exists()


async def test_the_database_takes_no_share_between_what_is_invented_and_what_is_real(
    playground: Playground, world: World
) -> None:
    real, invented = (
        await Share.exclude(institution_id=playground.id).first(),
        await Share.filter(institution_id=playground.id).first(),
    )
    assert real is not None
    assert invented is not None
    for share, institution_id in ((real, playground.id), (invented, real.institution_id)):
        with pytest.raises(asyncpg.CheckViolationError, match="invented"):
            await database.rows(
                """INSERT INTO share SELECT (jsonb_populate_record(share, jsonb_build_object(
                       'id', gen_random_uuid(), 'institution_id', :institution_id::uuid))).*
                   FROM share WHERE id = :id""",
                institution_id=institution_id,
                id=share.id,
            )


async def test_an_invented_candidate_can_neither_register_nor_be_claimed_nor_log_in(
    playground: Playground, client: Client, world: World
) -> None:
    sample = playground.samples[0]
    numbers = {name: sample[name] for name in ("idNumber", "secretNumber")}
    account = {"email": "a@mail.example", "password": PASSWORD}
    form = {**numbers, **account, "emailAgain": account["email"], "passwordAgain": PASSWORD, "acceptsTerms": True}
    assert (await client.order("register", "", **form))["__typename"] == "WrongNumbers"
    candidate = client.as_(
        await world.token(await world.candidate(date_of_birth=date.fromisoformat(sample["dateOfBirth"])))
    )
    assert (await candidate.order("claimEntry", "", **numbers))["__typename"] == "WrongNumbers"
    assert (await client.order("logIn", "", idNumber=sample["idNumber"], password=PASSWORD))[
        "__typename"
    ] == "WrongLogin"
    await client.order("requestPasswordReset", "", idNumber=sample["idNumber"])
    assert not await Letter.filter(kind="password_reset").exists()


async def test_no_look_up_of_anybody_else_finds_what_is_invented(
    playground: Playground, strangers: dict[str, Client]
) -> None:
    """V3-V5: by either pair, one and the same answer as for numbers that are nowhere."""
    for name, stranger in strangers.items():
        for sample in (playground.samples[1], playground.samples[7], playground.samples[6]):
            for numbers in papers(sample):
                assert await verdict(stranger, numbers) == "NOT_MATCHED", name


async def test_no_statement_of_a_sandbox_is_genuine_for_anybody_else(
    playground: Playground, strangers: dict[str, Client], client: Client, world: World
) -> None:
    """V6: with the right token it is not even known."""
    staff = client.as_(await world.token(await world.staff()))
    askers = {"nobody": client, "staff": staff} | strangers
    for name, asker in askers.items():
        assert await checked(asker, playground.samples[0]) == "NOT_KNOWN", name
    assert await checked(playground.program, playground.samples[0]) == "GENUINE"


async def test_a_sandbox_sees_nothing_real(playground: Playground, client: Client, world: World) -> None:
    """Neither by look-ups nor by statements nor by ids; its institution's own shares neither."""
    result = await world.result()
    entry = await Entry.get(id=result.entry_id)
    share_id = await world.share(result, playground.owner)
    for numbers in (paper(result), secrets(entry)):
        assert await verdict(playground.program, numbers) == "NOT_MATCHED"
        assert await verdict(playground.primary, numbers) == "GENUINE"
    real = {"statementNumber": result.statement_number, "checkToken": check_token(result.statement_number, 1)}
    assert await checked(playground.program, real) == "NOT_KNOWN"
    assert await checked(client, real) == "GENUINE"
    for id in (gid(result), str(global_id("Share", share_id)), str(global_id("Candidate", entry.candidate_id))):
        assert await playground.program.ask(NODE, id=id) == {"node": None}
        assert await playground.primary.ask(NODE, id=id) == {"node": {"id": id}}


async def test_what_is_tried_in_a_sandbox_locks_no_real_number(playground: Playground, world: World) -> None:
    """A8: ten wrong dates, or three wrong Secret Numbers, count for the sandbox alone."""
    result = await world.result()
    entry = await Entry.get(id=result.entry_id)
    for _ in range(4):
        await verdict(playground.program, secrets(entry, secretNumber="9999"))
    assert await verdict(playground.program, secrets(entry)) == "NOT_CHECKED"
    assert await verdict(playground.primary, secrets(entry)) == "GENUINE"


async def ids_of(playground: Playground) -> list[str]:
    """A share, a candidate, a result and an entry of a sandbox."""
    share = await Share.filter(institution_id=playground.id).first()
    assert share is not None
    result = await Result.get(id=share.result_id)
    named: dict[str, UUID] = {"Share": share.id, "Candidate": share.candidate_id, "Result": result.id}
    return [str(global_id(name, id)) for name, id in (named | {"Entry": result.entry_id}).items()]


async def test_staff_see_nothing_of_a_sandbox(playground: Playground, client: Client, world: World) -> None:
    board_, centre = await world.staff(), await world.staff(await world.centre())
    for staff in (board_, centre):
        for id in await ids_of(playground):
            assert await client.as_(await world.token(staff)).ask(NODE, id=id) == {"node": None}


async def test_staff_neither_correct_nor_load_nor_release_what_is_invented(
    playground: Playground, client: Client, world: World, door_clock: ControlledClock
) -> None:
    staff = client.as_(await world.token(await world.staff()))
    _, _, result_id, _ = await ids_of(playground)
    order = {"resultId": result_id, "expectedVersion": 1, "reason": "A trial"}
    assert (await staff.order("withholdResult", "", **order))["__typename"] == "ResultNotFound"
    unreleased = await Result.get(statement_number=playground.samples[14]["statementNumber"])
    case = cases()[14]
    await releases.schedule(board(world), case.exam, case.exam_date, door_clock() + timedelta(hours=1))
    assert (await Result.get(id=unreleased.id)).released_at is None
    rows = [{"centre": centre_number(playground.id), "examCode": case.exam, "examDate": case.exam_date.isoformat(),
             "candidateNumber": "0015", "overallScore": 204}]  # fmt: skip
    selection = "... on ResultsLoaded { loaded replaced problems { reason } }"
    loaded = await staff.order("loadResults", selection, rows=rows)
    assert (loaded["loaded"], loaded["replaced"], len(loaded["problems"])) == (0, 0, 1)


async def test_nobody_real_is_entered_at_an_invented_centre(
    playground: Playground, client: Client, world: World
) -> None:
    """R1: nor can a centre be added whose number looks like one."""
    row = {name: text for name, text in candidate_row().items() if name != "centre"}
    staff = client.as_(await world.token(await world.staff()))
    row |= {"centre": centre_number(playground.id)}
    entered = await staff.order("enterCandidates", "... on CandidatesEntered { problems { column } }", rows=[row])
    assert entered["problems"] == [{"column": "centre"}]
    assert centre_number(playground.id) not in [centre["number"] for centre in await centres.every()]
    with pytest.raises(InvalidInput, match="invented"):
        await centres.add(Centre(number="XX1", name="A Centre", city="Kobe", country="JP"))


async def test_no_mail_is_ever_written_about_a_sandbox(other: Playground, door_clock: ControlledClock) -> None:
    before = await Letter.all().count()
    for kind in ("SHARE_SENT", "RESULT_AMENDED", "RESULT_WITHHELD", "RESULT_REVOKED", "SHARE_WITHDRAWN"):
        assert (await other.simulate(kind))["__typename"] == "ChangeSimulated"
    await releases.tell(door_clock() + timedelta(days=400))
    assert await Letter.all().count() == before
    assert not await Candidate.filter(sandbox_id=other.id, email__isnull=False).exists()


async def test_no_statement_is_made_of_what_is_invented(playground: Playground, world: World) -> None:
    """R8: nothing that is signed says what never was, alone or in a download."""
    real = await world.result()
    await world.share(real, playground.owner)
    issued = {}
    for institution_id, is_sandbox in ((playground.id, True), (playground.owner.id, False)):
        facts: dict[str, Any] = {"institution_id": institution_id, "is_sandbox": is_sandbox}
        viewer = world.viewer(Kind.KEY, playground.id, scopes=frozenset(Scope), **facts)
        shared = [share.result_id for share in await Share.filter(institution_id=institution_id)]
        rows = await statements.SOURCE.by_ids(viewer, shared)
        assert rows
        issued[is_sandbox] = {statements.is_issued(row, viewer) for row in rows.values()}
    assert issued == {True: {False}, False: {True}}


async def test_no_download_of_a_sandbox_is_of_statements(playground: Playground) -> None:
    """D1, R8: what can be downloaded are tables."""
    input: dict[str, Any] = {"filter": {}, "format": "PDF"}
    refused = await playground.program.order(
        "requestDownload", "... on NothingToDownload { withoutStatement }", **input
    )
    assert refused["withoutStatement"] > 15


async def test_who_is_suspended_has_no_sandbox_either(client: Client, world: World) -> None:
    """O3: by the same rule, at once."""
    suspended = await Playground.of(client, world)
    assert await suspended.shares()
    await world.suspend(suspended.owner)
    assert await suspended.program.ask("{ viewer { kind } inbox { edges { cursor } } }") == {
        "viewer": {"kind": "ANONYMOUS"},
        "inbox": None,
    }


async def test_nobody_can_ask_to_join_a_sandbox(playground: Playground, client: Client) -> None:
    form: dict[str, Any] = {"institutionId": gid(playground.sandbox), "name": "Ken Mori", "email": "ken@office.example"}
    assert (await client.order("requestToJoin", "", **form))["__typename"] == "InstitutionNotFound"


async def test_a_sandbox_is_never_in_a_list_of_staff(playground: Playground, client: Client, world: World) -> None:
    """Its entries are counted in no session of exams."""
    staff = client.as_(await world.token(await world.staff()))
    sessions = await staff.ask("{ staff { sessions(first: 100) { edges { node { exam { code } entries } } } } }")
    told = {edge["node"]["exam"]["code"]: edge["node"]["entries"] for edge in sessions["staff"]["sessions"]["edges"]}
    assert told == {"C1_ADVANCED": await Entry.filter(candidate__sandbox_id=None).count()}


async def test_a_sandbox_has_no_part_in_other_accounts(playground: Playground, world: World) -> None:
    """What its rows may never become."""
    for change in ("status = 'SUSPENDED', suspended_at = now()", "merged_into_id = sandbox_of_id", "skeleton = 'a'"):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.rows(f"UPDATE institution SET {change} WHERE id = :id", id=playground.id)
    real = await Institution.get(id=playground.owner.id)
    assert real.sandbox_of_id is None


async def test_no_real_result_gets_a_number_of_a_sandbox(client: Client, world: World) -> None:
    """R2: a file that brings one is told so."""
    entry = await world.entry()
    key = {"centre": "JP901", "examCode": entry.exam_id, "examDate": entry.exam_date.isoformat()}
    row = key | {"candidateNumber": entry.candidate_number, "overallScore": 168, "statementNumber": "SANDBOX-1"}
    staff = client.as_(await world.token(await world.staff()))
    loaded = await staff.order("loadResults", "... on ResultsLoaded { loaded problems { column } }", rows=[row])
    assert (loaded["loaded"], loaded["problems"]) == (0, [{"column": "statementNumber"}])
