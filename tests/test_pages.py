"""The pages that mailed links lead to."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from schema.build import schema
from tests.client import Client

STATIC = Path("transport/static")


async def test_link_of_a_password_reset_leads_to_a_page(client: Client) -> None:
    """A5; nothing on it may be loaded from elsewhere, and nothing inline may run."""
    page = await client.http.get("/reset-password")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await client.http.get(address)).status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page.text)


@pytest.mark.parametrize("script", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_operations_of_the_pages_are_in_the_schema(script: Path) -> None:
    documents = re.findall(r"= `(.+?)`;", script.read_text("utf-8"), re.DOTALL)
    assert documents
    for document in documents:
        assert validate(schema._schema, parse(document)) == []
