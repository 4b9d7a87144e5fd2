"""The pages that mailed links lead to."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from models.candidate import Candidate
from models.session import EmailChange, email_change_token
from schema.build import schema
from tests.client import Client
from tests.conftest import START
from tests.world import World

STATIC = Path("transport/static")


@pytest.mark.parametrize("path", ["/reset-password", "/confirm-email", "/check"])
async def test_mailed_link_leads_to_a_page(client: Client, path: str) -> None:
    """A5, A9; nothing on it may be loaded from elsewhere, and nothing inline may run."""
    page = await client.http.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await client.http.get(address)).status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page.text)


async def test_opening_the_link_to_confirm_an_address_changes_nothing(client: Client, world: World) -> None:
    """A9: programs that look for harm in mails open every link, with the token if they can."""
    candidate = await world.candidate()
    change = await EmailChange.create(candidate_id=candidate.id, new_email="new@mail.example", asked_at=START)
    token = email_change_token(change.id)
    for address in (f"/confirm-email#{token}", f"/confirm-email?token={token}"):
        assert (await client.http.get(address)).status_code == 200
    assert (await client.http.post("/confirm-email", content=token)).status_code == 405
    assert (await EmailChange.get()).used_at is None
    assert (await Candidate.get()).email == candidate.email


@pytest.mark.parametrize("script", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_operations_of_the_pages_are_in_the_schema(script: Path) -> None:
    documents = re.findall(r"= `(.+?)`;", script.read_text("utf-8"), re.DOTALL)
    assert documents
    for document in documents:
        assert validate(schema._schema, parse(document)) == []
