"""The ASGI app: settings, lifespan, routes. Everything meets here, nothing is decided here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute

from engine import database, hashing, keys
from engine.clock import Clock, system_clock
from engine.events import Batch, Cursor, Hub
from errors import Unavailable
from mailers.post import Folder, Server
from models.viewer import Kind, Viewer
from resolvers import journal, letters, sessions
from resolvers.journal import JournalEvent
from settings import Settings
from transport import pages
from transport.health import healthz, readyz
from transport.http import GraphQLOverHTTP
from transport.middleware import RequestLog
from transport.services import Services
from transport.websocket import GraphQLOverWebSocket

log = structlog.get_logger()
LETTERS_EVERY_SECONDS = 0.5


def create_app(settings: Settings, clock: Clock = system_clock) -> Starlette:
    """The service for these settings; the database must be there and migrated."""
    if settings.database_url is None:
        raise ValueError("DATABASE_URL is not set; `cli.py serve` starts a database of its own.")
    keys.use(settings.secret_key)
    hashing.use_threads(settings.hashing_threads)
    services = Services(settings, clock, _hub(settings.database_url, clock))
    app = Starlette(
        routes=[
            Route("/graphql", GraphQLOverHTTP(services)),
            WebSocketRoute("/graphql", GraphQLOverWebSocket(services)),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *pages.routes(),
        ],
        middleware=_middleware(settings),
        lifespan=_lifespan,
    )
    app.state.services = services
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    """Every request is named and logged; pages of other sites are let in only where they are configured."""
    named = Middleware(RequestLog, production=settings.production)
    if not settings.allowed_origins:
        return [named]
    shared = Middleware(
        CORSMiddleware,
        allow_origins=list(settings.allowed_origins),
        allow_credentials=True,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "X-Schema-Token"],
        expose_headers=["X-Request-Id", "Retry-After"],
    )
    return [named, shared]


def _hub(url: str, clock: Clock) -> Hub[JournalEvent]:
    async def read(institution_id: UUID, after: Cursor | None) -> Batch[JournalEvent]:
        """Events as every verifier of the institution may see them."""
        return await journal.read(Viewer(Kind.VERIFIER, clock(), institution_id=institution_id), after)

    return Hub(url, journal.CHANNEL, read, lambda ids: sessions.still_valid(ids, clock()))


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    services: Services = app.state.services
    settings = services.settings
    assert settings.database_url is not None
    async with database.opened(settings.database_url, settings.pool_size), services.hub:
        mailing = asyncio.create_task(_mail(settings, services.clock), name="mailing")
        try:
            yield
        finally:
            mailing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await mailing


async def _mail(settings: Settings, clock: Clock) -> None:
    """Send letters as they fall due, for as long as the process runs."""
    sender = settings.mail_from
    post = Server(settings.smtp_url, sender) if settings.smtp_url else Folder(settings.var / "mail", sender)
    while True:
        try:
            while await letters.send_next(post.send, settings.public_url, clock()):
                pass
        except Unavailable:
            log.warning("letters.database_away")
        except Exception:
            log.exception("letters.failed")
        await asyncio.sleep(LETTERS_EVERY_SECONDS)
