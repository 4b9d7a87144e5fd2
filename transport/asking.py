"""From a request's token or cookie to a viewer, and from a new session to a cookie."""

from http.cookies import SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from engine.allowance import Spending
from engine.languages import chosen
from models import key_token
from models.viewer import Kind, Viewer
from resolvers import sessions
from schema.context import NewCookie
from settings import Settings
from transport.requests import BadRequest
from transport.services import Services

# Which of these it is, is told to nobody.
NO_KEY = "This key is not good: it is mistyped, has ended, was revoked, or its institution's account is not open."
LEAST_COST = 1  # nothing that is asked is for nothing


def cookie_name(settings: Settings) -> str:
    """Production's name makes browsers insist on https and on this host alone."""
    return "__Host-seiseki" if settings.production else "seiseki"


def bearer_of(authorization: str | None) -> str | None:
    """The token of an Authorization header."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def token_of(connection: HTTPConnection, services: Services) -> str | None:
    """The token that came with the request: by header, or by cookie from a page of our own."""
    if token := bearer_of(connection.headers.get("authorization")):
        return token
    if cookie_is_ours(connection.headers, services.settings):
        token = connection.cookies.get(cookie_name(services.settings))
        return None if token is None or key_token.is_meant(token) else token  # keys are no business of browsers
    return None


def cookie_is_ours(headers: Headers, settings: Settings) -> bool:
    """Whether the cookie may count: not when another site's page made the request (CSRF)."""
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if origin is not None:
        return origin in settings.allowed_origins or origin.partition("://")[2] == headers.get("host")
    return site in (None, "same-origin", "none")


async def viewer_for(
    connection: HTTPConnection, services: Services, token: str | None, cost: int | None = None
) -> Viewer:
    """Who is asking, at this moment; what the operation costs, if it is one, is counted.

    An operation by a key that has ended is not run as nobody's: its program would take for empty what it may not see.
    Raises AllowanceUsedUp or BadRequest.
    """
    address = connection.client.host if connection.client else ""
    language = chosen(connection.headers.get("accept-language"))
    now, settings = services.clock(), services.settings
    points = settings.points_per_institution, settings.points_per_key
    spending = None if cost is None else Spending(max(cost, LEAST_COST), *points, now)
    viewer = await sessions.viewer_of(token, now, address, language, spending)
    if token and cost is not None and viewer.kind is Kind.ANONYMOUS and key_token.is_meant(token):
        raise BadRequest(401, NO_KEY, "UNAUTHENTICATED", WWW_Authenticate='Bearer error="invalid_token"')
    return viewer


def set_cookie(cookie: NewCookie, connection: HTTPConnection, settings: Settings) -> str:
    """The Set-Cookie header that keeps or ends a session."""
    jar: SimpleCookie = SimpleCookie()
    name = cookie_name(settings)
    jar[name] = cookie.token
    jar[name]["path"] = "/"
    jar[name]["httponly"] = True
    jar[name]["samesite"] = "Strict"
    jar[name]["secure"] = settings.production or connection.url.scheme == "https"
    if not cookie.token:
        jar[name]["max-age"] = 0
    return jar[name].OutputString()
