"""Reading a GraphQL request from HTTP: every fault is told with a status and a sentence."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from transport.negotiation import JSON, essence

LARGEST_BODY = 256 * 1024
BODY_SECONDS = 20
DEEPEST_JSON = 64
ID_PREFIX = "sha256:"  # of ids by hash, in the appendix on persisted documents


class BadRequest(Exception):
    """A request that is not run at all."""

    def __init__(self, status: int, message: str, code: str = "BAD_REQUEST", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One operation as asked for; the document is missing where only its hash was sent.

    `hashes` are those that were sent, `is_known` whether the document is one that the deployment knows.
    """

    query: str | None
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None
    hashes: tuple[str, ...] = ()
    is_known: bool = False


async def read(request: Request) -> GraphQLRequest:
    """The operation of an HTTP request; raises BadRequest."""
    if request.method == "GET":
        return checked(_from_address(request))
    if essence(request.headers.get("content-type")) != JSON:
        raise BadRequest(415, "Send the operation as application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise BadRequest(415, "Send the body without Content-Encoding.")
    return checked(json_of(await _body(request), "body"))


def _from_address(request: Request) -> dict[str, Any]:
    given: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if given.get(name):
            given[name] = json_of(given[name].encode("utf-8", "surrogatepass"), name)
    return given


async def _body(request: Request) -> bytes:
    """The body; never more of it in memory, nor for longer, than is allowed."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > LARGEST_BODY:
        raise BadRequest(413, f"The body may have at most {LARGEST_BODY} bytes.", Connection="close")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _pieces(request)
    except TimeoutError:
        message = f"The body must be sent within {BODY_SECONDS} seconds."
        raise BadRequest(408, message, Connection="close") from None
    except ClientDisconnect:
        raise BadRequest(400, "The body was not sent whole.") from None


async def _pieces(request: Request) -> bytes:
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > LARGEST_BODY:
            raise BadRequest(413, f"The body may have at most {LARGEST_BODY} bytes.", Connection="close")
    return bytes(pieces)


def json_of(text: bytes, where: str) -> Any:
    """JSON as RFC 8259 has it; `orjson` refuses NaN, infinite numbers and what is not UTF-8. Raises BadRequest."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest(400, f"The {where} is not JSON in UTF-8.") from None
    if text.count(b"{") + text.count(b"[") > DEEPEST_JSON and _depth(value) > DEEPEST_JSON:
        raise BadRequest(400, f"The {where} is nested more than {DEEPEST_JSON} levels deep.")
    return value


def _depth(value: Any) -> int:
    """How deeply objects and lists are nested, found level by level, so that depth cannot exhaust the stack."""
    depth, level = 0, [value]
    while level and depth <= DEEPEST_JSON:
        depth += 1
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]
    return depth


def _inside(outer: dict[str, Any] | list[Any]) -> Any:
    return outer.values() if isinstance(outer, dict) else outer


def checked(given: Any) -> GraphQLRequest:
    """The parameters of an operation, each of its type; raises BadRequest."""
    if not isinstance(given, dict):
        raise BadRequest(400, "Send one JSON object with `query`; batches are not supported.")
    for part in ("variables", "extensions"):
        if not isinstance(given.get(part), dict | None):
            raise BadRequest(400, f"`{part}` must be an object.")
    query, name, extensions = given.get("query"), given.get("operationName"), given.get("extensions")
    if not isinstance(name, str | None):
        raise BadRequest(400, "`operationName` must be a string.")
    hashes = tuple(_hashes(given, extensions or {}))
    if hashes and query in (None, ""):
        query = None
    elif not isinstance(query, str) or not query.strip():
        raise BadRequest(400, "`query` is missing: it must be a string with the document.")
    return GraphQLRequest(query, name or None, given.get("variables"), extensions, hashes)


def _hashes(given: dict[str, Any], extensions: dict[str, Any]) -> Iterator[str]:
    """The SHA-256 that a request names its document by: by an id that is none, nothing can be found."""
    if (id := given.get("documentId")) is not None:
        if not isinstance(id, str):
            raise BadRequest(400, "`documentId` must be a string.")
        yield id.removeprefix(ID_PREFIX) if id.startswith(ID_PREFIX) else f"not by SHA-256: {id}"
    if (persisted := extensions.get("persistedQuery")) is not None:
        if not isinstance(persisted, dict) or not isinstance(persisted.get("sha256Hash"), str):
            raise BadRequest(400, "`extensions.persistedQuery` must have `sha256Hash`, a string.")
        yield persisted["sha256Hash"]
