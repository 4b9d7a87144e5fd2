"""What runs round every operation on every transport: documents known already, and errors fit to be seen."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg
import structlog
from graphql import GraphQLError
from strawberry.extensions import MaskErrors, SchemaExtension

import errors
from engine.languages import told
from schema.documents import Documents

log = structlog.get_logger()

UNEXPECTED = "Something went wrong here. It has been logged; tell us the request id if it happens again."
AWAY = "The service cannot be reached for a moment. Try again; of a change, look first whether it was made."
# Strawberry switches off graphql-core's suggestions for fields only, and nothing switches off echoes of what was sent.
TELLING = {
    re.compile(pattern, re.DOTALL): instead
    for pattern, instead in (
        (r"( Did you mean|[,;] found|\.? Found:|, but encountered).*", ""),
        (r"(cannot represent [^:]*|Syntax Error: [^:]*):.*", r"\1"),
        (r"Value '(.*' does not exist|.*)", "This value does not exist"),
        (r"(Unexpected \w+) '.*", r"\1"),
    )
}
LONGEST_MESSAGE = 1000  # they may hold a whole body, and searching that takes its length squared


def presented(error: GraphQLError, request_id: str, production: bool, language: str = "en") -> GraphQLError:
    """An error as a client may see it: coded, and without a word of ours unless it was written for clients.

    Whatever has no code yet and was caused by an exception of ours is a bug: it is logged in full and masked.
    """
    code, cause = (error.extensions or {}).get("code"), error.original_error
    while isinstance(cause, GraphQLError):  # located by graphql-core: which variable, or which field of the answer
        code, cause = code or (cause.extensions or {}).get("code"), cause.original_error
    if code is None and cause is None:
        code = "BAD_USER_INPUT"  # of what Strawberry and graphql-core raise, only variables have no code by now
    if code is not None:
        written = error.message[:LONGEST_MESSAGE]
        return _coded(error, discreet(written) if production else written, code, request_id)
    for kind, (code, message) in EXPECTED.items():
        if isinstance(cause, kind):
            said = message or told(cause.args[0], language)
            return _coded(error, said, code, request_id, _facts(cause, language))
    log.error("operation.failed", path=error.path, exc_info=cause)
    return _coded(error, UNEXPECTED, "INTERNAL_SERVER_ERROR", request_id)


def discreet(message: str) -> str:
    """A message about a document or its variables without hints at names, and without the values in it."""
    for pattern, instead in TELLING.items():
        message = pattern.sub(instead, message)
    return message if message.endswith((".", "?")) else f"{message}."


EXPECTED: dict[type[BaseException], tuple[str, str]] = {
    errors.Unavailable: ("SERVICE_UNAVAILABLE", AWAY),
    errors.StreamEnded: ("UNAUTHENTICATED", ""),
    errors.SlowSubscriber: ("RESUME", ""),
    errors.NotLoggedIn: ("UNAUTHENTICATED", ""),
    errors.NotAllowed: ("FORBIDDEN", ""),
    errors.TooManyTries: ("TOO_MANY_TRIES", ""),
    errors.InvalidInput: ("BAD_USER_INPUT", ""),
    asyncpg.CharacterNotInRepertoireError: ("BAD_USER_INPUT", "Text may not contain the NUL character."),
    UnicodeEncodeError: ("BAD_USER_INPUT", "Text may not contain half of a surrogate pair."),
}


def _facts(cause: BaseException, language: str) -> dict[str, Any]:
    """What a client needs to know of an error beside its message."""
    if isinstance(cause, errors.SlowSubscriber):
        return {"cursor": cause.cursor}
    if isinstance(cause, errors.TooManyTries):
        facts = {"retryAfter": cause.retry_after.isoformat()}
        return facts | ({"limit": cause.limit} if cause.limit else {})
    if isinstance(cause, errors.InvalidInput):
        return {"problems": [{"path": one.path, "message": told(one.message, language)} for one in cause.problems]}
    return {}


def _coded(
    error: GraphQLError, message: str, code: Any, request_id: str, facts: Mapping[str, Any] | None = None
) -> GraphQLError:
    extensions = {"code": code, "requestId": request_id, **(facts or {})}
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
        return presented(error, context.request_id, context.production, context.viewer.language)


EXTENSIONS: list[type[SchemaExtension] | Callable[[], SchemaExtension]] = [Presented, Documents]
