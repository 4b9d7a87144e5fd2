"""Behind a real gateway, beside the subgraph of an admissions office (P5): joined, live, and nobody trusted for it."""

import asyncio
import json
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from models.institution import Institution
from models.verifier import VerifierUser
from models.viewer import Kind
from resolvers import exams, sessions, withdrawals
from schema.ids import global_id, key_of
from tests.admissions import Admissions, admitting
from tests.client import Client
from tests.conftest import ControlledClock
from tests.door import Door
from tests.node import CLIENTS, equipped_node  # noqa: F401  # a fixture
from tests.served import until
from tests.world import World, gid

SECONDS = 120

APPLICATIONS = """{ applications { edges { node { course candidate { id name } sentTo { id name } share { id status }
    results { id qualification isEnoughFor(course: "Law") } } } } }"""
INBOX = """{ inbox { edges { node { id application { course sentTo { name } }
    candidate { name applications { edges { node { course } } } }
    result { enough: isEnoughFor(course: "Music") tooMuch: isEnoughFor(course: "Law") } } } } }"""
NEW_SHARES = """subscription { newShares { share { id application { course }
    candidate { name applications { edges { node { course } } } } result { isEnoughFor(course: "Music") } } } }"""


@pytest.fixture(scope="module")
def world(door: Door, door_clock: ControlledClock) -> World:
    """Makes what the tests of this file need; it stays."""
    return World(door_clock)


@pytest.fixture(scope="module")
async def office() -> AsyncIterator[Admissions]:
    """The other subgraph."""
    async with admitting() as office:
        yield office


@pytest.fixture(scope="module")
async def gateway(node: str, door: Door, office: Admissions) -> AsyncIterator[httpx2.AsyncClient]:
    """A way to a gateway that composed both subgraphs."""
    command = [node, "gateway.js", f"seiseki={door.url}/graphql", f"admissions={office.url}"]
    running = await asyncio.create_subprocess_exec(*command, cwd=CLIENTS, stdout=PIPE, stderr=STDOUT)
    try:
        assert running.stdout is not None
        async with asyncio.timeout(SECONDS):
            said = await running.stdout.readline()
        assert said.startswith(b"http://"), said + await running.stdout.read()
        async with httpx2.AsyncClient(base_url=said.decode().strip(), timeout=SECONDS, trust_env=False) as http:
            yield http
    finally:
        running.kill()
        await running.wait()


@dataclass
class Case:
    """A share with an institution, of which the office noted that its candidate wants to study law."""

    institution: Institution
    verifier: VerifierUser
    share: str
    candidate: str
    result: str
    name: str
    viewer: Client

    @property
    def seen(self) -> Any:
        """What whoever may see the share is told of the application."""
        return {
            "course": "Law",
            "candidate": {"id": self.candidate, "name": self.name},
            "results": [{"id": self.result, "qualification": "C1 Advanced", "isEnoughFor": False}],
            "share": {"id": self.share, "status": "UNREAD"},
            "sentTo": {"id": gid(self.institution), "name": self.institution.name},
        }


@pytest.fixture
async def case(world: World, office: Admissions, gateway: httpx2.AsyncClient) -> Case:
    """A case of its own; the office has forgotten all others."""
    institution = await world.institution()
    verifier = await world.verifier(institution)
    candidate = await world.candidate()
    result = await world.result(await world.entry(candidate))
    share = str(global_id("Share", await world.share(result, institution)))
    office.noted.clear()
    office.note("Law", candidate=gid(candidate), result=gid(result), share=share, institution=gid(institution))
    return Case(
        institution,
        verifier,
        share,
        gid(candidate),
        gid(result),
        f"Aoi {candidate.family_name}",
        Client(gateway, await world.token(verifier)),
    )


async def told(viewer: Client) -> tuple[Any, set[str]]:
    """The application as this viewer is told of it, and the codes of the errors."""
    body = (await viewer.post(APPLICATIONS)).json()
    (edge,) = body["data"]["applications"]["edges"]
    return edge["node"], {error["extensions"]["code"] for error in body.get("errors", [])}


async def test_things_that_another_service_refers_to_are_told_by_us(case: Case) -> None:
    """P5: from its reference by way of the gateway to our door, with the caller's own credential."""
    assert await told(case.viewer) == (case.seen, set())


async def test_another_service_adds_fields_to_our_types_and_builds_on_ours(case: Case) -> None:
    """P5: `isEnoughFor` is worked out elsewhere from our `overallScore`, which the viewer may see."""
    (edge,) = (await case.viewer.ask(INBOX))["inbox"]["edges"]
    assert edge["node"] == {
        "id": case.share,
        "application": {"course": "Law", "sentTo": {"name": case.institution.name}},
        "candidate": {"name": case.name, "applications": {"edges": [{"node": {"course": "Law"}}]}},
        "result": {"enough": True, "tooMuch": False},
    }


async def _is_withdrawn(world: World, case: Case) -> Client:
    candidate = world.viewer(Kind.CANDIDATE, key_of(case.candidate, "Candidate"))
    share_id = key_of(case.share, "Share")
    assert share_id is not None
    await withdrawals.withdraw(candidate, share_id)
    return case.viewer


async def _is_suspended(world: World, case: Case) -> Client:
    await world.suspend(case.institution)
    return case.viewer


async def _has_logged_out(world: World, case: Case) -> Client:
    await sessions.end_all(Kind.VERIFIER, [case.verifier.id], world.clock())
    return case.viewer


async def _is_nobody(_world: World, case: Case) -> Client:
    return case.viewer.as_(None)


async def _is_another(world: World, case: Case) -> Client:
    return case.viewer.as_(await world.token(await world.verifier()))


async def _is_another_candidate(world: World, case: Case) -> Client:
    return case.viewer.as_(await world.token(await world.candidate()))


@pytest.mark.parametrize(
    "happens",
    [_is_withdrawn, _is_suspended, _has_logged_out, _is_nobody, _is_another, _is_another_candidate],
    ids=lambda happens: happens.__name__.strip("_"),
)
async def test_nobody_sees_more_by_way_of_a_gateway_that_knows_an_id(world: World, case: Case, happens: Any) -> None:
    """P5, S10, O3, U3, A10: whoever is not shown a thing at our own door is shown null, whoever refers to it."""
    told_of, _ = await told(await happens(world, case))
    assert told_of["candidate"] is None
    assert told_of["share"] is None
    assert told_of["results"] == [None]


async def test_shares_arrive_live_with_what_another_service_adds(
    world: World, door: Door, office: Admissions, case: Case
) -> None:
    """N6 through the gateway, over server-sent events."""
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {case.viewer.token}"}
    async with (
        asyncio.timeout(SECONDS),
        case.viewer.http.stream("POST", "/graphql", json={"query": NEW_SHARES}, headers=headers) as stream,
    ):
        await until(lambda: door.services.hub.open_streams)
        candidate = await world.candidate()
        result = await world.result(await world.entry(candidate))
        office.note("Music", candidate=gid(candidate), result=gid(result))
        share = str(global_id("Share", await world.share(result, case.institution)))
        data = await anext(_events(stream))
    assert data["newShares"]["share"] == {
        "id": share,
        "application": None,
        "candidate": {
            "name": f"Aoi {candidate.family_name}",
            "applications": {"edges": [{"node": {"course": "Music"}}]},
        },
        "result": {"isEnoughFor": True},
    }
    await until(lambda: not door.services.hub.open_streams)


async def _events(stream: httpx2.Response) -> AsyncIterator[Any]:
    async for line in stream.aiter_lines():
        if line.startswith("data:") and line != "data:":
            body = json.loads(line.removeprefix("data:"))
            assert "errors" not in body, body
            yield body["data"]


async def test_a_stream_is_refused_by_way_of_a_gateway_to_whoever_is_no_verifier(world: World, case: Case) -> None:
    candidate = await world.token(await world.candidate())
    for token, code in ((None, "UNAUTHENTICATED"), (candidate, "FORBIDDEN")):
        response = await case.viewer.as_(token).post(NEW_SHARES)
        assert code in response.text, response.text


async def test_a_fault_of_ours_is_masked_before_it_reaches_the_gateway(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(exams, "by_codes", broken)
    response = await case.viewer.post('{ exam(code: "C1_ADVANCED") { title } }')
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert error["extensions"]["requestId"]
    assert "swordfish" not in response.text


async def test_what_is_refused_to_whoever_is_logged_out_keeps_its_type(case: Case) -> None:
    """Refusals are data: a gateway passes them on as they are."""
    payload = await case.viewer.as_(None).order("openShare", "", shareId=case.share)
    assert payload["__typename"] == "NotLoggedIn"
