"""Each limit of the door: what is beyond it is refused and said to be so, and everybody else is answered meanwhile."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from itertools import cycle, islice
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
import websockets
from graphql import build_client_schema, get_introspection_query

from resolvers import exams
from tests.client import Client
from tests.conftest import ControlledClock, client_of
from tests.door import Door, Socket, answer_from, post
from tests.requests import EVENTS, GRAPHQL, JSON, get, is_refused, send
from tests.served import until
from tests.world import World
from transport import connections
from transport.operations import MOST

QUERY = "{ __typename }"
EXAM = 'query { exam(code: "C1_ADVANCED") { code } }'
NEW_SHARES = "subscription { newShares { cursor } }"
INTROSPECTION = get_introspection_query(
    specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
)


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
async def somebody_else(door: Door) -> AsyncIterator[Client]:
    """A client from another address."""
    async with client_of(door.app, "192.0.2.77") as client:
        yield client


@pytest.fixture
async def token(world: World) -> str:
    """A verifier's session."""
    return await world.token(await world.verifier())


async def nothing_is_open(door: Door) -> None:
    """Wait until every place is free again."""
    services = door.services
    await until(lambda: not (services.streams or services.sockets or services.operations))


# ---- the size of an operation


def nested(depth: int) -> str:
    """A query with fields so many levels deep, and cheap."""
    ring = cycle(["candidate", "shares(first: 1)", "edges", "node"])
    fields = ['share(id: "x")', *islice(ring, depth - 2)]
    return "{ " + " { ".join(fields) + " { __typename " + "} " * (len(fields) + 1)


def spread(times: int) -> str:
    """A query with twice so many fields."""
    return f"{{ {'...F ' * times} }} fragment F on Query {{ viewer {{ kind }} }}"


def aliased(times: int) -> str:
    """A query with so many aliases."""
    return f"{{ {' '.join(f'a{n}: __typename' for n in range(times))} }}"


def directed(times: int) -> str:
    """A query with so many directives."""
    return f"{{ {'... @include(if: true) { __typename } ' * times} }}"


def costing(hundreds: int) -> str:
    """A query that costs so many hundreds."""
    return f"{{ {' '.join(f'a{n}: inbox(first: 99) {{ edges {{ cursor }} }}' for n in range(hundreds))} }}"


SIZES = {
    "depth": (nested(MOST.depth), nested(MOST.depth + 1), "17 levels deep, at most 16"),
    "fields": (spread(MOST.fields // 2), spread(MOST.fields // 2 + 1), "2002 fields, at most 2000"),
    "aliases": (aliased(MOST.aliases), aliased(MOST.aliases + 1), "101 aliases, at most 100"),
    "directives": (directed(MOST.directives), directed(MOST.directives + 1), "101 directives, at most 100"),
    "cost": (costing(50), costing(50)[:-1] + "viewer { kind } }", "5001 in cost"),
}


@pytest.mark.parametrize("size", SIZES)
async def test_an_operation_may_be_as_large_as_is_told_and_no_larger(client: Client, size: str) -> None:
    largest, too_large, words = SIZES[size]
    fits = await send(client, {"query": largest})
    assert "errors" not in fits.json(), fits.text
    message = is_refused(await send(client, {"query": too_large}, GRAPHQL), 400, "OPERATION_TOO_LARGE")
    assert words in message
    assert is_refused(await get(client, GRAPHQL, query=too_large), 400, "OPERATION_TOO_LARGE") == message


async def test_an_operation_tells_what_it_costs_and_what_one_may(client: Client) -> None:
    response = await send(client, {"query": "{ exams { id } }"})
    assert response.json()["extensions"] == {"cost": {"estimated": 20, "maximum": MOST.cost}}


async def test_a_size_counts_that_comes_as_a_variable(client: Client) -> None:
    pages = " ".join(f"a{n}: inbox(first: $n) {{ edges {{ cursor }} }}" for n in range(60))
    body = {"query": f"query ($n: Int!) {{ {pages} }}", "variables": {"n": 10}}
    assert "errors" not in (await send(client, body)).json()
    is_refused(await send(client, body | {"variables": {"n": 100}}, GRAPHQL), 400, "OPERATION_TOO_LARGE")
    is_refused(await send(client, body | {"variables": {"n": 100.0}}, GRAPHQL), 400, "OPERATION_TOO_LARGE")


async def test_a_document_may_have_4000_tokens(client: Client) -> None:
    """Nothing can be asked with so many; beyond them, a document is not even read to its end."""
    most = await send(client, {"query": f"{{ {'__typename ' * 3998} }}"}, GRAPHQL)
    is_refused(most, 400, "OPERATION_TOO_LARGE")
    beyond = await send(client, {"query": f"{{ {'__typename ' * 3999} }}"}, GRAPHQL)
    assert "more than 4000 tokens" in is_refused(beyond, 400, "GRAPHQL_PARSE_FAILED")


@pytest.mark.parametrize("written", [True, False])
async def test_a_gateway_may_ask_for_1000_entities_at_once(client: Client, written: bool) -> None:
    """P5: by variables, as gateways do, or written out."""

    async def ask(count: int) -> Any:
        exam = {"__typename": "Exam", "code": "C1_ADVANCED"}
        if written:
            one = '{__typename:"Exam"}'
            query = f"{{ _entities(representations: [{one * min(count, 800)}]) {{ __typename }} }}"
            return (await send(client, {"query": query})).json()
        query = "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Exam { code } } }"
        return (await send(client, {"query": query, "variables": {"r": [exam] * count}})).json()

    if written:  # tokens are the limit here
        assert len((await ask(600))["data"]["_entities"]) == 600
        return
    assert (await ask(1000))["data"] == {"_entities": [{"code": "C1_ADVANCED"}] * 1000}
    refused = await ask(1001)
    assert refused["errors"][0]["message"] == "At most 1000 representations at once."
    assert refused["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


HEAVY = [
    "{ %s }" % ("__typename " * 1999),
    "{ %s }" % ("exams { id code } " * 80),
    f"{{ {' '.join(f'...F{n}' for n in range(150))} }}"
    + "".join(f"fragment F{n} on Query {{ __typename viewer {{ kind }} exams {{ id }} }}" for n in range(150)),
    '{ exam(code: "%s") { id } }' % ("x" * 250_000),
    "{ ...F0 }" + "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(300)),
]  # fmt: skip


async def test_the_heaviest_documents_keep_nobody_waiting(door: Door) -> None:
    """All at once, over real connections, each a little different so that nothing is remembered of another."""
    async with door.client() as heavy, door.client() as light:
        sent = [heavy.post(f"#{n}\n{query}") for n in range(2) for query in HEAVY]
        waiting = asyncio.gather(*sent)
        answered = 0
        while not waiting.done():
            assert await light.ask(QUERY) == {"__typename": "Query"}
            answered += 1
        assert answered >= 2, "everybody waited until the heavy ones were done"
        for response in await waiting:
            assert response.status_code == 200
            assert "INTERNAL_SERVER_ERROR" not in response.text


# ---- how many at the same time


class Held:
    """Operations that wait inside until they are let go."""

    def __init__(self) -> None:
        self.inside = 0
        self.go = asyncio.Event()

    async def by_codes(self, codes: list[str]) -> dict[str, Any]:
        """In place of reading exams."""
        self.inside += 1
        await self.go.wait()
        return {}


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Lets every read of an exam wait."""
    held = Held()
    monkeypatch.setattr(exams, "by_codes", held.by_codes)
    return held


async def start(client: Client, held: Held, count: int) -> list[asyncio.Task[httpx2.Response]]:
    """Operations that run by now, and do not end before they are let go."""
    wanted = held.inside + count
    tasks = [asyncio.create_task(client.post(EXAM)) for _ in range(count)]
    await until(lambda: held.inside == wanted)
    return tasks


async def test_an_anonymous_address_runs_so_many_operations_at_once_and_keeps_nobody_else_out(
    door: Door, client: Client, somebody_else: Client, held: Held, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.services.operations, "most", 3)
    running = await start(client, held, 3)
    refused = await client.post(QUERY)
    assert "operations at the same time, at most 3" in is_refused(refused, 429, "TOO_MANY_OPERATIONS", limit=3)
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit-policy"] == '"operations";q=3;qu="concurrent-requests"'
    assert refused.headers["ratelimit"] == '"operations";r=0'
    assert await somebody_else.ask(QUERY) == {"__typename": "Query"}
    assert await client.as_(token).ask(QUERY) == {"__typename": "Query"}
    is_refused(await send(client, {"query": QUERY}, EVENTS), 429, "TOO_MANY_OPERATIONS", limit=3)
    held.go.set()
    assert [(await task).status_code for task in running] == [200] * 3
    assert await client.ask(QUERY) == {"__typename": "Query"}
    assert len(door.services.operations) == 0


async def test_a_viewer_runs_so_many_operations_at_once_from_all_addresses_together(
    door: Door, client: Client, somebody_else: Client, held: Held, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.services.operations, "most", 2)
    running = await start(client.as_(token), held, 1) + await start(somebody_else.as_(token), held, 1)
    is_refused(await client.as_(token).post(QUERY), 429, "TOO_MANY_OPERATIONS", limit=2)
    assert await client.ask(QUERY) == {"__typename": "Query"}
    held.go.set()
    await asyncio.gather(*running)
    assert await client.as_(token).ask(QUERY) == {"__typename": "Query"}


async def test_addresses_of_one_ipv6_network_count_together(
    door: Door, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every household has 2^64 of them."""
    monkeypatch.setattr(door.services.operations, "most", 1)
    async with (
        client_of(door.app, "2001:db8:1:2::1") as one,
        client_of(door.app, "2001:db8:1:2:ffff::9") as same,
        client_of(door.app, "2001:db8:1:3::1") as other,
    ):
        running = await start(one, held, 1)
        is_refused(await same.post(QUERY), 429, "TOO_MANY_OPERATIONS", limit=1)
        assert await other.ask(QUERY) == {"__typename": "Query"}
        held.go.set()
        await asyncio.gather(*running)


async def test_an_operation_that_fails_or_is_given_up_frees_its_place(door: Door, client: Client, held: Held) -> None:
    (given_up,) = await start(client, held, 1)
    assert len(door.services.operations) == 1
    given_up.cancel()
    await nothing_is_open(door)
    await client.post("mutation { openShare(input: {shareId: 1.5}) { __typename } }")
    await client.post('{ _entities(representations: ["x"]) { __typename } }')
    assert len(door.services.operations) == 0


async def test_a_viewer_has_so_many_streams_over_all_transports_together(
    door: Door, client: Client, world: World, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.services.streams, "most", 2)
    async with AsyncExitStack() as stack:
        socket = await stack.enter_async_context(door.opened({"authorization": f"Bearer {token}"}))
        http_client = await stack.enter_async_context(door.client(token))
        headers = {"accept": EVENTS, "authorization": f"Bearer {token}"}
        body = {"query": NEW_SHARES}
        await socket.subscribe("1", NEW_SHARES)
        stream = await stack.enter_async_context(
            http_client.http.stream("POST", "/graphql", json=body, headers=headers)
        )
        assert stream.status_code == 200
        await until(lambda: len(door.services.streams) == 2)
        refused = await send(client, body, EVENTS, authorization=f"Bearer {token}")
        is_refused(refused, 429, "TOO_MANY_STREAMS", limit=2)
        assert refused.headers["retry-after"] == "1"
        await socket.subscribe("2", NEW_SHARES)
        error = await socket.hear()
        assert (error["id"], error["type"]) == ("2", "error")
        told = error["payload"][0]["extensions"]
        assert (told["code"], told["limit"]) == ("TOO_MANY_STREAMS", 2)
        async with door.opened({"authorization": f"Bearer {await world.token(await world.verifier())}"}) as other:
            await other.subscribe("1", NEW_SHARES)
            await until(lambda: len(door.services.streams) == 3)
        await socket.say({"type": "complete", "id": "1"})
        await until(lambda: len(door.services.streams) == 1)
        await socket.subscribe("2", NEW_SHARES)
        await until(lambda: len(door.services.streams) == 2)
    await nothing_is_open(door)


async def test_an_address_has_so_many_sockets(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door.services.sockets, "most", 2)
    async with door.opened() as one:
        async with door.socket() as two:
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with door.socket():
                    pass
            response = refused.value.response
            assert response.status_code == 429
            assert json.loads(response.body or b"")["errors"][0]["extensions"] == {
                "code": "TOO_MANY_CONNECTIONS", "requestId": response.headers["x-request-id"], "limit": 2
            }  # fmt: skip
            assert await one.pongs()
            await two.init()
            async with door.client() as client:
                assert await client.ask(QUERY) == {"__typename": "Query"}
        await until(lambda: len(door.services.sockets) == 1)
        async with door.opened():
            pass
    await nothing_is_open(door)


async def test_an_address_has_so_many_connections(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    await until(lambda: not connections.open_by_address)
    monkeypatch.setattr(door.connections, "most_per_address", 3)
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(door.connection()) for _ in range(3)]
        await until(lambda: connections.open_by_address["127.0.0.1"] == 3)
        refused = await door.sent(b"")
        assert refused.status == 429
        told = refused.error["extensions"]
        assert (told["code"], told["limit"]) == ("TOO_MANY_CONNECTIONS", 3)
        reader, writer = opened[0]
        writer.write(post({"query": QUERY}))
        assert (await answer_from(reader)).status == 200
    await until(lambda: not connections.open_by_address)
    assert (await door.sent(post({"query": QUERY}))).status == 200


async def test_a_socket_is_no_connection_any_more(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets have a limit of their own; counted twice, or never taken off, they would shut the door for good."""
    await until(lambda: not connections.open_by_address)
    monkeypatch.setattr(door.connections, "most_per_address", 1)
    async with door.opened() as one, door.opened() as two:
        assert not connections.open_by_address
        assert (await door.sent(post({"query": QUERY}))).status == 200
        assert await one.pongs()
        assert await two.pongs()
    await until(lambda: not connections.open_by_address)


# ---- clients that do not read


@contextmanager
def deaf(door: Door, buffer: int = 4096) -> Iterator[socket.socket]:
    """A connection of a client with a small buffer, which reads nothing by itself."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.connect(("127.0.0.1", door.port))
        connection.setblocking(False)
        yield connection


async def ask_much(connection: socket.socket, times: int) -> None:
    """Ask for far more than any buffer holds."""
    loop = asyncio.get_running_loop()
    for _ in range(times):
        await loop.sock_sendall(connection, post({"query": INTROSPECTION}))


async def test_answers_that_nobody_reads_are_given_up_and_keep_nobody_waiting(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uvicorn would keep the connection, and what is left of the answers, for ever."""
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.3)
    await until(lambda: not connections.open_by_address)
    async with door.client() as client:
        with deaf(door) as connection:
            asking = asyncio.create_task(ask_much(connection, 100))
            await until(lambda: connections.open_by_address["127.0.0.1"] == 1)
            for _ in range(20):
                assert await client.ask(QUERY) == {"__typename": "Query"}
            await client.http.aclose()
            await until(lambda: not connections.open_by_address)
            asking.cancel()
            await asyncio.wait([asking])


async def test_a_client_that_reads_slowly_gets_every_answer_whole(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given up is only what is not read at all."""
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 4)  # a busy machine's reader may stand still for a while
    with deaf(door, 64 * 1024) as connection:
        await ask_much(connection, 6)
        connection.settimeout(60)
        received = await asyncio.to_thread(read_slowly, connection, 6, 5.0)
    assert json.loads(received.rpartition(b"\r\n\r\n")[2])["data"]["__schema"]["types"]


def read_slowly(connection: socket.socket, answers: int, seconds: float) -> bytes:
    """So many answers, the first seconds of them in small pieces; in a thread, for the service must not wait for it."""
    received, slow_until = bytearray(), time.monotonic() + seconds
    while received.count(b"HTTP/1.1 200") < answers or not received.endswith(b"}"):
        is_slow = time.monotonic() < slow_until
        piece = connection.recv(16_384 if is_slow else 1_000_000)
        assert piece, "it was cut off"
        received += piece
        time.sleep(0.05 if is_slow else 0)
    return bytes(received)


# ---- asking for the schema


async def test_tools_read_the_schema_in_development(client: Client) -> None:
    data = await client.ask(INTROSPECTION)
    schema = build_client_schema(data)
    assert schema.query_type is not None
    assert "viewer" in schema.query_type.fields
    assert "type Query" in (await client.ask("{ _service { sdl } }"))["_service"]["sdl"]


async def test_the_schema_cannot_be_read_round_and_round(client: Client) -> None:
    """Types have fields, which have types, which have fields: a short query would answer with megabytes."""
    query = "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
    response = await send(client, {"query": query}, GRAPHQL)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_the_schema_cannot_be_read_a_hundred_times_at_once(client: Client) -> None:
    types = " ".join(f"a{n}: types {{ name fields {{ name }} }}" for n in range(6))
    refused = await send(client, {"query": f"{{ __schema {{ {types} }} }}"}, GRAPHQL)
    assert "6 aliases, at most 5" in is_refused(refused, 400, "OPERATION_TOO_LARGE")


@pytest.fixture
def in_production(door: Door, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same service with production's settings; the credential that opens the schema."""
    settings = replace(door.services.settings, production=True, schema_token="open sesame")
    monkeypatch.setattr(door.services, "settings", settings)
    return "open sesame"


ASKING = {
    "the whole": INTROSPECTION,
    "types": "{ __schema { types { name } } }",
    "one type": '{ __type(name: "Candidate") { name } }',
    "the text": "{ _service { sdl } }",
    "an alias": '{ exam: __type(name: "Candidate") { name } }',
    "a fragment": "{ ...F } fragment F on Query { __schema { queryType { name } } }",
    "a fragment in a fragment": "{ ...F } fragment F on Query { ...G } fragment G on Query { _service { sdl } }",
    "an inline fragment": '{ ... on Query { ... { __type(name: "Exam") { name } } } }',
    "among others": "{ viewer { kind } __schema { queryType { name } } }",
    "not now": "query ($no: Boolean = false) { viewer { kind } __schema @include(if: $no) { queryType { name } } }",
}


@pytest.mark.parametrize("query", ASKING)
@pytest.mark.parametrize("wrong", [None, "", "open", "OPEN SESAME", "open sesame ", "öpen sesame"])
async def test_production_shows_its_schema_to_nobody_without_the_credential(
    client: Client, in_production: str, query: str, wrong: str | None
) -> None:
    headers = {} if wrong is None else {b"x-schema-token": wrong.encode()}
    body = {"query": ASKING[query]}
    for accept, status in ((JSON, 200), (GRAPHQL, 400)):
        answer = await client.http.post("/graphql", json=body, headers={**headers, b"accept": accept.encode()})
        is_refused(answer, status, "INTROSPECTION_DISABLED")
    by_get = await client.http.get(f"/graphql?{urlencode(body)}", headers=headers)
    is_refused(by_get, 200, "INTROSPECTION_DISABLED")
    as_stream = await client.http.post("/graphql", json=body, headers={**headers, b"accept": EVENTS.encode()})
    assert "INTROSPECTION_DISABLED" in as_stream.text
    assert "Candidate" not in as_stream.text


@pytest.mark.parametrize("query", ASKING)
async def test_production_shows_its_schema_to_those_with_the_credential(
    client: Client, in_production: str, query: str
) -> None:
    assert "data" in (await send(client, {"query": ASKING[query]}, x_schema_token=in_production)).json()
    by_get = await client.http.get(
        f"/graphql?{urlencode({'query': ASKING[query]})}", headers={"x-schema-token": in_production}
    )
    assert "data" in by_get.json()


async def test_without_a_credential_in_its_settings_production_shows_its_schema_to_nobody(
    door: Door, client: Client, in_production: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for configured in (None, ""):
        monkeypatch.setattr(door.services, "settings", replace(door.services.settings, schema_token=configured))
        for given in ({}, {"x_schema_token": ""}, {"x_schema_token": in_production}):
            response = await send(client, {"query": ASKING["types"]}, **given)
            is_refused(response, 200, "INTROSPECTION_DISABLED")


@pytest.mark.usefixtures("in_production")
async def test_production_tells_names_of_types_and_serves_gateways(client: Client) -> None:
    """Apollo and urql add __typename everywhere; gateways need `_entities` only."""
    query = """{ __typename viewer { __typename kind }
                 _entities(representations: [{__typename: "Exam", code: "C1_ADVANCED"}]) { __typename } }"""
    data = await client.ask(query)
    assert (data["__typename"], data["viewer"]["__typename"]) == ("Query", "Viewer")
    assert data["_entities"] == [{"__typename": "Exam"}]


@pytest.mark.usefixtures("in_production")
async def test_production_shows_its_schema_over_no_socket_either(door: Door) -> None:
    async with door.opened() as socket:
        for query in ("subscription { __schema { queryType { name } } }", ASKING["types"], ASKING["the text"]):
            await told_no_types(socket, query)


async def told_no_types(socket: Socket, query: str) -> None:
    """Check that an operation is refused, and nothing of the schema told."""
    await socket.subscribe("1", query)
    error = await socket.hear()
    assert error["type"] == "error"
    assert "Query" not in json.dumps(error)
