"""Reading a GraphQL request from HTTP: every fault is told with a status and a sentence."""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from transport.negotiation import JSON, essence

LARGEST_BODY = 256 * 1024
BODY_SECONDS = 20


class BadRequest(Exception):
    """A request that is not run at all."""

    def __init__(self, status: int, message: str, code: str = "BAD_REQUEST", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One operation as asked for."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None


async def read(request: Request) -> GraphQLRequest:
    """The operation of an HTTP request; raises BadRequest."""
    if request.method == "GET":
        return _checked(_from_address(request))
    if essence(request.headers.get("content-type")) != JSON:
        raise BadRequest(415, "Send the operation as application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise BadRequest(415, "Send the body without Content-Encoding.")
    return _checked(_json(await _body(request), "body"))


def _from_address(request: Request) -> dict[str, Any]:
    given: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if given.get(name):
            given[name] = _json(given[name].encode("utf-8", "surrogatepass"), name)
    return given


async def _body(request: Request) -> bytes:
    """The body, never more of it in memory than is allowed."""
    pieces = bytearray()
    try:
        async for piece in request.stream():
            pieces += piece
            if len(pieces) > LARGEST_BODY:
                raise BadRequest(413, f"The body may have at most {LARGEST_BODY} bytes.", Connection="close")
    except ClientDisconnect:
        raise BadRequest(400, "The body was not sent whole.") from None
    return bytes(pieces)


def _json(text: bytes, where: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest(400, f"The {where} is not JSON in UTF-8.") from None


def _checked(given: Any) -> GraphQLRequest:
    if not isinstance(given, dict):
        raise BadRequest(400, "Send one JSON object with `query`; batches are not supported.")
    query, name = given.get("query"), given.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise BadRequest(400, "`query` is missing: it must be a string with the document.")
    if not isinstance(name, str | None):
        raise BadRequest(400, "`operationName` must be a string.")
    for part in ("variables", "extensions"):
        if not isinstance(given.get(part), dict | None):
            raise BadRequest(400, f"`{part}` must be an object.")
    return GraphQLRequest(query, name or None, given.get("variables"), given.get("extensions"))
