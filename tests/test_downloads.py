"""Downloads: choosing, the file, the history, and doing it again (D1, D3, D6, S9, S10, R11)."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from engine import database
from engine.languages import told
from models.institution import Institution
from models.result import Result
from models.share import Share
from models.terms import Terms
from models.trail import TrailAct, TrailEntry
from models.viewer import Kind
from resolvers import corrections, withdrawals
from resolvers.corrections import Facts, Order
from resolvers.downloads import files as download_files
from resolvers.downloads import history as download_history
from resolvers.downloads import orders
from resolvers.downloads.choices import Choice
from resolvers.downloads.failures import FAILURES
from resolvers.inbox_filters import Filter
from tests.aged import aged
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.downloads import content, fetched, history, ids_of, made, ordered, repeated, rows_in, shared, state
from tests.world import World, gid


@pytest.fixture
async def home(app: Any, world: World) -> Institution:
    return await world.institution("Kobe College")


@pytest.fixture
async def officer(client: Client, world: World, home: Institution) -> Client:
    return client.as_(await world.token(await world.verifier(home, name="Officer Ono")))


async def share_ids(results: list[Result]) -> list[str]:
    """The ids of the shares of these results, in their order."""
    shares = {share.result_id: share for share in await Share.all()}
    return ids_of([shares[one.id] for one in results])


async def amended(world: World, result: Result, score: int = 185) -> None:
    """Staff amend a result."""
    viewer = world.viewer(Kind.STAFF, (await world.staff()).id, is_board=True)
    version = (await Result.get(id=result.id)).version
    await corrections.amend(viewer, Order(result.id, version, "A slip"), Facts(overall_score=score))


async def withdrawn(world: World, result: Result) -> None:
    """The candidate withdraws the share of a result."""
    share = await Share.get(result_id=result.id)
    await withdrawals.withdraw(world.viewer(Kind.CANDIDATE, share.candidate_id), share.id)


# ---- choosing


async def test_all_of_the_inbox_comes_in_the_order_of_the_inbox(
    officer: Client, world: World, home: Institution, clock: ControlledClock
) -> None:
    """D1: newest first; no share of another institution, and none that was withdrawn before."""
    results = []
    for _ in range(4):
        results += await shared(world, home, 1)
        clock.forward(minutes=1)
    await shared(world, await world.institution(), 1)
    await withdrawn(world, (await shared(world, home, 1))[0])
    download = await made(officer, format="CSV")
    assert (download["status"], download["rows"], download["done"]) == ("READY", 4, 4)
    found = rows_in(await content(officer, download))
    assert [row["Statement number"] for row in found] == [one.statement_number for one in reversed(results)]


async def test_one_and_many_are_chosen_by_name(officer: Client, world: World, home: Institution) -> None:
    """D1: whatever is no share of the institution is counted, and one that is named twice is one."""
    results = await shared(world, home, 3)
    elsewhere = await shared(world, await world.institution(), 1)
    named = await share_ids([results[1], results[1], results[2], *elsewhere])
    payload = await ordered(officer, shareIds=[*named, gid(home)], format="CSV")
    assert payload["notFound"] == 2
    found = rows_in(await content(officer, payload["download"]))
    assert {row["Statement number"] for row in found} == {one.statement_number for one in results[1:]}


async def test_a_filter_chooses_what_the_inbox_shows_for_it(officer: Client, world: World, home: Institution) -> None:
    """D1, V1: by what is looked for in keys, and by what a share says."""
    candidate = await world.candidate(family_name="Watanabe")
    wanted = await world.result(await world.entry(candidate))
    await world.share(wanted, home)
    await shared(world, home, 2)
    for filter in ({"name": "watana"}, {"name": "watana", "cefr": ["B2"], "status": "UNREAD"}):
        download = await made(officer, filter=filter, format="CSV")
        assert [row["Family name"] for row in rows_in(await content(officer, download))] == ["Watanabe"]
    refused = await ordered(officer, filter={"status": "READ"})
    assert refused["__typename"] == "NothingToDownload"


async def test_what_may_not_be_downloaded_is_counted_and_not_in_the_file(
    officer: Client, world: World, home: Institution
) -> None:
    """S9: and where nothing else is left, there is no download at all."""
    allowed = (await shared(world, home, 1))[0]
    forbidden = await world.result()
    await world.share(forbidden, home, Terms(allows_downloads=False))
    download = await made(officer, format="CSV")
    assert download["leftOut"] == {"notAllowed": 1, "withoutStatement": 0, "gone": 0}
    found = rows_in(await content(officer, download))
    assert [row["Statement number"] for row in found] == [allowed.statement_number]
    refused = await ordered(officer, shareIds=await share_ids([forbidden]))
    assert (refused["__typename"], refused["notAllowed"]) == ("NothingToDownload", 1)
    assert await database.value("SELECT count(*) FROM download") == 1


async def test_skill_scores_that_were_left_out_are_not_in_the_file(
    officer: Client, world: World, home: Institution
) -> None:
    """S9"""
    whole, without = await world.result(), await world.result()
    await world.share(whole, home)
    await world.share(without, home, Terms(includes_skills=False))
    found = json.loads(await content(officer, await made(officer, format="JSON")))
    scores = {row["Statement number"]: [row[name] for name in row if "Reading" in name and row[name]] for row in found}
    assert len(scores[whole.statement_number]) == 1
    assert scores[without.statement_number] == []


async def test_an_order_names_shares_or_a_filter_and_not_too_many(officer: Client) -> None:
    """D1"""
    both: dict[str, Any] = {"shareIds": [], "filter": {}}
    for input in ({}, both):
        refused = await officer.order("requestDownload", "... on InvalidInput { problems { path } }", **input)
        assert refused["problems"] == [{"path": "filter"}]
    many = [f"{number}" for number in range(orders.MOST_NAMED + 1)]
    refused = await ordered(officer, shareIds=many)
    assert [one["path"] for one in refused["problems"]] == ["shareIds"]
    assert (await ordered(officer, shareIds=many[1:]))["__typename"] == "NothingToDownload"


async def test_more_than_a_file_holds_are_refused(
    officer: Client, world: World, home: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D1: and of as many as it holds there is one; nothing stays of the order that was refused."""
    await shared(world, home, 2)
    monkeypatch.setattr(orders, "MOST", 1)
    refused = await ordered(officer)
    assert refused["problems"][0]["path"] == "filter"
    assert await database.value("SELECT (SELECT count(*) FROM download) + (SELECT count(*) FROM download_row)") == 0
    assert await database.value("SELECT count(*) FROM rate_window WHERE kind = 'downloads of institution'") == 0
    monkeypatch.setattr(orders, "MOST", 2)
    assert (await made(officer))["rows"] == 2


# ---- the file


async def test_the_file_is_given_whole_under_the_name_of_its_template(
    officer: Client, world: World, home: Institution
) -> None:
    """D6: with the headers by which nothing of it is taken for something else, or kept on the way."""
    await shared(world, home, 1)
    copy = "... on TemplateCreated { template { id } }"
    template = (await officer.order("createTemplate", copy, name="合格者/一覧 <2026>", format="CSV"))["template"]
    download = await made(officer, templateId=template["id"])
    answer = await fetched(officer, download)
    assert len(answer.content) == download["size"]
    assert hashlib.sha256(answer.content).hexdigest() == download["sha256"]
    name = answer.headers["content-disposition"].partition("filename*=UTF-8''")[2]
    assert unquote(name) == "合格者 一覧  2026 2026-11-22.csv"
    headers = {key: answer.headers[key] for key in ("content-type", "cache-control", "etag", "x-content-type-options")}
    assert headers == {
        "content-type": "text/csv; charset=utf-8",
        "cache-control": "no-store",
        "etag": f'"{download["sha256"]}"',
        "x-content-type-options": "nosniff",
    }


async def test_fetched_again_it_is_the_very_same_file(
    officer: Client, world: World, home: Institution, clock: ControlledClock
) -> None:
    """D3: later, and after a result in it was amended."""
    result = (await shared(world, home, 2))[0]
    downloads = [await made(officer, format=format) for format in ("CSV", "XLSX", "JSON")]
    first = [await content(officer, download) for download in downloads]
    await amended(world, result)
    clock.forward(minutes=20)
    again = [await state(officer, download["id"]) for download in downloads]
    assert {one["isOutOfDate"] for one in again} == {True}
    assert [await content(officer, download) for download in again] == first


async def test_what_is_kept_of_a_file_cannot_be_read_without_the_key(
    officer: Client, world: World, home: Institution, settings: Any
) -> None:
    """Names and scores lie in the store locked."""
    await shared(world, home, 1, statement_number="S26SECRET01")
    download = await made(officer, format="CSV")
    assert b"S26SECRET01" in await content(officer, download)
    kept = list((settings.var / "files").rglob("*.*"))
    assert kept
    assert not any(b"S26SECRET01" in path.read_bytes() for path in kept if path.is_file())


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "lost": lambda _: None,
    "cut": lambda kept: kept[:-1],
    "longer": lambda kept: kept + b"x",
    "changed": lambda kept: kept[:40] + bytes([kept[40] ^ 1]) + kept[41:],
    "empty": lambda _: b"",
}


async def test_a_damaged_or_lost_file_is_never_given(
    officer: Client, world: World, home: Institution, settings: Any
) -> None:
    """D3: it is told that there is none, and ordering it again gives another."""
    await shared(world, home, 1)
    download = await made(officer, format="CSV")
    path = settings.var / "files" / await database.value("SELECT file FROM download")
    whole = path.read_bytes()
    for damage in DAMAGES.values():
        damaged = damage(whole)
        path.unlink() if damaged is None else path.write_bytes(damaged)
        answer = await fetched(officer, download)
        assert (answer.status_code, "damaged or lost" in answer.text, "もう一度" in answer.text) == (410, True, True)
    assert await TrailEntry.filter(act=TrailAct.DOWNLOADED).count() == 0
    again = (await repeated(officer, download["id"]))["download"]
    assert (await fetched(officer, again)).status_code == 200
    path.write_bytes(whole)
    assert (await fetched(officer, download)).status_code == 200


async def test_a_file_is_kept_for_thirty_days_and_the_history_for_good(
    officer: Client, world: World, home: Institution, clock: ControlledClock, settings: Any
) -> None:
    """D3: both sides of the edge, before and after what cleans up; files that nobody has go with it."""
    await shared(world, home, 1)
    download = await made(officer, format="CSV")
    ready_at = clock()
    orphan = settings.var / "files" / download_files.FOLDER / "orphan.0"
    orphan.write_bytes(b"left by a process that died")
    aged(settings.var / "files", ready_at)
    clock.now = ready_at + download_history.KEPT - timedelta(microseconds=1)
    officer = officer.as_(await world.token(await world.verifier(home)))
    at_last = await state(officer, download["id"])
    assert (at_last["status"], at_last["noFile"]) == ("READY", None)
    clock.now += timedelta(microseconds=1)
    assert (await fetched(officer, at_last)).status_code == 410
    for _ in range(2):
        over = await state(officer, download["id"])
        assert (over["status"], over["noFile"], over["file"], over["rows"]) == ("EXPIRED", "EXPIRED", None, 1)
        await download_files.purge(clock() + download_files.FORGOTTEN)
    assert not [path for path in (settings.var / "files").rglob("*") if path.is_file()]
    assert (await repeated(officer, download["id"]))["download"]["status"] == "READY"


async def test_what_cleans_up_leaves_the_files_that_are_needed(
    officer: Client, world: World, home: Institution, clock: ControlledClock
) -> None:
    await shared(world, home, 1)
    download = await made(officer, format="CSV")
    await download_files.purge(clock() + timedelta(days=29))
    assert (await fetched(officer, download)).status_code == 200


# ---- what has changed since


async def test_a_download_with_a_result_that_was_changed_is_out_of_date(
    officer: Client, world: World, home: Institution
) -> None:
    """R11: amended, withheld, released again or revoked; no other download is, and what is done again shows it."""
    results = await shared(world, home, 2)
    other = await made(officer, shareIds=await share_ids(results[1:]), format="CSV")
    staff = world.viewer(Kind.STAFF, (await world.staff()).id, is_board=True)
    await amended(world, results[0])
    for version, change in enumerate((corrections.withhold, corrections.release_again, corrections.revoke), 2):
        download = await made(officer, shareIds=await share_ids(results[:1]), format="CSV")
        assert download["isOutOfDate"] is False
        await change(staff, Order(results[0].id, version, "A reason"))
        assert (await state(officer, download["id"]))["isOutOfDate"] is True
        again = (await repeated(officer, download["id"]))["download"]
        assert again["isOutOfDate"] is False
        shown = rows_in(await content(officer, again))[0]["Result status"]
        assert shown == {2: "WITHHELD", 3: "RELEASED", 4: "REVOKED"}[version]
    assert (await state(officer, other["id"]))["isOutOfDate"] is False


async def test_a_file_with_a_share_that_was_withdrawn_is_not_given_any_more(
    officer: Client, world: World, home: Institution
) -> None:
    """S10: by an address that was given before neither; done again it is without it, and the history stays."""
    results = await shared(world, home, 2)
    download = await made(officer, format="CSV")
    await withdrawn(world, results[0])
    answer = await fetched(officer, download)
    assert (answer.status_code, "withdrawn" in answer.text) == (410, True)
    shown = (await history(officer))[0]
    assert (shown["status"], shown["file"], shown["noFile"], shown["rows"]) == ("READY", None, "WITHDRAWN", 2)
    again = (await repeated(officer, download["id"]))["download"]
    assert again["repeats"] == {"id": download["id"]}
    found = rows_in(await content(officer, again))
    assert [row["Statement number"] for row in found] == [results[1].statement_number]
    assert await TrailEntry.filter(act=TrailAct.DOWNLOADED).count() == 1


async def test_a_file_with_a_share_that_expires_is_given_until_that_moment(
    officer: Client, world: World, home: Institution, clock: ControlledClock
) -> None:
    """S9, S10: both sides of the edge."""
    ends = clock() + timedelta(minutes=10)
    await world.share(await world.result(), home, Terms(expires_at=ends))
    await shared(world, home, 1)
    download = await made(officer, format="CSV")
    clock.now = ends - timedelta(microseconds=1)
    assert (await fetched(officer, download)).status_code == 200
    clock.now = ends
    assert (await fetched(officer, download)).status_code == 410
    over = await state(officer, download["id"])
    assert (over["file"], over["noFile"]) == (None, "WITHDRAWN")


async def test_what_is_done_again_is_the_same_choice_in_the_same_template(
    officer: Client, world: World, home: Institution
) -> None:
    """D3: nothing that has come since; the template as it was, whatever has become of it."""
    await shared(world, home, 2)
    columns = [{"field": "STATEMENT_NUMBER", "heading": "No."}]
    order = "... on TemplateCreated { template { id version } }"
    template = (await officer.order("createTemplate", order, name="Ours", format="CSV", columns=columns))["template"]
    download = await made(officer, templateId=template["id"])
    await shared(world, home, 1)
    gone = await officer.order("deleteTemplate", "", id=template["id"])
    assert gone["__typename"] == "TemplateDeleted"
    again = (await repeated(officer, download["id"]))["download"]
    assert (again["rows"], again["template"]) == (2, download["template"])
    assert list(rows_in(await content(officer, again))[0]) == ["No."]
    refused = await repeated(officer, gid(home))
    assert refused["__typename"] == "DownloadNotFound"


async def test_the_history_tells_who_when_and_how(
    officer: Client, world: World, home: Institution, clock: ControlledClock
) -> None:
    """D3: newest first, whoever of the institution looks; the name stays when the user is gone."""
    await shared(world, home, 1)
    for format in ("CSV", "JSON"):
        await made(officer, format=format)
        clock.forward(minutes=1)
    colleague = officer.as_(await world.token(await world.verifier(home, is_primary=True)))
    await database.rows("UPDATE verifier_user SET status = 'DEACTIVATED' WHERE name = 'Officer Ono'")
    shown = await history(colleague)
    assert [one["format"] for one in shown] == ["JSON", "CSV"]
    assert {one["askedBy"] for one in shown} == {"Officer Ono"}
    assert shown[0]["template"]["name"] == "All columns"


# ---- the trail


async def test_each_time_that_a_file_is_fetched_is_in_the_trail_and_in_the_access_log(
    client: Client, officer: Client, world: World, home: Institution
) -> None:
    """G1, S11: with the versions that stand in the file; to order it leaves nothing."""
    candidate = await world.candidate()
    results = [await world.result(await world.entry(candidate)), *await shared(world, home, 1)]
    await world.share(results[0], home)
    download = await made(officer, format="CSV")
    assert await TrailEntry.filter(act=TrailAct.DOWNLOADED).count() == 0
    for _ in range(2):
        await content(officer, download)
    entries = await TrailEntry.filter(act=TrailAct.DOWNLOADED)
    assert [set(entry.results) for entry in entries] == [{one.id for one in results}] * 2
    assert entries[0].versions == [1, 1]
    assert entries[0].path == "file download"
    log = "{ me { accessLog(first: 9) { edges { node { act by times } } } } }"
    edges = (await client.as_(await world.token(candidate)).ask(log))["me"]["accessLog"]["edges"]
    lines = [edge["node"] for edge in edges if edge["node"]["act"] == "DOWNLOADED"]
    assert [line["by"] for line in lines] == ["Kobe College"] * 2


async def test_a_large_file_leaves_an_entry_for_each_thousand_results(
    officer: Client, world: World, home: Institution, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G1"""
    await shared(world, home, 5)
    download = await made(officer, format="CSV")
    monkeypatch.setattr("resolvers.trail.MOST_IN_AN_ENTRY", 2)
    with statements.counted():
        await content(officer, download)
    assert sum("INSERT INTO trail" in one for one in statements.sent) == 3
    entries = await TrailEntry.filter(act=TrailAct.DOWNLOADED)
    assert sorted(len(entry.results) for entry in entries) == [1, 2, 2]


async def test_holders_of_a_downloaded_version_are_told_of_a_correction(
    officer: Client, world: World, home: Institution
) -> None:
    """R11"""
    result = (await shared(world, home, 1))[0]
    await content(officer, await made(officer, format="CSV"))
    await amended(world, result)
    assert await database.value("SELECT institution_id FROM holder_notice WHERE version = 1") == home.id


# ---- limits and cost


async def test_an_institution_has_so_many_downloads_a_day(
    officer: Client, world: World, home: Institution, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3: all its users together, told when it goes on; both sides of the edge."""
    await shared(world, home, 1)
    day = orders.DOWNLOADS
    monkeypatch.setattr(orders, "DOWNLOADS", type(day)(day.kind, most=2, window=day.window))
    first = await made(officer, format="CSV")
    assert (await repeated(officer, first["id"]))["__typename"] == "DownloadRepeated"
    colleague = officer.as_(await world.token(await world.verifier(home)))
    refused = await ordered(colleague)
    assert (refused["__typename"], refused["retryAfter"]) == ("TooManyTries", "2026-11-23T00:00:00+00:00")
    clock.now = clock.now.replace(hour=0) + timedelta(days=1)
    assert (await made(officer.as_(await world.token(await world.verifier(home)))))["status"] == "READY"


async def test_a_small_download_takes_as_many_statements_for_one_as_for_fifty_results(
    officer: Client, world: World, home: Institution, statements: Statements
) -> None:
    """D4: choosing and reading are one statement each, however many they are."""
    counts = []
    for more in (1, 49):
        await shared(world, home, more)
        with statements.counted():
            await made(officer, format="CSV")
        counts.append(len(statements))
    assert counts[0] == counts[1] < 40, statements.sent


async def test_a_page_of_the_history_takes_three_statements(
    officer: Client, world: World, home: Institution, statements: Statements
) -> None:
    """D3: the session; the institution; the downloads; how their files stand."""
    await shared(world, home, 2)
    for more in (1, 4):
        for _ in range(more):
            await made(officer, format="CSV")
        with statements.counted():
            await history(officer)
        assert len(statements) == 4, statements.sent


@pytest.mark.parametrize("sentence", [*FAILURES, download_files.LOST, *download_files.ENDED.values()])
def test_why_there_is_no_file_is_said_in_japanese(sentence: str) -> None:
    """A12"""
    assert told(sentence, "ja") != sentence


def test_a_choice_is_kept_as_it_was_asked_for() -> None:
    choice = Choice(filter=Filter(name="aoi", cefr=("B2",), is_read=False))
    assert choice.as_json() == {"filter": {"name": "aoi", "cefr": ("B2",), "is_read": False}}


async def test_results_without_any_award_say_only_how_they_stand(
    officer: Client, world: World, home: Institution
) -> None:
    """R6"""
    result = (await shared(world, home, 1))[0]
    await Result.filter(id=result.id).update(withheld_at=world.clock())
    row = rows_in(await content(officer, await made(officer, format="CSV")))[0]
    assert (row["Result status"], row["Result"], row["CEFR level"], row["Overall score"]) == ("WITHHELD", "", "", "")
