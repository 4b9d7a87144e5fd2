"""The page that mails about results lead to: what it loads, and all that it asks, by a browser's means (N1, R11)."""

import re
from dataclasses import replace
from pathlib import Path

from models.viewer import Kind
from resolvers import corrections
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, client_of, running
from tests.scripts import operations_of
from tests.world import PASSWORD, World

OPERATIONS = operations_of("results")


async def test_link_of_the_mails_leads_to_a_page_of_our_own_parts_alone(client: Client) -> None:
    """N5: nothing from elsewhere, nothing inline, nothing kept."""
    page = await client.http.get("/results")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page.text)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) == 3
    assert [(await client.http.get(address)).status_code for address in addresses] == [200] * 3


async def test_page_shows_results_and_why_they_changed_after_logging_in(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """N1, R11."""
    candidate = await world.candidate()
    entry = await world.entry(candidate)
    result = await world.result(entry)
    staff = world.viewer(Kind.STAFF, (await world.staff()).id, is_board=True)
    await corrections.withhold(staff, corrections.Order(result.id, 1, "Under review."))
    assert (await client.ask(OPERATIONS["RESULTS"]))["me"] is None
    wrong = {"idNumber": entry.id_number, "password": "wrong horse 42", "useCookie": False}
    assert "message" in (await client.ask(OPERATIONS["LOG_IN"], input=wrong))["logIn"]
    asking = await client.log_in(entry.id_number, PASSWORD)
    me = (await asking.ask(OPERATIONS["RESULTS"]))["me"]
    [shown] = me["results"]
    assert me["language"] == "en"
    assert (shown["status"], shown["headline"]) == ("WITHHELD", None)
    assert [(one["endedBy"], one["reason"]) for one in shown["versions"]] == [("WITHHELD", "Under review.")]
    assert len(shown["notices"]) == 1
    await asking.ask(OPERATIONS["LOG_OUT"])
    assert (await asking.ask(OPERATIONS["RESULTS"]))["me"] is None


async def test_page_finds_institutions_and_says_how_to_choose_between_their_accounts(
    client: Client, world: World
) -> None:
    """S1, S2: with department, city, country and a hint, in the account's language."""
    main = await world.institution("Aoba Gakuin University", ["蒼羽学院大学"])
    await world.institution("Aoba Gakuin University", department="Letters", parent_id=main.id, city="Sagamihara")
    asking = client.as_(await world.token(await world.candidate(language="ja")))
    found = (await asking.ask(OPERATIONS["FIND"], search="aoba"))["institutions"]
    assert [(one["shownAs"], one["city"], one["country"]) for one in found] == [
        ("Aoba Gakuin University", "Yokohama", "JP"),
        ("Aoba Gakuin University, Letters", "Sagamihara", "JP"),
    ]
    assert ["Letters専用" in one["hint"] for one in found] == [False, True]
    assert "部局ごとのアカウント" in found[0]["hint"]
    assert (await asking.ask(OPERATIONS["FIND"], search="蒼"))["institutions"][0]["id"] == found[0]["id"]


async def test_deployment_with_a_page_of_its_own_leads_there(
    settings: Settings, clock: ControlledClock, clean: None, tmp_path: Path
) -> None:
    own = "https://my.results.example/"
    assert Settings.from_env({"RESULTS_URL": own, "VAR_DIR": str(tmp_path)}).results_url == own
    async with running(replace(settings, results_url=own), clock) as app, client_of(app) as client:
        answer = await client.http.get("/results")
        assert (answer.status_code, answer.headers["location"]) == (307, own)
