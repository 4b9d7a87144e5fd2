"""The few pages that the service shows itself: where mailed links lead. No script or style but our own."""

from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from settings import Settings
from transport.services import Services

FOLDER = Path(__file__).with_name("static")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}


def routes() -> list[BaseRoute]:
    """The pages and what they are made of.

    Opening one changes nothing, because programs that look for harm in mails open every link. Tokens stand behind the #
    of an address and stay in the browser (A5, A9, V6).
    """
    return [
        _page("reset-password"),
        _page("set-password"),
        _page("confirm-email"),
        _page("apply"),
        _page("check"),
        _page("find"),
        _page("templates"),
        _page("organisation"),
        _page("inbox", lambda settings: settings.inbox_url),
        _page("results", lambda settings: settings.results_url),
        Mount("/pages", Parts(directory=FOLDER)),
    ]


class Parts(StaticFiles):
    """What the pages are made of; browsers ask each time if it is the same, or two releases would meet on a page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or that it is the one that the browser has."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _page(name: str, own: Callable[[Settings], str | None] = lambda _: None) -> Route:
    """The page of this name at the address of this name, or the deployment's own, which it leads on to."""

    async def shown(request: Request) -> Response:
        services: Services = request.app.state.services
        if (address := own(services.settings)) is not None:
            return RedirectResponse(address, headers={"Cache-Control": "no-store"})
        return FileResponse(FOLDER / f"{name}.html", headers=HEADERS)

    return Route(f"/{name}", shown, methods=["GET"])
