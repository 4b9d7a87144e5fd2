"""The explorer of the schema: GraphiQL from our own hands, for those who are logged in (P4)."""

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from graphql import build_client_schema, get_introspection_query, print_schema

from cli import schema_text
from engine import keys
from models import key_token
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, client_of, running
from tests.scripts import STATIC
from tests.world import World

VENDORED = STATIC / "graphiql"
SCHEMAS = ("/developers/schema.graphql", "/developers/schema.json")
SCHEMA_TOKEN = "t" * 40


def test_what_is_not_ours_is_as_it_was_published() -> None:
    """Each file has the digest that stands beside its name and version, and no file is without."""
    told = dict(
        re.findall(r"^\| `([^`]+)` \|.* `([0-9a-f]{64})` \|$", (VENDORED / "README.md").read_text(), re.MULTILINE)
    )
    files = [path for path in VENDORED.iterdir() if path.suffix in (".js", ".css")]
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == told
    assert {path.name for path in VENDORED.iterdir()} - set(told) == {"README.md", "LICENSE.graphiql", "LICENSE.react"}


def test_whatever_the_explorer_loads_is_there() -> None:
    script, page = (Path(STATIC / f"explorer.{kind}").read_text("utf-8") for kind in ("js", "html"))
    [programs] = re.findall(r"const PROGRAMS = \[(.+?)\];", script)
    assert len(re.findall(r'"([^"]+)"', programs)) == 3
    for name in re.findall(r'"([^"]+)"', programs):
        assert (VENDORED / name).is_file()
    assert "/pages/graphiql/graphiql.min.css" in page
    assert set(re.findall(r'"(/developers/[^"]+)"', script)) == {SCHEMAS[1]}


async def test_the_explorer_loads_nothing_from_elsewhere_and_runs_nothing_inline(client: Client) -> None:
    page = await client.http.get("/developers/explorer")
    assert page.status_code == 200
    policy = dict(one.strip().split(" ", 1) for one in page.headers["content-security-policy"].split(";"))
    assert policy.pop("font-src") == policy.pop("img-src") == "data:"
    assert {name: policy[name] for name in ("default-src", "script-src", "style-src", "connect-src")} == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'"
    }  # fmt: skip
    assert not {"worker-src", "frame-src"} & set(policy)
    assert "unsafe" not in str(policy)
    assert re.findall(r'<script[^>]*src="([^"]+)"', page.text) == ["/pages/explorer.js"]
    assert "Log in first" in page.text


@pytest.fixture
async def closed(settings: Settings, clock: ControlledClock, clean: None) -> AsyncIterator[Client]:
    """A production, whose introspection is closed."""
    settings = replace(settings, production=True, schema_token=SCHEMA_TOKEN)
    async with running(settings, clock) as app, client_of(app) as client:
        yield client


async def status_of(client: Client, **headers: str) -> set[int]:
    """How the schema is answered to a request with these headers, as text and as JSON."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return {(await client.http.get(address, headers=given)).status_code for address in SCHEMAS}


async def test_production_gives_the_schema_to_those_who_may_come_in(closed: Client, world: World) -> None:
    """Whose session or key it is does not matter: the pages tell everybody the same, for people to read."""
    candidate, verifier = await world.candidate(), await world.verifier()
    key = key_token.new(is_production=True)
    await world.key(await world.institution(), prefix=key_token.shown(key), hash=keys.hashed(key))
    for token in (
        await world.token(candidate),
        await world.token(verifier),
        await world.token(await world.staff()),
        key,
    ):
        assert await status_of(closed, authorization=f"Bearer {token}") == {200}
    assert await status_of(closed, x_schema_token=SCHEMA_TOKEN) == {200}


async def test_production_gives_the_schema_to_nobody_else(closed: Client, world: World, clock: ControlledClock) -> None:
    token = await world.token(await world.verifier())
    cookie = f"__Host-seiseki={token}"
    assert await status_of(closed) == {401}
    assert await status_of(closed, authorization="Bearer nobody") == {401}
    assert await status_of(closed, authorization=f"Bearer {key_token.new(is_production=True)}") == {401}
    assert await status_of(closed, x_schema_token="wrong") == {401}
    assert await status_of(closed, cookie=cookie, sec_fetch_site="same-origin") == {200}
    assert await status_of(closed, cookie=cookie, sec_fetch_site="cross-site") == {401}
    assert await status_of(closed, cookie=cookie, origin="https://evil.example") == {401}
    clock.forward(hours=12)
    assert await status_of(closed, authorization=f"Bearer {token}") == {401}


async def test_the_schema_of_the_pages_is_the_one_that_is_served(client: Client) -> None:
    """Open to everybody elsewhere than in production, as introspection is."""
    text, introspected = [await client.http.get(address) for address in SCHEMAS]
    assert text.text == schema_text()
    assert text.headers["content-type"].startswith("text/plain")
    by_asking = await client.ask(get_introspection_query())
    assert print_schema(build_client_schema(introspected.json()["data"])) == print_schema(
        build_client_schema(by_asking)
    )
