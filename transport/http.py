"""GraphQL over HTTP, by its specification; streams go to transport/streams.py."""

import uuid
from typing import Any

import orjson
import structlog
from graphql import GraphQLError, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType as Allowed

import errors
from schema.build import schema
from schema.context import Context
from schema.documents import operation_type, parsed
from transport import asking, requests, streams
from transport.negotiation import EVENTS, GRAPHQL, JSON, chosen
from transport.requests import BadRequest, GraphQLRequest
from transport.services import Services

log = structlog.get_logger()
ALLOWED = {"GET": [Allowed.QUERY], "POST": [Allowed.QUERY, Allowed.MUTATION]}


class GraphQLOverHTTP:
    """The endpoint for requests; one per process."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answered(request)
        await response(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        """The answer to any request; nothing but a coded GraphQL error comes out of a fault."""
        request_id = request.scope.get("request_id", uuid.uuid4().hex)
        try:
            return await self._answer(request, request_id)
        except BadRequest as error:
            return refused(request, error.status, str(error), error.code, request_id, error.headers)
        except errors.Unavailable:
            message = "The service cannot be reached for a moment. Nothing was done; try again."
            return refused(request, 503, message, "SERVICE_UNAVAILABLE", request_id, {"Retry-After": "1"})
        except Exception:
            log.exception("request.failed")
            message = "Something went wrong here. It has been logged; tell us the request id if it happens again."
            return refused(request, 500, message, "INTERNAL_SERVER_ERROR", request_id)

    async def _answer(self, request: Request, request_id: str) -> Response:
        if request.method not in ALLOWED:
            raise BadRequest(405, "Use POST, or GET for queries.", Allow="GET, POST")
        asked = await requests.read(request)
        document_type = _type_of(asked)
        media_type = _media_type(request, document_type)
        if request.method == "GET" and document_type not in (None, OperationType.QUERY):
            raise BadRequest(405, "Only queries may be sent by GET.", Allow="POST")
        viewer = await asking.viewer_for(request, self.services, asking.token_of(request, self.services))
        context = Context(viewer, self.services.clock, self.services.hub, request_id)
        if media_type == EVENTS:
            return streams.events(asked, context, self.services)
        return self._response(await _executed(asked, context, request.method), media_type, context)

    def _response(self, result: ExecutionResult, media_type: str, context: Context) -> Response:
        body: dict[str, Any] = {}
        failed_before = isinstance(result, PreExecutionError)
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        if not failed_before:
            body["data"] = result.data
        if result.extensions:
            body["extensions"] = result.extensions
        status = 400 if failed_before and media_type == GRAPHQL else 200
        response = Response(orjson.dumps(body), status, headers={"Cache-Control": "no-store"}, media_type=media_type)
        if context.cookie is not None:
            response.headers["Set-Cookie"] = asking.set_cookie(context.cookie, self.services.settings)
        return response


def _type_of(asked: GraphQLRequest) -> OperationType | None:
    try:
        return operation_type(parsed(asked.query), asked.operation_name)
    except GraphQLError:
        return None


def _media_type(request: Request, document_type: OperationType | None) -> str:
    """The type of the answer: a stream for a subscription, else JSON unless a stream is all that is wanted."""
    accept = request.headers.get("accept")
    offered = (EVENTS,) if document_type is OperationType.SUBSCRIPTION else (JSON, GRAPHQL, EVENTS)
    if accept and document_type is not OperationType.SUBSCRIPTION and GRAPHQL in accept.lower():
        offered = (GRAPHQL, JSON, EVENTS)
    kind = chosen(accept, offered)
    if kind is None:
        raise BadRequest(406, f"Accept must allow {' or '.join(offered)} for this operation.")
    return kind


async def _executed(asked: GraphQLRequest, context: Context, method: str) -> ExecutionResult:
    return await schema.execute(
        asked.query,
        variable_values=asked.variables,
        context_value=context,
        operation_name=asked.operation_name,
        allowed_operation_types=ALLOWED[method],
        operation_extensions=asked.extensions,
    )


def refused(
    request: Request, status: int, message: str, code: str, request_id: str, headers: dict[str, str] | None = None
) -> Response:
    """A coded GraphQL error for a request that was not run."""
    media_type = chosen(request.headers.get("accept"), (JSON, GRAPHQL)) or JSON
    error = {"message": message, "extensions": {"code": code, "requestId": request_id}}
    return Response(
        orjson.dumps({"errors": [error]}),
        status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=media_type,
    )
