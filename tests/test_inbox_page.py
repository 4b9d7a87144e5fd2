"""The small inbox that mails about new shares lead to: what it loads, and all that it asks, by a browser's means."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import GraphQLInputObjectType

from models.institution import Institution
from models.notify import Notify
from models.verifier import VerifierUser
from settings import Settings
from tests.conftest import ControlledClock, client_of
from tests.door import Door
from tests.printed import printed
from tests.scripts import operations_of, script
from tests.words import words
from tests.world import PASSWORD, World

OPERATIONS = operations_of("inbox")


class Browser:
    """What the page's script does: its own operations, same origin, and a cookie that it cannot read."""

    def __init__(self, http: httpx2.AsyncClient, origin: str) -> None:
        self.http = http
        self.origin = origin

    async def ask(self, operation: str, **variables: Any) -> Any:
        """The data of one of the script's operations."""
        headers = {"Origin": self.origin, "Content-Type": "application/json", "Accept": "application/json"}
        body = json.dumps({"query": OPERATIONS[operation], "variables": variables})
        answer = (await self.http.post("/graphql", content=body, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]


@pytest.fixture(scope="module")
def world(door: Door, door_clock: ControlledClock) -> World:
    """Makes what the tests of this file need; it stays."""
    return World(door_clock)


@pytest.fixture
async def browser(door: Door) -> AsyncIterator[Browser]:
    """A browser at the page, over real HTTP."""
    async with httpx2.AsyncClient(base_url=door.url, timeout=60) as http:
        yield Browser(http, door.url)


async def test_link_of_the_mails_leads_to_a_page_of_our_own_parts_alone(browser: Browser) -> None:
    """N5: nothing from elsewhere, nothing inline, nothing kept."""
    page = await browser.http.get("/inbox")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page.text)
    kinds = {"css": "text/css", "js": "text/javascript"}
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) == 3
    for address in addresses:
        part = await browser.http.get(address)
        assert part.headers["content-type"].startswith(kinds[address.rpartition(".")[2]])


def test_page_offers_every_choice_of_when_to_be_mailed() -> None:
    page = Path("transport/static/inbox.html").read_text("utf-8")
    [select] = re.findall(r'<select id="notify">(.+?)</select>', page, re.DOTALL)
    assert re.findall(r'<option value="(\w+)"', select) == [notify.value for notify in Notify]


def test_page_offers_what_an_inbox_can_be_searched_for() -> None:
    """V1: each field of the filter has a control, by its name."""
    page, fields = Path("transport/static/inbox.html").read_text("utf-8"), fields_of_input("InboxFilter")
    controls = {"exams": "exam"} | {name: re.sub("([A-Z])", r"-\1", name).lower() for name in fields - {"exams"}}
    assert len(fields) == 10
    assert {name for name, id in controls.items() if f'id="{id}"' in page and f'"{id}"' in script("inbox")} >= fields


def fields_of_input(name: str) -> set[str]:
    """The fields of an input type, as clients write them."""
    type_ = printed().type_map[name]
    assert isinstance(type_, GraphQLInputObjectType)
    return set(type_.fields)


async def test_page_shows_the_inbox_after_logging_in_and_opens_shares(browser: Browser, world: World) -> None:
    """V1, V2: unread until opened; scores only then; everything by a cookie that scripts cannot read."""
    institution = await world.institution("Harbour College")
    user = await world.verifier(institution)
    shares = [await world.share(await world.result(), institution) for _ in range(3)]
    assert (await browser.ask("INBOX", first=2, after=None))["viewer"]["verifier"] is None
    assert await log_in(browser, user, "wrong horse 42") == "WrongLogin"
    assert await log_in(browser, user) == "LoggedIn"
    [cookie] = browser.http.cookies.jar
    assert cookie.has_nonstandard_attr("HttpOnly")
    first = await browser.ask("INBOX", first=2, after=None)
    assert first["organisation"]["institution"]["shownAs"] == "Harbour College"
    page = first["inbox"]
    assert (page["unreadCount"], page["totalCount"], page["pageInfo"]["hasNextPage"]) == (3, 3, True)
    nodes = [edge["node"] for edge in page["edges"]]
    assert [node["status"] for node in nodes] == ["UNREAD"] * 2
    assert nodes[0]["candidate"]["nativeName"] == "田中 葵"
    assert "168" not in words(json.dumps(nodes))
    rest = await browser.ask("INBOX", first=2, after=page["pageInfo"]["endCursor"])
    assert len(rest["inbox"]["edges"]) == len(shares) - 2
    opened = (await browser.ask("OPEN", input={"shareId": nodes[0]["id"]}))["openShare"]["share"]
    assert opened["result"]["headline"] == "Council of Europe Level B2"
    assert opened["result"]["overallScoreShown"] == "168"
    assert len(opened["result"]["skillScores"]) == 5
    counts = (await browser.ask("COUNTS"))["inbox"]
    assert (counts["unreadCount"], counts["totalCount"]) == (2, 3)


async def test_page_searches_and_marks_what_it_found(browser: Browser, world: World) -> None:
    """V1: by the page's own operations."""
    institution = await world.institution()
    await log_in(browser, await world.verifier(institution))
    people = [await world.candidate(family_name=name) for name in ("Suzuki", "Suzuki", "Sato")]
    for person in people:
        await world.share(await world.result(await world.entry(person)), institution)
    search = {"filter": {"name": "suzuki aoi", "status": "UNREAD"}, "isSearch": True}
    found = (await browser.ask("INBOX", first=1, after=None, **search))["inbox"]
    assert (found["matches"], found["totalCount"]) == ({"count": 2, "isAtLeast": False}, 3)
    newest = found["edges"][0]["node"]
    for which, changed in (({"shareIds": [newest["id"]]}, 1), ({"filter": {"sentTo": newest["sentAt"]}}, 2)):
        answer = (await browser.ask("MARK_MANY", input={**which, "isRead": True}))["markShares"]
        assert answer == {"__typename": "SharesMarked", "changed": changed, "hasMore": False}
    counts = (await browser.ask("COUNTS"))["inbox"]
    assert (counts["unreadCount"], counts["totalCount"]) == (0, 3)
    exams = (await browser.ask("EXAMS"))["exams"]
    assert {"code": "C1_ADVANCED", "title": "C1 Advanced"} in exams


async def test_page_lets_a_user_choose_when_to_be_mailed(browser: Browser, world: World) -> None:
    """N2: and tells when the address takes no mail (N4)."""
    since = world.clock()
    user = await world.verifier(email_refused_at=since)
    await log_in(browser, user)
    answer = (await browser.ask("NOTIFY", input={"notify": "WEEKLY"}))["changeNotifications"]
    assert answer == {"__typename": "NotificationsChanged", "user": {"notify": "WEEKLY"}}
    verifier = (await browser.ask("INBOX", first=1, after=None))["viewer"]["verifier"]
    told = {"language": "en", "notify": "WEEKLY", "emailRefusedAt": since.isoformat()}
    assert verifier == told | {"role": "OFFICER", "isPrimary": True}


async def test_page_shows_nothing_after_logging_out(browser: Browser, world: World) -> None:
    """A10."""
    user = await world.verifier()
    await world.share(await world.result(), await Institution.get(id=user.institution_id))
    await log_in(browser, user)
    node = (await browser.ask("INBOX", first=1, after=None))["inbox"]["edges"][0]["node"]
    await browser.ask("LOG_OUT")
    answer = await browser.ask("INBOX", first=1, after=None)
    assert answer == {"viewer": {"verifier": None}, "organisation": None, "inbox": None}
    assert (await browser.ask("OPEN", input={"shareId": node["id"]}))["openShare"]["__typename"] == "NotLoggedIn"


async def log_in(browser: Browser, user: VerifierUser, password: str = PASSWORD) -> str:
    """Log in as the page does; what became of it."""
    input = {"email": user.email, "password": password, "useCookie": True}
    typename: str = (await browser.ask("LOG_IN", input=input))["logInVerifier"]["__typename"]
    return typename


async def test_deployment_with_an_inbox_of_its_own_leads_there(
    tmp_path: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INBOX_URL: mails that are long on their way lead there too, because they name our address."""
    own = "https://dashboard.office.example/inbox"
    assert Settings.from_env({"INBOX_URL": own, "VAR_DIR": str(tmp_path)}).inbox_url == own
    monkeypatch.setattr(door.services, "settings", replace(door.services.settings, inbox_url=own))
    async with client_of(door.app) as client:
        answer = await client.http.get("/inbox")
    assert (answer.status_code, answer.headers["location"]) == (307, own)
