"""The addresses of the developers' pages. The schema as a file is for whoever may ask for it, or has a credential."""

import asyncio
import json
from functools import cache

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from errors import Unavailable
from models.viewer import Kind
from schema.build import schema
from transport import asking
from transport.admission import may_introspect
from transport.developers import pages
from transport.developers.pages import Page
from transport.pages import FOLDER, HEADERS, POLICY
from transport.services import Services

EXPLORER_POLICY = f"{POLICY}; font-src data:; img-src data:"  # the fonts and the signs in GraphiQL's style sheet
CLOSED = "The schema is not open here: log in first, or send a key or a session's token as Authorization: Bearer.\n"
AWAY = "The service cannot be reached for a moment. Try again.\n"


def routes() -> list[BaseRoute]:
    """The guide, the reference, the explorer, and the schema for programs."""
    return [
        Route("/developers", shown, methods=["GET"]),
        Route("/developers/explorer", explorer, methods=["GET"]),
        Route("/developers/schema.graphql", schema_as_text, methods=["GET"]),
        Route("/developers/schema.json", schema_as_json, methods=["GET"]),
        Route("/developers/{page}", shown, methods=["GET"]),
    ]


async def shown(request: Request) -> Response:
    """A page of text, in English alone: what it describes has English names."""
    services: Services = request.app.state.services
    known = await asyncio.to_thread(pages.pages, services.settings.public_url)
    page = known.get(request.path_params.get("page", ""))
    if page is None:
        return PlainTextResponse("There is no such page.\n", 404, HEADERS)
    return page.answer(request, "text/html", HEADERS)


async def explorer(_: Request) -> Response:
    """The page that asks who is logged in, and shows GraphiQL to them alone."""
    headers = HEADERS | {"Content-Security-Policy": EXPLORER_POLICY}
    return FileResponse(FOLDER / "explorer.html", headers=headers)


async def schema_as_text(request: Request) -> Response:
    """The schema as `schema.graphql` has it."""
    return await _schema(request, _text(), "text/plain")


async def schema_as_json(request: Request) -> Response:
    """What introspection would answer."""
    return await _schema(request, _introspected(), "application/json")


async def _schema(request: Request, page: Page, media_type: str) -> Response:
    services: Services = request.app.state.services
    if not may_introspect(request, services.settings):
        try:
            viewer = await asking.viewer_for(request, services, asking.token_of(request, services))
        except Unavailable:
            return PlainTextResponse(AWAY, 503, HEADERS | {"Retry-After": "1"})
        if viewer.kind is Kind.ANONYMOUS:
            return PlainTextResponse(CLOSED, 401, HEADERS | {"WWW-Authenticate": "Bearer"})
    return page.answer(request, media_type, HEADERS)


@cache
def _text() -> Page:
    return Page.of(schema.as_str() + "\n")


@cache
def _introspected() -> Page:
    return Page.of(json.dumps({"data": schema.introspect()}))
