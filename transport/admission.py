"""Whose documents may run, and who may ask for the schema: decided by the settings and by how a request comes."""

import hmac

from starlette.requests import HTTPConnection

from models.viewer import Kind, Viewer
from settings import Settings
from transport import asking
from transport.known_documents import not_in_list
from transport.operations import Operation


def may_introspect(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether the schema is open: to everybody in development, in production to those with the credential.

    Where known documents alone may run, no question for the schema is one.
    """
    if settings.known_documents and not may_send_own(connection, settings):
        return False
    return not settings.production or has_schema_token(connection, settings)


def has_schema_token(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether this is one of the board's own programs: a gateway, or what checks the schema."""
    given = connection.headers.get("x-schema-token", "")
    return bool(settings.schema_token and hmac.compare_digest(given.encode(), settings.schema_token.encode()))


def may_send_own(connection: HTTPConnection, settings: Settings, has_token: bool = False) -> bool:
    """Whether a document that is not known may run: for programs, if their token is somebody's (`must_be_let_in`).

    A browser tells where it comes from, and brings our cookie. `has_token`: one came with a socket's beginning.
    """
    if not settings.known_documents or has_schema_token(connection, settings):
        return True
    is_browser = asking.cookie_name(settings) in connection.cookies or any(
        name in connection.headers for name in ("origin", "sec-fetch-site")
    )
    return not is_browser and (has_token or asking.bearer_of(connection.headers.get("authorization")) is not None)


def must_be_let_in(viewer: Viewer, operation: Operation, connection: HTTPConnection, settings: Settings) -> None:
    """Refuse a document that is not known when the token that came with it is nobody's; raises GraphQLError."""
    is_open = not settings.known_documents or has_schema_token(connection, settings)
    if not is_open and not operation.asked.is_known and viewer.kind is Kind.ANONYMOUS:
        raise not_in_list()
