"""What runs round every operation on every transport: caches of parsed and validated documents, masked errors."""

from collections.abc import Callable
from typing import Any

import asyncpg
import structlog
from graphql import GraphQLError
from graphql.error import GraphQLSyntaxError
from strawberry.extensions import MaskErrors, SchemaExtension, ValidationCache

import errors
from schema.documents import ParsedOnce

log = structlog.get_logger()

UNEXPECTED = "Something went wrong here. It has been logged; tell us the request id if it happens again."


def presented(error: GraphQLError, request_id: str) -> GraphQLError:
    """An error as a client may see it: coded, and without a word of ours unless it was written for clients.

    Whatever has no code yet and was caused by an exception of ours is a bug: it is logged in full and masked.
    """
    cause = error.original_error
    if isinstance(cause, GraphQLError):
        error, cause = cause, cause.original_error
    if "code" in (error.extensions or {}):
        return _coded(error, error.message, error.extensions["code"], request_id)  # type: ignore[index]
    if cause is None:
        code = "GRAPHQL_PARSE_FAILED" if isinstance(error, GraphQLSyntaxError) else "GRAPHQL_VALIDATION_FAILED"
        if error.path:
            code = "BAD_USER_INPUT"
        return _coded(error, error.message, code, request_id)
    for kind, (code, message) in EXPECTED.items():
        if isinstance(cause, kind):
            return _coded(error, message or str(cause), code, request_id)
    log.error("operation.failed", path=error.path, exc_info=cause)
    return _coded(error, UNEXPECTED, "INTERNAL_SERVER_ERROR", request_id)


AWAY = "The service cannot be reached for a moment. Nothing was done; try again."
EXPECTED: dict[type[BaseException], tuple[str, str]] = {
    errors.Unavailable: (
        "SERVICE_UNAVAILABLE",
        "The service cannot be reached for a moment. Nothing was done; try again.",
    ),
    errors.StreamEnded: ("UNAUTHENTICATED", "The session has ended."),
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
        return presented(error, getattr(self.execution_context.context, "request_id", ""))


EXTENSIONS: list[type[SchemaExtension] | Callable[[], SchemaExtension]] = [
    Presented,
    ParsedOnce,
    lambda: ValidationCache(maxsize=500),
]
