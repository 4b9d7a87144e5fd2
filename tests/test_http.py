"""GraphQL over HTTP by its specification, for any client's defaults, and requests that are no requests."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from tests.client import Client
from tests.conftest import client_of
from tests.door import Answer, Door, answer_from, post
from tests.requests import EVENTS, GRAPHQL, JSON, get, is_refused, send, type_of
from transport import connections, requests
from transport.known_documents import hash_of
from transport.requests import DEEPEST_JSON, LARGEST_BODY

QUERY = "{ __typename }"
VIEWER = "{ viewer { kind } }"
LOG_OUT = "mutation { logOut(input: {}) { __typename } }"
NEW_SHARES = "subscription { newShares { cursor } }"

URQL = f"{GRAPHQL}, application/graphql+json, {JSON}, {EVENTS}, multipart/mixed"
URQL_SUBSCRIPTION = f"{EVENTS}, multipart/mixed"
APOLLO = f"{GRAPHQL},{JSON};q=0.9"
APOLLO_DEFER = f"multipart/mixed;deferSpec=20220824,{GRAPHQL},{JSON};q=0.9"
APOLLO_SUBSCRIPTION = f"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,{JSON}"
RELAY = f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
OLD_JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """As in production."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def client(door: Door) -> AsyncIterator[Client]:
    """The service behind the door, without the network between."""
    async with client_of(door.app) as client:
        yield client


# ---- which type an answer has


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        ("Application/JSON", JSON),
        (GRAPHQL, GRAPHQL),
        (APOLLO, GRAPHQL),
        (APOLLO_DEFER, GRAPHQL),
        (APOLLO_SUBSCRIPTION, JSON),
        (URQL, GRAPHQL),
        (RELAY, GRAPHQL),
        (CHROME, JSON),
        (OLD_JAVA, JSON),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.9", JSON),
        (f"{GRAPHQL};q=0.5, {JSON};q=0.6", JSON),
        (f"{GRAPHQL};q=0.1, */*;q=0.2", JSON),
        (f"{GRAPHQL};q=0.2, */*;q=0.1", GRAPHQL),
        (f"*/*, {JSON};q=0", GRAPHQL),
        (f"{GRAPHQL};q=0, {JSON};q=0.001", JSON),
        (f"{EVENTS}, {JSON};q=0.1", JSON),
        (f"{EVENTS}, {JSON};q=0", EVENTS),
        (EVENTS, EVENTS),
        (f"text/html;level=1;q=1, {JSON} ; charset=utf-8 ; q=0.5", JSON),
        ([GRAPHQL, f"{JSON};q=0.5"], GRAPHQL),
        (["text/html", JSON], JSON),
    ],
)
async def test_a_query_is_answered_in_the_type_its_client_likes_best(
    client: Client, accept: str | list[str] | None, expected: str
) -> None:
    response = await send(client, {"query": QUERY}, accept)
    assert response.status_code == 200
    assert type_of(response) == expected
    assert '"data":{"__typename":"Query"}' in response.text
    assert "Accept" in response.headers["vary"]


@pytest.mark.parametrize(
    "accept", ["text/html", "image/*", "application/xml", f"{JSON};q=0", f"{JSON};q=nothing", f"*/*;q=0, {JSON};q=0.0"]
)
async def test_a_client_that_takes_none_of_our_types_is_told_which_there_are(client: Client, accept: str) -> None:
    message = is_refused(await send(client, {"query": QUERY}, accept), 406)
    assert GRAPHQL in message


@pytest.mark.parametrize("accept", [None, JSON, GRAPHQL, APOLLO, RELAY])
async def test_a_subscription_is_not_run_for_a_client_that_takes_no_stream(client: Client, accept: str | None) -> None:
    assert EVENTS in is_refused(await send(client, {"query": NEW_SHARES}, accept), 406)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (EVENTS, EVENTS),
        ("*/*", EVENTS),
        (URQL, EVENTS),
        (URQL_SUBSCRIPTION, EVENTS),
        (APOLLO_SUBSCRIPTION, "multipart/mixed"),
        (f"{EVENTS};q=0.1, multipart/mixed", "multipart/mixed"),
    ],
)
async def test_a_subscription_is_answered_in_the_stream_its_client_likes_best(
    client: Client, accept: str, expected: str
) -> None:
    response = await send(client, {"query": NEW_SHARES}, accept)
    assert (response.status_code, type_of(response)) == (200, expected)
    assert "UNAUTHENTICATED" in response.text


# ---- which status an answer has

REQUEST_ERRORS = {
    "no document": ({"query": "hello"}, "GRAPHQL_PARSE_FAILED"),
    "half a document": ({"query": "{ viewer { kind }"}, "GRAPHQL_PARSE_FAILED"),
    "unknown field": ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
    "wrong literal": ({"query": "{ exam(code: 1) { id } }"}, "GRAPHQL_VALIDATION_FAILED"),
    "variable missing": ({"query": "query ($c: String!) { exam(code: $c) { id } }"}, "BAD_USER_INPUT"),
    "variable of another type": (
        {"query": "query ($c: String!) { exam(code: $c) { id } }", "variables": {"c": 1}},
        "BAD_USER_INPUT",
    ),
    "unknown operation": ({"query": "query a { __typename }", "operationName": "b"}, "OPERATION_RESOLUTION_FAILURE"),
    "which operation": ({"query": "query a { __typename } query b { __typename }"}, "OPERATION_RESOLUTION_FAILURE"),
    "only fragments": ({"query": "fragment F on Query { __typename }"}, "OPERATION_RESOLUTION_FAILURE"),
    "hash of a document": (
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
        "PERSISTED_QUERY_NOT_FOUND",
    ),
}


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (None, 200), (GRAPHQL, 400), (URQL, 400), (APOLLO, 400)])
@pytest.mark.parametrize("wrong", REQUEST_ERRORS)
async def test_a_request_error_has_the_status_of_its_type_and_no_data(
    client: Client, wrong: str, accept: str | None, status: int
) -> None:
    """200 for application/json, as old clients expect; 400 for the newer type."""
    body, code = REQUEST_ERRORS[wrong]
    response = await send(client, body, accept)
    assert response.status_code == status
    assert type_of(response) == (GRAPHQL if status == 400 else JSON)
    assert "data" not in response.json()
    for error in response.json()["errors"]:
        assert error["extensions"] == {"code": code, "requestId": response.headers["x-request-id"]}


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_an_error_of_one_field_is_a_success_with_null_in_its_place(client: Client, accept: str) -> None:
    query = '{ __typename _entities(representations: ["nothing"]) { __typename } }'
    response = await send(client, {"query": query}, accept)
    assert response.status_code == 200
    assert response.json()["data"] == {"__typename": "Query", "_entities": [None]}
    (error,) = response.json()["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["_entities", 0], "BAD_USER_INPUT")


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_an_error_that_leaves_nothing_answers_null_and_where_it_was(client: Client, accept: str) -> None:
    query = """mutation { sendResult(input: {resultId: "", institutionId: "", consentVersion: "",
               consentLanguage: "xx"}) { __typename } }"""
    response = await send(client, {"query": query}, accept)
    assert response.status_code == 200
    assert response.json()["data"] is None
    (error,) = response.json()["errors"]
    assert error["path"] == ["sendResult"]
    assert error["locations"] == [{"line": 1, "column": 12}]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


# ---- what a request may hold


@pytest.mark.parametrize(
    "body",
    [
        {"query": QUERY},
        {"query": QUERY, "variables": None, "operationName": None, "extensions": None},
        {"query": QUERY, "variables": {}, "operationName": "", "extensions": {}},
        {"query": f"query a {QUERY}", "operationName": "a", "id": "1", "more": [1]},
        {"query": QUERY, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_of(QUERY)}}},
        {"query": f"# 試験の成績 🎓\n{QUERY}", "variables": {"unknown": "𠮷"}},
    ],
)
@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_every_parameter_may_be_there_null_or_missing(client: Client, body: Any, accept: str) -> None:
    assert (await send(client, body, accept)).json()["data"] == {"__typename": "Query"}


BODIES = {
    "nothing": b"",
    "not JSON": b"query=1",
    "not UTF-8": b'{"query": "\xff\xfe"}',
    "Latin-1": '{"query": "{ é }"}'.encode("latin-1"),
    "UTF-16": '{"query": "{ __typename }"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + b'{"query": "{ __typename }"}',
    "null": b"null",
    "a number": b"1",
    "a string": b'"x"',
    "true": b"true",
    "an empty list": b"[]",
    "a batch": b'[{"query": "{ __typename }"}]',
    "an empty object": b"{}",
    "NaN": b'{"query": "{ __typename }", "variables": {"n": NaN}}',
    "Infinity": b'{"query": "{ __typename }", "variables": {"n": Infinity}}',
    "5,000 digits": b'{"query": "{ __typename }", "variables": {"n": ' + b"9" * 5000 + b"}}",
    "5,000 lists": b"[" * 5000 + b"]" * 5000,
    "5,000 lists, open": b"[" * 5000,
    "5,000 objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "variables one level too deep": b'{"query": "{ __typename }", "variables": {"n": %s}}'
    % (b"[" * (DEEPEST_JSON - 1) + b"]" * (DEEPEST_JSON - 1)),
    "half a surrogate pair": b'{"query": "{ __typename }", "variables": {"n": "\\ud800"}}',
    "two documents": b'{"query": "{ __typename }"}{"query": "{ __typename }"}',
    "a trailing comma": b'{"query": "{ __typename }",}',
    "query null": b'{"query": null}',
    "query empty": b'{"query": ""}',
    "query blank": b'{"query": " \\n "}',
    "query a number": b'{"query": 1}',
    "query a list": b'{"query": ["{ __typename }"]}',
    "query an object": b'{"query": {}}',
    "operationName a number": b'{"query": "{ __typename }", "operationName": 1}',
    "operationName an object": b'{"query": "{ __typename }", "operationName": {}}',
    "variables a string": b'{"query": "{ __typename }", "variables": "{}"}',
    "variables a list": b'{"query": "{ __typename }", "variables": []}',
    "variables a number": b'{"query": "{ __typename }", "variables": 0}',
    "variables false": b'{"query": "{ __typename }", "variables": false}',
    "extensions a string": b'{"query": "{ __typename }", "extensions": ""}',
    "extensions a list": b'{"query": "{ __typename }", "extensions": []}',
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("accept", [JSON, GRAPHQL, EVENTS])
async def test_a_body_that_is_no_request_is_refused_with_a_reason(client: Client, body: str, accept: str) -> None:
    is_refused(await send(client, BODIES[body], accept), 400)


async def test_variables_may_be_nested_as_deep_as_is_told(client: Client) -> None:
    lists = b"[" * (DEEPEST_JSON - 2) + b"]" * (DEEPEST_JSON - 2)
    body = b'{"query": "{ __typename }", "variables": {"n": %s}}' % lists
    assert (await send(client, body)).json()["data"] == {"__typename": "Query"}


async def test_of_a_name_that_comes_twice_the_last_counts(client: Client) -> None:
    body = b'{"query": "{", "variables": [], "query": "{ __typename }", "variables": {}}'
    assert (await send(client, body)).json()["data"] == {"__typename": "Query"}


DOCUMENTS = {
    "fields 2,000 deep": "{ a " * 2000 + "}" * 2000,
    "fields 2,000 deep, open": "{ a " * 2000,
    "inline fragments 2,000 deep": "{ ... " * 1000 + "{ a }" + "}" * 1000,
    "lists 2,000 deep": "{ exam(code: %s) { id } }" % ("[" * 1900 + "]" * 1900),
    "objects 1,000 deep": "{ exam(code: %s) { id } }" % ("{a: " * 900 + "1" + "}" * 900),
    "list types 2,000 deep": f"query ($a: {'[' * 1900}Int{']' * 1900}) {{ __typename }}",
    "fragments 490 deep": "{ ...F0 }"
    + "".join(f"fragment F{n} on Query {{ ...F{n + 1} }} " for n in range(490))
    + "fragment F490 on Query { __typename }",
    "a number of 5,000 digits": "{ inbox(first: %s) { edges { cursor } } }" % ("9" * 5000),
    "a string of 200,000 letters": '{ inbox(first: "%s") { liveCursor } }' % ("x" * 200_000),
    "NUL": "{ \0 }",
    "a comment only": "# nothing",
    "a schema": "type Query { a: Int }",
    "the same field 400 times, compared pair by pair": "{ %s }" % ('exam(code: "x") { id } ' * 400),
}


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_a_document_that_cannot_run_is_refused_with_a_code_and_never_by_accident(
    client: Client, document: str
) -> None:
    response = await send(client, {"query": DOCUMENTS[document]}, GRAPHQL)
    assert response.status_code == 400
    for error in response.json()["errors"]:
        assert error["extensions"]["code"] in (
            "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "OPERATION_TOO_LARGE", "OPERATION_RESOLUTION_FAILURE"
        )  # fmt: skip
        assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    assert "RecursionError" not in response.text


# ---- how a request may be sent


async def test_a_query_may_come_by_get_with_all_its_parameters(client: Client) -> None:
    query = "query a { __typename } query b($c: String!) { exam(code: $c) { code } }"
    response = await get(client, query=query, operationName="b", variables='{"c": "C1_ADVANCED"}', extensions="{}")
    assert response.json()["data"] == {"exam": {"code": "C1_ADVANCED"}}
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("accept", [JSON, GRAPHQL, CHROME, URQL])
async def test_get_answers_in_the_types_that_post_does(client: Client, accept: str) -> None:
    assert type_of(await get(client, accept, query=QUERY)) == (GRAPHQL if GRAPHQL in accept else JSON)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"query": ""},
        {"variables": "{}"},
        {"query": QUERY, "variables": "{"},
        {"query": QUERY, "variables": "[]"},
        {"query": QUERY, "variables": "[" * 3000},
        {"query": QUERY, "extensions": "1"},
        {"query": QUERY, "variables": '{"n": NaN}'},
    ],
)
async def test_a_get_that_is_no_request_is_refused_with_a_reason(client: Client, parameters: dict[str, str]) -> None:
    is_refused(await get(client, **parameters), 400)


@pytest.mark.parametrize("query", [LOG_OUT, f"query a {QUERY} mutation b {{ __typename }}"])
@pytest.mark.parametrize("accept", [JSON, EVENTS, "*/*"])
async def test_no_mutation_runs_by_get(client: Client, query: str, accept: str) -> None:
    response = await get(client, accept, query=query, operationName="b" if " b " in query else "")
    is_refused(response, 405)
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(("accept", "status"), [(EVENTS, 200), (URQL_SUBSCRIPTION, 200), (JSON, 406), (GRAPHQL, 406)])
async def test_a_stream_may_be_asked_for_by_get_as_browsers_and_gateways_do(
    client: Client, accept: str, status: int
) -> None:
    """An EventSource knows no other way, and Hive's gateway takes none; what is told is the same."""
    response = await get(client, accept, query=NEW_SHARES)
    assert (response.status_code, type_of(response)) == (status, EVENTS if status == 200 else accept)
    assert ("UNAUTHENTICATED" in response.text) == (status == 200)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "HEAD"])
async def test_other_methods_are_told_which_there_are(client: Client, method: str) -> None:
    response = await send(client, {"query": QUERY}, method=method)
    if method == "HEAD":  # which has no body
        assert response.status_code == 405
    else:
        is_refused(response, 405)
    assert response.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "content_type", [JSON, "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8 ;a=b"]
)
async def test_json_is_json_in_any_case_and_with_any_parameters(client: Client, content_type: str) -> None:
    response = await send(client, {"query": QUERY}, content_type=content_type)
    assert response.json()["data"] == {"__typename": "Query"}


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/plain; charset=application/json",
        "application/jsonx",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "application/json+x",
        "text/json",
    ],
)
async def test_a_body_of_another_type_is_not_even_read(client: Client, content_type: str) -> None:
    is_refused(await send(client, {"query": QUERY}, content_type=content_type), 415)


async def test_a_body_without_a_type_is_not_even_read(client: Client) -> None:
    request = client.http.build_request("POST", "/graphql", content=orjson.dumps({"query": QUERY}))
    assert "content-type" not in request.headers
    is_refused(await client.http.send(request), 415)


@pytest.mark.parametrize(
    ("encoding", "status"), [("gzip", 415), ("br", 415), ("gzip, identity", 415), ("Identity", 200)]
)
async def test_a_packed_body_is_refused(client: Client, encoding: str, status: int) -> None:
    response = await send(client, {"query": QUERY}, content_encoding=encoding)
    assert response.status_code == status


# ---- how large and how slow


async def test_a_body_may_be_as_large_as_is_told_and_no_larger(client: Client) -> None:
    body = orjson.dumps({"query": QUERY})
    assert (await send(client, body.ljust(LARGEST_BODY))).json()["data"] == {"__typename": "Query"}
    is_refused(await send(client, body.ljust(LARGEST_BODY + 1)), 413)


async def test_a_body_that_does_not_tell_its_size_is_not_read_further_than_is_allowed(client: Client) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b" " * 16 * 1024

    is_refused(await send(client, endless()), 413)
    assert read <= 18


def assert_told(answer: Answer, status: int) -> None:
    """Check that a refusal below the service is one coded GraphQL error too, and that it ends the connection."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["connection"] == "close"
    assert answer.error["extensions"] == {"code": "BAD_REQUEST", "requestId": answer.headers["x-request-id"]}
    assert answer.error["message"]


async def test_a_large_body_is_refused_by_what_it_declares_before_it_is_sent(door: Door) -> None:
    head = post(b"", content_length=str(LARGEST_BODY + 1))
    assert_told(await door.sent(head), 413)


async def test_a_large_body_in_pieces_is_refused_before_it_is_whole(door: Door) -> None:
    head = post(b"", transfer_encoding="chunked").replace(b"Content-Length: 0\r\n", b"")
    piece = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    assert_told(await door.sent(head, *[piece] * 17), 413)


@pytest.mark.parametrize("size", [connections.LONGEST_ADDRESS + 1, 20_000, 31_000, 70_000, 200_000])
async def test_a_long_address_is_refused_and_post_recommended(door: Door, size: int) -> None:
    answer = await door.sent(f"GET /graphql?query={'x' * size} HTTP/1.1\r\nHost: testserver\r\n\r\n".encode())
    assert answer.status == 414 if size < connections.LARGEST_HEAD else answer.status in (414, 431)
    assert_told(answer, answer.status)


async def test_an_address_may_be_as_long_as_is_told(door: Door) -> None:
    address = "/graphql?query=%7B__typename%7D&"
    padded = address.ljust(connections.LONGEST_ADDRESS, "x")
    answer = await door.sent(f"GET {padded} HTTP/1.1\r\nHost: testserver\r\n\r\n".encode())
    assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "x" * connections.LARGEST_HEAD},
        {"X": "x" * 500_000},
        {f"X{n}": "x" * 100 for n in range(400)},
    ],
)
async def test_large_headers_are_refused(door: Door, headers: dict[str, str]) -> None:
    assert_told(await door.sent(post({"query": QUERY}, **headers)), 431)


async def test_headers_without_an_end_are_refused_when_they_are_too_large(door: Door) -> None:
    endless = [b"X: " + b"x" * 4000 + b"\r\n"] * 9
    assert_told(await door.sent(b"POST /graphql HTTP/1.1\r\n", *endless), 431)


async def test_a_web_socket_has_no_larger_head_than_others(door: Door) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Key": "x" * 22 + "==", "X": "x" * 40_000}
    assert_told(await door.sent(post(b"", **upgrade).replace(b"POST", b"GET")), 431)


@pytest.mark.parametrize("begun", [b"", b"POST /graphql HTTP/1.1\r\nHost: test", b"GET /gra"])
async def test_a_head_that_does_not_come_is_not_waited_for(
    door: Door, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    assert_told(await door.sent(begun), 408)


async def test_a_second_head_that_does_not_come_is_not_waited_for_either(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door.connection() as (reader, writer):
        writer.write(post({"query": QUERY}))
        assert (await answer_from(reader)).status == 200
        monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
        writer.write(b"POST /graphql HTTP/1.1\r\n")
        assert_told(await answer_from(reader), 408)


@pytest.mark.parametrize("sent", [b"", b'{"query": '])
async def test_a_body_that_does_not_come_is_not_waited_for(
    door: Door, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.2)
    assert_told(await door.sent(post(sent, content_length="100")), 408)


async def test_a_client_that_goes_away_in_the_middle_of_a_body_hurts_nobody(door: Door) -> None:
    async with door.connection() as (_, writer):
        writer.write(post(b'{"query": ', content_length="100"))
        await writer.drain()
    assert (await door.sent(post({"query": QUERY}))).status == 200


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"hello\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"]
)
async def test_what_is_no_http_is_refused_in_graphql_too(door: Door, garbage: bytes) -> None:
    assert_told(await door.sent(garbage), 400)


async def test_answers_wait_for_nobody_elses_body(door: Door) -> None:
    """Requests that are being sent slowly, however many, keep no other waiting."""
    slow = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(50)]
    for _, writer in slow:
        writer.write(post(b"{", content_length="100"))
    async with door.client() as client:
        assert await client.ask(QUERY) == {"__typename": "Query"}
    for _, writer in slow:
        writer.close()
