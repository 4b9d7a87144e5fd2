"""Headers that keep browsers honest: nothing kept or framed, cookies out of reach, other sites' pages kept out."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
import websockets
from starlette.applications import Starlette

from settings import Settings
from tests.client import LOG_IN, Client
from tests.conftest import ControlledClock, client_of, running
from tests.door import post, standing
from tests.requests import EVENTS, is_refused, send
from tests.served import until
from tests.world import PASSWORD, World

QUERY = "{ __typename }"
VIEWER = "{ viewer { kind } }"
LOG_OUT = "mutation { logOut(input: {}) { __typename } }"


@pytest.mark.parametrize("body", [{"query": QUERY}, {"query": "{ nothing }"}, []])
async def test_no_answer_is_kept_or_guessed_at_or_framed(client: Client, body: Any) -> None:
    response = await send(client, body)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in response.headers


async def test_every_request_has_an_id_of_its_own_whatever_it_says(client: Client) -> None:
    ids = {(await send(client, {"query": QUERY}, x_request_id="mine")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(len(one) == 32 for one in ids)


async def test_nothing_tells_which_server_this_is(settings: Settings, clock: ControlledClock) -> None:
    async with standing(settings, clock) as door:
        answers = [await door.sent(post({"query": QUERY})), await door.sent(b"hello\r\n\r\n")]
    for answer in answers:
        assert not {"server", "x-powered-by", "via"} & set(answer.headers)


async def test_production_insists_on_https(settings: Settings, clock: ControlledClock, clean: None) -> None:
    async with running(replace(settings, production=True), clock) as app, client_of(app) as client:
        response = await send(client, {"query": QUERY})
        assert response.headers["strict-transport-security"] == "max-age=31536000"


async def logged_in_by_cookie(client: Client, world: World) -> httpx2.Response:
    """The answer to a log-in as a browser sends it."""
    entry = await world.entry()
    return await client.post(LOG_IN, input={"idNumber": entry.id_number, "password": PASSWORD, "useCookie": True})


def cookie_of(response: httpx2.Response, name: str) -> dict[str, Any]:
    """The attributes of the one cookie that an answer sets; only those it has."""
    (header,) = response.headers.get_list("set-cookie")
    jar = SimpleCookie(header)
    assert list(jar) == [name]
    return {"value": jar[name].value} | {attribute: value for attribute, value in jar[name].items() if value != ""}


async def test_a_cookie_is_out_of_reach_for_scripts_and_other_sites(client: Client, world: World) -> None:
    """No script reads the token, in the answer or in the jar."""
    response = await logged_in_by_cookie(client, world)
    assert response.json()["data"]["logIn"]["token"] is None
    cookie = cookie_of(response, "seiseki")
    assert cookie.pop("value") not in ("", response.text)
    assert cookie == {"path": "/", "httponly": True, "samesite": "Strict"}
    client.http.cookies.clear()
    out = await send(client, {"query": LOG_OUT}, cookie=response.headers["set-cookie"].partition(";")[0])
    assert cookie_of(out, "seiseki") == {
        "value": "", "path": "/", "httponly": True, "samesite": "Strict", "max-age": "0"
    }  # fmt: skip


async def test_a_cookie_comes_with_a_stream_of_one_answer_too(client: Client, world: World) -> None:
    """As graphql-sse sends every operation."""
    entry = await world.entry()
    wanted = {"idNumber": entry.id_number, "password": PASSWORD, "useCookie": True}
    response = await send(client, {"query": LOG_IN, "variables": {"input": wanted}}, EVENTS)
    assert response.headers["content-type"].startswith(EVENTS)
    assert cookie_of(response, "seiseki")["value"]


async def test_a_cookie_of_production_is_for_https_and_this_host_alone(
    settings: Settings, clock: ControlledClock, world: World, clean: None
) -> None:
    async with running(replace(settings, production=True), clock) as app, client_of(app) as client:
        cookie = cookie_of(await logged_in_by_cookie(client, world), "__Host-seiseki")
        assert cookie.pop("value")
        assert cookie == {"path": "/", "httponly": True, "samesite": "Strict", "secure": True}


# ---- browsers


@pytest.fixture
async def browser(client: Client, world: World) -> Client:
    """A client with the cookie of a candidate's session."""
    entry = await world.entry()
    candidate = await entry.candidate
    client.http.cookies.set("seiseki", await world.token(candidate))
    return client


async def kind_of_viewer(response: httpx2.Response) -> str:
    """Who was asking, as the service saw it."""
    return str(response.json()["data"]["viewer"]["kind"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://testserver"},
        {"origin": "http://testserver", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
async def test_a_cookie_counts_for_our_own_pages_and_for_programs(browser: Client, headers: dict[str, str]) -> None:
    assert await kind_of_viewer(await send(browser, {"query": VIEWER}, **headers)) == "CANDIDATE"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "testserver"},
        {"origin": "http://testserver:8080"},
        {"origin": "http://testserver.evil.example"},
        {"origin": "http://evil.example/testserver"},
        {"origin": "http://["},
        {"origin": "https://evil.example", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "anything"},
    ],
)
async def test_a_cookie_does_not_count_for_another_sites_page(browser: Client, headers: dict[str, str]) -> None:
    """CSRF: the request is answered, as from nobody."""
    assert await kind_of_viewer(await send(browser, {"query": VIEWER}, **headers)) == "ANONYMOUS"
    parameters = {name.replace("_", "-"): value for name, value in headers.items()}
    by_get = await browser.http.get(f"/graphql?{urlencode({'query': VIEWER})}", headers=parameters)
    assert await kind_of_viewer(by_get) == "ANONYMOUS"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", urlencode({"query": LOG_OUT})),
        (
            "multipart/form-data; boundary=x",
            f'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n{LOG_OUT}\r\n--x--',
        ),
        ("text/plain", json.dumps({"query": LOG_OUT})),
    ],
)
async def test_no_form_gives_an_order(browser: Client, content_type: str, body: str) -> None:
    """These three are all that another site's page can send without asking us first."""
    is_refused(await send(browser, body.encode(), content_type=content_type), 415)
    assert await kind_of_viewer(await send(browser, {"query": VIEWER})) == "CANDIDATE"


async def test_a_token_counts_wherever_it_comes_from(client: Client, world: World) -> None:
    entry = await world.entry()
    token = await world.token(await entry.candidate)
    response = await send(client, {"query": VIEWER}, authorization=f"bearer  {token}", origin="https://other.example")
    assert await kind_of_viewer(response) == "CANDIDATE"


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer nobody", "Bearer \x7f", "x" * 5000]
)
async def test_a_token_that_nobody_has_is_nobodys(client: Client, authorization: str) -> None:
    assert await kind_of_viewer(await send(client, {"query": VIEWER}, authorization=authorization)) == "ANONYMOUS"


PREFLIGHT = {"access_control_request_method": "POST", "access_control_request_headers": "content-type,authorization"}


async def test_no_page_of_another_site_may_read_anything_by_default(client: Client) -> None:
    for response in (
        await send(client, {"query": QUERY}, origin="https://app.example"),
        await send(client, b"", method="OPTIONS", origin="https://app.example", **PREFLIGHT),
    ):
        assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.fixture
async def open_app(settings: Settings, clock: ControlledClock, clean: None) -> AsyncIterator[Starlette]:
    """A service that lets the pages of one other site in."""
    async with running(replace(settings, allowed_origins=("https://app.example",)), clock) as app:
        yield app


async def test_pages_of_a_configured_site_may_ask_and_read(open_app: Starlette, world: World) -> None:
    async with client_of(open_app) as client:
        asked = await send(client, b"", method="OPTIONS", origin="https://app.example", **PREFLIGHT)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == "https://app.example"
        assert asked.headers["access-control-allow-credentials"] == "true"
        assert "POST" in asked.headers["access-control-allow-methods"]
        assert "uthorization" in asked.headers["access-control-allow-headers"]
        client.http.cookies.set("seiseki", await world.token(await world.candidate()))
        bodies: list[Any] = [{"query": VIEWER}, {"query": "{"}, []]
        for body in bodies:
            answer = await send(client, body, origin="https://app.example")
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
        assert await kind_of_viewer(await send(client, {"query": VIEWER}, origin="https://app.example")) == "CANDIDATE"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://app.example", "https://app.example.evil.example", "null"]
)
async def test_pages_of_any_other_site_stay_out(open_app: Starlette, world: World, origin: str) -> None:
    async with client_of(open_app) as client:
        client.http.cookies.set("seiseki", await world.token(await world.candidate()))
        asked = await send(client, b"", method="OPTIONS", origin=origin, **PREFLIGHT)
        assert "access-control-allow-origin" not in asked.headers
        answer = await send(client, {"query": VIEWER}, origin=origin)
        assert "access-control-allow-origin" not in answer.headers
        assert await kind_of_viewer(answer) == "ANONYMOUS"


async def test_a_page_of_a_configured_site_may_open_a_socket_and_no_other(
    settings: Settings, clock: ControlledClock, world: World, clean: None
) -> None:
    """Its cookie counts too: browsers send it only where the site is the same."""
    async with standing(replace(settings, allowed_origins=("https://app.example",)), clock) as door:
        cookie = f"seiseki={await world.token(await world.verifier())}"
        async with door.opened(Origin="https://app.example", Cookie=cookie) as socket:
            await socket.subscribe("1", "subscription { newShares { cursor } }")
            await until(lambda: door.services.hub.open_streams == 1)
        for origin in ("https://evil.example", "https://app.example.evil.example", "http://app.example", "null"):
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with door.socket(Origin=origin, Cookie=cookie):
                    pass
            assert refused.value.response.status_code == 403
