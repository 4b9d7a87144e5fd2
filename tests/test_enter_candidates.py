"""Entering candidates (R1): in an order and by a file, each once, with numbers that are told once."""

import argparse
import csv
import io
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

import cli
from commands import enter as enter_command
from engine import database
from errors import InvalidInput
from models.candidate import Candidate
from models.entry import HOME, ID_NUMBER, SECRET_NUMBER, Centre, Entry, sealed_secret
from models.id_numbers import LETTERS, UNWANTED, new_id_number
from models.result import Result
from models.trail import TrailAct
from models.verifier import StaffRole
from resolvers import centres, entering, staff
from settings import Settings
from tests.client import Client
from tests.locks import holding
from tests.rows import (
    Texts,
    board,
    candidate_row,
    centre_staff,
    contents,
    enter,
    given,
    result_row,
    write,
)
from tests.served import until
from tests.world import PASSWORD, World

ROOT = Path(cli.__file__).parent


@pytest.fixture
async def there(open_database: None, world: World) -> World:
    """A centre, and nobody entered."""
    await world.centre()
    return world


async def test_a_row_becomes_a_candidate_and_an_entry_with_numbers_of_its_own(there: World) -> None:
    """R1: the Secret Number is stored sealed; results are out six weeks after the exam."""
    became = await enter(there, [candidate_row(1, nativeName="森　葵"), candidate_row(2, resultsBy="2026-10-31")])
    first, second = await Entry.all().order_by("id").prefetch_related("candidate")
    assert (first.exam_id, str(first.exam_date), first.candidate_number) == ("C1_ADVANCED", "2026-09-20", "0001")
    assert (first.candidate.family_name, first.candidate.given_name, first.candidate.native_name) == (
        "Mori1", "Aoi", "森 葵",
    )  # fmt: skip
    assert (str(first.candidate.date_of_birth), first.candidate.registered_at) == ("2001-02-03", None)
    assert [str(one.results_by) for one in (first, second)] == ["2026-11-01", "2026-10-31"]
    assert (first.claimed_at, first.issue, first.issued_at) == (None, 1, there.clock())
    told = {one.id_number: one.secret_number for one in became.new}
    assert set(told) == {first.id_number, second.id_number}
    for entry in (first, second):
        assert ID_NUMBER.fullmatch(entry.id_number)
        assert SECRET_NUMBER.fullmatch(told[entry.id_number])
        assert entry.secret_hash == sealed_secret(entry.id_number, told[entry.id_number])


async def test_numbers_that_were_told_register_the_candidate(there: World, app: Any, client: Client) -> None:
    """A1, R1."""
    staff = client.as_(await there.token(await there.staff()))
    row = candidate_row(1)
    told = "... on CandidatesEntered { confirmations { idNumber secretNumber issue entry { candidateNumber } } }"
    answer = await staff.order("enterCandidates", told, rows=[row])
    confirmation = answer["confirmations"][0]
    assert (confirmation["issue"], confirmation["entry"]) == (1, {"candidateNumber": "0001"})
    payload = await client.order(
        "register", "", idNumber=confirmation["idNumber"], secretNumber=confirmation["secretNumber"],
        email="mori@mail.example", emailAgain="mori@mail.example", password=PASSWORD, passwordAgain=PASSWORD,
        acceptsTerms=True,
    )  # fmt: skip
    assert payload["__typename"] == "LoggedIn"
    again = await staff.order("enterCandidates", told + "... on CandidatesEntered { alreadyThere }", rows=[row])
    assert (again["confirmations"], again["alreadyThere"]) == ([], 1)


BAD: dict[str, tuple[Texts, str]] = {
    "no such centre": ({"centre": "XX1"}, "centre"),
    "no centre": ({"centre": ""}, "centre"),
    "no such exam": ({"examCode": "C3"}, "examCode"),
    "before the exam": ({"examDate": "2014-12-31"}, "examDate"),
    "no date": ({"examDate": "20/9/2026"}, "examDate"),
    "no number": ({"candidateNumber": ""}, "candidateNumber"),
    "a long number": ({"candidateNumber": "12345678901"}, "candidateNumber"),
    "no family name": ({"familyName": " "}, "familyName"),
    "a formula": ({"givenName": "=1+1"}, "givenName"),
    "a name with NUL": ({"familyName": "Mo\0ri"}, "familyName"),
    "a name that turns round": ({"familyName": "Mo\u202eri"}, "familyName"),
    "a long name": ({"nativeName": "葵" * 201}, "nativeName"),
    "no birth": ({"dateOfBirth": ""}, "dateOfBirth"),
    "born after the exam": ({"dateOfBirth": "2026-09-21"}, "dateOfBirth"),
    "born too long ago": ({"dateOfBirth": "1899-12-31"}, "dateOfBirth"),
    "results before the exam": ({"resultsBy": "2026-09-19"}, "resultsBy"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_row_is_told_and_the_others_are_kept(there: World, name: str) -> None:
    """R1."""
    texts, column = BAD[name]
    became = await enter(there, [candidate_row(1), candidate_row(2, **texts), candidate_row(3)])
    assert became.columns == [(3, column)]
    assert [one.row.key.candidate_number for one in became.new if one.row] == ["0001", "0003"]


async def test_exam_codes_and_dates_may_be_typed_in_full_width(there: World) -> None:
    """R1: as Japanese keyboards do."""
    became = await enter(there, [candidate_row(1, candidateNumber="０００１", examDate="２０２６-０９-２０")])
    assert became.faults == []
    assert (await Entry.get()).candidate_number == "0001"


async def test_entering_again_changes_nothing(there: World, database_url: str) -> None:
    """R1: the same number with other facts is a bad row, told by the columns that differ."""
    await enter(there, [candidate_row(1), candidate_row(2)])
    before = await contents(database_url)
    rows = [candidate_row(1), candidate_row(2, familyName="Hayashi", dateOfBirth="2001-02-04"), candidate_row(1)]
    became = await enter(there, rows)
    assert (became.new, became.there) == ([], 2)
    assert became.columns == [(3, "familyName"), (3, "dateOfBirth")]
    assert await contents(database_url) == before


async def test_one_person_with_two_entries_is_two_candidates_until_they_say_so(there: World) -> None:
    """A11: a name and a date of birth do not tell two people apart; their numbers do."""
    await enter(there, [candidate_row(1, examDate=day, familyName="Mori") for day in ("2026-09-20", "2026-09-27")])
    assert await Candidate.all().count() == 2


async def test_a_number_that_is_taken_is_drawn_again(there: World) -> None:
    """R1."""
    await there.entry(id_number="KDM123456")
    drawn = chain(["KDM123456", "KDM123456", "RTW000001"], repeat("RTW000002"))
    async for done in entering.enter(
        board(there), given([candidate_row(11), candidate_row(12)]), new_number=drawn.__next__
    ):
        assert {one.id_number for one in done.new} == {"RTW000001", "RTW000002"}


def test_id_numbers_say_nothing_and_can_be_read_aloud() -> None:
    """R1: no I and no O, no triple that hurts; all digits as likely as each other."""
    numbers = [new_id_number() for _ in range(5_000)]
    assert all(ID_NUMBER.fullmatch(number) for number in numbers)
    assert not {number[:3] for number in numbers} & UNWANTED
    assert set("".join(number[:3] for number in numbers)) == set(LETTERS)
    assert "I" not in LETTERS and "O" not in LETTERS
    digits = Counter("".join(number[3:] for number in numbers))
    assert set(digits) == set("0123456789")
    assert max(digits.values()) < 1.2 * min(digits.values())
    assert all(len(word) == 3 and set(word) <= set(LETTERS) for word in UNWANTED)


async def test_nobody_is_entered_through_homes_and_no_centre_or_staff_has_their_number(there: World) -> None:
    """H8: sittings at home enter themselves, and what comes of them is no centre's."""
    with pytest.raises(InvalidInput):
        await centres.add(Centre(number=HOME, name="Home", city="Yokohama", country="JP"))
    await Centre.create(number=HOME, name="At home", city="At home", country="XX")
    became = await enter(there, [candidate_row(1, centre=HOME)])
    assert [column for _, column, _ in became.faults] == ["centre"]
    with pytest.raises(InvalidInput):
        await staff.add("Somebody", "somebody@home.example", StaffRole.CENTRE, HOME, there.clock())


async def test_a_centre_enters_its_own_candidates_and_nobody_elses(there: World) -> None:
    """R1: the other centre's row is a bad one, whether or not there is such an entry."""
    mine = await there.centre()
    await Centre.create(number="JP902", name="Minato", city="Kobe", country="JP")
    await enter(there, [candidate_row(1, centre="JP902")])
    rows = [candidate_row(1), candidate_row(1, centre="JP902"), candidate_row(2, centre="JP902")]
    became = await enter(there, rows, centre_staff(there, mine))
    assert len(became.new) == 1
    assert became.columns == [(3, "centre"), (4, "centre")]


async def test_only_staff_enter_candidates(there: World, app: Any, client: Client) -> None:
    """R1."""
    query = "mutation ($input: EnterCandidatesInput!) { enterCandidates(input: $input) { __typename } }"
    for owner in (await there.verifier(), await there.candidate()):
        answer = await client.as_(await there.token(owner)).ask(query, input={"rows": [candidate_row(1)]})
        assert answer["enterCandidates"]["__typename"] == "NotAllowed"
    answer = await client.ask(query, input={"rows": [candidate_row(1)]})
    assert answer["enterCandidates"]["__typename"] == "NotLoggedIn"
    assert await Entry.all().count() == 0


async def test_entering_leaves_a_trail(there: World) -> None:
    """G1."""
    await enter(there, [candidate_row(1), candidate_row(2)])
    trail = await database.row("SELECT * FROM trail WHERE act = :act", act=TrailAct.CHANGED.value)
    assert trail is not None
    assert set(trail["candidates"]) == {one.id for one in await Candidate.all()}


@pytest.mark.parametrize("cut", range(9))
async def test_rows_in_any_order_cut_anywhere_and_then_whole_end_alike(there: World, cut: int) -> None:
    """R1: each is entered once, and the whole once more changes nothing; for every cut another order."""
    rows = [candidate_row(number) for number in range(1, 7)] + [candidate_row(1), candidate_row(8, centre="XX1")]
    shuffled = random.Random(cut).sample(rows, len(rows))
    told = [*(await enter(there, shuffled[:cut])).new, *(await enter(there, rows)).new]
    stored = {entry.id_number: entry.secret_hash for entry in await Entry.all()}
    assert stored == {one.id_number: sealed_secret(one.id_number, one.secret_number) for one in told}
    assert await Candidate.filter(registered_at=None).count() == len(stored) == 6
    assert (await enter(there, shuffled)).new == []


# ---- the command


@pytest.fixture
async def files(there: World, tmp_path: Path) -> Path:
    """A folder, and the database behind the command."""
    return tmp_path


@dataclass(frozen=True, slots=True)
class Done:
    """How the command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


async def run(settings: Settings, *arguments: str) -> Done:
    """The command, in this process: starting one takes longer than what is looked at."""
    parser = argparse.ArgumentParser()
    enter_command.add_to(parser.add_subparsers())
    options = parser.parse_args(arguments)
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(io.StringIO()) as stderr:
        status = await options.run(options, settings)
    return Done(status, stdout.getvalue(), stderr.getvalue())


def typed(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as it is typed, in a process of its own."""
    return subprocess.run(
        [sys.executable, "cli.py", *arguments], env=environment(settings), cwd=ROOT, text=True, capture_output=True,
        check=False,
    )  # fmt: skip


def started(settings: Settings, *arguments: str) -> subprocess.Popen[bytes]:
    """The same, not waited for."""
    command = [sys.executable, "cli.py", *arguments]
    return subprocess.Popen(command, env=environment(settings), cwd=ROOT, stdout=subprocess.DEVNULL)


def environment(settings: Settings) -> dict[str, str]:
    assert settings.database_url is not None
    key = settings.secret_key.decode()
    return {**os.environ, "DATABASE_URL": settings.database_url, "VAR_DIR": str(settings.var), "SECRET_KEY": key}


def table(path: Path, encoding: str = "utf-8") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file))


async def test_the_command_enters_a_file_and_writes_confirmations_for_us_alone(files: Path, settings: Settings) -> None:
    """R1: what is wrong goes into a file to be mended; the numbers go into one that nobody else may read."""
    rows = [candidate_row(1), candidate_row(2, examDate="2026-13-01"), candidate_row(3)]
    file, out = write(files / "in.csv", rows), files / "out.csv"
    done = typed(settings, "enter", str(file), "--confirmations", str(out))
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "3 rows: 2 entered, 0 there already, 1 not taken")
    assert "line 3, examDate:" in done.stderr
    assert out.stat().st_mode & 0o777 == 0o600
    told = table(out)
    assert [one["candidateNumber"] for one in told] == ["0001", "0003"]
    assert await entering.standing({one["idNumber"]: one["secretNumber"] for one in told}) == {
        one["idNumber"] for one in told
    }
    said = (done.stdout + done.stderr).replace(str(files), "").replace("2026", "")
    assert not any(one["secretNumber"] in said for one in told)
    bad = files / "in.bad.csv"
    assert [(one["candidateNumber"], one["reason"][:9]) for one in table(bad)] == [("0002", "examDate:")]
    mended = bad.read_text("utf-8").replace("2026-13-01", "2026-09-20")
    bad.write_text(mended, "utf-8")
    assert (await run(settings, "enter", str(bad), "--confirmations", str(out))).returncode == 0
    assert [one["candidateNumber"] for one in table(out)] == ["0001", "0003", "0002"]
    again = await run(settings, "enter", str(file), "--confirmations", str(out))
    assert again.stdout.startswith("3 rows: 0 entered, 2 there")
    assert len(table(out)) == 3


@pytest.mark.parametrize(
    ("option", "codec", "name"),
    [("utf-8", "utf-8-sig", "𠮷田 葵"), ("utf-8", "utf-8", "𠮷田 葵"), ("shift_jis", "cp932", "髙﨑 葵")],
)
async def test_the_command_reads_what_offices_write(
    files: Path, settings: Settings, option: str, codec: str, name: str
) -> None:
    """R1: a row in another encoding is told, and comes out again byte by byte."""
    rows = [candidate_row(1, nativeName=name), candidate_row(2, nativeName="?BAD?")]
    file = write(files / "in.csv", rows, codec)
    file.write_bytes(file.read_bytes().replace(b"?BAD?", b"\xff\xfe\xfd"))
    done = await run(settings, "enter", str(file), "--encoding", option, "--confirmations", str(files / "out.csv"))
    assert done.stdout.startswith("2 rows: 1 entered, 0 there already, 1 not taken"), done.stderr
    assert (await Candidate.get()).native_name == name
    assert b"\xff\xfe\xfd" in (files / "in.bad.csv").read_bytes()
    assert done.stderr.startswith("line 3, ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Headings are missing: centre"), ("centre,examCode\n", "Headings are missing"),
        ("centre,colour\n", "Unknown headings: colour"), ("centre,Centre\n", "missing"),
        ('centre,"', "Unknown headings"),
    ],
)  # fmt: skip
async def test_a_file_that_is_none_is_told_before_anything_is_done(
    files: Path, settings: Settings, text: str, told: str
) -> None:
    """R1."""
    (files / "in.csv").write_text(text, "utf-8")
    done = await run(settings, "enter", str(files / "in.csv"), "--confirmations", str(files / "out.csv"))
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


async def test_headings_may_be_written_as_people_write_them(files: Path, settings: Settings) -> None:
    """R1: and rows that are too short, or empty, are told or passed over."""
    row = candidate_row(1)
    names = ["Centre", "exam code", "EXAM_DATE", "Candidate-Number", "family name", "given_name", "Date of birth"]
    text = ",".join(names) + "\n" + ",".join(row.values()) + "\n,,,,,,\nJP901,C1_ADVANCED\n"
    (files / "in.csv").write_text(text, "utf-8")
    done = await run(settings, "enter", str(files / "in.csv"), "--confirmations", str(files / "out.csv"))
    assert done.stdout.startswith("2 rows: 1 entered, 0 there already, 1 not taken")
    assert "line 4, This row has 2 cells" in done.stderr


async def test_confirmations_are_never_added_to_another_file(files: Path, settings: Settings) -> None:
    """R1: it would be written over."""
    other = write(files / "out.csv", [{"precious": "1"}])
    done = await run(settings, "enter", str(write(files / "in.csv", [candidate_row(1)])), "--confirmations", str(other))
    assert done.returncode == 2
    assert table(other) == [{"precious": "1"}]
    assert await Entry.all().count() == 0


async def test_confirmations_are_printed_by_centre_and_session_for_us_alone(files: Path, settings: Settings) -> None:
    """R1: a page each, with the numbers that the file tells."""
    days = ("2026-09-20", "2026-09-20", "2026-09-27")
    rows = [candidate_row(number, examDate=day) for number, day in enumerate(days, start=1)]
    out, folder = files / "out.csv", files / "pdf"
    command = ("enter", str(write(files / "in.csv", rows)), "--confirmations", str(out), "--pdf", str(folder))
    done = await run(settings, *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"2 PDFs in {folder}"
    pdfs = sorted(folder.iterdir())
    assert [pdf.name for pdf in pdfs] == [f"JP901-C1-Advanced-{day}-1.pdf" for day in ("2026-09-20", "2026-09-27")]
    assert [pdf.stat().st_mode & 0o777 for pdf in pdfs] == [0o600] * 2
    # Without blanks: a reader of PDFs takes some gaps between two letters for one.
    pages = ["".join(page.extract_text().split()) for pdf in pdfs for page in PdfReader(pdf).pages]
    for page, told in zip(pages, table(out), strict=True):
        assert told["idNumber"] in page
        assert told["secretNumber"] in page
        assert told["familyName"] in page


# What somebody else has not finished yet, so that the second of two batches waits: the last entry, and its result.
LAST_ENTRY = """
    WITH person AS (
        INSERT INTO candidate (id, family_name, given_name, date_of_birth, language, wants_updates)
        VALUES (gen_random_uuid(), 'Mori', 'Aoi', '2001-02-03', 'en', false) RETURNING id)
    INSERT INTO entry (id, candidate_id, exam_id, centre_id, exam_date, candidate_number, id_number, secret_hash,
                       results_by, issue)
    SELECT gen_random_uuid(), person.id, 'C1_ADVANCED', centre.id, '2026-09-20', '2000', 'QQQ000000',
           decode(repeat('00', 32), 'hex'), '2026-11-01', 1 FROM person, centre"""
OF_LAST_RESULT = "SELECT 1 FROM entry WHERE candidate_number = '2000' FOR UPDATE"


async def nobody_writes() -> bool:
    """Whether what was sent by whoever was killed has been done or undone."""
    others = "SELECT 1 FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid() AND datname = "
    return await database.value(f"{others} current_database()") is None


async def test_killed_in_the_middle_and_run_again_ends_as_if_it_had_not_been(
    files: Path, settings: Settings, database_url: str
) -> None:
    """R1, R2: candidates, their confirmations and their results; each counts once, and every Secret Number is right."""
    rows = [candidate_row(number) for number in range(1, 2_001)]
    enter_file, out = write(files / "in.csv", rows), files / "out.csv"
    load_file = write(files / "results.csv", [result_row(number) for number in range(1, 2_001)])
    commands = (["enter", str(enter_file), "--confirmations", str(out)], ["load", str(load_file)])
    for command, model, last in zip(commands, (Entry, Result), (LAST_ENTRY, OF_LAST_RESULT), strict=True):
        async with holding(database_url, last):
            process = started(settings, *command)
            while await model.all().count() == 0:
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        await until(nobody_writes)
        counted = await model.all().count()
        assert 0 < counted < 2_000
        assert counted % 1_000 == 0
        done = typed(settings, *command)
        assert done.returncode == 0, done.stderr
        assert f"{counted} there already" in done.stdout
        assert await model.all().count() == 2_000
    told = {one["idNumber"]: one["secretNumber"] for one in table(out)}
    assert await entering.standing(told) == set(told) == {one.id_number for one in await Entry.all()}
    assert len(table(out)) == 2_000
