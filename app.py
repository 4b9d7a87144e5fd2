"""The ASGI app: settings, lifespan, routes. Everything meets here, nothing is decided here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute

from engine import database, files, hashing, keys, outbound, rendering
from engine.clock import Clock, system_clock
from engine.events import Batch, Cursor, Hub
from engine.jobs import Worker
from mailers.post import post_of
from models.viewer import Kind, Viewer
from resolvers import jobs, journal, office, result_changes, sessions
from resolvers.downloads import progress as download_progress
from resolvers.downloads.progress import Progress
from resolvers.journal import JournalEvent
from resolvers.result_changes import ResultEvent
from resolvers.sittings import events as sitting_events
from resolvers.sittings import moves
from resolvers.sittings.events import SittingEvent
from resolvers.webhook_sender import Sender
from settings import Settings
from transport import pages
from transport.developers import routes as developers
from transport.files import serve_file
from transport.health import healthz, readyz
from transport.http import GraphQLOverHTTP
from transport.middleware import RequestLog
from transport.services import Services
from transport.unsubscribe import unsubscribe
from transport.uploads import take_list, take_photo, take_sitting_photo
from transport.websocket import GraphQLOverWebSocket


def create_app(settings: Settings, clock: Clock = system_clock) -> Starlette:
    """The service for these settings; the database must be there and migrated."""
    if settings.database_url is None:
        raise ValueError("DATABASE_URL is not set; `cli.py serve` starts a database of its own.")
    keys.use(settings.secret_key)
    hashing.use_threads(settings.hashing_threads)
    rendering.use_threads(settings.document_threads)
    office.use(settings)
    outbound.use(settings.webhooks_to_private)
    files.use(settings.files_url, settings.var / "files")
    url = settings.database_url
    hubs = _hub(url, clock), _result_hub(url, clock), _download_hub(url, clock), _sitting_hub(url, clock)
    services = Services(settings, clock, *hubs)
    app = Starlette(
        routes=[
            Route("/graphql", GraphQLOverHTTP(services)),
            WebSocketRoute("/graphql", GraphQLOverWebSocket(services)),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/unsubscribe/{token:path}", unsubscribe, methods=["GET", "POST"]),
            Route("/files/new-photo/{token}", take_photo, methods=["PUT"]),
            Route("/files/new-sitting-photo/{token}", take_sitting_photo, methods=["PUT"]),
            Route("/files/new-list/{token}", take_list, methods=["PUT"]),
            Route("/files/{kind}/{token}", serve_file, methods=["GET"]),
            *pages.routes(),
            *developers.routes(),
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
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["Authorization", "Content-Type", "X-Schema-Token"],
        expose_headers=["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"],
    )
    return [named, shared]


def _hub(url: str, clock: Clock) -> Hub[JournalEvent]:
    async def read(institution_id: UUID, after: Cursor | None) -> Batch[JournalEvent]:
        """Events as every verifier of the institution may see them."""
        return await journal.read(Viewer(Kind.VERIFIER, clock(), institution_id=institution_id), after)

    return Hub(url, journal.CHANNEL, read, lambda ids: sessions.still_valid(ids, clock()))


def _result_hub(url: str, clock: Clock) -> Hub[ResultEvent]:
    async def read(candidate_id: UUID, after: Cursor | None) -> Batch[ResultEvent]:
        """Events as the candidate may see them."""
        return await result_changes.read(Viewer(Kind.CANDIDATE, clock(), id=candidate_id), after)

    return Hub(url, result_changes.CHANNEL, read, lambda ids: sessions.still_valid(ids, clock()))


def _download_hub(url: str, clock: Clock) -> Hub[Progress]:
    return Hub(url, download_progress.CHANNEL, download_progress.read, lambda ids: sessions.still_valid(ids, clock()))


def _sitting_hub(url: str, clock: Clock) -> Hub[SittingEvent]:
    return Hub(url, moves.CHANNEL, sitting_events.read, lambda ids: sessions.still_valid(ids, clock()))


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    services: Services = app.state.services
    settings = services.settings
    assert settings.database_url is not None
    async with contextlib.AsyncExitStack() as open:
        await open.enter_async_context(database.opened(settings.database_url, settings.pool_size))
        for hub in (services.hub, services.result_hub, services.download_hub, services.sitting_hub):
            await open.enter_async_context(hub)
        await open.enter_async_context(services.presence.written())
        if settings.runs_worker:
            await open.enter_async_context(working(settings, services.clock, services.draining))
        yield


@contextlib.asynccontextmanager
async def working(settings: Settings, clock: Clock, stopping: asyncio.Event | None = None) -> AsyncIterator[Worker]:
    """A worker for all jobs, at work inside the block or until `stopping` is set; the database must be open."""
    assert settings.database_url is not None
    office.use(settings)
    outbound.use(settings.webhooks_to_private)
    files.use(settings.files_url, settings.var / "files")
    post = post_of(settings)
    work = jobs.jobs(post.send, settings.public_url, settings.mail_seconds, clock)
    heartbeat = timedelta(seconds=settings.heartbeat_seconds)
    stopping = stopping or asyncio.Event()
    sender = Sender(clock, stopping=stopping)
    worker = Worker(settings.database_url, work, jobs.SCHEDULES, clock, heartbeat, stopping)
    try:
        async with worker.running(), sender.running():
            yield worker
    finally:
        await post.close()
