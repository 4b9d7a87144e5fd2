"""The few pages that the service shows itself: where mailed links lead. No script or style but our own."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from transport.services import Services

FOLDER = Path(__file__).with_name("static")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}


async def reset_password(_request: Request) -> Response:
    """Where the link of a password reset leads; the token stays in the browser."""
    return FileResponse(FOLDER / "reset-password.html", headers=HEADERS)


async def confirm_email(_request: Request) -> Response:
    """Where the link to confirm a new e-mail address leads; opening it changes nothing."""
    return FileResponse(FOLDER / "confirm-email.html", headers=HEADERS)


async def check(_request: Request) -> Response:
    """Where the QR code of a Statement of Results leads; its number and token stay in the browser's address (V6)."""
    return FileResponse(FOLDER / "check.html", headers=HEADERS)


async def inbox(request: Request) -> Response:
    """Where mails about new shares lead: a small inbox, or the deployment's own."""
    services: Services = request.app.state.services
    if services.settings.inbox_url is not None:
        return RedirectResponse(services.settings.inbox_url, headers={"Cache-Control": "no-store"})
    return FileResponse(FOLDER / "inbox.html", headers=HEADERS)


async def results(request: Request) -> Response:
    """Where mails about released and changed results lead: a small page, or the deployment's own."""
    services: Services = request.app.state.services
    if services.settings.results_url is not None:
        return RedirectResponse(services.settings.results_url, headers={"Cache-Control": "no-store"})
    return FileResponse(FOLDER / "results.html", headers=HEADERS)


def routes() -> list[BaseRoute]:
    """The pages and what they are made of."""
    return [
        Route("/reset-password", reset_password, methods=["GET"]),
        Route("/confirm-email", confirm_email, methods=["GET"]),
        Route("/check", check, methods=["GET"]),
        Route("/inbox", inbox, methods=["GET"]),
        Route("/results", results, methods=["GET"]),
        Mount("/pages", StaticFiles(directory=FOLDER)),
    ]
