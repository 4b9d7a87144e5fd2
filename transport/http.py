"""GraphQL over HTTP, by its specification; streams go on in transport/streams.py."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from graphql import GraphQLError, OperationType
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from strawberry.types.graphql import OperationType as Allowed

import errors
from engine.allowance import AllowanceUsedUp
from engine.languages import chosen as language_of
from engine.languages import told
from schema.build import schema
from schema.context import Context
from schema.extensions import AWAY, UNEXPECTED, presented
from schema.verifying import BY_POST
from transport import asking, connections, requests, streams
from transport.admission import may_introspect, may_send_own, must_be_let_in
from transport.allowances import facts, headers, headers_of_gate, headers_of_refusal
from transport.gates import TooMany, asker
from transport.negotiation import EVENTS, GRAPHQL, JSON, MULTIPART, VARY, accept_of, answers, chosen, media_type
from transport.operations import Operation, checked, formatted, is_request_error
from transport.requests import BadRequest, GraphQLRequest
from transport.services import Services

log = structlog.get_logger()
METHODS = ("GET", "POST")
SEND_SECONDS = 30


class GraphQLOverHTTP:
    """The endpoint for requests; one per process."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answered(request)
        await response(scope, receive, _patient(send))

    async def _answered(self, request: Request) -> Response:
        """The answer to any request; nothing but a coded GraphQL error comes out of a fault."""
        try:
            return await self._answer(request)
        except BadRequest as error:
            return refused(request, error.status, str(error), error.code, error.headers)
        except GraphQLError as error:
            return self._request_error(request, error)
        except TooMany as error:
            return refused(request, 429, str(error), error.code, headers_of_gate(error), error.facts)
        except AllowanceUsedUp as error:
            limits = headers_of_refusal(error, self.services.clock())
            return refused(request, 429, said(request, error), "ALLOWANCE_USED_UP", limits, facts(error))
        except errors.Unavailable:
            return refused(request, 503, AWAY, "SERVICE_UNAVAILABLE", {"Retry-After": "1"})
        except asyncio.CancelledError:
            if not self.services.draining.is_set():
                raise
            # the process ends, and its patience has ended before
            return refused(request, 503, AWAY, "SERVICE_UNAVAILABLE", {"Retry-After": "1"})
        except Exception:
            log.exception("request.failed")
            return refused(request, 500, UNEXPECTED, "INTERNAL_SERVER_ERROR")

    async def _answer(self, request: Request) -> Response:
        if request.method not in METHODS:
            raise BadRequest(405, "Use POST, or GET for what changes nothing.", Allow="GET, POST")
        operation = self._operation(request, await requests.read(request))
        if request.method == "GET" and operation.type is OperationType.MUTATION:
            raise BadRequest(405, "Mutations may only be sent by POST.", Allow="POST")
        if request.method == "GET" and not BY_POST.isdisjoint(operation.roots):
            raise BadRequest(405, "Numbers of candidates may only be sent by POST.", Allow="POST")
        wanted = media_type(accept_of(request.headers), operation.type)
        if wanted is None:
            raise BadRequest(406, _not_acceptable(operation.type))
        context = await self._context(request, operation)
        if operation.type is OperationType.SUBSCRIPTION:
            return streams.response(operation, context, self.services, wanted)
        with self.services.operations.passing(asker(context.viewer)):
            result = await _executed(operation, context)
            return self._response(request, result, wanted, context)

    def _operation(self, request: Request, asked: GraphQLRequest) -> Operation:
        """What may run; raises GraphQLError."""
        settings = self.services.settings
        found = self.services.documents.found(asked, may_send_own(request, settings))
        return checked(found, may_introspect(request, settings))

    async def _context(self, request: Request, operation: Operation) -> Context:
        token = asking.token_of(request, self.services)
        viewer = await asking.viewer_for(request, self.services, token, operation.cost.estimated)
        must_be_let_in(viewer, operation, request, self.services.settings)
        return Context(
            viewer,
            self.services.clock,
            self.services.hub,
            self.services.result_hub,
            self.services.download_hub,
            self.services.sitting_hub,
            self.services.searches,
            self.services.presence,
            lambda: connections.heard(request.scope, self.services.clock()),
            request_id=request_id(request),
            production=self.services.settings.production,
            cost=operation.cost,
            path=operation.path,
        )

    def _response(self, request: Request, result: Any, kind: str, context: Context) -> Response:
        status = 400 if kind == GRAPHQL and is_request_error(result) else 200
        body = formatted(result)
        limits = headers(context.viewer.allowance, self.services.clock())
        response = streams.told(body, kind, limits) if kind == EVENTS else answer(body, status, kind, limits)
        if context.cookie is not None:
            response.headers["Set-Cookie"] = asking.set_cookie(context.cookie, request, self.services.settings)
        return response

    def _request_error(self, request: Request, error: GraphQLError) -> Response:
        """A document that cannot run: 400 for those who know the newer type, 200 as ever for the others.

        Where only a stream is wanted, the error is its one result: the protocol of server-sent events asks for that.
        """
        accept = accept_of(request.headers)
        kind, stream = chosen(accept, answers(accept)), chosen(accept, (EVENTS, MULTIPART))
        body = {"errors": [presented(error, request_id(request), self.services.settings.production).formatted]}
        if kind is None and stream is not None:
            return streams.told(body, stream)
        return answer(body, 400 if kind == GRAPHQL else 200, kind or JSON)


def _patient(send: Send) -> Send:
    """Give up a client that takes nothing for so long: a stream to it would stay open for ever."""

    async def send_in_time(message: Message) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await send(message)

    return send_in_time


def request_id(connection: HTTPConnection) -> str:
    """The id that the request has in the log."""
    return str(connection.scope.get("request_id") or uuid.uuid4().hex)


async def _executed(operation: Operation, context: Context) -> Any:
    """The result, once it stands in the trail who was shown what."""
    asked = operation.asked
    result = await schema.execute(
        asked.query,
        variable_values=asked.variables,
        context_value=context,
        operation_name=asked.operation_name,
        allowed_operation_types=[Allowed.QUERY, Allowed.MUTATION],
        operation_extensions=asked.extensions,
    )
    await context.settle()
    return result


def _not_acceptable(type_: OperationType) -> str:
    kinds = (EVENTS, MULTIPART) if type_ is OperationType.SUBSCRIPTION else (GRAPHQL, JSON, EVENTS)
    return f"For a {type_.value}, Accept must name one of {', '.join(kinds)}."


def answer(body: dict[str, Any], status: int, kind: str, headers: Mapping[str, str] | None = None) -> Response:
    """A GraphQL answer; never kept by anybody on the way."""
    fixed = {"Cache-Control": "no-store", "Vary": VARY}
    return Response(
        orjson.dumps(body), status, headers=fixed | dict(headers or {}), media_type=f"{kind}; charset=utf-8"
    )


def said(request: HTTPConnection, error: AllowanceUsedUp) -> str:
    """Its sentence, in the language that the client likes best."""
    return told(error.args[0], language_of(request.headers.get("accept-language")))


def refused(
    request: HTTPConnection,
    status: int,
    message: str,
    code: str,
    headers: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Response:
    """A coded GraphQL error for a request that was not run."""
    accept = accept_of(request.headers)
    error = {"message": message, "extensions": {"code": code, "requestId": request_id(request), **(facts or {})}}
    return answer({"errors": [error]}, status, chosen(accept, answers(accept)) or JSON, headers)
