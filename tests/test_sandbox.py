"""A sandbox with invented candidates, for an institution's programs to try themselves out on (P4)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.limits import Rate
from models.institution import Institution
from models.journal import EventKind
from models.letter import Letter
from models.sandbox import MOST_CASES, cases
from models.scope import Scope
from models.share import Share
from resolvers import sandboxes
from schema.ids import key_of
from tests.client import Client
from tests.conftest import ControlledClock, client_of
from tests.door import Door
from tests.looking_up import used_up
from tests.sandboxes import CREATED, RESET, SANDBOX, SIMULATED, Playground, checked, live_cases, papers, verdict
from tests.world import World, gid, settled

CHANGES = (
    "query ($after: String) { changes(after: $after, first: 1000) { cursor nodes { kind shareId share { id } } } }"
)
OWN = f"{{ {SANDBOX} }}"


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
async def fresh(client: Client, world: World) -> Playground:
    """A sandbox that nobody changes."""
    return await Playground.of(client, world)


@pytest.fixture
async def playground(client: Client, world: World) -> Playground:
    """A sandbox of one's own."""
    return await Playground.of(client, world)


async def changes(client: Client, after: str | None = None) -> Any:
    """All that happened since a cursor."""
    await settled()
    return (await client.ask(CHANGES, after=after))["changes"]


# ---- what is in it


def test_the_cases_are_of_every_exam_and_outcome() -> None:
    """About thirty, with names that break careless programs."""
    assert 30 <= len(cases()) <= 40
    assert len({case.exam for case in cases()}) == 17
    assert {case.answer for case in cases()} == {"GENUINE", "WITHHELD", "REVOKED", "NOT_MATCHED"}
    assert {event for case in cases() for event in case.then} >= {"SHARE_WITHDRAWN", "SHARE_EXPIRED"}
    names = "".join(f"{case.family_name}{case.native_name}" for case in cases())
    assert all(sign in names for sign in "𠮷فנ")


async def test_every_sample_is_answered_as_it_says(fresh: Playground) -> None:
    """V3, V4: by either pair of numbers."""
    assert len(fresh.samples) == len(cases())
    for sample in fresh.samples:
        for numbers in papers(sample):
            assert await verdict(fresh.program, numbers) == sample["answer"], sample["about"]


async def test_the_check_of_a_statement_answers_what_became_of_it(fresh: Playground) -> None:
    told = {sample["about"]: await checked(fresh.program, sample) for sample in fresh.samples[:9]}
    assert told["Revoked after it was shared."] == "REVOKED"
    assert told["Withheld after it was shared."] == "SUPERSEDED"
    assert [*told.values()].count("GENUINE") == len(told) - 2


async def test_its_inbox_holds_the_shares_that_are_live(fresh: Playground) -> None:
    shared = {share["result"]["statementNumber"] for share in await fresh.shares()}
    wanted = {sample["about"] for sample in fresh.samples} & {case.about for case in live_cases()}
    assert shared == {sample["statementNumber"] for sample in fresh.samples if sample["about"] in wanted}


async def test_its_own_journal_tells_how_it_came_to_be(fresh: Playground) -> None:
    kinds = [node["kind"] for node in (await changes(fresh.program))["nodes"]]
    sent = [case for case in cases() if case.sent is not None]
    assert kinds == ["SHARE_SENT"] * len(sent) + [event for case in sent for event in case.then]


# ---- making it, and making it anew


async def test_asking_for_a_sandbox_again_gives_the_one_that_is_there(fresh: Playground) -> None:
    again = await fresh.primary.order("createSandbox", CREATED)
    assert again["wasThere"] is True
    assert again["sandbox"]["institution"]["id"] == gid(fresh.sandbox)
    assert again["sandbox"]["samples"] == fresh.samples
    assert await Institution.filter(sandbox_of_id=fresh.owner.id).count() == 1


async def test_two_who_ask_at_once_get_one_sandbox(client: Client, world: World) -> None:
    primary = client.as_(await world.token(await world.verifier()))
    made = await asyncio.gather(*(primary.order("createSandbox", CREATED) for _ in range(3)))
    assert len({one["sandbox"]["institution"]["id"] for one in made}) == 1
    assert sorted(one["wasThere"] for one in made) == [False, True, True]


async def test_a_sandbox_can_be_named(client: Client, world: World) -> None:
    primary = client.as_(await world.token(await world.verifier()))
    faults = "... on InvalidInput { problems { path } }"
    assert (await primary.order("createSandbox", faults, name=" "))["problems"] == [{"path": "name"}]
    made = await primary.order("createSandbox", CREATED, name="Trials")
    assert made["sandbox"]["institution"]["name"] == "Trials (sandbox)"
    assert made["sandbox"]["institution"]["isSandbox"] is True


async def test_a_reset_brings_back_the_numbers_and_new_ids(playground: Playground) -> None:
    """Whatever was simulated, and whatever was locked by wrong tries."""
    before = await playground.shares()
    sample = playground.samples[0]
    for kind in ("RESULT_REVOKED", "SHARE_SENT", "RESULT_AMENDED"):
        await playground.simulate(kind)
    for _ in range(4):
        await verdict(playground.program, {"idNumber": sample["idNumber"], "secretNumber": "9999"})
    payload = await playground.program.order("resetSandbox", RESET, id=gid(playground.sandbox))
    assert payload["sandbox"]["samples"] == playground.samples
    after = await playground.shares()
    assert {one["result"]["statementNumber"] for one in after} == {one["result"]["statementNumber"] for one in before}
    assert not {one["id"] for one in after} & {one["id"] for one in before}
    for numbers in papers(sample):
        assert await verdict(playground.program, numbers) == sample["answer"]


async def test_a_cursor_goes_on_behind_a_reset(playground: Playground) -> None:
    """P2: nothing that was told is taken back; of what is gone, ids stay, and no share."""
    before = await changes(playground.program)
    await playground.primary.order("resetSandbox", RESET, id=gid(playground.sandbox))
    since = await changes(playground.program, before["cursor"])
    assert [node["kind"] for node in since["nodes"]] == [node["kind"] for node in before["nodes"]]
    assert not {node["shareId"] for node in since["nodes"]} & {node["shareId"] for node in before["nodes"]}
    again = (await changes(playground.program))["nodes"]
    assert [node["share"] for node in again[: len(before["nodes"])]] == [None] * len(before["nodes"])


async def test_a_reset_touches_no_other_sandbox(playground: Playground, client: Client, world: World) -> None:
    other = await Playground.of(client, world)
    before = await other.shares()
    await playground.primary.order("resetSandbox", RESET, id=gid(playground.sandbox))
    assert await other.shares() == before
    assert (await playground.primary.order("resetSandbox", RESET, id=gid(other.sandbox)))["__typename"] == (
        "InstitutionNotFound"
    )
    assert not {one["statementNumber"] for one in other.samples} & {
        one["statementNumber"] for one in playground.samples
    }


async def test_a_sandbox_is_made_anew_thirty_times_a_day(playground: Playground, door_clock: ControlledClock) -> None:
    await used_up(door_clock, sandboxes.RESETS, str(playground.owner.id), left=1)
    for expected in ("SandboxReset", "TooManyTries"):
        payload = await playground.primary.order("resetSandbox", RESET, id=gid(playground.sandbox))
        assert payload["__typename"] == expected
    assert isinstance(sandboxes.RESETS, Rate)
    assert sandboxes.RESETS.most == 30


# ---- letting things happen


async def test_every_event_of_the_journal_can_be_let_happen(playground: Playground) -> None:
    """N6, N7, P2: as it really happens, so that streams, webhooks and `changes` tell of it."""
    cursor = (await changes(playground.program))["cursor"]
    happened = {kind.value: await playground.simulate(kind.value) for kind in EventKind}
    assert {kind: one["__typename"] for kind, one in happened.items()} == dict.fromkeys(happened, "ChangeSimulated")
    told = {node["kind"]: node["shareId"] for node in (await changes(playground.program, cursor))["nodes"]}
    assert told == {kind: one["shareId"] for kind, one in happened.items()}


async def test_something_can_be_let_happen_to_a_share_of_ones_choice(playground: Playground) -> None:
    share = (await playground.shares())[-1]
    happened = await playground.simulate("RESULT_AMENDED", share["id"])
    assert happened == {"__typename": "ChangeSimulated", "shareId": share["id"], "resultId": share["result"]["id"]}
    assert (await playground.simulate("RESULT_RELEASED_AGAIN", share["id"]))["__typename"] == "NothingToSimulate"
    assert (await playground.simulate("SHARE_READ", "nothing"))["__typename"] == "NothingToSimulate"


async def test_nothing_can_be_let_happen_to_what_is_real(fresh: Playground, world: World) -> None:
    real = await world.share(await world.result(), fresh.owner)
    for kind in ("RESULT_REVOKED", "SHARE_WITHDRAWN", "SHARE_READ"):
        refused = await fresh.simulate(kind, gid(Share(id=real)))
        assert refused["__typename"] == "NothingToSimulate"
    share = await Share.get(id=real)
    assert (share.withdrawn_at, share.is_read) == (None, False)


async def test_results_can_be_amended_again_and_again(playground: Playground) -> None:
    """A point less, and a point more the next time: it never leaves its scale."""
    share = (await playground.shares())[-1]["id"]
    for _ in range(4):
        assert (await playground.simulate("RESULT_AMENDED", share))["__typename"] == "ChangeSimulated"


async def test_a_full_sandbox_takes_no_more_candidates(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their statement numbers have three digits."""
    assert MOST_CASES == 999
    monkeypatch.setattr("resolvers.simulating.MOST_CASES", len(cases()) + 1)
    assert (await playground.simulate("SHARE_SENT"))["__typename"] == "ChangeSimulated"
    assert (await playground.simulate("SHARE_SENT"))["__typename"] == "NothingToSimulate"


# ---- who may


async def test_only_the_primary_user_and_keys_that_manage_have_a_sandbox_made(
    playground: Playground, client: Client, world: World
) -> None:
    officer = client.as_(await world.token(await world.verifier(playground.owner)))
    candidate = client.as_(await world.token(await world.candidate()))
    reading = client.as_((await world.key(playground.sandbox, Scope.READ_SHARES, made_by=playground.user))[1])
    managing = client.as_((await world.key(playground.owner, Scope.MANAGE))[1])
    orders: dict[str, dict[str, Any]] = {
        "createSandbox": {},
        "resetSandbox": {"id": gid(playground.sandbox)},
        "simulateChange": {"kind": "SHARE_SENT"},
    }
    for mutation, input in orders.items():
        for asker in (officer, candidate, reading):
            assert (await asker.order(mutation, "", **input))["__typename"] == "NotAllowed", mutation
        assert (await client.order(mutation, "", **input))["__typename"] == "NotLoggedIn", mutation
        answered = (await managing.order(mutation, "", **input))["__typename"]
        assert answered in ("SandboxCreated", "SandboxReset", "ChangeSimulated"), mutation


async def test_who_works_at_the_institution_sees_what_can_be_looked_up(
    fresh: Playground, client: Client, world: World
) -> None:
    officer = client.as_(await world.token(await world.verifier(fresh.owner)))
    for asker in (officer, fresh.program, fresh.primary):
        assert (await asker.ask(OWN))["sandbox"]["samples"] == fresh.samples
    for asker in (client, client.as_(await world.token(await world.verifier()))):
        assert await asker.ask(OWN) == {"sandbox": None}


async def test_who_has_no_sandbox_is_told_so(client: Client, world: World) -> None:
    institution = await world.institution()
    primary = client.as_(await world.token(await world.verifier(institution)))
    assert await primary.ask(OWN) == {"sandbox": None}
    reset = await primary.order("resetSandbox", RESET, id=gid(institution))
    simulated = await primary.order("simulateChange", SIMULATED, kind="SHARE_SENT")
    assert {reset["__typename"], simulated["__typename"]} == {"InstitutionNotFound"}
    assert key_of(gid(institution), "Institution") == institution.id


# ---- keys of it

MADE = """... on KeyCreated { secret key { id status institution { id isSandbox } } }
    ... on InvalidInput { problems { path } }"""
WANTED: dict[str, Any] = {"name": "Trial", "scopes": ["READ_SHARES"], "sandbox": True}


async def test_a_key_of_the_sandbox_is_made_and_revoked_by_the_primary_user(fresh: Playground) -> None:
    """P1, P4: it lets into the sandbox, and nowhere else."""
    made = await fresh.primary.order("createKey", MADE, **WANTED)
    assert made["key"]["institution"] == {"id": gid(fresh.sandbox), "isSandbox": True}
    program = fresh.primary.as_(made["secret"])
    query = "{ inbox(first: 100) { edges { node { candidate { name } } } } }"
    assert len((await program.ask(query))["inbox"]["edges"]) == len(live_cases())
    keys = "{ organisation { keys { edges { node { id } } } } }"
    told = (await fresh.primary.ask(keys))["organisation"]["keys"]["edges"]
    assert made["key"]["id"] in [edge["node"]["id"] for edge in told]
    await fresh.primary.order("revokeKey", "", id=made["key"]["id"])
    assert await program.ask(query) == {"inbox": None}


async def test_the_primary_user_is_told_by_mail_of_a_key_of_the_sandbox(fresh: Playground) -> None:
    """G1: whoever has taken over the Primary User's session does not make one unseen."""
    await fresh.primary.order("createKey", MADE, **WANTED)
    letter = await Letter.filter(verifier_id=fresh.user.id).order_by("-id").first()
    assert letter is not None
    assert (letter.kind, letter.verifier_id) == ("key_created", fresh.user.id)
    assert letter.facts["institution"] == fresh.sandbox.name


async def test_there_is_no_key_of_a_sandbox_that_is_not_there(client: Client, world: World) -> None:
    primary = client.as_(await world.token(await world.verifier()))
    assert (await primary.order("createKey", MADE, **WANTED))["problems"] == [{"path": "sandbox"}]
