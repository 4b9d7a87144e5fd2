"""The page on which the Primary User keeps the keys of their programs: all that it asks, by a browser's means (P1)."""

from typing import Any

import pytest
from starlette.applications import Starlette

from models.key import KeyStatus
from models.scope import Scope
from tests.client import Client
from tests.keyed import Office, kind
from tests.scripts import STATIC, operations_of, script, words_of
from tests.world import PASSWORD, World

OPERATIONS = operations_of("organisation")


@pytest.fixture
async def office(app: Starlette, client: Client, world: World) -> Office:
    return await Office.of(client, world, name="Keio University")


async def asks(client: Client, operation: str, **variables: Any) -> Any:
    """The data of one of the script's operations."""
    body = {"query": OPERATIONS[operation], "variables": variables}
    return (await client.http.post("/graphql", json=body, headers={"Origin": "http://testserver"})).json()["data"]


async def test_the_page_makes_a_key_shows_it_once_and_revokes_it(office: Office) -> None:
    nobody = office.client
    assert await asks(nobody, "KEYS") == {"viewer": {"verifier": None}, "organisation": None}
    await asks(nobody, "LOG_IN", input={"email": office.user.email, "password": PASSWORD, "useCookie": True})
    shown = await asks(nobody, "KEYS")
    assert (shown["viewer"]["verifier"]["isPrimary"], shown["organisation"]["keys"]["edges"]) == (True, [])
    faulty = (await asks(nobody, "CREATE", input={"name": "Server", "scopes": []}))["createKey"]
    assert [problem["message"] for problem in faulty["problems"]] == [
        "Choose at least one scope: a key without any may do nothing."
    ]
    made = (await asks(nobody, "CREATE", input={"name": "Server", "scopes": ["VERIFY"]}))["createKey"]
    assert await kind(nobody.as_(made["secret"])) == "KEY"
    (edge,) = (await asks(nobody, "KEYS"))["organisation"]["keys"]["edges"]
    assert (edge["node"]["name"], edge["node"]["createdBy"]["name"]) == ("Server", office.user.name)
    assert made["secret"] not in str(edge)
    gone = (await asks(nobody, "REVOKE", input={"id": edge["node"]["id"]}))["revokeKey"]
    assert gone["__typename"] == "KeyRevoked"
    assert await kind(nobody.as_(made["secret"])) == "REFUSED"


async def test_the_page_shows_no_keys_to_other_users(office: Office) -> None:
    user = await office.world.verifier(office.institution)
    await asks(office.client, "LOG_IN", input={"email": user.email, "password": PASSWORD, "useCookie": True})
    told = await asks(office.client, "KEYS")
    assert (told["viewer"]["verifier"]["isPrimary"], told["organisation"]["keys"]) == (False, None)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_offers_every_scope_and_names_every_status(language: str) -> None:
    page = (STATIC / "organisation.html").read_text("utf-8")
    assert all(f'id="{scope.value}" type="checkbox"' in page for scope in Scope)
    assert all(f'"{scope.value}"' in script("organisation").partition("SCOPES = [")[2] for scope in Scope)
    assert {one.value for one in KeyStatus} <= set(words_of("organisation", language))
