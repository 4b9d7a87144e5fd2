"""The few pages that the service shows itself: where mailed links lead. No script or style but our own."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).with_name("static")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def reset_password(_request: Request) -> Response:
    """Where the link of a password reset leads; the token stays in the browser."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return FileResponse(FOLDER / "reset-password.html", headers=headers)


def routes() -> list[BaseRoute]:
    """The pages and what they are made of."""
    return [
        Route("/reset-password", reset_password, methods=["GET"]),
        Mount("/pages", StaticFiles(directory=FOLDER)),
    ]
