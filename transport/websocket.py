"""Subscriptions over WebSocket, by the graphql-transport-ws protocol; subscriptions only.

Strawberry's handler speaks the protocol. Ours adds: a fresh context per operation (loaders would go stale), no
queries or mutations (a `complete` would cancel them half-way), and 4400 for messages of the wrong shape, which
otherwise end the connection with 1006, whereupon clients come back for ever.
"""

import contextlib
from datetime import timedelta
from typing import Any

import orjson
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UnsetType

from models.viewer import Kind
from schema.build import schema
from schema.context import Context
from transport import asking
from transport.services import Services

INIT_SECONDS = 10
MOST_SUBSCRIPTIONS = 20


class Connection:
    """What is known of one open socket."""

    def __init__(self, websocket: HTTPConnection, services: Services) -> None:
        self.websocket = websocket
        self.services = services
        self.token = asking.token_of(websocket, services)
        self.connection_params: dict[str, Any] = {}

    async def context(self) -> Context:
        """The surroundings of one operation, with whoever is behind the token now."""
        viewer = await asking.viewer_for(self.websocket, self.services, self.token)
        return Context(viewer, self.services.clock, self.services.hub, self.websocket.scope.get("request_id", ""))


class Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """One connection."""

    async def handle_message(self, message: Any) -> None:
        """Refuse what has the wrong shape before Strawberry trips over it."""
        if _is_well_formed(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Malformed message")

    async def handle_connection_init(self, message: Any) -> None:
        """The protocol allows a payload of null."""
        if message.get("payload") is None:
            message = {**message, "payload": {}}
        await super().handle_connection_init(message)

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """Run one subscription; a fault of its document ends it alone, never the connection."""
        try:
            source = await self.schema.stream(
                operation.query,
                variable_values=operation.variables,
                context_value=await self.context.context(),
                root_value=None,
                operation_name=operation.operation_name,
                allowed_operation_types=[OperationType.SUBSCRIPTION],
            )
            async with contextlib.aclosing(source):
                await self._send_result_stream(operation, source)
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except Exception as error:
            await self.handle_task_exception(error)
            with contextlib.suppress(Exception):
                await operation.send_operation_message({"id": operation.id, "type": "complete"})
            self.operations.pop(operation.id, None)

    @staticmethod
    def _get_pre_execution_close_reason(error: Any) -> None:
        return None


def _is_well_formed(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    payload, kind = message.get("payload"), message["type"]
    if kind == "subscribe":
        return isinstance(message.get("id"), str) and _is_operation(payload)
    if kind == "complete":
        return isinstance(message.get("id"), str)
    return isinstance(payload, dict | None)


def _is_operation(payload: Any) -> bool:
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("operationName"), str | None)
        and isinstance(payload.get("variables"), dict | None)
    )


class GraphQLOverWebSocket(GraphQL[Any, None]):
    """The endpoint for sockets; one per process."""

    graphql_transport_ws_handler_class = Handler

    def __init__(self, services: Services) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
            max_subscriptions_per_connection=MOST_SUBSCRIPTIONS,
            allowed_origins=services.settings.allowed_origins,
        )
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.run(WebSocket(scope, receive, send))

    async def get_context(self, request: HTTPConnection, response: Any) -> Any:
        """What is known of the socket; operations get their own context from it."""
        return Connection(request, self.services)

    async def on_ws_connect(self, context: Any) -> UnsetType:
        """Take the token from `authorization` in the connection's parameters; a token that nobody has is refused."""
        given = context.connection_params.get("authorization") or context.connection_params.get("Authorization")
        if given is not None:
            context.token = asking.bearer_of(given) if isinstance(given, str) else None
            viewer = await asking.viewer_for(context.websocket, self.services, context.token)
            if viewer.kind is Kind.ANONYMOUS:
                raise ConnectionRejectionError
        return UnsetType()

    def encode_json(self, data: object) -> str:
        """Text frames, as the protocol wants."""
        return orjson.dumps(data).decode()
