"""The page on which an officer finds one candidate: all that it asks, by a browser's means (V3)."""

from typing import Any

import pytest

from models.institution import Institution
from schema.verifying import VerificationVerdict
from tests.client import Client
from tests.looking_up import BORN, PURPOSE
from tests.scripts import operations_of, script, words_of
from tests.world import PASSWORD, World

OPERATIONS = operations_of("find")


@pytest.fixture
async def institution(client: Client, world: World) -> Institution:
    return await world.institution("Keio University")


async def test_the_page_logs_in_says_for_whom_and_finds(client: Client, world: World, institution: Institution) -> None:
    user = await world.verifier(institution, language="ja")
    result = await world.result()

    async def asks(operation: str, **variables: Any) -> Any:
        body = {"query": OPERATIONS[operation], "variables": variables}
        return (await client.http.post("/graphql", json=body, headers={"Origin": "http://testserver"})).json()["data"]

    assert await asks("OFFICE") == {"viewer": {"verifier": None}, "organisation": None}
    await asks("LOG_IN", input={"email": user.email, "password": PASSWORD, "useCookie": True})
    office = await asks("OFFICE")
    assert office["viewer"]["verifier"] == {"language": "ja"}
    assert office["organisation"]["institution"]["shownAs"] == "Keio University"
    numbers = {"statementNumber": result.statement_number, "dateOfBirth": BORN, "purpose": PURPOSE}
    found = (await asks("FIND", input=numbers))["findResult"]
    assert (found["verdict"], found["result"]["headline"]) == ("GENUINE", "Council of Europe Level B2")
    missed = (await asks("FIND", input=numbers | {"dateOfBirth": "2001-02-04"}))["findResult"]
    assert missed == {"verdict": "NOT_MATCHED", "retryAfter": None, "problems": [], "result": None}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_has_a_sentence_for_every_verdict(language: str) -> None:
    """A verdict without one would be told as nothing at all."""
    verdicts = [one.name for one in VerificationVerdict]
    assert set(verdicts) <= set(words_of("find", language))
    assert all(f'"{one}"' in script("find").partition("VERDICTS = [")[2].partition("]")[0] for one in verdicts)
