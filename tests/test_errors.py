"""Errors: coded alike on every transport, found in the log by their id, and without a word that is not for clients."""

import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLError
from websockets import ConnectionClosed

import errors
from models.viewer import Viewer
from resolvers import exams, journal
from schema.extensions import AWAY, LONGEST_MESSAGE, UNEXPECTED, discreet, presented
from tests.client import LOG_IN, Client
from tests.conftest import ControlledClock, client_of
from tests.door import Door
from tests.requests import EVENTS, GRAPHQL, JSON, MULTIPART, is_refused, send
from tests.world import PASSWORD, World
from transport import asking, http, subscriptions
from transport.streams import FRAMINGS

Errors = list[dict[str, Any]]
Transport = Callable[[Door, dict[str, Any]], Awaitable[Errors]]

EXAM = '{ exam(code: "C1_ADVANCED") { id } }'
NEW_SHARES = "subscription { newShares { cursor } }"
INSIDE = "Tanaka aoi@mail.example hunter2"  # what an exception of ours may say, and nobody else


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """As in production."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def world(door: Door, door_clock: ControlledClock) -> World:
    """Makes what the tests of this file need; it stays."""
    return World(door_clock)


@pytest.fixture
async def client(door: Door) -> AsyncIterator[Client]:
    """The service behind the door, without the network between."""
    async with client_of(door.app) as client:
        yield client


@pytest.fixture
def in_production(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same service with production's settings."""
    monkeypatch.setattr(door.services, "settings", replace(door.services.settings, production=True))


# ---- every transport


async def over_http(door: Door, body: dict[str, Any], accept: str = JSON) -> Errors:
    """The errors of an answer, whose type must be the one asked for."""
    async with client_of(door.app) as client:
        response = await send(client, body, accept)
    assert response.headers["content-type"].startswith(accept)
    results = {EVENTS: events, MULTIPART: parts}.get(accept, whole)(response.text)
    found = [error for result in results for error in result.get("errors", [])]
    assert {error["extensions"]["requestId"] for error in found} <= {response.headers["x-request-id"]}
    return found


def whole(text: str) -> list[Any]:
    """The one result of an answer."""
    return [json.loads(text)]


def events(text: str) -> list[Any]:
    """The results of a stream of server-sent events, which must have an end."""
    *told, end, nothing = [event for event in text.split("\n\n") if event != ":"]
    assert (end, nothing) == ("event: complete\ndata:", "")
    return [json.loads(event.removeprefix("event: next\ndata: ")) for event in told]


def parts(text: str) -> list[Any]:
    """The results of a multipart stream, which must have an end."""
    nothing, *told, end = text.split("\r\n--graphql")
    assert (nothing, end) == ("", "--\r\n")
    bodies = [json.loads(part.partition("\r\n\r\n")[2]) for part in told]
    return [body["payload"] for body in bodies if body]


async def over_graphql(door: Door, body: dict[str, Any]) -> Errors:
    return await over_http(door, body, GRAPHQL)


async def over_events(door: Door, body: dict[str, Any]) -> Errors:
    return await over_http(door, body, EVENTS)


async def over_multipart(door: Door, body: dict[str, Any]) -> Errors:
    return await over_http(door, body, MULTIPART)


async def over_get(door: Door, body: dict[str, Any]) -> Errors:
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
    async with client_of(door.app) as client:
        return list((await client.http.get("/graphql", params=given)).json().get("errors", []))


async def over_socket(door: Door, body: dict[str, Any]) -> Errors:
    async with door.opened() as socket:
        answer = await socket.ask({"id": "1", "type": "subscribe", "payload": body})
        assert answer["type"] == "error"
        return list(answer["payload"])


ANSWERS = [over_http, over_graphql, over_get, over_events]
STREAMS = [over_events, over_multipart, over_socket]
BAD_QUERIES: dict[str, list[dict[str, Any]]] = {
    "GRAPHQL_PARSE_FAILED": [{"query": "{"}, {"query": "hello"}, {"query": '{ exam(code: "x) { id } }'}],
    "GRAPHQL_VALIDATION_FAILED": [
        {"query": "{ nothing }"},
        {"query": "{ exam(code: 1) { id } }"},
        {"query": "{ inbox(filter: {status: NONE}) { liveCursor } }"},
        {"query": "{ ...A } fragment A on Query { ...A }"},
        {"query": "query a { ...None }", "operationName": "a"},
    ],
    "BAD_USER_INPUT": [
        {"query": "query ($c: String!) { exam(code: $c) { id } }"},
        {"query": "query ($c: String!) { exam(code: $c) { id } }", "variables": {"c": [1]}},
        {"query": '{ _entities(representations: ["x"]) { __typename } }'},
    ],
    "OPERATION_RESOLUTION_FAILURE": [
        {"query": f"query a {EXAM}", "operationName": "b"},
        {"query": f"query a {EXAM} query b {EXAM}"},
        {"query": f"query a {EXAM} query a {EXAM}", "operationName": "a"},
    ],
    "PERSISTED_QUERY_NOT_FOUND": [{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}],
    "OPERATION_TOO_LARGE": [{"query": f"{{ {' '.join(f'a{n}: __typename' for n in range(101))} }}"}],
}  # fmt: skip
BAD_SUBSCRIPTIONS: dict[str, list[dict[str, Any]]] = {
    "GRAPHQL_PARSE_FAILED": [{"query": "subscription {"}],
    "GRAPHQL_VALIDATION_FAILED": [{"query": "subscription { nothing }"}, {"query": "subscription { ...None }"}],
    "BAD_USER_INPUT": [
        {"query": "subscription ($a: String!) { newShares(after: $a) { cursor } }"},
        {"query": "subscription ($a: String) { newShares(after: $a) { cursor } }", "variables": {"a": {}}},
        {"query": 'subscription { newShares(after: "nonsense") { cursor } }'},
    ],
    "OPERATION_RESOLUTION_FAILURE": [{"query": f"query a {EXAM} {NEW_SHARES}"}],
    "OPERATION_TOO_LARGE": [
        {"query": f"subscription {{ newShares {{ {' '.join(f'a{n}: cursor' for n in range(101))} }} }}"}
    ],
    "UNAUTHENTICATED": [{"query": NEW_SHARES}],
}  # fmt: skip


@pytest.mark.parametrize("transport", ANSWERS)
@pytest.mark.parametrize("code", BAD_QUERIES)
async def test_a_bad_query_is_coded_alike_on_every_transport(door: Door, transport: Transport, code: str) -> None:
    for body in BAD_QUERIES[code]:
        found = await transport(door, body)
        assert {error["extensions"]["code"] for error in found} == {code}, body
        assert all(error["message"] and set(error["extensions"]) == {"code", "requestId"} for error in found)


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("code", BAD_SUBSCRIPTIONS)
async def test_a_bad_subscription_is_coded_alike_on_every_transport(
    door: Door, transport: Transport, code: str
) -> None:
    for body in BAD_SUBSCRIPTIONS[code]:
        found = await transport(door, body)
        assert {error["extensions"]["code"] for error in found} == {code}, body
        assert all(error["message"] and set(error["extensions"]) == {"code", "requestId"} for error in found)


async def test_apollos_client_is_told_in_its_own_words_to_send_the_document(client: Client) -> None:
    """It sends the document when it reads this message or this code."""
    response = await send(client, BAD_QUERIES["PERSISTED_QUERY_NOT_FOUND"][0], GRAPHQL)
    assert response.json()["errors"][0]["message"] == "PersistedQueryNotFound"


# ---- faults of ours


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let what exams and new shares are read with fail."""

    async def fails(*_: object) -> Any:
        raise error

    async def fails_later(*_: object) -> AsyncIterator[Any]:
        yield await fails()

    monkeypatch.setattr(exams, "by_codes", fails)
    monkeypatch.setattr(journal, "follow", fails_later)


QUERIES = [(transport, EXAM) for transport in ANSWERS]
SUBSCRIPTIONS = [(transport, NEW_SHARES) for transport in STREAMS]


@pytest.mark.parametrize(("transport", "query"), QUERIES + SUBSCRIPTIONS)
@pytest.mark.parametrize("production", [False, True])
async def test_an_accident_is_masked_for_clients_and_logged_under_the_same_id(
    door: Door,
    transport: Transport,
    query: str,
    production: bool,
    monkeypatch: pytest.MonkeyPatch,
    logged: io.StringIO,
) -> None:
    monkeypatch.setattr(door.services, "settings", replace(door.services.settings, production=production))
    failing(monkeypatch, RuntimeError(INSIDE))
    (error,) = await transport(door, {"query": query})
    id = error["extensions"]["requestId"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": id}
    assert error["message"] == UNEXPECTED
    (line,) = [line for line in logged.getvalue().splitlines() if "operation.failed" in line]
    assert json.loads(line)["request_id"] == id
    assert INSIDE in json.loads(line)["exception"]


@pytest.mark.parametrize(("transport", "query"), QUERIES + SUBSCRIPTIONS)
async def test_an_accident_keeps_its_cause_to_itself(
    door: Door, transport: Transport, query: str, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    """However deep it is wrapped, and whatever GraphQL errors it passes through."""
    inner = ValueError(INSIDE)
    inner.__cause__ = KeyError(INSIDE)
    failing(monkeypatch, GraphQLError(INSIDE, original_error=GraphQLError(INSIDE, original_error=inner)))
    (error,) = await transport(door, {"query": query})
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert INSIDE not in json.dumps(error)
    assert INSIDE in logged.getvalue()


@pytest.mark.parametrize(("transport", "query"), QUERIES)
async def test_a_database_that_is_away_is_told_as_such(
    door: Door, transport: Transport, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, errors.Unavailable(INSIDE))
    (error,) = await transport(door, {"query": query})
    assert (error["extensions"]["code"], error["message"]) == ("SERVICE_UNAVAILABLE", AWAY)


@pytest.mark.parametrize("kind", [EVENTS, MULTIPART])
async def test_a_stream_breaks_off_without_its_end_when_the_database_stays_away(
    door: Door, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients come back from that; behind an end they would wait for ever."""
    monkeypatch.setattr(subscriptions, "AWAY_SECONDS", 0)
    failing(monkeypatch, errors.Unavailable(INSIDE))
    async with client_of(door.app) as client:
        response = await send(client, {"query": NEW_SHARES}, kind)
    assert response.status_code == 200
    assert response.content == FRAMINGS[kind].opening


async def test_a_socket_is_closed_by_a_code_to_come_back_from_when_the_database_stays_away(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "AWAY_SECONDS", 0)
    failing(monkeypatch, errors.Unavailable(INSIDE))
    async with door.opened() as socket:
        for id in ("1", "2"):
            await socket.subscribe(id, NEW_SHARES)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.hear()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, AWAY)


async def unknown_to_all(*_: object) -> Viewer:
    """Fails as the database does when nobody can be looked up in it."""
    raise errors.Unavailable(INSIDE)


async def test_who_cannot_be_looked_up_is_told_to_come_back(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door.opened() as open_, door.socket() as opening:
        monkeypatch.setattr(asking, "viewer_for", unknown_to_all)
        monkeypatch.setattr(subscriptions, "AWAY_SECONDS", 0)
        response = await send(client, {"query": EXAM})
        assert is_refused(response, 503, "SERVICE_UNAVAILABLE") == AWAY
        assert response.headers["retry-after"] == "1"
        await open_.subscribe("1", NEW_SHARES)
        assert await open_.closed() == (1013, AWAY)
        await opening.say({"type": "connection_init", "payload": {"authorization": "Bearer x"}})
        assert await opening.closed() == (1013, AWAY)


async def test_an_accident_before_anything_runs_is_masked_too(
    client: Client, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError(INSIDE)

    monkeypatch.setattr(http, "checked", fails)
    response = await send(client, {"query": EXAM})
    assert is_refused(response, 500, "INTERNAL_SERVER_ERROR") == UNEXPECTED
    assert INSIDE in logged.getvalue()
    assert response.headers["x-request-id"] in logged.getvalue()


async def test_what_the_database_cannot_store_is_the_clients_fault_and_said_so(client: Client) -> None:
    response = await send(
        client, {"query": "query ($c: String!) { exam(code: $c) { id } }", "variables": {"c": "a\0b"}}
    )
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


# ---- production tells nothing

HINTS = [
    "{ vieweer { kind } }",
    "{ viewer { kin } }",
    '{ exam(cod: "x") { id } }',
    '{ viewer { kind(x: 1) } exam(code: "x", kode: 1) { id } }',
    "query ($f: InboxFilte) { inbox(filter: $f) { liveCursor } }",
    "{ ... on Candidat { id } }",
    "fragment F on Shar { id } { ...F }",
    "{ inbox(filter: {statu: UNREAD}) { liveCursor } }",
    "{ inbox(filter: {status: UNREA}) { liveCursor } }",
    "{ viewer @skp(if: true) { kind } }",
    "{ viewer @skip(iff: true) { kind } }",
    "{ viewer }",
    'mutation { logIn(input: {idNumbr: "x", password: "y"}) { __typename } }',
]


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize("query", HINTS)
async def test_production_does_not_help_to_guess_names(client: Client, query: str) -> None:
    text = (await send(client, {"query": query})).text
    assert "GRAPHQL_VALIDATION_FAILED" in text
    assert "did you mean" not in text.lower()


async def test_development_helps_to_guess_names(client: Client) -> None:
    """So that the test above can fail."""
    text = (await send(client, {"query": '{ exam(cod: "x") { id } }'})).text
    assert "Did you mean 'code'?" in text


SECRET = "hunter2hunter2"
LITERALS = [
    f"{{ inbox(filter: {{status: {SECRET}}}) {{ liveCursor }} }}",
    f'{{ inbox(filter: {{status: "{SECRET}"}}) {{ liveCursor }} }}',
    f'{{ inbox(filter: "{SECRET}") {{ liveCursor }} }}',
    f'{{ inbox(filter: {{nothing: "{SECRET}"}}) {{ liveCursor }} }}',
    f'{{ inbox(first: "{SECRET}") {{ liveCursor }} }}',
    f"{{ inbox(first: {SECRET}) {{ liveCursor }} }}",
    f'{{ inbox(first: {{a: "{SECRET}"}}) {{ liveCursor }} }}',
    f'{{ inbox(first: ["{SECRET}"]) {{ liveCursor }} }}',
    f'{{ inbox(after: "{SECRET}") {{ liveCursor }} }}',
    f'{{ exam(code: {{a: "{SECRET}"}}) {{ id }} }}',
    f"{{ exam(code: {SECRET}) {{ id }} }}",
    f'{{ node(id: {{a: "{SECRET}"}}) {{ id }} }}',
    f'{{ viewer @skip(if: "{SECRET}") {{ kind }} }}',
    f'{{ viewer {{ kind(x: "{SECRET}") }} }}',
    f'{{ a: exam(code: "{SECRET}") {{ id }} a: exam(code: "b") {{ id }} }}',
    f'{{ exam(code: "{SECRET}", code: "b") {{ id }} }}',
    f'{{ _entities(representations: ["{SECRET}"]) {{ __typename }} }}',
    f'{{ _entities(representations: [{{__typename: "{SECRET}"}}]) {{ __typename }} }}',
    f'query ($n: Int = "{SECRET}") {{ inbox(first: $n) {{ liveCursor }} }}',
    f'mutation {{ logIn(input: "{SECRET}") {{ __typename }} }}',
    f'mutation {{ logIn(input: {{password: "{SECRET}"}}) {{ __typename }} }}',
    f'mutation {{ logIn(input: {{idNumber: "a", passwort: "{SECRET}"}}) {{ __typename }} }}',
    f'mutation {{ logIn(input: {{idNumber: "a", password: {SECRET}}}) {{ __typename }} }}',
    f'mutation {{ logIn(input: {{idNumber: "a", password: ["{SECRET}"]}}) {{ __typename }} }}',
    f'mutation {{ logIn(input: {{idNumber: "a", password: "{SECRET}" useCookie: "{SECRET}"}}) {{ __typename }} }}',
    f'{{ exam("{SECRET}") {{ id }} }}',
    f'{{ exam(code: "a") "{SECRET}" }}',
    f'{{ exam(code: "a" """{SECRET}""") {{ id }} }}',
    f'{{ exam(code: "{SECRET} {{ id }} }}',
    f'{{ exam(code: "{SECRET}\\q") {{ id }} }}',
    f"{{ exam(code: '{SECRET}') {{ id }} }}",
    f'"{SECRET}" {{ exam }}',
    f'{{ exam(code: "a") {{ id }} }} "{SECRET}"',
    f"{SECRET} {{ exam }}",
]


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize("query", LITERALS)
async def test_production_repeats_no_literal(client: Client, query: str) -> None:
    """An answer may be logged by anybody on its way."""
    response = await send(client, {"query": query})
    assert "errors" in response.json() or response.json()["data"] == {"inbox": None}
    assert SECRET not in response.text


INBOX = "query ($v: InboxFilter) { inbox(filter: $v) { liveCursor } }"
FIRST = "query ($v: Int!) { inbox(first: $v) { liveCursor } }"
AFTER = "query ($v: String) { inbox(after: $v) { liveCursor } }"
NODE = "query ($v: ID!) { node(id: $v) { id } }"
LOGGING_IN = "mutation ($v: LogInInput!) { logIn(input: $v) { __typename } }"
VARIABLES: list[tuple[str, Any]] = [
    (INBOX, SECRET),
    (INBOX, [SECRET]),
    (INBOX, {"status": SECRET}),
    (INBOX, {"status": {"a": SECRET}}),
    (INBOX, {"status": f"a' does not exist {SECRET}"}),
    (INBOX, {"nothing": SECRET}),
    (INBOX, {"status": "UNREAD", "statuss": SECRET}),
    (INBOX, {"status": SECRET + "x" * 2000}),
    (FIRST, SECRET),
    (FIRST, {"a": SECRET}),
    (FIRST, f"a: b: {SECRET}"),
    (NODE, {"a": SECRET}),
    (NODE, [SECRET]),
    (LOGGING_IN, SECRET),
    (LOGGING_IN, {"password": SECRET}),
    (LOGGING_IN, {"idNumber": "a", "password": [SECRET]}),
    (LOGGING_IN, {"idNumber": "a", "password": {"a": SECRET}}),
    (LOGGING_IN, {"idNumber": "a", "passwort": SECRET}),
    (LOGGING_IN, {"idNumber": "a", "password": SECRET, "useCookie": SECRET}),
    (LOGGING_IN, {"idNumber": {SECRET: SECRET}, "password": SECRET}),
]


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize(("query", "value"), VARIABLES)
async def test_production_repeats_no_variable_and_still_says_which_is_wrong(
    client: Client, query: str, value: Any
) -> None:
    response = await send(client, {"query": query, "variables": {"v": value}})
    for error in response.json()["errors"]:
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["message"].startswith("Variable '$v' has invalid value")
        assert len(error["message"]) <= LONGEST_MESSAGE
    assert SECRET not in response.text


@pytest.mark.usefixtures("in_production")
async def test_production_says_where_in_a_variable_the_fault_is(client: Client) -> None:
    response = await send(client, {"query": INBOX, "variables": {"v": {"status": SECRET}}})
    (error,) = response.json()["errors"]
    assert error["message"] == (
        "Variable '$v' has invalid value at .status: This value does not exist in 'InboxStatus' enum."
    )


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize("transport", STREAMS)
async def test_production_repeats_nothing_on_any_stream(door: Door, transport: Transport) -> None:
    query = "subscription ($v: String) { newShares(after: $v) { cursor } }"
    for body in (
        {"query": query, "variables": {"v": [SECRET]}},
        {"query": query, "variables": {"v": SECRET}},
        {"query": f'subscription {{ newShares(after: ["{SECRET}"]) {{ cursor }} }}'},
        {"query": f'subscription "{SECRET}"'},
    ):
        found = await transport(door, body)
        assert found
        assert SECRET not in json.dumps(found)


@pytest.mark.parametrize(
    "text", ["cannot represent ", "Value '", " ", "Did you mean", "Unexpected x '", ", found", ": '"]
)
def test_no_message_takes_long_to_look_through(text: str) -> None:
    """A body may hold a hundred thousand of anything; it took half a minute once."""
    error = GraphQLError("Syntax Error: " + text * (250_000 // len(text)), extensions={"code": "X"})
    began = time.process_time()
    shown = presented(error, "id", production=True)
    assert time.process_time() - began < 1
    assert len(shown.message) <= LONGEST_MESSAGE + 1


def test_a_message_that_was_written_for_clients_stays_as_it_is() -> None:
    for message in (
        "`first` must be from 1 to 100.",
        "Argument 'Query.exam(code:)' of type 'String!' is required, but it was not provided.",
        "Variable '$c' is not defined.",
        "The operation is too large: 101 aliases, at most 100.",
    ):
        assert discreet(message) == message


# ---- what the log holds


@pytest.mark.parametrize("logged", ["json", "text"], indirect=True)
async def test_the_log_holds_no_token_password_name_or_address(
    door: Door, client: Client, world: World, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS V16: log-ins, right and wrong, refusals, accidents and the database's own complaints."""
    name, email = "Zyxomma", "zyxomma@mail.example"
    candidate = await world.candidate(family_name=name, email=email)
    entry = await world.entry(candidate)
    right = await client.post(LOG_IN, input={"idNumber": entry.id_number, "password": PASSWORD})
    token = right.json()["data"]["logIn"]["token"]
    await client.post(LOG_IN, input={"idNumber": entry.id_number, "password": SECRET})
    await client.as_(token).ask("{ me { name email results { id } } }")
    await client.as_(SECRET).ask("{ me { name } }")
    await client.http.get("/graphql", params={"query": f'{{ exam(code: "{SECRET}") {{ id }} }}'})
    await client.http.get(
        f"/nothing?token={token}", headers={"cookie": f"seiseki={token}", "referer": f"http://x/{token}"}
    )
    await send(client, f'{{"query": "{SECRET}'.encode())
    async with door.opened({"authorization": f"Bearer {token}"}) as socket:
        await socket.subscribe(SECRET, f'subscription {{ newShares(after: "{SECRET}") {{ cursor }} }}')
        await socket.hear()

    async def complains(_: list[str]) -> Any:
        await world.candidate(id=candidate.id, family_name=name, email=email)

    monkeypatch.setattr(exams, "by_codes", complains)
    assert (await client.errors(EXAM))[0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    text = logged.getvalue()
    assert "UniqueViolationError" in text
    assert text.count("request_id") >= 8
    for secret in (token, PASSWORD, SECRET, name, email, entry.id_number, str(candidate.id)):
        assert secret not in text, secret


@pytest.mark.parametrize("logged", ["json", "text"], indirect=True)
async def test_nobody_writes_lines_of_their_own_into_the_log(client: Client, logged: io.StringIO) -> None:
    """ASVS V16.4.1: a line break in an address ends no line."""
    await client.http.get("/a%0A2026-11-22T09:00:00Z%20[info%20]%20staff%20logged%20in%0D%0Ab")
    lines = logged.getvalue().splitlines()
    assert len(lines) == 1
    assert "staff logged in" in lines[0]


@pytest.mark.parametrize("logged", ["json", "text"], indirect=True)
async def test_every_request_leaves_one_line_with_its_status_and_time(client: Client, logged: io.StringIO) -> None:
    response = await send(client, {"query": "{"}, GRAPHQL)
    (line,) = logged.getvalue().splitlines()
    for word in ("request", "400", "/graphql", "milliseconds", response.headers["x-request-id"]):
        assert word in line
