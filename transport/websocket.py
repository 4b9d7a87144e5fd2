"""Subscriptions over WebSocket, by the graphql-transport-ws protocol; subscriptions only.

Strawberry's handler speaks the protocol. Ours mends: a context for the life of the connection, in which loaders would
go stale (one per operation here); queries and mutations, which a `complete` would cancel half-way (refused here);
messages of the wrong shape, which end the connection with 1006 and bring clients back for ever (4400 here);
`connection_init` with a payload of null, which the protocol allows; a syntax error, which closes the whole socket
(an `error` here); one subscription too many, which is refused without a code; reasons that are too long for a closing
frame, which end in 1006 too; and no limit on the rate of messages.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import structlog
from graphql import GraphQLError, OperationType
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation as Running
from strawberry.types.unset import UNSET

import errors
from engine.allowance import AllowanceUsedUp
from engine.limits import network
from models.viewer import Kind
from schema.build import schema
from schema.context import Context
from schema.extensions import AWAY, presented
from transport import asking, requests, subscriptions
from transport.admission import may_introspect, may_send_own, must_be_let_in
from transport.allowances import facts, headers_of_gate
from transport.gates import TooMany, asker
from transport.http import refused, request_id, said
from transport.known_documents import KnownDocuments
from transport.messages import is_well_formed, names_document
from transport.operations import Operation, checked, formatted, is_request_error, until_sign
from transport.requests import BadRequest, GraphQLRequest
from transport.services import Services

INIT_SECONDS = 10
MOST_SUBSCRIPTIONS = 20
SEND_SECONDS = 30
MESSAGES_PER_SECOND = 50
MESSAGES_AT_ONCE = 200
LONGEST_REASON = 123  # bytes, by RFC 6455

log = structlog.get_logger()


class Connection:
    """What is known of one open socket."""

    def __init__(self, request: HTTPConnection, services: Services) -> None:
        self.request = request
        self.services = services
        self.token = asking.token_of(request, services)
        self.has_bearer = False  # in its parameters
        self.connection_params: dict[str, Any] = {}
        self.allowance = float(MESSAGES_AT_ONCE)
        self.asking: asyncio.Task[None] | None = None  # for signs of life
        self.counted_at = self.heard_at = services.clock()

    def take_message(self) -> bool:
        """Count one message; tells whether it comes within the rate."""
        now = self.services.clock()
        passed = (now - self.counted_at).total_seconds()
        self.counted_at = self.heard_at = now
        self.allowance = min(self.allowance + passed * MESSAGES_PER_SECOND, MESSAGES_AT_ONCE) - 1
        return self.allowance >= 0

    async def context(self, operation: Operation) -> Context:
        """The surroundings of one operation, with whoever is behind the token now."""
        viewer = await asking.viewer_for(self.request, self.services, self.token, operation.cost.estimated)
        must_be_let_in(viewer, operation, self.request, self.services.settings)
        return Context(
            viewer,
            self.services.clock,
            self.services.hub,
            self.services.result_hub,
            self.services.download_hub,
            self.services.sitting_hub,
            self.services.searches,
            self.services.presence,
            lambda: self.heard_at,
            request_id=request_id(self.request),
            production=self.services.settings.production,
            cost=operation.cost,
            path=operation.path,
        )


class Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """One connection."""

    async def handle_message(self, message: Any) -> None:
        """Refuse what comes too fast or has the wrong shape before Strawberry trips over it."""
        if not self.context.take_message():
            await self.websocket.close(4429, "Too many messages")
        elif is_well_formed(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Malformed message")

    async def handle_connection_init(self, message: Any) -> None:
        """A payload of null is none."""
        if message.get("payload") is None:
            message = {**message, "payload": {}}
        try:
            await super().handle_connection_init(message)
        except errors.Unavailable:
            await self.websocket.close(1013, AWAY)

    async def shutdown(self) -> None:
        """Nobody is asked for signs of life any more."""
        if self.context.asking is not None:
            self.context.asking.cancel()
        await super().shutdown()

    def _ask_for_signs(self) -> None:
        if self.context.asking is None:
            self.context.asking = asyncio.create_task(self._ping(), name="websocket-ping")

    async def _ping(self) -> None:
        """Ask whether the client is there; whatever it says is a sign of life, and it must answer a ping at once."""
        with contextlib.suppress(WebSocketDisconnected):
            while True:
                await asyncio.sleep(until_sign(asyncio.get_running_loop().time()))
                await self.send_message({"type": "ping"})

    async def send_message(self, message: Any) -> None:
        """Give up a client that takes nothing for so long: uvicorn would wait for it for ever."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await super().send_message(message)
        except TimeoutError:
            raise WebSocketDisconnected from None

    async def handle_subscribe(self, message: Any) -> None:
        """Refuse one too many for this socket."""
        is_new = self.connection_acknowledged and message["id"] not in self.operations
        if is_new and len(self.operations) >= MOST_SUBSCRIPTIONS:
            told = f"Too many subscriptions are open on this socket, at most {MOST_SUBSCRIPTIONS}."
            await self._refuse(message, told, "TOO_MANY_STREAMS", limit=MOST_SUBSCRIPTIONS)
        elif is_new and names_document(message["payload"]):
            await self._subscribe_by_hash(message)
        else:
            await super().handle_subscribe(message)

    async def _subscribe_by_hash(self, message: Any) -> None:
        """Go on with the document that the message names, or tell that it is not known."""
        try:
            text = self._found(message["payload"]).query
        except GraphQLError as error:
            await self._refuse(message, error.message, str((error.extensions or {}).get("code")))
        except BadRequest as error:
            await self._refuse(message, str(error), error.code)
        else:
            message["payload"]["query"] = text
            await super().handle_subscribe(message)

    async def _refuse(self, message: Any, told: str, code: str, **facts: Any) -> None:
        """Answer a `subscribe` that begins nothing."""
        extensions = {"code": code, "requestId": request_id(self.context.request), **facts}
        error = GraphQLError(told, extensions=extensions)
        await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})

    def _found(self, payload: Any) -> GraphQLRequest:
        """The document that a message holds or names; raises GraphQLError or BadRequest."""
        connection, settings = self.context.request, self.context.services.settings
        is_own = may_send_own(connection, settings, self.context.has_bearer)
        documents: KnownDocuments = self.context.services.documents
        return documents.found(requests.checked(payload), is_own)

    async def run_operation(self, operation: Running[Any, None]) -> None:
        """Run one subscription; whatever is wrong with it ends it alone, never the connection."""
        try:
            await self._run(operation)
        except GraphQLError as error:
            await self._end_with(operation, error)
        except BadRequest as error:
            await self._end_with(operation, GraphQLError(str(error), extensions={"code": error.code}))
        except TooMany as error:
            await self._end_refused(operation, str(error), error.code, error.facts)
        except AllowanceUsedUp as error:
            await self._end_refused(operation, said(self.context.request, error), "ALLOWANCE_USED_UP", facts(error))
        except errors.Unavailable:
            await self._send_away(AWAY)
        except WebSocketDisconnected:
            await self._send_away("Not read fast enough")
        except Exception as error:
            await self._end_with(operation, GraphQLError("", original_error=error))

    async def _run(self, operation: Running[Any, None]) -> None:
        asked = self._found(
            {"query": operation.query, "variables": operation.variables, "operationName": operation.operation_name}
        )
        services = self.context.services
        known = checked(asked, may_introspect(self.context.request, services.settings))
        if known.type is not OperationType.SUBSCRIPTION:
            raise BadRequest(400, "Only subscriptions run over WebSocket; send queries and mutations by POST.")
        context = await subscriptions.waited_for(lambda: self.context.context(known))
        if known.keeps_connected:
            self._ask_for_signs()
        with services.streams.passing(asker(context.viewer)):
            await self._tell(operation, known, context)

    async def _tell(self, operation: Running[Any, None], known: Operation, context: Context) -> None:
        async with contextlib.aclosing(subscriptions.results(known, context)) as results:
            async for result in results:
                if is_request_error(result):
                    await self._end(operation, [error.formatted for error in getattr(result, "errors", None) or []])
                    return
                message: Any = {"id": operation.id, "type": "next", "payload": formatted(result)}
                await operation.send_operation_message(message)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _send_away(self, reason: str) -> None:
        """Close the socket by the code from which clients come back: after an `error` they would wait for ever."""
        with contextlib.suppress(Exception):  # gone, and nobody is left to tell; or told once it reads again
            await self.websocket.close(1013, reason)

    async def _end_with(self, operation: Running[Any, None], error: GraphQLError) -> None:
        production = self.context.services.settings.production
        shown = presented(error, request_id(self.context.request), production)
        with contextlib.suppress(Exception):  # the socket may be gone already, and then nobody is left to tell
            await self._end(operation, [shown.formatted])

    async def _end_refused(
        self, operation: Running[Any, None], message: str, code: str, facts: Mapping[str, Any]
    ) -> None:
        extensions = {"code": code, "requestId": request_id(self.context.request), **facts}
        with contextlib.suppress(Exception):
            await self._end(operation, [GraphQLError(message, extensions=extensions).formatted])

    async def _end(self, operation: Running[Any, None], told: list[Any]) -> None:
        """End one operation with errors; a session that has ended takes the socket with it."""
        await operation.send_operation_message({"id": operation.id, "type": "error", "payload": told})
        if any(error["message"] == str(errors.StreamEnded()) for error in told):
            await self.websocket.close(4401, "The session has ended")


class Socket(ASGIWebSocketAdapter):
    """An open socket."""

    async def close(self, code: int, reason: str) -> None:
        """Close it, with as much of the reason as there is room for."""
        await super().close(code, reason.encode()[:LONGEST_REASON].decode(errors="ignore"))


class GraphQLOverWebSocket(GraphQL[Any, None]):
    """The endpoint for sockets; one per process."""

    graphql_transport_ws_handler_class = Handler
    websocket_adapter_class = Socket

    def __init__(self, services: Services) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
            max_subscriptions_per_connection=None,
            allowed_origins=services.settings.allowed_origins,
        )
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        address = network(websocket.client.host) if websocket.client else ""
        try:
            with self.services.sockets.passing(address):
                await self.run(websocket)
        except TooMany as error:
            response = refused(websocket, 429, str(error), error.code, headers_of_gate(error), error.facts)
            await websocket.send_denial_response(response)

    async def get_context(self, request: HTTPConnection, response: Any) -> Any:
        """What is known of the socket; operations get their own context from it."""
        return Connection(request, self.services)

    async def on_ws_connect(self, context: Any) -> Any:
        """Take the token from `authorization` in the connection's parameters; a token that nobody has is refused."""
        given = context.connection_params.get("authorization") or context.connection_params.get("Authorization")
        if given is not None:
            context.token = asking.bearer_of(given) if isinstance(given, str) else None
            context.has_bearer = True
            viewer = await asking.viewer_for(context.request, self.services, context.token)
            if viewer.kind is Kind.ANONYMOUS:
                raise ConnectionRejectionError
        return UNSET

    def encode_json(self, data: object) -> str:
        """Text frames, as the protocol wants."""
        return orjson.dumps(data).decode()

    def decode_json(self, data: str | bytes) -> object:
        """As for requests: nothing that is nested without end."""
        try:
            return requests.json_of(data.encode() if isinstance(data, str) else data, "message")
        except BadRequest as error:
            raise json.JSONDecodeError(str(error), "", 0) from None
