"""Documents known by their hash, asked for on every transport; closed to all others, a deployment runs nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from app import create_app
from models.scope import Scope
from settings import DOCUMENTS, Settings
from tests.client import LOG_IN_BY_EMAIL, Client
from tests.conftest import ControlledClock, Statements, client_of, empty, settings_for
from tests.dashboards import NEW_SHARES
from tests.door import Door, standing
from tests.requests import EVENTS, GRAPHQL, JSON, MULTIPART, is_refused, send
from tests.world import PASSWORD, World
from transport import page_documents
from transport.known_documents import APOLLO, hash_of, texts_in

WHO = "query Who { viewer { kind } }"
EXAM = "query Exam($code: String!) { exam(code: $code) { code } }"
LOG_IN = LOG_IN_BY_EMAIL % ("LogInByEmailInput", "logInVerifier")
LOG_OUT = "mutation LogOut { logOut(input: {}) { __typename } }"
SCHEMA = "query Types { __schema { queryType { name } } }"
OWN = "{ viewer { kind } __typename }"
KNOWN = [WHO, EXAM, LOG_IN, LOG_OUT, NEW_SHARES, SCHEMA]
UNKNOWN = "f" * 64


def by_id(text: str) -> dict[str, Any]:
    """A document as GraphQL over HTTP names it."""
    return {"documentId": f"sha256:{hash_of(text)}"}


def by_hash(text: str) -> dict[str, Any]:
    """A document as Apollo's clients name it."""
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_of(text)}}}


def apollos(*texts: str) -> dict[str, Any]:
    """A manifest as Apollo's tools write it."""
    operations = [{"id": hash_of(one), "name": "a", "type": "query", "body": one} for one in texts]
    return {"format": APOLLO, "version": 1, "operations": operations}


def written(folder: Path, **manifests: Any) -> Path:
    """A folder of manifests."""
    folder.mkdir(exist_ok=True)
    for name, manifest in manifests.items():
        (folder / f"{name}.json").write_text(json.dumps(manifest), "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is known to these services: from one client's tools and from another's."""
    relays = {hash_of(one): one for one in KNOWN[2:]}
    return written(tmp_path_factory.mktemp("documents"), app=apollos(*KNOWN[:2]), relay=relays)


@pytest.fixture(scope="module")
async def door(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, door_clock: ControlledClock, folder: Path
) -> AsyncIterator[Door]:
    """The service, which knows some documents and runs others too."""
    await empty(database_url)
    settings = replace(settings_for(database_url, tmp_path_factory.mktemp("var")), documents=folder)
    async with standing(settings, door_clock) as door:
        yield door


@pytest.fixture
async def client(door: Door) -> AsyncIterator[Client]:
    """The service behind the door, without the network between."""
    async with client_of(door.app) as client:
        yield client


@pytest.fixture
def closed(door: Door, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same service, which runs nothing else for strangers and browsers; the credential of the board's programs."""
    settings = replace(door.services.settings, known_documents=True, schema_token="open sesame")
    monkeypatch.setattr(door.services, "settings", settings)
    monkeypatch.setattr(door.services.documents, "is_closed", True)
    return "open sesame"


@pytest.fixture(scope="module")
def world(door: Door, door_clock: ControlledClock) -> World:
    """Makes what the tests of this file need; it stays."""
    return World(door_clock)


async def get(client: Client, body: dict[str, Any], accept: str = JSON) -> httpx2.Response:
    """The answer to a GET with these parameters, objects as JSON."""
    parameters = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
    return await client.http.get(f"/graphql?{urlencode(parameters)}", headers={"accept": accept})


# ---- asked for by hash


@pytest.mark.parametrize("named", [by_id, by_hash])
@pytest.mark.parametrize("asking", [send, get])
async def test_a_known_document_runs_by_its_hash_alone(client: Client, named: Any, asking: Any) -> None:
    body = {**named(EXAM), "variables": {"code": "C1_ADVANCED"}, "operationName": "Exam"}
    assert (await asking(client, body)).json()["data"] == {"exam": {"code": "C1_ADVANCED"}}


@pytest.mark.parametrize("accept", [EVENTS, MULTIPART])
@pytest.mark.parametrize("named", [by_id, by_hash])
async def test_a_known_subscription_runs_by_its_hash_over_every_transport(
    door: Door, world: World, accept: str, named: Any
) -> None:
    institution = await world.institution()
    await world.share(await world.result(), institution)
    token = await world.token(await world.verifier(institution))
    body = {**named(NEW_SHARES), "variables": {"after": "0.0"}}
    headers = {"accept": accept, "authorization": f"Bearer {token}"}
    async with (
        door.client() as client,
        client.http.stream("POST", "/graphql", json=body, headers=headers) as response,
    ):
        assert '"status":"UNREAD"' in await first_event(response)
    async with door.opened({"authorization": f"Bearer {token}"}) as socket:
        await socket.say({"id": "1", "type": "subscribe", "payload": body})
        assert (await socket.hear())["payload"]["data"]["newShares"]["share"]["status"] == "UNREAD"


async def first_event(response: httpx2.Response) -> str:
    """The line of a stream that holds its first event."""
    async with asyncio.timeout(60):
        async for line in response.aiter_lines():
            if "newShares" in line:
                return line
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
@pytest.mark.parametrize("asking", [send, get])
@pytest.mark.parametrize("body", [
    {"documentId": f"sha256:{UNKNOWN}"},
    {"documentId": hash_of(WHO)},
    {"documentId": f"md5:{hash_of(WHO)}"},
    {"documentId": ""},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": UNKNOWN}}},
])  # fmt: skip
async def test_a_hash_that_nobody_knows_is_told_so_that_clients_send_the_document(
    client: Client, body: dict[str, Any], accept: str, asking: Any
) -> None:
    """Apollo's link reads the message, or the code."""
    refused = await asking(client, body, accept)
    assert is_refused(refused, 400 if accept == GRAPHQL else 200, "PERSISTED_QUERY_NOT_FOUND") == (
        "PersistedQueryNotFound"
    )


async def test_where_nothing_is_known_clients_are_told_not_to_ask_by_hash_again(
    client: Client, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.services.documents, "texts", {})
    refused = is_refused(await send(client, by_hash(WHO), GRAPHQL), 400, "PERSISTED_QUERY_NOT_SUPPORTED")
    assert refused == "PersistedQueryNotSupported"


@pytest.mark.parametrize("named", [by_id, by_hash])
async def test_a_document_that_comes_with_its_hash_runs_and_is_not_remembered(client: Client, named: Any) -> None:
    """Or a stranger could fill the memory, or make known what a closed deployment shall not run."""
    for _ in range(2):
        assert "data" in (await send(client, {"query": OWN, **named(OWN)})).json()
        is_refused(await send(client, named(OWN), GRAPHQL), 400, "PERSISTED_QUERY_NOT_FOUND")


@pytest.mark.parametrize("asking", [send, get])
@pytest.mark.parametrize("body", [
    {"query": OWN, **by_id(WHO)},
    {"query": WHO, **by_hash(OWN)},
    {"query": WHO, **by_id(WHO), **by_hash(EXAM)},
    {**by_id(WHO), **by_hash(EXAM)},
    {"query": WHO, "documentId": "Who"},
])  # fmt: skip
async def test_a_hash_of_another_document_is_refused(client: Client, body: dict[str, Any], asking: Any) -> None:
    is_refused(await asking(client, body, GRAPHQL), 400, "PERSISTED_QUERY_HASH_MISMATCH")


@pytest.mark.parametrize("body", [
    {"documentId": 1},
    {"documentId": ["a"]},
    {"extensions": {"persistedQuery": 1}},
    {"extensions": {"persistedQuery": {}}},
    {"extensions": {"persistedQuery": {"sha256Hash": None}}},
    {"query": WHO, "extensions": {"persistedQuery": {"sha256Hash": 1}}},
])  # fmt: skip
async def test_a_hash_of_the_wrong_type_is_told_as_such(client: Client, body: dict[str, Any]) -> None:
    is_refused(await send(client, body), 400)


async def test_a_known_mutation_runs_by_post_only(client: Client) -> None:
    refused = await get(client, by_id(LOG_OUT))
    is_refused(refused, 405)
    assert refused.headers["allow"] == "POST"
    assert (await send(client, by_id(LOG_OUT))).json()["data"]["logOut"]["__typename"] == "LoggedOut"


async def test_an_unknown_hash_over_a_socket_ends_that_subscription_alone(door: Door) -> None:
    async with door.opened() as socket:
        for body, code in (
            (by_hash(OWN), "PERSISTED_QUERY_NOT_FOUND"),
            ({"query": NEW_SHARES, **by_id(OWN)}, "PERSISTED_QUERY_HASH_MISMATCH"),
            ({"extensions": {"persistedQuery": 1}}, "BAD_REQUEST"),
        ):
            error = await socket.ask({"id": "1", "type": "subscribe", "payload": body})
            assert (error["id"], error["type"]) == ("1", "error")
            assert set(error["payload"][0]["extensions"]) == {"code", "requestId"}
            assert error["payload"][0]["extensions"]["code"] == code
        assert await socket.pongs()


# ---- closed to all others


async def callers(world: World, closed: str) -> dict[str, dict[str, str]]:
    """The headers of everybody who may ask."""
    institution = await world.institution()
    user = f"Bearer {await world.token(await world.verifier(institution))}"
    candidate = await world.token(await world.candidate())
    key = f"Bearer {(await world.key(institution, Scope.READ_SHARES))[1]}"
    return {
        "nobody": {},
        "nobody in a browser": {"origin": "http://testserver"},
        "a token that is nobody's": {"authorization": "Bearer nobodys"},
        "a page with a cookie": {"cookie": f"seiseki={candidate}", "origin": "http://testserver"},
        "a cookie alone": {"cookie": f"seiseki={candidate}"},
        "a page with a token": {"authorization": user, "origin": "http://testserver"},
        "a page that reads": {"authorization": user, "sec-fetch-site": "same-origin"},
        "a token beside a cookie": {"authorization": user, "cookie": f"seiseki={candidate}"},
        "a wrong credential": {"x-schema-token": "open"},
        "a candidate's app": {"authorization": f"Bearer {candidate}"},
        "a user's program": {"authorization": user},
        "a key": {"authorization": key},
        "a gateway for nobody": {"x-schema-token": closed},
        "a gateway for a page": {"x-schema-token": closed, "cookie": f"seiseki={candidate}", "origin": "http://a"},
    }


PROGRAMS = {"a candidate's app", "a user's program", "a key", "a gateway for nobody", "a gateway for a page"}


async def test_a_closed_service_runs_known_documents_for_everybody_and_others_for_programs_alone(
    door: Door, world: World, closed: str
) -> None:
    """By hash and by text; what a browser sends is never a program's, whatever credential it has."""
    let_in = set()
    for who, headers in (await callers(world, closed)).items():
        async with client_of(door.app) as client:
            for body in (by_id(WHO), by_hash(WHO), {"query": WHO}, {"query": WHO, **by_id(WHO)}):
                response = await client.http.post("/graphql", json=body, headers=headers)
                assert response.json()["data"]["viewer"], (who, body)
            response = await client.http.post("/graphql", json={"query": OWN}, headers=headers | {"accept": GRAPHQL})
            if response.status_code == 200:
                let_in.add(who)
            else:
                is_refused(response, 400, "QUERY_NOT_IN_SAFELIST")
    assert let_in == PROGRAMS


async def test_a_closed_service_asks_no_browser_to_send_the_document(client: Client, closed: str) -> None:
    """Apollo's link would, and be refused again: it is told clearly at once."""
    for accept, status in ((JSON, 200), (GRAPHQL, 400)):
        is_refused(await send(client, by_hash(OWN), accept), status, "PERSISTED_QUERY_NOT_IN_LIST")
    is_refused(await get(client, by_id(OWN)), 200, "PERSISTED_QUERY_NOT_IN_LIST")
    is_refused(await get(client, {"query": OWN}), 200, "QUERY_NOT_IN_SAFELIST")


async def test_a_document_that_differs_by_a_blank_is_another_one(client: Client, closed: str) -> None:
    is_refused(await send(client, {"query": f"{WHO} "}), 200, "QUERY_NOT_IN_SAFELIST")
    is_refused(await send(client, {"query": OWN, **by_id(WHO)}), 200, "PERSISTED_QUERY_HASH_MISMATCH")


async def test_nothing_of_an_unknown_document_is_run_nor_even_parsed(
    client: Client, closed: str, statements: Statements
) -> None:
    with statements.counted():
        for query in ("{ exams { code } }", "{ not a document"):
            is_refused(await send(client, {"query": query}), 200, "QUERY_NOT_IN_SAFELIST")
    assert not statements.sent
    with statements.counted():
        refused = await client.as_("nobodys").post("{ exams { code } }")
    is_refused(refused, 200, "QUERY_NOT_IN_SAFELIST")
    assert len(statements) == 1, statements.sent  # looks who that is


async def test_a_browser_logs_in_by_a_known_document_and_goes_on_with_its_cookie(
    client: Client, world: World, closed: str
) -> None:
    user = await world.verifier()
    headers = {"origin": "http://testserver", "accept": JSON}
    variables = {"input": {"email": user.email, "password": PASSWORD, "useCookie": True}}
    answer = await client.http.post("/graphql", json={**by_id(LOG_IN), "variables": variables}, headers=headers)
    assert answer.json()["data"]["logInVerifier"]["__typename"] == "LoggedIn"
    asked = await client.http.post("/graphql", json=by_id(WHO), headers=headers)
    assert asked.json()["data"] == {"viewer": {"kind": "VERIFIER"}}
    is_refused(await client.http.post("/graphql", json={"query": OWN}, headers=headers), 200, "QUERY_NOT_IN_SAFELIST")


@pytest.mark.parametrize("accept", [EVENTS, MULTIPART])
async def test_a_closed_service_is_closed_for_streams_too(
    client: Client, world: World, closed: str, accept: str
) -> None:
    own = "subscription { newShares { cursor } }"
    refused = await send(client, {"query": own}, accept)
    assert "QUERY_NOT_IN_SAFELIST" in refused.text
    token = await world.token(await world.verifier())
    refused = await send(client, {"query": own}, accept, authorization=f"Bearer {token}", origin="http://testserver")
    assert "QUERY_NOT_IN_SAFELIST" in refused.text


async def test_a_closed_service_is_closed_over_sockets_too(door: Door, world: World, closed: str) -> None:
    """A browser tells its origin with the handshake, a program brings its token with connection_init."""
    own = "subscription { newShares { cursor } }"
    token = await world.token(await world.verifier())
    program = {"authorization": f"Bearer {token}"}
    browser = {"Origin": door.url, "Cookie": f"seiseki={token}"}
    wrong = {"Authorization": "Bearer nobodys"}  # a socket that begins with it is nobody's
    for payload, headers in ((None, {}), (None, browser), (program, {"Origin": door.url})):
        async with door.opened(payload, **headers) as socket:
            for body, code in (
                ({"query": own}, "QUERY_NOT_IN_SAFELIST"),
                (by_id(own), "PERSISTED_QUERY_NOT_IN_LIST"),
            ):
                error = await socket.ask({"id": "1", "type": "subscribe", "payload": body})
                assert error["payload"][0]["extensions"]["code"] == code
    async with door.opened(None, **wrong) as socket:
        error = await socket.ask({"id": "1", "type": "subscribe", "payload": {"query": own}})
        assert error["payload"][0]["extensions"]["code"] == "QUERY_NOT_IN_SAFELIST"
    institution = await world.institution()
    await world.share(await world.result(), institution)
    token = await world.token(await world.verifier(institution))
    for body, payload, headers in (
        ({"query": own.replace("newShares", 'newShares(after: "0.0")')}, {"authorization": f"Bearer {token}"}, {}),
        ({**by_id(NEW_SHARES), "variables": {"after": "0.0"}}, None, {"Cookie": f"seiseki={token}"}),
    ):
        async with door.opened(payload, **headers) as socket:
            heard = await socket.ask({"id": "1", "type": "subscribe", "payload": body})
            assert heard["payload"]["data"]["newShares"]["cursor"]


async def test_a_question_for_the_schema_is_never_a_known_one(
    door: Door, client: Client, world: World, closed: str
) -> None:
    """Even one that somebody put among the known: strangers read no schema from a closed service."""
    for body in (by_id(SCHEMA), {"query": SCHEMA}):
        is_refused(await send(client, body), 200, "INTROSPECTION_DISABLED")
    is_refused(await send(client, {"query": "{ _service { sdl } }"}), 200, "QUERY_NOT_IN_SAFELIST")
    token = await world.token(await world.verifier())
    assert "data" in (await client.as_(token).post(SCHEMA)).json()
    assert "data" in (await send(client, {"query": SCHEMA}, x_schema_token=closed)).json()


# ---- the folder


def test_documents_of_our_pages_are_known() -> None:
    """After a change of a page: `make documents`."""
    committed = (DOCUMENTS / "pages.json").read_text("utf-8")
    assert committed == page_documents.manifest()
    assert len(texts_in(DOCUMENTS)) >= 20


def test_every_document_of_a_page_is_whole_in_its_script() -> None:
    """One that is put together of parts would be known by no hash."""
    for page, text in page_documents.documents():
        assert "${" not in text, page
    asked = (DOCUMENTS.parent / "transport/static/asking.js").read_text("utf-8")
    assert "documentId" in asked


REFUSED = {
    "is not the SHA-256": {UNKNOWN: WHO},
    "cannot run here: Cannot query field": {hash_of("{ nothing }"): "{ nothing }"},
    "cannot run here: Syntax Error": {hash_of("{"): "{"},
    "neither a manifest of Apollo's": {"format": APOLLO, "version": 2, "operations": []},
}


@pytest.mark.parametrize("told", REFUSED)
def test_a_service_that_cannot_run_what_its_clients_send_does_not_start(
    settings: Settings, tmp_path: Path, told: str
) -> None:
    """A release that breaks a client's document is found before that client finds it."""
    folder = written(tmp_path / "documents", broken=REFUSED[told])
    with pytest.raises(ValueError, match=rf"broken\.json.*{told}"):
        create_app(replace(settings, documents=folder))


def test_settings_name_the_folder_and_close_the_service(tmp_path: Path) -> None:
    env = {"VAR_DIR": str(tmp_path)}
    assert (Settings.from_env(env).documents, Settings.from_env(env).known_documents) == (DOCUMENTS, False)
    closed = Settings.from_env(env | {"KNOWN_DOCUMENTS": "1", "DOCUMENTS": str(tmp_path)})
    assert (closed.documents, closed.known_documents) == (tmp_path.resolve(), True)
