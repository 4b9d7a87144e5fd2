"""Lists as offices write them are read as they were meant; all else is refused, saying where and why (V5)."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import pytest
from openpyxl import Workbook

from engine import sheets
from engine.sheets import SheetNotReadable
from models import written_dates
from resolvers import list_files
from resolvers.verifying import Pair
from tests.lists import ENTRIES, STATEMENTS, bytes_of, csv_of, xlsx_of

BORN = date(2001, 2, 3)
ROW = ["S260000001", "2001-02-03"]
NAIVE = datetime.combine(BORN, time())  # as spreadsheets have them
FROM_1904 = datetime.combine(date(1904, 1, 1), time())
JAPANESE = ["氏名", "生年月日", "結果ステートメント番号"]


async def pairs(raw: bytes | str) -> list[Pair]:
    listed = await list_files.read(raw.encode() if isinstance(raw, str) else raw)
    return [row.pair for row in listed.rows]


async def faults(raw: bytes | str) -> list[tuple[int, str, str]]:
    """Why a file is refused: line, column and the beginning of the reason of each fault."""
    with pytest.raises(SheetNotReadable) as refused:
        await list_files.read(raw.encode() if isinstance(raw, str) else raw)
    return [(fault.line, fault.column, fault.reason) for fault in refused.value.faults]


# ---- CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp932"])
async def test_encoding_and_delimiter_are_found_out(encoding: str, delimiter: str) -> None:
    text = csv_of([["田中 葵", "2001-02-03", "S260000001"]], JAPANESE, delimiter)
    if encoding in ("utf-16-le", "utf-16-be"):  # without a mark, most of it has to be Latin
        text = csv_of([["Tanaka", "2001-02-03", "S260000001"]], ["Name", *STATEMENTS[::-1]], delimiter)
    listed = await list_files.read(text.encode(encoding))
    assert [row.pair for row in listed.rows] == [Pair("S260000001", BORN)]
    assert listed.rows[0].cells[0] in ("田中 葵", "Tanaka")
    assert (listed.format, listed.delimiter) == ("CSV", delimiter)


@pytest.mark.parametrize(
    "headings",
    [
        ["Statement number", "Date of birth"], ["statement_number", "date-of-birth"], ["STATEMENT NO.", "DOB"],
        ["statementNumber", "dateOfBirth"], ["結果ステートメント番号", "生年月日"], ["ステートメント番号", "生年月日"],
        ["Ｓｔａｔｅｍｅｎｔ　Ｎｕｍｂｅｒ", "Ｄａｔｅ　ｏｆ　Ｂｉｒｔｈ"],
    ],
)  # fmt: skip
async def test_headings_may_be_written_in_either_language_and_in_any_order(headings: list[str]) -> None:
    assert await pairs(csv_of([ROW], headings)) == [Pair(ROW[0], BORN)]
    assert await pairs(csv_of([ROW[::-1]], headings[::-1])) == [Pair(ROW[0], BORN)]


@pytest.mark.parametrize("headings", [ENTRIES, ["ID ナンバー", "シークレットナンバー"], ["id", "secret"]])
async def test_a_list_may_give_the_numbers_of_the_confirmation(headings: list[str]) -> None:
    """V4; a spreadsheet that drops zeros at the beginning does no harm."""
    found = await pairs(csv_of([["ABC123456", "0042"], ["ABC123457", "42"]], headings))
    assert found == [
        Pair(id_number="ABC123456", secret_number="0042"),
        Pair(id_number="ABC123457", secret_number="0042"),
    ]


async def test_each_row_may_give_another_pair() -> None:
    rows = [["S1", "2001-02-03", "", "", "2"], ["", "", "ABC123456", "1234", ""]]
    found = await pairs(csv_of(rows, [*STATEMENTS, *ENTRIES, "Version"]))
    assert found == [Pair("S1", BORN, version=2), Pair(id_number="ABC123456", secret_number="1234")]


async def test_quotes_line_breaks_and_empty_rows_are_read_as_they_were_meant() -> None:
    text = 'Note,Statement number,Date of birth\r\n"a ""b"", c\nd",S1,2001-02-03\r\n\r\n,,\r\nlast,S2,2001-02-03,,\r\n'
    listed = await list_files.read(text.encode())
    assert [(row.line, row.cells[0]) for row in listed.rows] == [(2, 'a "b", c\nd'), (6, "last")]
    assert [row.pair.statement_number for row in listed.rows] == ["S1", "S2"]


async def test_the_word_by_which_excel_tells_the_delimiter_is_no_heading() -> None:
    listed = await list_files.read(b"sep=;\r\n" + csv_of([ROW], delimiter=";").encode())
    assert [(row.line, row.pair) for row in listed.rows] == [(3, Pair(ROW[0], BORN))]


async def test_a_secret_number_is_not_among_the_cells_that_come_back() -> None:
    """G3"""
    listed = await list_files.read(csv_of([["ABC123456", "4711", "x"]], [*ENTRIES, "Note"]).encode())
    assert (listed.headings, listed.rows[0].cells) == (["ID Number", "Note"], ["ABC123456", "x"])
    assert "4711" not in repr(listed)


async def test_a_list_is_the_same_after_it_was_kept() -> None:
    rows = [["S1", "2001-02-03", "", "", "2"], ["S2", "no date", "", "", ""], ["", "", "ABC123456", "12", ""]]
    listed = await list_files.read(csv_of(rows, [*STATEMENTS, *ENTRIES, "Version"], ";").encode())
    assert list_files.unpacked(list_files.packed(listed)) == listed


async def test_a_bad_cell_spoils_no_other_row() -> None:
    """V5: what is wrong with it is told beside its row."""
    found = await pairs(csv_of([["S1", "31.02.2001"], ["", "2001-02-03"], ROW]))
    assert [bool(pair.problems) for pair in found] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("", 0, "", "This file is empty."),
        (" \r\n", 0, "", "This file is empty."),
        ("Name,Date of birth\nA,2001-02-03\n", 1, "", list_files.EXPECTED),
        (csv_of([]), 0, "", "There is no row below the headings."),
        (csv_of([["S1", "2001-02-03", "x"]]), 2, "", "This row has 3 cells, and the headings are 2."),
        (csv_of([["S1", "x" * 1001]]), 2, "Date of birth", "This is longer than 1000 characters."),
        ('Statement number,Date of birth\nS1,2001-02-03\n"S2,2001-02-03\n', 3, "", "This cannot be read"),
        (csv_of([[*ROW, ""]], [*STATEMENTS, "DOB"]), 1, "", "A column stands"),
        (csv_of([ROW], [*STATEMENTS, *(f"More {n}" for n in range(49))]), 1, "", "A list may have at most 50 columns."),
        (csv_of([ROW, ROW, ["S1", "03/02/2001"]]), 4, "Date of birth", list_files.AMBIGUOUS),
        (csv_of([ROW] * 10_001), 10_002, "", "A list may have at most 10000 rows."),
    ],
)
async def test_a_file_that_is_no_list_is_refused_with_the_place(text: str, line: int, column: str, reason: str) -> None:
    told = await faults(text)
    assert told[0][:2] == (line, column)
    assert told[0][2].startswith(reason)


async def test_ten_thousand_rows_are_taken() -> None:
    assert len(await pairs(csv_of([ROW] * 10_000))) == 10_000


async def test_what_no_encoding_can_read_is_refused_with_its_line() -> None:
    raw = csv_of([ROW, ["S2", "2001-02-03"]]).encode() + b"S3\xff\x80\xa0,2001-02-03\r\n"
    assert await faults(raw) == [(4, "", "This holds signs that are neither UTF-8, UTF-16 nor Shift_JIS.")]


async def test_all_faults_are_told_at_once_up_to_fifty() -> None:
    told = await faults(csv_of([["S1", "03/02/2001"]] * 60))
    assert [line for line, _, _ in told] == list(range(2, 52))


async def test_a_file_that_is_too_large_is_not_read() -> None:
    assert (await faults(b"x" * (sheets.MOST_BYTES + 1)))[0][2] == "The file may have at most 5 MiB."


# ---- dates


@pytest.mark.parametrize(
    "text",
    [
        "2001-02-03", "2001/2/3", "2001.2.3", "20010203", "3.2.2001", "03.02.2001", "3 February 2001", "3rd Feb 2001",
        "February 3, 2001", "3-Feb-2001", "２００１－０２－０３", "2001年2月3日", "平成13年2月3日",
        "2001-02-03 00:00:00", "2001-02-03T00:00:00Z",
    ],
)  # fmt: skip
def test_a_date_that_can_be_read_in_one_way_is_read(text: str) -> None:
    assert written_dates.read(text) == BORN


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("25/12/2001", date(2001, 12, 25)), ("12/25/2001", date(2001, 12, 25)), ("5/5/2001", date(2001, 5, 5)),
        ("昭和64年1月7日", date(1989, 1, 7)), ("平成元年1月8日", date(1989, 1, 8)), ("4 Sept 2001", date(2001, 9, 4)),
    ],
)  # fmt: skip
def test_a_date_that_no_other_order_allows_is_read(text: str, wanted: date) -> None:
    assert written_dates.read(text) == wanted
    assert not written_dates.is_ambiguous(text)


@pytest.mark.parametrize(
    "text",
    ["", "3/2/01", "2001-02-30", "30/30/2001", "2001-13-01", "1899-12-31", "2100-01-01", "x", "3 Foo 2001", "36925",
     "2001-02-03 10:00", "2001-02", "99999999"],
)  # fmt: skip
def test_what_is_no_date_is_not_read(text: str) -> None:
    assert written_dates.read(text) is None
    assert not written_dates.is_ambiguous(text)


@pytest.mark.parametrize(("shown", "wanted"), [("25/12/2001", date(2001, 2, 3)), ("12/25/2001", date(2001, 3, 2))])
async def test_dates_of_a_column_are_read_in_the_order_that_one_of_them_shows(shown: str, wanted: date) -> None:
    found = await pairs(csv_of([["S1", "3/2/2001"], ["S2", shown]]))
    assert [pair.date_of_birth for pair in found] == [wanted, date(2001, 12, 25)]


async def test_dates_of_a_column_that_shows_both_orders_are_not_guessed() -> None:
    told = await faults(csv_of([["S1", "3/2/2001"], ["S2", "25/12/2001"], ["S3", "12/25/2001"]]))
    assert told == [(2, "Date of birth", list_files.AMBIGUOUS)]


# ---- XLSX


def serial(day: date, epoch: date = date(1899, 12, 30)) -> int:
    """A day as spreadsheets count it."""
    return (day - epoch).days


@pytest.mark.parametrize("born", ["2001-02-03", BORN, NAIVE, serial(BORN), float(serial(BORN)), 20010203])
async def test_dates_of_a_workbook_may_be_texts_days_or_numbers(born: Any) -> None:
    assert await pairs(xlsx_of([["S1", born]])) == [Pair("S1", BORN)]


async def test_days_of_a_workbook_may_be_counted_from_1904() -> None:
    book = Workbook()
    book.epoch = FROM_1904
    assert book.active is not None
    book.active.append(STATEMENTS)
    book.active.append(["S1", serial(BORN, date(1904, 1, 1))])
    assert await pairs(bytes_of(book)) == [Pair("S1", BORN)]


async def test_numbers_of_a_workbook_are_read_as_they_are_meant() -> None:
    listed = await list_files.read(xlsx_of([["ABC123456", 42, 3.0, 2.5, True, None]], [*ENTRIES, "a", "b", "c", "d"]))
    assert listed.rows[0].pair == Pair(id_number="ABC123456", secret_number="0042")
    assert listed.rows[0].cells == ["ABC123456", "3", "2.5", "TRUE", ""]
    assert listed.format == "XLSX"


async def test_the_list_is_found_on_whichever_sheet_people_see() -> None:
    """Also below empty rows, and not on a hidden one."""
    book = Workbook()
    assert book.active is not None
    book.active.append(["Read me first"])
    sheet = book.create_sheet("List")
    for place, row in ((3, STATEMENTS), (4, ROW), (7, ["S2", "2001-02-03"])):
        for column, cell in enumerate(row, start=1):
            sheet.cell(place, column, cell)
    hidden = book.create_sheet("Old")
    hidden.append(STATEMENTS)
    hidden.append(["S9", "2001-02-03"])
    hidden.sheet_state = "hidden"
    listed = await list_files.read(bytes_of(book))
    assert [(row.line, row.pair.statement_number) for row in listed.rows] == [(4, ROW[0]), (7, "S2")]
    hidden.sheet_state = "visible"
    assert (await faults(bytes_of(book)))[0][2].startswith("There are lists on several sheets")


async def test_a_formula_is_refused_with_its_place_and_a_text_that_looks_like_one_is_a_text() -> None:
    """D5: what it would come to, only the program knows that wrote it."""
    told = await faults(xlsx_of([ROW, ["S1", "=DATE(2001,2,3)"]]))
    assert told == [(3, "B", "This is a formula: copy the cells, and paste them as values.")]
    book = Workbook()
    assert book.active is not None
    book.active.append([*STATEMENTS, "Note"])
    book.active.append([*ROW, "=1+1"])
    book.active["C2"].data_type = "s"
    assert (await list_files.read(bytes_of(book))).rows[0].cells[2] == "=1+1"


def repacked(change: Callable[[dict[str, bytes]], object], raw: bytes | None = None) -> bytes:
    """A workbook with its members changed."""
    with zipfile.ZipFile(io.BytesIO(raw or xlsx_of([ROW]))) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    change(members)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return written.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def with_rows(rows: bytes) -> bytes:
    """A workbook whose sheet has this in place of its rows."""

    def change(members: dict[str, bytes]) -> None:
        head, _, rest = members[SHEET].partition(b"<sheetData>")
        members[SHEET] = head + b"<sheetData>" + rows + b"</sheetData>" + rest.partition(b"</sheetData>")[2]

    return repacked(change)


def with_declaration(members: dict[str, bytes]) -> None:
    declared = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    members[SHEET] = declared + members[SHEET].partition(b"?>")[2]


def lying() -> bytes:
    """A workbook that says of a member of 40 MB that it has 10 bytes."""
    raw = bytearray(repacked(lambda members: members.update({SHEET: b"<a>" + b" " * 40_000_000})))
    size = (40_000_003).to_bytes(4, "little")
    assert raw.count(size) == 2
    return bytes(raw.replace(size, (10).to_bytes(4, "little")))


def one_text_everywhere() -> bytes:
    """A workbook that names a text of 1,000 signs in 50,000 cells."""
    raw = xlsx_of([["x" * 1000] * 10], [*STATEMENTS, *"abcdefgh"])

    def change(members: dict[str, bytes]) -> None:
        head, _, rest = members[SHEET].partition(b'<row r="2">')
        row, _, tail = rest.partition(b"</row>")
        cells = re.sub(rb' r="[A-Z]+2"', b"", row)
        members[SHEET] = head + (b"<row>" + cells + b"</row>") * 5000 + tail

    return repacked(change, raw)


# What each file is, and how its refusal begins.
HOSTILE = {
    "macros": (repacked(lambda members: members.update({"xl/vbaProject.bin": b"x"})), "This file holds macros."),
    "another ZIP": (repacked(lambda members: members.pop("xl/workbook.xml")), sheets.KINDS),
    "40 MB": (repacked(lambda members: members.update({SHEET: b" " * 40_000_000})), sheets.TOO_LARGE),
    "40 MB that say 10 bytes": (lying(), sheets.DAMAGED),
    "a thousand members": (
        repacked(lambda members: members.update({f"xl/{n}.txt": b"" for n in range(1000)})),
        sheets.TOO_LARGE,
    ),
    "entities": (repacked(with_declaration), sheets.DAMAGED),
    "a row of a million cells": (with_rows(b"<row>" + b"<c/>" * 1_000_000 + b"</row>"), sheets.TOO_LARGE),
    "a million elements in no row": (with_rows(b"<a/>" * 1_000_000), sheets.TOO_LARGE),
    "two million rows": (with_rows(b"<row/>" * 2_000_000), sheets.TOO_LARGE),
    "damaged XML": (with_rows(b"<row><c>"), sheets.DAMAGED),
    "cut": (xlsx_of([ROW])[:-200], sheets.DAMAGED),
    "an old Excel file": (b"\xd0\xcf\x11\xe0" + bytes(1000), "This is an old Excel file"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "This holds signs"),
    "one text in many cells": (one_text_everywhere(), sheets.TOO_LARGE),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_file_is_refused_before_it_costs_much(name: str) -> None:
    raw, reason = HOSTILE[name]
    told = await faults(raw)
    assert len(told) == 1
    assert told[0][2].startswith(reason)


async def test_a_cell_far_to_the_right_costs_nothing() -> None:
    """Only columns with a heading are read, however wide the sheet says it is."""
    book = Workbook()
    assert book.active is not None
    book.active.append(STATEMENTS)
    book.active.append(ROW)
    book.active["XFD2"] = "x"
    listed = await list_files.read(bytes_of(book))
    assert [row.cells for row in listed.rows] == [ROW]
