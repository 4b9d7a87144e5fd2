"""The statements of many results in one PDF (D1, R8, S9)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from documents import statements
from documents.signing import Signer, signer_of
from models.institution import Institution
from models.result import Outcome, Result
from models.terms import Terms
from models.verifier import VerifierUser
from resolvers.downloads import jobs as download_jobs
from resolvers.downloads import orders
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock
from tests.downloads import content, fetched, key_of, made, ordered, rows_in, shared, state
from tests.papers import checked, reader, said, squeezed, statement_facts
from tests.world import World


@pytest.fixture
def settings(settings: Settings, signing_pem: Path) -> Settings:
    return replace(settings, signing_key=signing_pem, signing_cert=signing_pem)


@pytest.fixture
def signer(signing_pem: Path) -> Signer:
    return signer_of(signing_pem, signing_pem)


@pytest.fixture
async def home(app: Any, world: World) -> Institution:
    return await world.institution()


@pytest.fixture
async def user(world: World, home: Institution) -> VerifierUser:
    return await world.verifier(home)


@pytest.fixture
async def officer(client: Client, world: World, user: VerifierUser) -> Client:
    return client.as_(await world.token(user))


async def ready(officer: Client, clock: ControlledClock) -> Any:
    """A PDF of everything, made now."""
    download = await made(officer, format="PDF")
    assert download["status"] == "QUEUED"
    await download_jobs.make(key_of(download), clock)
    return await state(officer, download["id"])


def test_a_bundle_lists_its_statements_and_leads_to_each(signer: Signer) -> None:
    """D1: a page for each behind the list, its number and name among the bookmarks; signed as a whole."""
    facts = [statement_facts(number=f"S26000000{place}", name=f"Aoi Tanaka {place}") for place in range(3)]
    for language in ("en", "ja"):
        pdf = statements.bundle(
            [replace(one, language=language) for one in facts], "A Board", signer, facts[0].issued_at
        )
        document = reader(pdf)
        assert len(document.pages) == 4
        first = squeezed(document.pages[0].extract_text())
        for place, one in enumerate(facts):
            assert squeezed(f"{one.name}") in first
            assert one.number in squeezed(document.pages[1 + place].extract_text())
        bookmarks: list[Any] = document.outline
        assert [(one.title, document.get_destination_page_number(one)) for one in bookmarks] == [
            (f"{one.number} {one.name}", 1 + place) for place, one in enumerate(facts)
        ]
        assert checked(pdf, signer).intact


def test_the_same_bundle_is_the_same_bytes(signer: Signer) -> None:
    facts = [statement_facts()]
    assert len({statements.bundle(facts, "A Board", signer, facts[0].issued_at) for _ in range(2)}) == 1


async def test_a_pdf_holds_the_statements_that_there_are(
    officer: Client, world: World, home: Institution, clock: ControlledClock
) -> None:
    """D1, R6, S9: not of what is pending, withheld or revoked, nor half of one; these are counted."""
    whole = await shared(world, home, 2)
    await world.share(await world.result(), home, Terms(includes_skills=False))
    await world.share(await world.result(), home, Terms(allows_downloads=False))
    for change in ("withheld_at", "revoked_at"):
        await Result.filter(id=(await shared(world, home, 1))[0].id).update(**{change: clock()})
    nothing: dict[str, Any] = dict.fromkeys(("headline", "cefr", "overall_score"))
    pending = (await shared(world, home, 1))[0]
    await Result.filter(id=pending.id).update(outcome=Outcome.PENDING, **nothing)
    download = await ready(officer, clock)
    assert (download["status"], download["rows"]) == ("READY", 2)
    assert download["leftOut"] == {"notAllowed": 1, "withoutStatement": 4, "gone": 0}
    pdf = await content(officer, download)
    text = squeezed(said(pdf))
    assert all(one.statement_number in text for one in whole)
    assert len(reader(pdf).pages) == 3
    answer = await fetched(officer, download)
    assert (answer.headers["content-type"], answer.content) == ("application/pdf", pdf)


async def test_what_lost_its_statement_before_the_pdf_is_made_is_left_out(
    officer: Client, world: World, home: Institution, clock: ControlledClock
) -> None:
    """R11"""
    results = await shared(world, home, 2)
    download = await made(officer, format="PDF")
    await Result.filter(id=results[0].id).update(revoked_at=clock())
    await download_jobs.make(key_of(download), clock)
    told = await state(officer, download["id"])
    assert (told["rows"], told["leftOut"]) == (1, {"notAllowed": 0, "withoutStatement": 1, "gone": 0})
    assert results[0].statement_number not in squeezed(said(await content(officer, told)))


async def test_a_pdf_is_in_the_language_of_whoever_orders_it(
    officer: Client, world: World, home: Institution, user: VerifierUser, clock: ControlledClock
) -> None:
    """A12"""
    await shared(world, home, 1)
    await VerifierUser.filter(id=user.id).update(language="ja")
    assert "結果ステートメント" in squeezed(said(await content(officer, await ready(officer, clock))))


async def test_a_name_that_no_font_can_print_is_named_and_nothing_is_made(
    officer: Client, world: World, home: Institution, clock: ControlledClock
) -> None:
    """A box in place of a name is worse than none; another format carries it."""
    await shared(world, home, 1)
    candidate = await world.candidate(family_name="Tanaka🦄")
    await world.share(await world.result(await world.entry(candidate)), home)
    download = await ready(officer, clock)
    assert (download["status"], "fonts" in download["failure"]) == ("FAILED", True)
    cells = download["failedCells"]
    assert [(cell["column"], cell["signs"], cell["share"]["candidate"]["name"]) for cell in cells] == [
        ("Name", "🦄", "Aoi Tanaka🦄")
    ]
    assert rows_in(await content(officer, await made(officer, format="CSV")))[0]["Family name"] == "Tanaka🦄"


async def test_a_pdf_holds_so_many_statements_and_no_more(
    officer: Client, world: World, home: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D4: they are made in memory; both sides of the edge."""
    await shared(world, home, 3)
    monkeypatch.setattr(orders, "MOST_STATEMENTS", 2)
    refused = await ordered(officer, format="PDF")
    assert "more than 2 results" in refused["problems"][0]["message"]
    monkeypatch.setattr(orders, "MOST_STATEMENTS", 3)
    assert (await ordered(officer, format="PDF"))["__typename"] == "DownloadRequested"


async def test_a_text_that_an_encoding_cannot_carry_is_named(officer: Client, world: World, home: Institution) -> None:
    """D5: with its candidate, as long as that may be seen; nothing is written."""
    await shared(world, home, 1)
    candidate = await world.candidate(native_name="𠮷田 葵")
    await world.share(await world.result(await world.entry(candidate)), home)
    copy = "... on TemplateCreated { template { id } }"
    columns = [{"field": "NATIVE_NAME", "heading": "Name"}]
    order: dict[str, Any] = {"name": "Old", "format": "CSV", "encoding": "SHIFT_JIS", "columns": columns}
    template = (await officer.order("createTemplate", copy, **order))["template"]
    download = await made(officer, templateId=template["id"])
    assert (download["status"], "Shift_JIS" in download["failure"]) == ("FAILED", True)
    told = download["failedCells"]
    assert [(one["column"], one["signs"], one["share"]["candidate"]["name"]) for one in told] == [
        ("Name", "𠮷", f"Aoi {candidate.family_name}")
    ]
