"""Operations made at random from the schema, as three kinds of viewer: nothing breaks, nothing leaks."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import hypothesis
import pytest
import schemathesis
from graphql import (
    ArgumentNode,
    IntValueNode,
    NameNode,
    Node,
    ObjectFieldNode,
    StringValueNode,
    Visitor,
    parse,
    print_ast,
    visit,
)
from hypothesis import HealthCheck, Phase, strategies
from hypothesis_graphql import nodes
from schemathesis.graphql import scalar

from models.consent import CONSENT_VERSION
from models.institution import Institution
from models.result import Result
from models.share import Share
from models.sittings.sitting import Sitting
from models.sittings.states import SittingState
from settings import Settings
from tests.client import Client
from tests.served import Served
from tests.sitting_world import EXAM
from tests.world import PASSWORD, World, gid

EXAMPLES = 5  # of each operation, as each viewer
OWN = "Aoba Gakuin"  # the institution, which everybody may see
MARK = "Zyxwvut"  # in every row that none of the three viewers may see
NOT_FOR_CLIENTS = ("INTERNAL_SERVER_ERROR",)
KINDS = ("stranger", "candidate", "verifier")


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """The service, a session for each kind of viewer, and values that are worth trying as ids and numbers."""

    url: str
    tokens: dict[str, str | None]
    values: dict[str, list[str]]


@pytest.fixture
async def fuzzed(settings: Settings, open_database: None, tmp_path: Path) -> AsyncIterator[Fuzzed]:
    world = World(lambda: datetime.now(UTC))
    candidate, verifier, rows = await _seen(world)
    rows += await _unseen(world)
    served = Served(tmp_path / "served", settings.database_url, {"OPERATIONS_PER_VIEWER": "1000"}).start()
    try:
        await asyncio.to_thread(served.ready)
        async with httpx2.AsyncClient(base_url=served.url, timeout=60) as http:
            client = Client(http)
            tokens = {
                "stranger": None,
                "candidate": (await client.log_in(candidate, PASSWORD)).token,
                "verifier": (await client.log_in_by_email(verifier, PASSWORD)).token,
            }
        yield Fuzzed(served.url, tokens, _values(rows, candidate))
    finally:
        await asyncio.to_thread(served.stop)


async def _seen(world: World) -> tuple[str, str, list[Any]]:
    """What the three viewers own: log-in names of the candidate and the verifier, and rows."""
    entry = await world.entry()
    result, institution = await world.result(entry), await world.institution("Aoba Gakuin University")
    share = await Share.get(id=await world.share(result, institution))
    verifier = await world.verifier(institution, is_primary=True)
    rows = [result, institution, verifier, share, await _waiting(world, entry.candidate_id)]
    return entry.id_number, verifier.email, rows


async def _waiting(world: World, candidate_id: UUID) -> Sitting:
    """A sitting of this candidate, who waits for a proctor."""
    now = world.clock()
    return await Sitting.create(
        candidate_id=candidate_id, exam_id=EXAM, appointment_at=now, timezone="UTC", booked_at=now, since=now,
        state=SittingState.CHECKING_IN, check_in_started_at=now, sections=["READING", "LISTENING"],
    )  # fmt: skip


async def _unseen(world: World) -> list[Any]:
    """What belongs to others, marked wherever text can be marked."""
    candidate = await world.candidate(family_name=MARK, given_name=MARK, native_name=MARK, email=f"{MARK}@mail.example")
    result = await world.result(await world.entry(candidate), statement_number=f"S{MARK}")
    institution = await world.institution(f"Quiet {MARK}")
    share = await Share.get(id=await world.share(result, institution))
    verifier = await world.verifier(institution, name=MARK, email=f"{MARK}@office.example")
    await world.suspend(institution)
    return [candidate, result, institution, verifier, share, await _waiting(world, candidate.id)]


def _values(rows: list[Any], id_number: str) -> dict[str, list[str]]:
    """What exists, by the name of the argument or input field that takes it."""
    ids = {kind: [gid(row) for row in rows if isinstance(row, kind)] for kind in (Result, Institution, Share, Sitting)}
    return {
        "id": [gid(row) for row in rows],
        "resultId": ids[Result],
        "institutionId": ids[Institution],
        "shareId": ids[Share],
        "sittingId": ids[Sitting],
        "statementNumber": [row.statement_number for row in rows if isinstance(row, Result)],
        "search": ["ao", OWN, MARK],
        "code": ["C1_ADVANCED"],
        "idNumber": [id_number],
        "consentVersion": [CONSENT_VERSION],
    }


TYPES = (
    "Candidate",
    "Sitting",
    "Entry",
    "Exam",
    "Institution",
    "Result",
    "Share",
    "VerifierUser",
    "DownloadTemplate",
    "Nope",
)
KEYS = ("id", "code", "statementNumber", "nope")
REPRESENTATIONS = strategies.builds(
    lambda name, key, value: nodes.Object([_member("__typename", name), _member(key, value)]),
    strategies.sampled_from(TYPES),
    strategies.sampled_from(KEYS),
    strategies.text(max_size=5),
)


def _member(name: str, value: str) -> ObjectFieldNode:
    return ObjectFieldNode(name=NameNode(value=name), value=nodes.String(value))


def worth_trying(document: str, values: dict[str, list[str]]) -> str:
    """The document with most of its ids and numbers replaced by ones that exist; the same document gets the same."""
    dice = random.Random(document)

    def exists(node: ArgumentNode | ObjectFieldNode) -> Node | None:
        known = values.get(node.name.value)
        if known is None or not isinstance(node.value, StringValueNode | IntValueNode) or dice.random() < 0.2:
            return None
        return type(node)(name=node.name, value=StringValueNode(value=dice.choice(known)))

    class Replace(Visitor):
        def enter_argument(self, node: ArgumentNode, *_: Any) -> Node | None:
            return exists(node)

        def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> Node | None:
            return exists(node)

    return print_ast(visit(parse(document), Replace()))


@pytest.mark.parametrize("kind", KINDS)
async def test_no_operation_breaks_the_service_or_shows_what_its_viewer_may_not_see(kind: str, fuzzed: Fuzzed) -> None:
    """No 500, no unmasked error, no word of anybody else's rows."""
    scalar("_Any", REPRESENTATIONS)
    told = await asyncio.to_thread(_try_all, kind, fuzzed)
    assert any(OWN in one for one in told), "nothing that exists was ever asked for"


def _schema(fuzzed: Fuzzed) -> Any:
    return schemathesis.graphql.from_url(f"{fuzzed.url}/graphql")


def _try_all(kind: str, fuzzed: Fuzzed) -> list[str]:
    """Try every operation as this kind of viewer; what was told."""
    token = fuzzed.tokens[kind]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    told: list[str] = []
    operations = [found.ok() for found in _schema(fuzzed).get_all_operations()]
    with httpx2.Client(base_url=fuzzed.url, headers=headers, timeout=60) as http:
        for operation in operations:
            _try(operation.as_strategy(), http, fuzzed.values, told)
    assert len(operations) >= 20, "the schema has more operations than this"
    return told


def _try(case_of: Any, http: httpx2.Client, values: dict[str, list[str]], told: list[str]) -> None:
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @hypothesis.given(case=case_of)
    def answers_in_order(case: Any) -> None:
        document = worth_trying(case.body, values)
        answer = http.post("/graphql", json={"query": document})
        told.append(_checked(document, answer))

    answers_in_order()


def _checked(document: str, answer: httpx2.Response) -> str:
    """The data of an answer that has nothing in it which must not be."""
    assert answer.status_code < 500, (document, answer.text)
    body = answer.json()
    for error in body.get("errors", ()):
        assert error["extensions"]["code"] not in NOT_FOR_CLIENTS, (document, error)
        assert error["extensions"]["requestId"]
        assert "Traceback" not in error["message"]
    told = json.dumps(body.get("data"), ensure_ascii=False)
    assert MARK not in told, (document, told)
    return told
