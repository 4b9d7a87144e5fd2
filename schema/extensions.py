"""What runs round every operation on every transport: documents known already, and errors fit to be seen."""

import re
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog
from graphql import GraphQLError
from strawberry.extensions import MaskErrors, SchemaExtension

import errors
from schema.documents import Documents

log = structlog.get_logger()

UNEXPECTED = "Something went wrong here. It has been logged; tell us the request id if it happens again."
AWAY = "The service cannot be reached for a moment. Nothing was done; try again."
VARIABLE = re.compile(r"Variable '?\$?\w+'?")
# Field suggestions can be switched off; those for arguments, types and input fields cannot, nor can echoes of input.
TELLING = re.compile(r"\s*(Did you mean|, found|; found|, but got|got invalid value).*", re.DOTALL)


def presented(error: GraphQLError, request_id: str, production: bool) -> GraphQLError:
    """An error as a client may see it: coded, and without a word of ours unless it was written for clients.

    Whatever has no code yet and was caused by an exception of ours is a bug: it is logged in full and masked.
    """
    cause = error.original_error
    if isinstance(cause, GraphQLError):
        error, cause = cause, cause.original_error
    code = (error.extensions or {}).get("code")
    if code is None and cause is None:
        code = "BAD_USER_INPUT"  # of what Strawberry and graphql-core raise, only variables have no code by now
    if code is not None:
        return _coded(error, discreet(error.message) if production else error.message, code, request_id)
    for kind, (code, message) in EXPECTED.items():
        if isinstance(cause, kind):
            return _coded(error, message or str(cause), code, request_id)
    log.error("operation.failed", path=error.path, exc_info=cause)
    return _coded(error, UNEXPECTED, "INTERNAL_SERVER_ERROR", request_id)


def discreet(message: str) -> str:
    """A message about a document or its variables without hints at names, and without what the client sent."""
    if variable := VARIABLE.match(message):
        return f"{variable[0]} has a value that is not of its type."
    return TELLING.sub("", message)


EXPECTED: dict[type[BaseException], tuple[str, str]] = {
    errors.Unavailable: ("SERVICE_UNAVAILABLE", AWAY),
    errors.StreamEnded: ("UNAUTHENTICATED", ""),
    errors.SlowSubscriber: ("RESUME", ""),
    errors.NotLoggedIn: ("UNAUTHENTICATED", ""),
    errors.NotAllowed: ("FORBIDDEN", ""),
    asyncpg.CharacterNotInRepertoireError: ("BAD_USER_INPUT", "Text may not contain the NUL character."),
    UnicodeEncodeError: ("BAD_USER_INPUT", "Text may not contain half of a surrogate pair."),
}


def _coded(error: GraphQLError, message: str, code: Any, request_id: str) -> GraphQLError:
    extensions: dict[str, Any] = {"code": code, "requestId": request_id}
    if isinstance(error.original_error, errors.SlowSubscriber):
        extensions["cursor"] = error.original_error.cursor
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )


class Presented(MaskErrors):
    """Strawberry's masking, with `presented` in place of one message for all."""

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """The error as a client may see it."""
        context = self.execution_context.context
        return presented(error, context.request_id, context.production)


EXTENSIONS: list[type[SchemaExtension] | Callable[[], SchemaExtension]] = [Presented, Documents]
