"""graphql-transport-ws by its protocol, against whatever a client may send."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import websockets
from starlette.routing import WebSocketRoute

from models.institution import Institution
from models.key import ApiKey
from models.verifier import VerifierUser
from tests.conftest import ControlledClock
from tests.door import PROTOCOL, Door, Socket
from tests.keyed import Office
from tests.served import until
from tests.world import World
from transport.websocket import MESSAGES_AT_ONCE, MOST_SUBSCRIPTIONS, GraphQLOverWebSocket

NEW_SHARES = "subscription { newShares { cursor share { status } } }"
TOO_LONG = "x" * 200  # for a reason in a closing frame


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """As in production."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def world(door: Door, door_clock: ControlledClock) -> World:
    """Makes what the tests of this file need; it stays."""
    return World(door_clock)


@pytest.fixture
async def institution(world: World) -> Institution:
    return await world.institution()


@pytest.fixture
async def verifier(world: World, institution: Institution) -> VerifierUser:
    return await world.verifier(institution)


@pytest.fixture
async def token(world: World, verifier: VerifierUser) -> str:
    """A session that may subscribe."""
    return await world.token(verifier)


@pytest.fixture
async def socket(door: Door, token: str) -> AsyncIterator[Socket]:
    """An open socket of a verifier."""
    async with door.opened({"authorization": f"Bearer {token}"}) as socket:
        yield socket


async def listening(door: Door, streams: int) -> None:
    """Wait until so many subscriptions hear what happens."""
    await until(lambda: door.services.hub.open_streams == streams)


async def nothing_is_open(door: Door) -> None:
    """Wait until every place is free again."""
    services = door.services
    await until(lambda: not (services.streams or services.sockets or services.operations or services.hub.open_streams))


# ---- opening


@pytest.mark.parametrize(
    "payload", ["", ', "payload": null', ', "payload": {}', ', "payload": {"more": [1]}', ', "more": 1']
)
async def test_a_connection_may_be_opened_with_any_parameters_or_none(door: Door, payload: str) -> None:
    async with door.socket() as socket:
        assert await socket.ask(f'{{"type": "connection_init"{payload}}}') == {"type": "connection_ack"}


@pytest.mark.parametrize("name", ["authorization", "Authorization"])
async def test_a_token_may_come_with_the_connections_parameters(door: Door, token: str, name: str) -> None:
    async with door.opened({name: f"Bearer {token}"}) as socket:
        await socket.subscribe("1", NEW_SHARES)
        await listening(door, 1)


async def test_a_token_may_come_with_the_handshake(door: Door, token: str) -> None:
    async with door.opened(Authorization=f"Bearer {token}") as socket:
        await socket.subscribe("1", NEW_SHARES)
        await listening(door, 1)


@pytest.mark.parametrize(
    "authorization", ["Bearer nobody", "Bearer ", "Basic eDp5", 1, ["Bearer x"], {"Bearer": "x"}, True]
)
async def test_a_token_that_nobody_has_is_forbidden(door: Door, authorization: Any) -> None:
    """4403, whatever else is known: a client that says who it is must not go on as somebody else."""
    async with door.socket() as socket:
        await socket.say({"type": "connection_init", "payload": {"authorization": authorization}})
        assert await socket.closed() == (4403, "Forbidden")


@pytest.mark.parametrize("authorization", ["", None])
async def test_an_empty_token_says_nothing(door: Door, token: str, authorization: str | None) -> None:
    async with door.opened({"authorization": authorization}, Authorization=f"Bearer {token}") as socket:
        await socket.subscribe("1", NEW_SHARES)
        await listening(door, 1)


async def test_a_subscription_before_the_acknowledgement_is_unauthorized(door: Door, token: str) -> None:
    async with door.socket(Authorization=f"Bearer {token}") as socket:
        await socket.subscribe("1", NEW_SHARES)
        assert await socket.closed() == (4401, "Unauthorized")


@pytest.mark.parametrize("protocols", [[], ["graphql-ws"], ["mqtt", "graphql-ws"]])
async def test_other_protocols_are_not_acceptable(door: Door, protocols: list[str]) -> None:
    async with door.socket(protocols) as socket:
        assert await socket.closed() == (4406, "Subprotocol not acceptable")


async def test_of_several_protocols_the_known_one_is_chosen(door: Door) -> None:
    async with door.socket(["graphql-ws", "mqtt", PROTOCOL]) as socket:
        assert socket.connection.subprotocol == PROTOCOL
        await socket.init()


async def test_a_connection_that_is_not_opened_in_time_ends(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    (endpoint,) = [route.endpoint for route in door.app.routes if isinstance(route, WebSocketRoute)]
    assert isinstance(endpoint, GraphQLOverWebSocket)
    assert endpoint.connection_init_wait_timeout == timedelta(seconds=10)
    monkeypatch.setattr(endpoint, "connection_init_wait_timeout", timedelta(seconds=1))
    async with door.socket() as silent, door.socket() as pinging, door.opened() as open_:
        assert await pinging.pongs()
        assert await silent.closed() == (4408, "Connection initialisation timeout")
        assert await pinging.closed() == (4408, "Connection initialisation timeout")
        assert await open_.pongs()


async def test_a_connection_is_opened_once(door: Door) -> None:
    async with door.opened() as socket:
        await socket.say({"type": "connection_init"})
        assert await socket.closed() == (4429, "Too many initialisation requests")


# ---- keeping it alive


@pytest.mark.parametrize(
    "payload", ["", ', "payload": null', ', "payload": {}', ', "payload": {"at": 1, "deep": [[1]]}']
)
async def test_every_ping_is_answered_before_and_after_opening(door: Door, payload: str) -> None:
    async with door.socket() as socket:
        for _ in range(2):
            answer = await socket.ask(f'{{"type": "ping"{payload}}}')
            assert answer["type"] == "pong"
        await socket.init()
        assert (await socket.ask(f'{{"type": "ping"{payload}}}'))["type"] == "pong"


@pytest.mark.parametrize("payload", ["", ', "payload": null', ', "payload": {"at": 1}'])
async def test_a_pong_that_nobody_asked_for_is_left_alone(door: Door, payload: str) -> None:
    async with door.socket() as socket:
        await socket.say(f'{{"type": "pong"{payload}}}')
        await socket.init()


# ---- messages that are none

SUBSCRIBE = '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", %s}}'
DEEP = '{"type": "ping", "payload": {"a": %s}}'
MALFORMED = {
    "nothing": "",
    "blank": " ",
    "not JSON": "hello",
    "half an object": '{"type": "ping"',
    "two messages": '{"type": "ping"}{"type": "ping"}',
    "NaN": '{"type": "ping", "payload": {"a": NaN}}',
    "an empty list": "[]",
    "a list": '[{"type": "ping"}]',
    "a string": '"x"',
    "null": "null",
    "a number": "1",
    "true": "true",
    "an empty object": "{}",
    "type null": '{"type": null}',
    "type a number": '{"type": 1}',
    "type a list": '{"type": ["ping"]}',
    "type unknown": '{"type": "start"}',
    "type unknown and long": json.dumps({"type": TOO_LONG}),
    "type unknown and long, of many bytes": json.dumps({"type": "験" * 100}),
    "type in capitals": '{"type": "PING"}',
    "a message of the service": '{"type": "connection_ack"}',
    "a result": '{"type": "next", "id": "1", "payload": {}}',
    "connection_init with a list": '{"type": "connection_init", "payload": []}',
    "connection_init with a string": '{"type": "connection_init", "payload": "x"}',
    "ping with a string": '{"type": "ping", "payload": "x"}',
    "pong with a list": '{"type": "pong", "payload": [1]}',
    "subscribe with nothing": '{"type": "subscribe"}',
    "subscribe without id": '{"type": "subscribe", "payload": {"query": "{ a }"}}',
    "subscribe with id null": '{"type": "subscribe", "id": null, "payload": {"query": "{ a }"}}',
    "subscribe with id a number": '{"type": "subscribe", "id": 1, "payload": {"query": "{ a }"}}',
    "subscribe with id an object": '{"type": "subscribe", "id": {"a": 1}, "payload": {"query": "{ a }"}}',
    "subscribe with id a list": '{"type": "subscribe", "id": ["1"], "payload": {"query": "{ a }"}}',
    "subscribe without payload": '{"type": "subscribe", "id": "1"}',
    "subscribe with payload null": '{"type": "subscribe", "id": "1", "payload": null}',
    "subscribe with payload a list": '{"type": "subscribe", "id": "1", "payload": []}',
    "subscribe with payload a string": '{"type": "subscribe", "id": "1", "payload": "{ a }"}',
    "subscribe without query": '{"type": "subscribe", "id": "1", "payload": {}}',
    "subscribe with query null": '{"type": "subscribe", "id": "1", "payload": {"query": null}}',
    "subscribe with query an object": '{"type": "subscribe", "id": "1", "payload": {"query": {}}}',
    "subscribe with variables a list": SUBSCRIBE % '"variables": []',
    "subscribe with variables a string": SUBSCRIBE % '"variables": "{}"',
    "subscribe with operationName a number": SUBSCRIBE % '"operationName": 1',
    "subscribe with extensions a list": SUBSCRIBE % '"extensions": []',
    "complete without id": '{"type": "complete"}',
    "complete with id null": '{"type": "complete", "id": null}',
    "complete with id an object": '{"type": "complete", "id": {}}',
    "lists 100 deep": DEEP % ("[" * 100 + "]" * 100),
    "lists 5,000 deep": DEEP % ("[" * 5000 + "]" * 5000),
    "lists 5,000 deep, open": "[" * 5000,
    "objects 5,000 deep": DEEP % ('{"a":' * 5000 + "1" + "}" * 5000),
    "a number of 5,000 digits": DEEP % ("9" * 5000),
    "half a surrogate pair": DEEP % '"\\ud800"',
    "a byte order mark": '\ufeff{"type": "ping"}',
    "bytes": b'{"type": "ping"}',
    "bytes that are no text": b"\xff\x00",
    "no bytes": b"",
}  # fmt: skip


@pytest.mark.parametrize("message", MALFORMED)
async def test_a_message_that_is_none_ends_the_socket_with_4400(door: Door, message: str) -> None:
    """Not 1006, on which clients come back for ever; and no other socket notices."""
    async with door.opened() as other, door.opened() as socket:
        await socket.say(MALFORMED[message])
        code, reason = await socket.closed()
        assert code == 4400
        assert reason
        assert await other.pongs()


@pytest.mark.parametrize("message", ["[]", "null", "hello", "type unknown", "connection_init with a list"])
async def test_before_opening_too_a_message_that_is_none_ends_the_socket_with_4400(door: Door, message: str) -> None:
    async with door.socket() as socket:
        await socket.say(MALFORMED.get(message, message))
        assert (await socket.closed())[0] == 4400


async def test_text_that_is_not_utf_8_ends_the_socket_as_the_standard_says(door: Door) -> None:
    async with door.opened() as other, door.opened() as socket:
        await socket.connection.send(b"\xff\xfe", text=True)
        assert (await socket.closed())[0] == 1007
        assert await other.pongs()


async def test_messages_may_hold_what_the_protocol_does_not_know(door: Door) -> None:
    async with door.opened() as socket:
        assert await socket.ask({"type": "ping", "id": 1, "more": [1], "payload": {}}) == {"type": "pong"}


# ---- operations

BAD_OPERATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "syntax": ({"query": "subscription {"}, "GRAPHQL_PARSE_FAILED"),
    "no document": ({"query": "hello"}, "GRAPHQL_PARSE_FAILED"),
    "empty": ({"query": ""}, "BAD_REQUEST"),
    "blank": ({"query": " \n"}, "BAD_REQUEST"),
    "unknown field": ({"query": "subscription { nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
    "two fields": ({"query": "subscription { newShares { cursor } b: __typename }"}, "GRAPHQL_VALIDATION_FAILED"),
    "unknown operation": ({"query": NEW_SHARES, "operationName": "other"}, "OPERATION_RESOLUTION_FAILURE"),
    "which operation": ({"query": f"query a {{ __typename }} {NEW_SHARES}"}, "OPERATION_RESOLUTION_FAILURE"),
    "query": ({"query": "{ viewer { kind } }"}, "BAD_REQUEST"),
    "mutation": ({"query": "mutation { logOut(input: {}) { __typename } }"}, "BAD_REQUEST"),
    "missing variable": (
        {"query": "subscription ($a: String!) { newShares(after: $a) { cursor } }"},
        "BAD_USER_INPUT",
    ),
    "wrong variable": (
        {"query": "subscription ($a: String) { newShares(after: $a) { cursor } }", "variables": {"a": [1]}},
        "BAD_USER_INPUT",
    ),
    "no cursor": ({"query": 'subscription { newShares(after: "nonsense") { cursor } }'}, "BAD_USER_INPUT"),
    "fragments in a circle": (
        {"query": "subscription { ...A } fragment A on Subscription { ...A }"},
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "nested 2,000 deep": ({"query": "subscription { a " + "{ a " * 2000 + "}" * 2001}, "GRAPHQL_PARSE_FAILED"),
    "too many aliases": (
        {"query": f"subscription {{ newShares {{ {' '.join(f'a{n}: cursor' for n in range(101))} }} }}"},
        "OPERATION_TOO_LARGE",
    ),
    "the schema": ({"query": "subscription { __schema { types { name } } }"}, "GRAPHQL_VALIDATION_FAILED"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD_OPERATIONS)
async def test_a_bad_operation_ends_alone(
    door: Door, world: World, institution: Institution, socket: Socket, bad: str
) -> None:
    """The others on its socket go on, and its id is free again."""
    await socket.subscribe("good", NEW_SHARES)
    await listening(door, 1)
    payload, code = BAD_OPERATIONS[bad]
    for _ in range(2):
        error = await socket.ask({"id": "bad", "type": "subscribe", "payload": payload})
        assert (error["id"], error["type"]) == ("bad", "error")
        assert {one["extensions"]["code"] for one in error["payload"]} == {code}
        assert all(len(one["extensions"]["requestId"]) == 32 for one in error["payload"])
    await world.share(await world.result(), institution)
    told = await socket.hear()
    assert (told["id"], told["type"]) == ("good", "next")
    assert told["payload"]["data"]["newShares"]["share"] == {"status": "UNREAD"}
    assert len(door.services.streams) == 1


async def test_nobody_is_told_anything_without_a_session(door: Door) -> None:
    async with door.opened() as socket:
        await socket.subscribe("1", NEW_SHARES)
        error = await socket.hear()
        assert (error["id"], error["type"]) == ("1", "error")
        assert error["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert await socket.pongs()


async def test_an_id_in_use_is_not_taken_twice(door: Door, socket: Socket) -> None:
    await socket.subscribe("1", NEW_SHARES)
    await socket.subscribe("1", NEW_SHARES)
    assert await socket.closed() == (4409, "Subscriber for 1 already exists")
    await nothing_is_open(door)


async def test_a_long_id_in_use_is_not_taken_twice_either(door: Door, socket: Socket) -> None:
    await socket.subscribe(TOO_LONG, NEW_SHARES)
    await socket.subscribe(TOO_LONG, NEW_SHARES)
    code, reason = await socket.closed()
    assert code == 4409
    assert reason.startswith("Subscriber for xxx")


async def test_the_same_id_on_two_sockets_is_two_operations(door: Door, token: str, socket: Socket) -> None:
    async with door.opened({"authorization": f"Bearer {token}"}) as other:
        await socket.subscribe("1", NEW_SHARES)
        await other.subscribe("1", NEW_SHARES)
        await listening(door, 2)
        assert await socket.pongs()
        assert await other.pongs()


async def test_complete_ends_a_stream_and_frees_its_place_and_its_id(
    door: Door, world: World, institution: Institution, socket: Socket
) -> None:
    for _ in range(3):
        await socket.subscribe("1", NEW_SHARES)
        await listening(door, 1)
        assert len(door.services.streams) == 1
        await socket.say({"type": "complete", "id": "1"})
        await listening(door, 0)
        await until(lambda: not len(door.services.streams))
    await world.share(await world.result(), institution)
    assert await socket.pongs(), "nothing but the pong comes after the stream has ended"


async def test_complete_for_what_is_not_there_is_left_alone(socket: Socket) -> None:
    await socket.say({"type": "complete", "id": "never"})
    assert await socket.pongs()


async def test_a_socket_that_closes_frees_all_its_places(door: Door, token: str) -> None:
    async with door.opened({"authorization": f"Bearer {token}"}) as socket:
        for n in range(5):
            await socket.subscribe(str(n), NEW_SHARES)
        await listening(door, 5)
        assert (len(door.services.streams), len(door.services.sockets)) == (5, 1)
    await nothing_is_open(door)


async def test_a_socket_that_is_cut_frees_all_its_places(door: Door, token: str) -> None:
    async with door.opened({"authorization": f"Bearer {token}"}) as socket:
        await socket.subscribe("1", NEW_SHARES)
        await listening(door, 1)
        socket.connection.transport.abort()
        await nothing_is_open(door)


async def test_one_subscription_too_many_is_refused_and_the_others_go_on(
    door: Door, world: World, institution: Institution, socket: Socket
) -> None:
    for n in range(MOST_SUBSCRIPTIONS):
        await socket.subscribe(str(n), NEW_SHARES)
    await socket.subscribe("one more", NEW_SHARES)
    error = await socket.hear()
    assert (error["id"], error["type"]) == ("one more", "error")
    told = error["payload"][0]["extensions"]
    assert (told["code"], told["limit"]) == ("TOO_MANY_STREAMS", MOST_SUBSCRIPTIONS)
    await listening(door, MOST_SUBSCRIPTIONS)
    await world.share(await world.result(), institution)
    assert {(await socket.hear())["id"] for _ in range(MOST_SUBSCRIPTIONS)} == {
        str(n) for n in range(MOST_SUBSCRIPTIONS)
    }
    await socket.say({"type": "complete", "id": "0"})
    await socket.subscribe("one more", NEW_SHARES)
    await listening(door, MOST_SUBSCRIPTIONS)


async def test_a_session_that_ends_takes_its_socket_with_it(door: Door, token: str, socket: Socket) -> None:
    """4401 tells a client to log in before it comes back."""
    await socket.subscribe("1", NEW_SHARES)
    await listening(door, 1)
    async with door.client(token) as client:
        await client.ask("mutation { logOut(input: {}) { __typename } }")
    error = await socket.hear()
    assert (error["id"], error["type"]) == ("1", "error")
    assert error["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await socket.closed() == (4401, "The session has ended")
    await nothing_is_open(door)


# ---- limits


async def test_messages_that_come_too_fast_end_their_socket(door: Door) -> None:
    """The test's clock stands still, so no message is allowed again."""
    async with door.opened() as other, door.opened() as socket:
        for _ in range(MESSAGES_AT_ONCE):
            await socket.say({"type": "ping"})
        assert await socket.closed() == (4429, "Too many messages")
        assert await other.pongs()


async def test_messages_are_allowed_again_with_time(door: Door, door_clock: ControlledClock) -> None:
    async with door.opened() as socket:
        for _ in range(3):
            for _ in range(MESSAGES_AT_ONCE - 10):
                assert await socket.pongs()
            door_clock.forward(seconds=10)


async def test_a_large_message_ends_its_socket_as_the_standard_says(door: Door) -> None:
    async with door.opened() as other, door.opened() as socket:
        await socket.say({"type": "ping", "payload": {"a": "x" * 65_000}})
        assert await socket.hear() == {"type": "pong"}
        await socket.say({"type": "ping", "payload": {"a": "x" * 66_000}})
        assert (await socket.closed())[0] == 1009
        assert await other.pongs()


# ---- browsers


async def test_a_page_of_another_site_cannot_open_a_socket(door: Door, token: str) -> None:
    """Browsers send the cookie with every socket, whosever page opens it."""
    for origin in (
        "https://evil.example",
        "null",
        f"http://127.0.0.1:{door.port + 1}",
        "http://[",
        f"{door.url}.evil.example",
    ):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with door.socket(Origin=origin, Cookie=f"seiseki={token}"):
                pass
        assert refused.value.response.status_code == 403
        assert coded(refused.value.response) == "FORBIDDEN"


def coded(response: Any) -> str:
    """The code of the one error of a refused handshake."""
    assert response.headers["content-type"].startswith("application/json")
    (error,) = json.loads(response.body)["errors"]
    assert error["message"]
    assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    return str(error["extensions"]["code"])


HANDSHAKE = {
    "Host": "testserver",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(
    ("start", "changed", "status", "code"),
    [
        ("GET /graphql HTTP/1.1", {"Sec-WebSocket-Key": None}, 400, "BAD_REQUEST"),
        ("GET /graphql HTTP/1.1", {"Sec-WebSocket-Key": "short"}, 400, "BAD_REQUEST"),
        ("GET /graphql HTTP/1.1", {"Sec-WebSocket-Version": "8"}, 400, "BAD_REQUEST"),
        ("POST /graphql HTTP/1.1", {}, 405, "BAD_REQUEST"),
        ("GET /elsewhere HTTP/1.1", {}, 403, "FORBIDDEN"),
    ],
)
async def test_a_handshake_that_comes_to_nothing_is_answered_as_all_else(
    door: Door, start: str, changed: dict[str, str | None], status: int, code: str
) -> None:
    """Coded JSON with a request id, whichever library turns it down; and the next one is let in."""
    lines = [f"{name}: {value}" for name, value in (HANDSHAKE | changed).items() if value is not None]
    answer = await door.sent("\r\n".join([start, *lines, "", ""]).encode())
    assert (answer.status, answer.error["extensions"]["code"]) == (status, code)
    assert answer.error["extensions"]["requestId"] == answer.headers["x-request-id"]
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["cache-control"] == "no-store"
    async with door.opened() as socket:
        assert await socket.pongs()


@pytest.mark.parametrize("origin", [True, False])
async def test_a_cookie_opens_a_socket_for_our_own_pages_and_programs(door: Door, token: str, origin: bool) -> None:
    headers = {"Cookie": f"other=1; seiseki={token}"} | ({"Origin": door.url} if origin else {})
    async with door.opened(**headers) as socket:
        await socket.subscribe("1", NEW_SHARES)
        await listening(door, 1)


async def test_a_token_counts_before_a_cookie(door: Door, world: World, token: str) -> None:
    """A candidate's cookie and a verifier's token: the verifier may hear of shares."""
    cookie = await world.token(await world.candidate())
    async with door.opened({"authorization": f"Bearer {token}"}, Cookie=f"seiseki={cookie}") as socket:
        await socket.subscribe("1", NEW_SHARES)
        await listening(door, 1)


async def test_every_place_is_free_when_all_is_over(door: Door) -> None:
    """The last test of this file: nothing of what was sent before has left anything behind."""
    await nothing_is_open(door)
    assert len(asyncio.all_tasks()) < 20


# ---- programs


async def test_a_socket_is_opened_by_a_key_and_closed_when_it_is_revoked(door: Door, world: World) -> None:
    """P1: what is under way ends with an error, and the socket after it; a key that has ended opens none."""
    async with door.client() as client:
        office = await Office.of(client, world)
        key = await office.key()
        async with door.opened({"authorization": f"Bearer {key.token}"}) as socket:
            await socket.subscribe("1", 'subscription { newShares(after: "0.0") { share { id } } }')
            told = await socket.hear()
            assert told["payload"]["data"]["newShares"]["share"]["id"] == office.share
            await ApiKey.all().update(revoked_at=world.clock())
            assert (await socket.hear())["type"] == "error"
            assert (await socket.closed())[0] == 4401
        async with door.socket() as socket:
            await socket.say({"type": "connection_init", "payload": {"authorization": f"Bearer {key.token}"}})
            assert (await socket.closed())[0] == 4403
