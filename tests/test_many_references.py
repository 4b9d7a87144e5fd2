"""A thousand references at once, as gateways send them, to rows that are there (P5): few statements, whoever asks."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest

from engine import database
from models.template import DownloadFormat, DownloadTemplate
from schema.entities import MOST_REPRESENTATIONS
from schema.ids import global_id
from tests.client import Client
from tests.conftest import Statements
from tests.world import World

ASK = "query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on Node { id } } }"
SESSION, TRAIL = 1, 1
# What tells copies of a row apart: the table's order, so that each finds those that it refers to.
COPIED = {
    "institution": {"name": "'University ' || number"},
    "verifier_user": {"email": "number || '@office.example'", "is_primary": "false"},
    "download_template": {"name": "'Template ' || number"},
    "candidate": {"email": "number || '@mail.example'"},
    "entry": {
        "candidate_id": "md5('candidate' || number)",
        "id_number": "'ZZZ' || number",
        "candidate_number": "'N' || number",
    },
    "result": {"entry_id": "md5('entry' || number)", "statement_number": "'S26' || number"},
    "share": {"result_id": "md5('result' || number)", "candidate_id": "md5('candidate' || number)"},
}
TYPES = {
    "Institution": "institution",
    "VerifierUser": "verifier_user",
    "DownloadTemplate": "download_template",
    "Candidate": "candidate",
    "Result": "result",
    "Share": "share",
}


async def copy(table: str, count: int, **changes: str) -> None:
    """So many copies of the one row of a table; their ids are made of the table's name and their number."""
    facts = "".join(f", '{column}', {value}" for column, value in changes.items())
    await database.rows(
        f"""INSERT INTO {table} SELECT (jsonb_populate_record({table}, jsonb_build_object(
                'id', md5('{table}' || number){facts}))).*
            FROM {table}, generate_series(100000, 99999 + :count::int) AS number""",
        count=count,
    )


async def references(name: str) -> list[dict[str, str]]:
    """A reference to every row of a type; of exams, of which there are fewer, several to each."""
    if name == "Exam":
        codes = [row["code"] for row in await database.rows("SELECT code FROM exam")]
        return [{"__typename": "Exam", "code": code} for code in codes * MOST_REPRESENTATIONS][:MOST_REPRESENTATIONS]
    ids: Iterable[UUID] = [row["id"] for row in await database.rows(f"SELECT id FROM {TYPES[name]} ORDER BY id")]
    return [{"__typename": name, "id": str(global_id(name, id))} for id in ids]


@pytest.fixture
async def user(client: Client, world: World) -> Client:
    """A user of an institution, to which a thousand candidates sent a result each."""
    institution = await world.institution()
    user = await world.verifier(institution)
    await world.share(await world.result(skills={}), institution)
    facts: dict[str, Any] = {"columns": [], "created_at": world.clock(), "institution_id": institution.id}
    await DownloadTemplate.create(name="All", format=DownloadFormat.CSV, **facts)
    for table, changes in COPIED.items():
        await copy(table, MOST_REPRESENTATIONS - 1, **changes)
    return client.as_(await world.token(user))


async def test_a_thousand_that_are_there_are_three_statements_whatever_they_are(
    user: Client, statements: Statements
) -> None:
    """P5, G1: one asks whose session it is, one reads all rows, and one leaves in the trail whose they were."""
    of_candidates = ("Candidate", "Result", "Share")
    for name in (*TYPES, "Exam"):
        asked = await references(name)
        assert len(asked) == MOST_REPRESENTATIONS == 1000
        with statements.counted():
            data = await user.ask(ASK, r=asked)
        assert [one["__typename"] for one in data["_entities"]] == [name] * len(asked)
        if name != "Exam":
            assert [one["id"] for one in data["_entities"]] == [one["id"] for one in asked]
        assert len(statements) == SESSION + 1 + TRAIL * (name in of_candidates) <= 3, (name, statements.sent)


async def test_a_thousand_of_all_types_mixed_are_one_statement_a_type(user: Client, statements: Statements) -> None:
    """P5: whatever order they come in."""
    all_ = [await references(name) for name in (*TYPES, "Exam")]
    asked = [one for some in zip(*all_, strict=True) for one in some][:MOST_REPRESENTATIONS]
    with statements.counted():
        data = await user.ask(ASK, r=asked)
    assert [one["__typename"] for one in data["_entities"]] == [one["__typename"] for one in asked]
    assert len(statements) == SESSION + len(all_) + TRAIL
