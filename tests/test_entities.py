"""The gateway's door (P5): any entity by any key, bad ones told one by one, and no more statements for more."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from models.exam import Exam
from models.share import Share
from models.template import DownloadFormat, DownloadTemplate
from schema.entities import ENTITIES, MOST_REPRESENTATIONS
from schema.ids import global_id, key_of, parts
from tests.client import Client
from tests.conftest import Statements
from tests.printed import keys_of_entities, object_types
from tests.selecting import Everything
from tests.sitting_world import booked
from tests.world import World, gid

ASK = "query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on Node { id } } }"
KEYS = [(name, key) for name, keys in keys_of_entities().items() for key in keys]
UUID = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
async def staff(app: Starlette, client: Client, world: World) -> Client:
    """Staff, who see every row: what is null here is not there."""
    return client.as_(await world.token(await world.staff()))


async def rows(world: World) -> dict[str, Any]:
    """One row of every entity."""
    result = await world.result()
    entry = await result.entry
    institution = await world.institution()
    share_id = await world.share(result, institution)
    found: dict[str, Any] = {
        "Candidate": await entry.candidate,
        "Entry": entry,
        "Result": result,
        "Institution": institution,
        "Share": await Share.get(id=share_id),
        "VerifierUser": await world.verifier(institution),
        "DownloadTemplate": await DownloadTemplate.create(
            institution_id=institution.id,
            name="All",
            format=DownloadFormat.CSV,
            columns=[],
            created_at=world.clock(),
        ),
        "Download": await world.download(),
        "AccountApplication": await world.application(),
        "Invitation": await world.invitation(),
        "Exam": await Exam.get(code="C1_ADVANCED"),
        "Letter": await world.letter(),
        "ListCheck": await world.list_check(),
        "Sitting": await booked(world),
        "Webhook": await world.webhook(institution),
        "ApiKey": (await world.key(institution))[0],
        "JoinRequest": await world.join_request(institution),
    }
    return found


def representation(row: Any, key: str) -> dict[str, Any]:
    """A row as another service refers to it by this key."""
    values = {
        "id": gid(row),
        "statementNumber": getattr(row, "statement_number", None),
        "code": getattr(row, "code", ""),
    }
    return {"__typename": type(row).__name__, key: values[key]}


def told(row: Any) -> dict[str, str]:
    """What ASK answers for a row."""
    return {"__typename": type(row).__name__, "id": gid(row)}


def test_the_entities_are_those_of_the_domain() -> None:
    """P5 names seven; the others are ours, for `node` and for who refers to them."""
    wanted = {"Candidate", "Result", "Institution", "Share", "VerifierUser", "DownloadTemplate", "Exam"}
    ours = {
        "AccountApplication",
        "ApiKey",
        "Download",
        "Entry",
        "Invitation",
        "JoinRequest",
        "Letter",
        "ListCheck",
        "Sitting",
        "Webhook",
    }
    assert set(keys_of_entities()) == set(ENTITIES) == wanted | ours
    assert all("id" in keys for keys in keys_of_entities().values())


async def test_every_entity_is_found_by_each_of_its_keys_in_the_order_asked(staff: Client, world: World) -> None:
    there = await rows(world)
    asked = [(there[name], key) for name, key in [*KEYS, *reversed(KEYS)]]
    data = await staff.ask(ASK, r=[representation(row, key) for row, key in asked])
    assert data["_entities"] == [told(row) for row, _ in asked]


BAD: list[Any] = [
    {"__typename": "Nobody", "id": "x"},
    {"__typename": "Query", "id": "x"},
    {"__typename": "PageInfo", "id": "x"},
    {"__typename": None, "id": "x"},
    {"__typename": ["Candidate"], "id": "x"},
    {"id": str(global_id("Candidate", UUID))},
    {},
    [],
    [{"__typename": "Exam", "code": "C1_ADVANCED"}],
    "Candidate",
    7,
    1.5,
    True,
    {"__typename": "Candidate"},
    {"__typename": "Candidate", "id": None},
    {"__typename": "Candidate", "id": 7},
    {"__typename": "Candidate", "id": {"id": "x"}},
    {"__typename": "Candidate", "id": ["x"]},
    {"__typename": "Candidate", "email": "candidate1@mail.example"},
    {"__typename": "Result", "statementNumber": 7},
    {"__typename": "Result", "statementNumber": "\0"},
    {"__typename": "Result", "statement_number": "S260000003"},
    {"__typename": "Exam", "code": "C1_\0ADVANCED"},
]
NOT_THERE: list[Any] = [
    {"__typename": "Candidate", "id": ""},
    {"__typename": "Candidate", "id": "Candidate"},
    {"__typename": "Candidate", "id": "é"},
    {"__typename": "Candidate", "id": str(global_id("Candidate", ""))},
    {"__typename": "Candidate", "id": str(global_id("Candidate", "7"))},
    {"__typename": "Candidate", "id": str(global_id("Candidate", UUID))},
    {"__typename": "Result", "statementNumber": ""},
    {"__typename": "Result", "statementNumber": "S' OR '1'='1"},
    {"__typename": "Result", "id": str(global_id("Exam", "C1_ADVANCED"))},
    {"__typename": "Exam", "id": str(global_id("Exam", ""))},
    {"__typename": "Exam", "id": str(global_id("Exam", "\0"))},
    {"__typename": "Exam", "id": str(global_id("Result", "C1_ADVANCED"))},
    {"__typename": "Exam", "code": "NO_SUCH_EXAM"},
]


async def test_each_bad_one_is_told_by_itself_and_spoils_no_other(staff: Client, world: World) -> None:
    """Null and a coded error at its place for what is no reference; null alone for what is not there."""
    good = representation((await rows(world))["Result"], "statementNumber")
    asked = [one for bad in BAD for one in (good, bad)]
    body = (await staff.post(ASK, r=[*asked, *NOT_THERE])).json()
    answers = body["data"]["_entities"]
    assert [one["__typename"] for one in answers[: len(asked) : 2]] == ["Result"] * len(BAD)
    assert answers[1 : len(asked) : 2] == [None] * len(BAD)
    assert answers[len(asked) :] == [None] * len(NOT_THERE)
    assert [error["path"] for error in body["errors"]] == [["_entities", 2 * place + 1] for place in range(len(BAD))]
    assert {error["extensions"]["code"] for error in body["errors"]} == {"BAD_USER_INPUT"}


async def test_a_reference_is_never_made_of_what_the_caller_sent(staff: Client, world: World) -> None:
    """Whatever else a representation holds is left alone, of whatever type it is."""
    result = (await rows(world))["Result"]
    forged = representation(result, "id") | {"headline": "Grade A", "candidate": {"id": "x"}, "nothing": [[]], "": 1}
    query = "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Result { headline statementNumber } } }"
    data = await staff.ask(query, r=[forged])
    assert data["_entities"] == [{"headline": result.headline, "statementNumber": result.statement_number}]


async def test_the_same_variable_can_be_used_twice(staff: Client, world: World) -> None:
    """Strawberry's own resolver takes `__typename` out of the variable."""
    there = await rows(world)
    query = """query ($r: [_Any!]!) { first: _entities(representations: $r) { ... on Node { id } }
                                      second: _entities(representations: $r) { ... on Node { id } } }"""
    data = await staff.ask(query, r=[representation(there["Result"], "id"), representation(there["Share"], "id")])
    assert data["first"] == data["second"] == [{"id": gid(there["Result"])}, {"id": gid(there["Share"])}]


async def test_a_reference_can_be_written_into_the_document(client: Client) -> None:
    query = '{ _entities(representations: [{__typename: "Exam", code: "C1_ADVANCED"}]) { ... on Exam { title } } }'
    assert await client.ask(query) == {"_entities": [{"title": "C1 Advanced"}]}


async def test_null_in_place_of_a_reference_is_the_callers_fault(client: Client) -> None:
    errors = await client.errors(ASK, r=[None])
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("name", ENTITIES)
async def test_a_thousand_are_one_statement_and_one_more_is_refused(
    staff: Client, statements: Statements, name: str
) -> None:
    one = [{"__typename": name, "id": str(global_id(name, uuid4()))} for _ in range(MOST_REPRESENTATIONS)]
    with statements.counted():
        assert (await staff.ask(ASK, r=one[:1]))["_entities"] == [None]
    alone = len(statements)
    with statements.counted():
        assert (await staff.ask(ASK, r=one))["_entities"] == [None] * MOST_REPRESENTATIONS == [None] * 1000
    assert len(statements) == alone == 2  # one asks whose session it is
    errors = await staff.errors(ASK, r=[*one, one[0]])
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("name", ["Candidate", "Result", "Share", "Sitting"])
async def test_all_that_hangs_on_five_costs_no_more_statements_than_on_two(
    staff: Client, world: World, statements: Statements, name: str
) -> None:
    there = [(await rows(world))[name] for _ in range(5)]
    everything = Everything()
    query = everything.document(
        f"query ($r: [_Any!]!) {{ _entities(representations: $r) {{ ... on {name} {everything.of(name, 2)} }} }}"
    )
    counts = []
    for number in (2, 5):
        with statements.counted():
            data = await staff.ask(query, r=[representation(row, "id") for row in there[:number]])
        assert [one["id"] for one in data["_entities"]] == [gid(row) for row in there[:number]]
        counts.append(len(statements))
    assert counts[0] == counts[1]


NONSENSE = [
    "",
    " ",
    "x",
    "é",
    "\0",
    "Candidate",
    "====",
    "A" * 10_000,
    *(
        str(global_id(*one))
        for one in [("", ""), ("Candidate", ""), ("Candidate", "x"), ("Nothing", UUID), ("Node", UUID)]
    ),
    *(str(global_id(*one)) for one in [("Query", UUID), ("Exam", "\0"), ("Exam", ""), ("__class__", UUID)]),
    *(str(global_id(name, UUID)) for name in ENTITIES),
]


@pytest.mark.parametrize("id", NONSENSE)
async def test_node_is_null_for_an_id_that_names_nothing(staff: Client, id: str) -> None:
    assert await staff.ask("query ($id: ID!) { node(id: $id) { id } }", id=id) == {"node": None}


async def test_node_finds_every_entity_by_its_id(staff: Client, world: World) -> None:
    there = await rows(world)
    for row in there.values():
        data = await staff.ask("query ($id: ID!) { node(id: $id) { __typename id } }", id=gid(row))
        assert data["node"] == told(row)


@given(st.text() | st.binary().map(lambda key: str(global_id("Candidate", key.decode("latin-1")))))
def test_any_text_can_be_asked_for_as_an_id(text: str) -> None:
    assert isinstance(parts(text), tuple)
    key = key_of(text, "Candidate")
    assert key is None or global_id("Candidate", key)


async def test_the_service_tells_its_schema_for_federation_2_9(client: Client) -> None:
    sdl = (await client.ask("{ _service { sdl } }"))["_service"]["sdl"]
    assert 'url: "https://specs.apollo.dev/federation/v2.9"' in sdl
    assert "type PageInfo @shareable" in sdl
    assert {name for name in object_types() if f"type {name} " not in sdl} == set()
