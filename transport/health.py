"""For whoever runs the service: is it alive, is it ready."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine import database
from engine.migrations import pending
from errors import Unavailable


async def healthz(_request: Request) -> Response:
    """Alive: the process answers."""
    return JSONResponse({"status": "alive"})


async def readyz(request: Request) -> Response:
    """Ready: the database is reached and migrated, the listener is connected, and the process is not going down."""
    services = request.app.state.services
    listens = all(
        hub.connected for hub in (services.hub, services.result_hub, services.download_hub, services.sitting_hub)
    )
    checks = {"listener": listens, "draining": not services.draining.is_set()}
    try:
        checks["migrated"] = not await pending()
        checks["database"] = bool(await database.rows("SELECT 1"))
    except Unavailable:
        checks["database"] = False
    ready = all(checks.values())
    failed = sorted(name for name, good in checks.items() if not good)
    return JSONResponse({"status": "ready" if ready else "not ready", "failed": failed}, 200 if ready else 503)
