"""Checking people by a file: hand it in, see how far it has come, fetch it with a verdict beside each row (V5)."""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from starlette.applications import Starlette

from engine import database, keys
from engine import files as store
from engine.jobs import Worker
from models.base import new_id
from models.institution import Institution
from models.list_check import ListCheck
from models.result import Result
from models.session import Session
from models.trail import TrailAct, TrailEntry
from models.verifier import VerifierRole, VerifierStatus, VerifierUser
from models.viewer import Kind
from resolvers import list_checks, verifying
from schema.ids import key_of
from settings import Settings
from tests.aged import aged
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.lists import AWAITED, ENTRIES, STATEMENTS, Sent, csv_of, ended, result, rows_in, sent, state, xlsx_of
from tests.words import words
from tests.world import World

BORN = "2001-02-03"
FOUND = ["Verdict", "Name", "Qualification", "Result", "Overall score", "Note", "Checked at (UTC)"]
NOW = "2026-11-22 09:00:00"


@dataclass
class Office:
    """An institution, its Primary User, an officer and a reader, each at the door."""

    institution: Institution
    user: VerifierUser
    primary: Client
    officer: Client
    reader: Client


@pytest.fixture
async def office(app: Starlette, client: Client, world: World) -> Office:
    institution = await world.institution()
    primary = await world.verifier(institution)
    user = await world.verifier(institution)
    reader = await world.verifier(institution, role=VerifierRole.READER)
    tokens = [await world.token(one) for one in (primary, user, reader)]
    return Office(institution, user, *(client.as_(token) for token in tokens))


async def worked(handed: Sent, clock: ControlledClock) -> timedelta | None:
    """Do the job of a list here and now, as a worker would."""
    return await list_checks.work(clock, {"id": str(key(handed))}, clock())


def key(handed: Sent) -> UUID:
    found = key_of(handed.id, "ListCheck")
    assert found is not None
    return found


def kept(settings: Settings) -> list[Path]:
    """The files that lie in the store."""
    return sorted((settings.var / "files" / "list").glob("*"))


# ---- what comes back


async def results(world: World) -> dict[str, Result]:
    """A result for each verdict that there is one for."""
    moment = world.clock() - timedelta(hours=1)
    return {
        "GENUINE": await world.result(),
        "WITHHELD": await world.result(withheld_at=moment),
        "REVOKED": await world.result(revoked_at=moment),
        "SUPERSEDED": await world.result(version=2),
    }


async def test_each_row_comes_back_with_its_verdict(office: Office, world: World, worker: Worker) -> None:
    """V5: by a worker; what of the award is told, only while it stands; a bad row spoils no other."""
    told = await results(world)
    rows = [[one.statement_number, BORN, "1" if verdict == "SUPERSEDED" else ""] for verdict, one in told.items()]
    rows += [["S999", BORN, ""], [told["GENUINE"].statement_number, "2001-02-04", ""], ["", BORN, ""], ["S1", "x", ""]]
    handed = await sent(office.officer, csv_of(rows, [*STATEMENTS, "Version"]), file_name="Spring.CSV")
    assert (handed.answer.status_code, handed.answer.json()) == (201, {"id": handed.id, "rows": 8})
    ready = await ended(office.officer, handed.id)
    assert (ready["done"], ready["fileName"], ready["purpose"]) == (8, "Spring.CSV", "Admission 2027")
    assert (ready["readyAt"], ready["verifier"]["name"]) == ("2026-11-22T09:00:00+00:00", office.user.name)
    head, *found = rows_in(await result(office.officer, handed.id))
    assert head == [*STATEMENTS, "Version", *FOUND]
    assert [row[:3] for row in found] == rows
    assert [row[3] for row in found] == [*told, *["NOT_MATCHED"] * 4]
    award = ["C1 Advanced", "Council of Europe Level B2", "168", ""]
    assert [row[5:9] for row in found[:4]] == [award, ["C1 Advanced", "", "", ""], ["C1 Advanced", "", "", ""], award]
    assert all(row[4].startswith("Aoi Tanaka") for row in found[:4])
    assert [row[4:8] for row in found[4:]] == [[""] * 4] * 4
    assert [bool(row[8]) for row in found[4:]] == [False, False, True, True]
    assert {row[9] for row in found} == {NOW}


@pytest.mark.parametrize("format", ["CSV", "XLSX"])
async def test_the_result_has_the_format_of_the_list_and_no_formula_in_it(
    office: Office, world: World, clock: ControlledClock, format: str
) -> None:
    """D5"""
    candidate = await world.candidate(given_name="=cmd()", family_name="|x")
    good = await world.result(await world.entry(candidate))
    notes = ["=1+1", "+1", "-1", "@x", "https://x.example", "田中"]
    rows = [[good.statement_number, BORN, note] for note in notes]
    write: Callable[..., str | bytes] = csv_of if format == "CSV" else xlsx_of
    handed = await sent(
        office.officer, write([[*row[:2], row[2].replace("=1", "1")] for row in rows], [*STATEMENTS, "x"])
    )
    assert handed.answer.status_code == 201, handed.answer.text
    await worked(handed, clock)
    content = await result(office.officer, handed.id)
    assert content.startswith(b"\xef\xbb\xbf" if format == "CSV" else b"PK")
    found = rows_in(content, format)[1:]
    mark = "'" if format == "CSV" else ""
    assert [row[2] for row in found] == ["1+1", f"{mark}+1", f"{mark}-1", f"{mark}@x", *notes[4:]]
    assert {row[4] for row in found} == {f"{mark}=cmd() |x"}


async def test_the_delimiter_stays_and_the_name_follows_that_of_the_list(
    office: Office, world: World, clock: ControlledClock
) -> None:
    handed = await sent(office.officer, csv_of([["S1", BORN]], delimiter=";"), file_name="C:\\Users\\x\\春.xlsx")
    await worked(handed, clock)
    address = (await state(office.officer, handed.id))["file"]["address"]
    answer = await office.officer.http.get(urlsplit(address).path)
    assert answer.text.lstrip("\ufeff").splitlines()[1] == f"S1;{BORN};NOT_MATCHED;;;;;;{NOW}"
    assert answer.headers["Content-Disposition"].endswith("filename*=UTF-8''%E6%98%A5-checked.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


async def test_the_result_speaks_the_language_of_who_handed_the_list_in(
    office: Office, world: World, clock: ControlledClock
) -> None:
    """A12"""
    await VerifierUser.filter(id=office.user.id).update(language="ja")
    handed = await sent(office.officer, csv_of([["", BORN]]))
    await worked(handed, clock)
    head, row = rows_in(await result(office.officer, handed.id))
    assert head[2:] == ["判定", "氏名", "資格", "試験結果", "総合評価スコア", "備考", "確認日時（UTC）"]
    assert "ステートメント" in row[7]


async def test_numbers_of_confirmations_are_checked_and_no_secret_number_is_kept(
    office: Office, world: World, clock: ControlledClock, settings: Settings
) -> None:
    """V4, G3: sealed while they wait, gone when they are checked, and in nothing that comes back."""
    entry = await world.entry(secret="7391")
    await world.result(entry)
    rows = [[entry.id_number, "7391", "x"], [entry.id_number, "8264", "y"]]
    handed = await sent(office.officer, csv_of(rows, [*ENTRIES, "Note"]))
    (waiting,) = kept(settings)
    assert b"7391" not in waiting.read_bytes()
    packed = keys.unlocked("list", f"list/{waiting.name}", waiting.read_bytes())
    assert packed is not None and b"7391" in packed
    await worked(handed, clock)
    (ready,) = kept(settings)
    assert ready.suffix == ".result" and entry.id_number.encode() not in ready.read_bytes()
    content = await result(office.officer, handed.id)
    assert b"7391" not in content and b"8264" not in content
    assert [row[:3] for row in rows_in(content)] == [
        ["ID Number", "Note", "Verdict"], [entry.id_number, "x", "GENUINE"], [entry.id_number, "y", "NOT_MATCHED"],
    ]  # fmt: skip
    told = await database.value("SELECT string_agg(b::text, '') FROM list_check_batch AS b")
    assert "NOT_MATCHED" in told and not re.search("7391|8264", words(told))


# ---- what is left of it in the trail


async def test_candidates_see_who_looked_them_up_and_what_for(
    office: Office, world: World, clock: ControlledClock
) -> None:
    """V3, G1: one entry for a batch; whoever fetches the result leaves another one."""
    candidate = await world.candidate()
    good = await world.result(await world.entry(candidate))
    handed = await sent(office.officer, csv_of([[good.statement_number, BORN], ["S1", BORN]]), "Visa 1/2027")
    await worked(handed, clock)
    (entry,) = await TrailEntry.filter(act=TrailAct.LOOKED_UP)
    assert (entry.candidates, entry.results, entry.versions) == ([candidate.id], [good.id], [1])
    assert (entry.viewer_id, entry.institution_id, entry.purpose) == (
        office.user.id,
        office.institution.id,
        "Visa 1/2027",
    )
    assert entry.path == "job checkList: 1 of 2 not matched"
    assert entry.address == "127.0.0.1" and entry.request_id
    await result(office.primary, handed.id)
    (read,) = await TrailEntry.filter(act=TrailAct.READ)
    assert (read.results, read.path) == ([good.id], "file list")
    asked = "{ me { accessLog(first: 5) { edges { node { act purpose } } } } }"
    told = await office.officer.as_(await world.token(candidate)).ask(asked)
    acts = {edge["node"]["act"]: edge["node"]["purpose"] for edge in told["me"]["accessLog"]["edges"]}
    assert acts == {"LOOKED_UP": "Visa 1/2027", "READ": None}


# ---- worked through batch by batch


async def test_a_list_goes_on_batch_by_batch_by_as_many_statements_for_each(
    office: Office, world: World, clock: ControlledClock, statements: Statements
) -> None:
    sizes = {}
    for rows in (500, 1500):
        number = (await world.result()).statement_number
        handed = await sent(office.officer, csv_of([[number, BORN]] * rows))
        with statements.counted():
            await worked(handed, clock)
        sizes[rows] = len(statements)
        assert (await state(office.officer, handed.id))["done"] == rows
    assert (sizes[1500] - sizes[500]) / 2 <= 25
    assert sizes[500] <= 40


async def test_two_workers_do_not_check_a_row_twice(office: Office, world: World, clock: ControlledClock) -> None:
    numbers = [(await world.result()).statement_number for _ in range(5)]
    handed = await sent(office.officer, csv_of([[numbers[place % 5], BORN] for place in range(2000)]))
    assert await asyncio.gather(*(worked(handed, clock) for _ in range(3))) == [None] * 3
    assert len(rows_in(await result(office.officer, handed.id))) == 2001
    assert await looked_up() == 2000
    assert await counted("look-ups of user") == 2000
    assert await counted("misses of user") == 0


async def looked_up() -> int:
    """How many rows the trail tells of."""
    paths = [entry.path for entry in await TrailEntry.filter(act=TrailAct.LOOKED_UP)]
    return sum(int(path.rpartition(" of ")[2].split()[0]) for path in paths)


async def counted(kind: str) -> int:
    """How many rows stand against a limit."""
    return int(await database.value("SELECT coalesce(sum(count), 0) FROM rate_window WHERE kind = :kind", kind=kind))


class Died(Exception):
    """What ends a job as a kill would: wherever it is, with its transaction undone."""


class Mortal:
    """Lets so many statements through, and no more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = math.inf
        rows = database.rows

        async def mortal_rows(statement: str, **named: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise Died
            return await rows(statement, **named)

        monkeypatch.setattr(database, "rows", mortal_rows)

    async def work(self, id: UUID, clock: ControlledClock, statements: float) -> bool:
        """Work on a list until it ends or one dies; whether it has ended."""
        self.left = statements
        try:
            assert await list_checks.work(clock, {"id": str(id)}, clock()) is None
        except Died:
            return False
        finally:
            self.left = math.inf
        return True


async def test_wherever_a_worker_dies_each_row_is_checked_counted_and_written_down_once(
    office: Office, world: World, clock: ControlledClock, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each of the statements of a list of three batches; the next worker goes on."""
    monkeypatch.setattr(list_checks, "MOST_AT_ONCE", 4)
    right = [await world.result() for _ in range(8)]
    raw = csv_of([*[[one.statement_number, BORN] for one in right], ["S1", BORN], ["S2", BORN]]).encode()
    viewer = world.viewer(Kind.VERIFIER, office.user.id, institution_id=office.institution.id)
    mortal = Mortal(monkeypatch)
    lists, has_ended = 0, False
    while not has_ended:
        await database.rows("DELETE FROM wrong_tries")  # the same numbers of nobody are tried again and again
        id = new_id()
        assert await list_checks.take(viewer, id, '["Admission", ""]', raw) == 10
        has_ended = await mortal.work(id, clock, lists)
        lists += 1
        assert await mortal.work(id, clock, math.inf)
        row = await ListCheck.get(id=id)
        assert (row.status.value, row.done, row.admitted) == ("READY", 10, 10)
        assert await looked_up() == await counted("look-ups of user") == 10 * lists
        assert await counted("misses of user") == 2 * lists
        entries = await TrailEntry.filter(act=TrailAct.LOOKED_UP)
        assert sum(len(entry.results) for entry in entries) == 8 * lists
        assert await database.value("SELECT count(*) FROM list_check_batch") == 3 * lists
    assert {path.suffix for path in kept(settings)} == {".result"}
    assert lists > 20


async def test_a_limit_makes_a_list_wait_until_it_is_over(
    office: Office, world: World, clock: ControlledClock, settings: Settings
) -> None:
    """V3: nothing of the list is lost, and nothing more is counted."""
    good = await world.result()
    handed = await sent(office.officer, csv_of([[good.statement_number, BORN]] * 700))
    rate = verifying.LOOK_UPS["USER"]
    await database.rows(
        "INSERT INTO rate_window (kind, subject, window_started_at, count) VALUES (:kind, :id, :at, :count)",
        kind=rate.kind,
        id=str(office.user.id),
        at=rate.started_at(clock()),
        count=rate.most - 600,
    )
    assert await worked(handed, clock) == rate.ends_at(clock()) - clock()
    waiting = await state(office.officer, handed.id)
    assert (waiting["status"], waiting["done"]) == ("RUNNING", 500)
    assert waiting["pausedUntil"] == rate.ends_at(clock()).isoformat()
    assert await counted(rate.kind) == rate.most - 100
    assert await looked_up() == 500
    clock.now = rate.ends_at(clock())
    assert await worked(handed, clock) is None
    assert await looked_up() == 700
    row = await ListCheck.get(id=key(handed))
    assert (row.status.value, row.paused_until, row.done) == ("READY", None, 700)


# ---- what ends it


async def removed(office: Office, world: World) -> None:
    await world.remove(office.user)


async def deactivated(office: Office, world: World) -> None:
    await VerifierUser.filter(id=office.user.id).update(status=VerifierStatus.DEACTIVATED, deactivated_at=world.clock())


async def made_reader(office: Office, world: World) -> None:
    await VerifierUser.filter(id=office.user.id).update(role=VerifierRole.READER)


async def suspended(office: Office, world: World) -> None:
    await world.suspend(office.institution)


Change = Callable[[Office, World], Awaitable[None]]
ENDS: list[tuple[Change, str]] = [
    (removed, list_checks.NO_USER),
    (deactivated, list_checks.NO_USER),
    (made_reader, list_checks.NO_RIGHT),
    (suspended, list_checks.NO_INSTITUTION),
]


@pytest.mark.parametrize(("change", "reason"), ENDS)
async def test_a_list_ends_with_the_right_of_who_handed_it_in(
    office: Office, world: World, clock: ControlledClock, settings: Settings, monkeypatch: pytest.MonkeyPatch,
    change: Change, reason: str,
) -> None:  # fmt: skip
    """O3, U2: looked at before each batch; what was found is not told, and what was given is erased."""
    good = await world.result()
    handed = await sent(office.officer, csv_of([[good.statement_number, BORN]] * 1100))
    check = list_checks._check

    async def then_changed(*values: Any) -> None:
        await check(*values)
        await change(office, world)

    monkeypatch.setattr(list_checks, "_check", then_changed)
    assert await worked(handed, clock) is None
    row = await ListCheck.get(id=key(handed))
    assert (row.status.value, row.failure, row.done) == ("FAILED", reason, 500)
    assert await looked_up() == 500
    assert kept(settings) == []
    assert await database.rows("SELECT 1 FROM list_check_batch") == []
    if change is not suspended:
        told = await state(office.primary, handed.id)
        assert (told["status"], told["failure"], told["file"]) == ("FAILED", reason, None)


@pytest.mark.parametrize("reason", list_checks.FAILURES)
async def test_why_a_list_failed_is_told_in_the_viewers_language(
    office: Office, world: World, clock: ControlledClock, reason: str
) -> None:
    """A12"""
    handed = await sent(office.officer, csv_of([["S1", BORN]]))
    await list_checks._fail(key(handed), reason)
    await VerifierUser.all().update(language="ja")
    told = (await state(office.officer, handed.id))["failure"]
    assert told != reason
    assert any("ぁ" <= sign <= "ヿ" for sign in told)


async def test_a_list_whose_file_is_lost_or_was_touched_fails(
    office: Office, clock: ControlledClock, settings: Settings
) -> None:
    for touched in (True, False):
        handed = await sent(office.officer, csv_of([["S1", BORN]]))
        (path,) = kept(settings)
        raw = path.read_bytes()
        path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1])) if touched else path.unlink()
        assert await worked(handed, clock) is None
        assert (await state(office.officer, handed.id))["failure"] == list_checks.LOST
        assert kept(settings) == []


# ---- who may


async def refused(asker: Client, **input: str) -> Any:
    return await asker.order("checkList", AWAITED, **{"purpose": "Admission"} | input)


async def test_only_users_who_may_check_results_hand_lists_in(office: Office, client: Client, world: World) -> None:
    """U2: and not readers."""
    askers = {
        "NotLoggedIn": client,
        "NotAllowed": office.reader,
    }
    for name, asker in askers.items():
        assert (await refused(asker))["__typename"] == name
    for other in (await world.candidate(), await world.staff()):
        assert (await refused(client.as_(await world.token(other))))["__typename"] == "NotAllowed"
    assert (await refused(office.primary))["__typename"] == "ListAwaited"
    await world.suspend(office.institution)
    assert (await refused(office.primary))["__typename"] == "NotLoggedIn"


@pytest.mark.parametrize(
    ("input", "path"),
    [
        ({"purpose": " x "}, "purpose"), ({"purpose": "x" * 201}, "purpose"), ({"fileName": "x" * 101}, "fileName"),
        ({"fileName": "a\nb.csv"}, "fileName"),
    ],
)  # fmt: skip
async def test_a_purpose_is_needed_and_a_name_is_one_line(office: Office, input: dict[str, str], path: str) -> None:
    """V3"""
    told = await refused(office.officer, **input)
    assert [problem["path"] for problem in told["problems"]] == [path]


async def test_an_institution_hands_in_twenty_lists_a_day(office: Office, clock: ControlledClock) -> None:
    for place in range(20):
        asker = office.officer if place % 2 else office.primary
        assert (await refused(asker))["__typename"] == "ListAwaited"
    assert (await refused(office.officer))["__typename"] == "TooManyTries"
    clock.now = list_checks.LISTS.ends_at(clock())
    token = await World(clock).token(office.user)
    assert (await refused(office.officer.as_(token)))["__typename"] == "ListAwaited"


async def test_an_address_serves_for_one_list(office: Office, clock: ControlledClock) -> None:
    """A list that is refused can be sent again, better; also two that come at once are one."""
    handed = await sent(office.officer, "no list")
    assert handed.answer.status_code == 422
    assert handed.answer.json()["problems"][0]["line"] == 1
    assert await state(office.officer, handed.id) is None
    put = office.officer.http.put
    contents = [csv_of([["S1", BORN]] * count).encode() for count in (1, 2, 3)]
    answers = await asyncio.gather(*(put(handed.address, content=content) for content in contents))
    (taken,) = [answer for answer in answers if answer.status_code == 201]
    assert sorted(answer.status_code for answer in answers) == [201, 404, 404]
    assert (await put(handed.address, content=contents[0])).status_code == 404
    assert (await state(office.officer, handed.id))["rows"] == taken.json()["rows"]
    await worked(handed, clock)
    assert len(rows_in(await result(office.officer, handed.id))) == taken.json()["rows"] + 1


async def late(office: Office, world: World, clock: ControlledClock) -> None:
    clock.forward(minutes=15)


async def logged_out(office: Office, world: World, clock: ControlledClock) -> None:
    await Session.filter(verifier_id=office.user.id).update(ended_at=clock())


OVER: list[Callable[[Office, World, ControlledClock], Awaitable[None]]] = [
    late,
    logged_out,
    lambda office, world, _: removed(office, world),
    lambda office, world, _: deactivated(office, world),
    lambda office, world, _: made_reader(office, world),
    lambda office, world, _: suspended(office, world),
]


@pytest.mark.parametrize("over", OVER)
async def test_addresses_of_lists_and_results_end_with_the_right_to_them(
    office: Office, world: World, clock: ControlledClock, over: Callable[..., Awaitable[None]]
) -> None:
    """D6, O3, U2: after 15 minutes, a log-out, a removal, a suspension; alike for what comes in and what goes out."""
    handed = await sent(office.officer, csv_of([["S1", BORN]]))
    await worked(handed, clock)
    address = urlsplit((await state(office.officer, handed.id))["file"]["address"]).path
    awaited = await refused(office.officer)
    upload = urlsplit(awaited["upload"]["address"]).path
    http = office.officer.http
    assert (await http.get(address)).status_code == 200
    await over(office, world, clock)
    assert (await http.get(address)).status_code == 404
    assert (await http.put(upload, content=csv_of([["S1", BORN]]))).status_code == 404
    assert len(await ListCheck.all()) == 1


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(office: Office) -> None:
    handed = await sent(office.officer, b"x" * (5 * 1024 * 1024 + 1))
    assert handed.answer.status_code == 413


async def test_lists_are_seen_by_their_institution_alone_and_results_by_those_who_may_check(
    office: Office, client: Client, world: World, clock: ControlledClock
) -> None:
    """U3: its readers see how far a list has come, and no result."""
    handed = await sent(office.officer, csv_of([["S1", BORN]]))
    await worked(handed, clock)
    assert (await state(office.primary, handed.id))["file"] is not None
    told = await state(office.reader, handed.id)
    assert (told["status"], told["file"]) == ("READY", None)
    board = await state(client.as_(await world.token(await world.staff())), handed.id)
    assert (board["status"], board["file"]) == ("READY", None)
    others: list[Any] = [
        await world.verifier(),
        await world.candidate(),
        await world.staff(centre=await world.centre()),
    ]
    for asker in [client, *[client.as_(await world.token(other)) for other in others]]:
        assert await state(asker, handed.id) is None


async def test_lists_of_an_organisation_come_newest_first_page_by_page(office: Office, clock: ControlledClock) -> None:
    ids = []
    for _ in range(5):
        clock.forward(seconds=1)
        ids.append((await sent(office.officer, csv_of([["S1", BORN]]))).id)
    query = """query ($after: String) { organisation { listChecks(first: 2, after: $after) {
        edges { node { id } } pageInfo { endCursor hasNextPage } } } }"""
    found, after, more = [], None, True
    while more:
        page = (await office.reader.ask(query, after=after))["organisation"]["listChecks"]
        found += [edge["node"]["id"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert found == ids[::-1]


# ---- nothing is kept for longer than it is needed


async def test_a_result_is_kept_for_thirty_days(
    office: Office, world: World, clock: ControlledClock, settings: Settings
) -> None:
    handed = await sent(office.officer, csv_of([["S1", BORN]]))
    await worked(handed, clock)
    aged(settings.var / "files", clock())
    clock.forward(days=30, microseconds=-1)
    await list_checks.purge(clock())
    office.officer.token = await world.token(office.user)
    await result(office.officer, handed.id)
    clock.forward(microseconds=1)
    told = await state(office.officer, handed.id)
    assert (told["status"], told["file"]) == ("EXPIRED", None)
    await list_checks.purge(clock())
    assert kept(settings) == []
    assert await database.rows("SELECT 1 FROM list_check_batch") == []
    assert (await ListCheck.get(id=key(handed))).status.value == "EXPIRED"


async def test_files_that_no_list_needs_are_purged_and_no_others(
    office: Office, world: World, clock: ControlledClock, settings: Settings
) -> None:
    """A process died between keeping a file and its commit, or between the end of a list and erasing it."""
    waiting = await sent(office.officer, csv_of([["S1", BORN]]))
    ready = await sent(office.officer, csv_of([["S1", BORN]]))
    await worked(ready, clock)
    for name in (f"list/{key(ready)}.given", "list/00000000-0000-7000-8000-000000000000.given", "list/x"):
        await store.put(name, b"left behind")
    aged(settings.var / "files", clock())
    await list_checks.purge(clock() + timedelta(days=400))
    # 400 days later both have ended, too
    assert kept(settings) == []
    assert {row.status.value for row in await ListCheck.all()} == {"FAILED", "EXPIRED"}
    assert (await ListCheck.get(id=key(waiting))).failure == list_checks.TOO_LONG
