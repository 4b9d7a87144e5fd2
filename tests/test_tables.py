"""Tables as files (D5): what comes out of them is what went in, and nothing of it is a formula, whoever wrote it."""

import csv
import gc
import io
import json
import re
import time
import tracemalloc
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from tempfile import TemporaryFile
from typing import Any

import pandas
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from documents import tables
from documents.cells import FORMULA, harmless
from engine.languages import told
from errors import NotWritable
from models.layout import Column, Field, Layout
from models.template import DateFormat, Delimiter, DownloadFormat, Encoding
from tests.shared_rows import SENT_AT, layout_with, shared

CSV, XLSX, JSON = DownloadFormat.CSV, DownloadFormat.XLSX, DownloadFormat.JSON
FORMATS = [CSV, XLSX, JSON]
CODECS = {Encoding.UTF_8: "utf-8", Encoding.UTF_8_BOM: "utf-8-sig", Encoding.SHIFT_JIS: "cp932"}
HOSTILE = [
    "=1+1", "+81", "-2", "@SUM(A1)", "＝１＋１", "＋1", "－1", "＠x", "\t=1", "\r=1", "\n=1", "  =1", "\u3000=1",
    "\u200b=1", "\xa0-1", "\ufeff=1", "'=1", "''+1", "'s-Gravenhage", '=HYPERLINK("http://x.example","y")',
    "=cmd|'x'!A0", '"quoted"', "a,b;c\td|e", "two\r\nlines", "one\rtwo", "x" * 300, "e\u0301\u0323", "👩\u200d👧",
    "ليلى حداد", "\u202eevil", "김민준", "𠮷田", "髙橋", "00123", "1E5", "TRUE", "NULL", "nan", "", " ", "<r>x</r>",
    "<r></t></is></c><c><f>1</f></c></r>", "_x0041_", "a\x01b\x1f", "\x7f\x85\u2028", "\ufffe\uffff", "&amp;<b>",
    "sep=;",
]  # fmt: skip
# Other tests may hold the processor, and what is found must be found by everybody.
patient = settings(
    max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
NASTY = st.sampled_from(HOSTILE) | TEXTS | TEXTS.map(lambda text: f"={text}")
LINES = st.lists(st.tuples(NASTY, NASTY, st.integers(0, 230)), max_size=4)
HEADINGS = st.lists(NASTY.filter(bool), min_size=3, max_size=3, unique_by=str.casefold)


def written(layout: Layout, rows: Iterable[Any]) -> bytes:
    """The file."""
    target = io.BytesIO()
    tables.write(layout, target, rows, "en")
    return target.getvalue()


def rows_of(lines: Iterable[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Shares with these names, purposes and scores."""
    return [shared(family_name=name, purpose=purpose, overall_score=score) for name, purpose, score in lines]


def unharmed(text: str) -> str:
    """What a cell of a CSV was, as documented: without the mark that keeps it from being a formula."""
    return text[1:] if text.startswith("'") and FORMULA.match(text[1:]) else text


def cells_of_csv(content: bytes, layout: Layout) -> list[list[str]]:
    text = content.decode(CODECS[layout.encoding])
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter.value, strict=True))


def headed(headings: list[str], **facts: Any) -> Layout:
    fields = (Field.FAMILY_NAME, Field.PURPOSE, Field.OVERALL_SCORE)
    return layout_with(*(Column(field, told) for field, told in zip(fields, headings, strict=True)), **facts)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might take a cell of a CSV for a formula: told apart from how we find out."""
    if text[:1] in ("\t", "\r", "\n"):
        return True
    seen = [sign for sign in text if not sign.isspace() and unicodedata.category(sign) not in ("Cc", "Cf")]
    return bool(seen) and unicodedata.normalize("NFKC", seen[0]) in "=+-@−"


# ---- CSV


@patient
@given(HEADINGS, LINES, st.sampled_from(Delimiter), st.sampled_from([Encoding.UTF_8, Encoding.UTF_8_BOM]))
@example([*HOSTILE[:3]], [(text, text, 1) for text in HOSTILE], Delimiter.COMMA, Encoding.UTF_8)
@example([*HOSTILE[:3]], [(text, text, 1) for text in HOSTILE], Delimiter.TAB, Encoding.UTF_8_BOM)
def test_a_csv_gives_back_what_went_in_and_no_cell_is_a_formula(
    headings: list[str], lines: list[tuple[str, str, int]], delimiter: Delimiter, encoding: Encoding
) -> None:
    """D5: headings too; bar the mark before what looks like a formula."""
    layout = headed(headings, delimiter=delimiter, encoding=encoding)
    content = written(layout, rows_of(lines))
    assert content.startswith(b"\xef\xbb\xbf") or encoding is Encoding.UTF_8
    cells = cells_of_csv(content, layout)
    assert [cell for row in cells for cell in row if is_formula(cell)] == []
    assert [[unharmed(cell) for cell in row] for row in cells] == [
        headings, *([name, purpose, str(score)] for name, purpose, score in lines)
    ]  # fmt: skip


def test_a_csv_is_read_by_pandas_as_it_was_written() -> None:
    """D5: every hostile text, and numbers as numbers."""
    layout = layout_with()
    content = written(layout, rows_of([(text, text[::-1], len(text)) for text in HOSTILE]))
    frame = pandas.read_csv(io.BytesIO(content), keep_default_na=False, dtype={"Family name": str, "Purpose": str})
    assert [unharmed(text) for text in frame["Family name"]] == HOSTILE
    assert [unharmed(text) for text in frame["Purpose"]] == [text[::-1] for text in HOSTILE]
    assert frame["Score"].tolist() == [len(text) for text in HOSTILE]
    assert frame["Score"].dtype == "int64"


@patient
@given(NASTY)
def test_the_mark_before_a_formula_can_be_told_from_what_was_written(text: str) -> None:
    """D5: no two texts are written as one, so nothing is lost."""
    assert unharmed(harmless(text)) == text
    assert not is_formula(harmless(text))


@pytest.mark.parametrize("text", ["Tanaka", "'s-Gravenhage", "O'Neill", "a=b", "3-4", "田中", "x@y.example", "", "1"])
def test_a_text_that_is_no_formula_has_no_mark(text: str) -> None:
    """D5: names stay names."""
    assert harmless(text) == text


def test_the_header_can_be_left_out() -> None:
    """D2: of CSV and XLSX; in JSON the headings are names."""
    rows = rows_of([("Tanaka", "Law", 3)])
    assert written(layout_with(header=False), rows) == b"Tanaka,Law,3\r\n"
    sheet = sheet_of(written(layout_with(header=False, format=XLSX), rows))
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [["Tanaka", "Law", 3]]
    same = [written(layout_with(header=header, format=JSON), rows) for header in (True, False)]
    assert same[0] == same[1]


# ---- Shift_JIS


@patient
@given(st.text(st.characters(codec="utf-8"), max_size=20))
@example("髙﨑 ①㈱")
@example("〜")
@example("¢£¬‖−")
@example("\x80")
def test_shift_jis_gives_back_what_went_in_or_refuses_it(text: str) -> None:
    """D5: Python's own codec would write 〜 and read ～ where it was."""
    layout = layout_with(encoding=Encoding.SHIFT_JIS, header=False)
    try:
        content = written(layout, rows_of([(text, "", 1)]))
    except NotWritable as refused:
        assert refused.count == 1
        assert refused.cells[0].signs
        return
    assert unharmed(cells_of_csv(content, layout)[0][0]) == text


def test_every_name_that_shift_jis_cannot_carry_is_told_with_row_and_column() -> None:
    """D5: and UTF-8 is offered; whatever is told first, all of the rows are looked at."""
    rows = [shared() for _ in range(1200)]
    rows[0] |= {"native_name": "𠮷田 葵", "family_name": "Yoshida"}
    rows[1] |= {"native_name": "김민준〜김"}
    rows[1199] |= {"given_name": "Zoë"}
    columns = (Column(Field.NATIVE_NAME, "氏名"), Column(Field.GIVEN_NAME, "Given name"))
    with pytest.raises(NotWritable) as refused:
        written(layout_with(*columns, encoding=Encoding.SHIFT_JIS), rows)
    english = str(refused.value)
    assert english.startswith("Shift_JIS cannot carry these texts as they are, and nothing is ever replaced: ")
    assert "Result 1 (Aoi Yoshida), 氏名: 𠮷." in english
    assert "Result 2 (Aoi Tanaka), 氏名: 김 민 준 〜." in english
    assert "Result 1200 (Zoë Tanaka), Given name: ë." in english
    assert english.endswith("Choose UTF-8: it carries every name.")
    japanese = told(refused.value.args[0], "ja")
    assert "1件目（Aoi Yoshida）の「氏名」：𠮷。" in japanese
    assert japanese.endswith("UTF-8を選ぶと、すべての氏名を表すことができます。")
    assert refused.value.count == 3
    assert str(refused.value.kept).startswith("Shift_JIS cannot carry 3 of the texts")
    assert not any(name in told(refused.value.kept, "ja") for name in ("Yoshida", "葵", "𠮷"))


def test_of_many_names_at_fault_the_first_twenty_are_told_and_how_many_there_are() -> None:
    """D5"""
    rows = [shared(family_name="Müller") for _ in range(25)]
    with pytest.raises(NotWritable) as refused:
        written(layout_with(encoding=Encoding.SHIFT_JIS), rows)
    assert [cell.row for cell in refused.value.cells] == list(range(1, 21))
    assert refused.value.count == 25
    assert "And 5 more." in str(refused.value)
    assert "ほか5件。" in told(refused.value.args[0], "ja")


def test_a_heading_that_shift_jis_cannot_carry_is_told() -> None:
    """D5: a template may come to it by another way than its form."""
    with pytest.raises(NotWritable, match="Heading Größe: ö ß"):
        written(layout_with(Column(Field.NAME, "Größe"), encoding=Encoding.SHIFT_JIS), [shared()])


def test_the_names_of_japan_that_shift_jis_of_windows_has_are_written() -> None:
    """D5: code page 932 has signs that JIS X 0208 lacks, and what reads it reads Windows' files."""
    layout = layout_with(Column(Field.NATIVE_NAME, "氏名"), encoding=Encoding.SHIFT_JIS)
    content = written(layout, [shared(native_name="髙橋 﨑①ｱ～")])
    assert content.decode("cp932") == "氏名\r\n髙橋 﨑①ｱ～\r\n"


# ---- XLSX


def sheet_of(content: bytes) -> Any:
    return load_workbook(io.BytesIO(content)).active


def as_excel_reads(cell: Any) -> Any:
    """What Excel shows: `_x0001_` is a control sign (ECMA-376, ST_Xstring), which openpyxl leaves as it stands."""
    if not isinstance(cell, str):
        return "" if cell is None else cell
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), cell)


@patient
@given(HEADINGS, LINES)
@example([*HOSTILE[:3]], [(text, text, 1) for text in HOSTILE])
def test_an_xlsx_gives_back_what_went_in_and_holds_no_formula(
    headings: list[str], lines: list[tuple[str, str, int]]
) -> None:
    """D5: without any mark."""
    content = written(headed(headings, format=XLSX), rows_of(lines))
    cells = [[as_excel_reads(cell.value) for cell in row] for row in sheet_of(content).iter_rows()]
    expected: list[list[Any]] = [headings, *([name, purpose, score] for name, purpose, score in lines)]
    assert cells == expected
    assert_without_formulas(content)


def assert_without_formulas(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
        assert b"<f>" not in sheet
        assert b"hyperlink" not in sheet
        assert not [name for name in book.namelist() if "external" in name.lower()]
    kinds = {cell.data_type for row in sheet_of(content).iter_rows() for cell in row}
    assert "f" not in kinds


def test_a_text_that_is_written_as_xml_stays_a_text() -> None:
    """D5: XlsxWriter takes what begins with `<r>` for its own."""
    attack = '<r></t></is></c><c r="Z9"><f>HYPERLINK("http://x.example")</f></c><c><is><t></r>'
    content = written(layout_with(format=XLSX), rows_of([(attack, "", 1)]))
    assert sheet_of(content)["A2"].value == attack
    assert_without_formulas(content)


def test_an_xlsx_is_read_by_pandas_as_it_was_written() -> None:
    """D5"""
    content = written(layout_with(format=XLSX), rows_of([(text, text, 7) for text in HOSTILE]))
    frame = pandas.read_excel(io.BytesIO(content), keep_default_na=False, dtype={"Family name": str, "Purpose": str})
    assert [as_excel_reads(text) for text in frame["Family name"]] == HOSTILE
    assert frame["Score"].tolist() == [7] * len(HOSTILE)


def test_what_a_spreadsheet_would_change_stays_a_text() -> None:
    """D5: zeros at the beginning, long numbers, what looks like a date or a truth."""
    for text in ("00123", "12345678901234567890", "1E5", "2026-02-03", "TRUE", "1/2"):
        cell = sheet_of(written(layout_with(format=XLSX), rows_of([("x", text, 1)])))["B2"]
        assert (cell.value, cell.data_type) == (text, "s")


@pytest.mark.parametrize(("text", "fits"), [("x" * 32_767, True), ("x" * 32_768, False), ("😀" * 16_384, False)])
def test_a_text_is_not_cut_off_where_excel_has_no_room(text: str, fits: bool) -> None:
    """D5: 32,767 UTF-16 units a cell; CSV and JSON have room."""
    rows = rows_of([("x", "", 1), ("x", text, 1)])
    for format in (CSV, JSON):
        assert text in written(layout_with(format=format), rows).decode()
    if fits:
        assert sheet_of(written(layout_with(format=XLSX), rows))["B3"].value == text
        return
    with pytest.raises(NotWritable, match=r"Result 2 \(Aoi x\), Purpose: too long\. Choose another format\."):
        written(layout_with(format=XLSX), rows)


# ---- JSON


@patient
@given(HEADINGS, LINES)
def test_json_gives_back_what_went_in(headings: list[str], lines: list[tuple[str, str, int]]) -> None:
    """D1: one list of objects in the order of the rows, whose names are the headings in the order of the columns."""
    objects = json.loads(written(headed(headings, format=JSON), rows_of(lines)), object_pairs_hook=list)
    assert objects == [list(zip(headings, line, strict=True)) for line in lines]


def test_json_has_null_where_there_is_nothing() -> None:
    """D1"""
    columns = (Column(Field.PURPOSE, "p"), Column(Field.INCLUDES_PHOTO, "i"), Column(Field.SENT_AT, "s"))
    content = written(layout_with(*columns, format=JSON), [shared()])
    assert json.loads(content) == [{"p": None, "i": True, "s": "2026-11-20T09:30:15Z"}]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_half_a_sign_is_refused(format: DownloadFormat, text: str) -> None:
    """D5: no encoding has it; it is never replaced either."""
    rows = rows_of([("Tanaka", "", 1), ("Tanaka", text, 1)])
    with pytest.raises(NotWritable, match=r"Result 2 \(Aoi Tanaka\), Purpose: U\+D"):
        written(layout_with(format=format), rows)
    with pytest.raises(NotWritable, match=r"Heading .*: U\+D"):
        written(headed(["a", "b", text], format=format), rows[:1])


def test_a_nul_is_refused_by_a_csv() -> None:
    """D5: what reads CSVs ends there; XLSX and JSON can write it in another way."""
    rows = rows_of([("a\0b", "", 1)])
    with pytest.raises(NotWritable, match=r"Result 1 \(Aoi a\0b\), Family name: U\+0000\."):
        written(layout_with(), rows)
    assert as_excel_reads(sheet_of(written(layout_with(format=XLSX), rows))["A2"].value) == "a\0b"
    assert json.loads(written(layout_with(format=JSON), rows))[0]["Family name"] == "a\0b"


# ---- dates, moments and truths


WRITTEN = {
    DateFormat.ISO: ("2001-02-03", "yyyy-mm-dd"),
    DateFormat.YEAR_FIRST: ("2001/02/03", "yyyy\\/mm\\/dd"),
    DateFormat.DAY_FIRST: ("03/02/2001", "dd\\/mm\\/yyyy"),
    DateFormat.MONTH_FIRST: ("02/03/2001", "mm\\/dd\\/yyyy"),
    DateFormat.JAPANESE: ("2001年2月3日", 'yyyy"年"m"月"d"日"'),
}


def midnight(day: date) -> datetime:
    """A date as openpyxl tells it."""
    return datetime.combine(day, datetime.min.time())


@pytest.mark.parametrize("date_format", DateFormat)
def test_dates_are_written_as_the_template_says(date_format: DateFormat) -> None:
    """D2: in a spreadsheet they are dates that look so, and before Excel's calendar texts."""
    columns = (Column(Field.DATE_OF_BIRTH, "b"), Column(Field.EXAM_DATE, "e"), Column(Field.SENT_AT, "s"))
    text, number_format = WRITTEN[date_format]
    first = date(1900, 2, 28)
    rows = [shared(exam_date=first), shared(exam_date=first + timedelta(days=1))]
    layout = layout_with(*columns, date_format=date_format, header=False)
    (cells, _) = cells_of_csv(written(layout, rows), layout)
    assert (cells[0], cells[2]) == (text, "2026-11-20T09:30:15Z")
    layout = layout_with(*columns, date_format=date_format, format=JSON)
    assert json.loads(written(layout, rows))[0] == dict(zip("bes", cells, strict=True))
    sheet = sheet_of(written(layout_with(*columns, date_format=date_format, format=XLSX), rows))
    assert (sheet["A2"].value, sheet["A2"].number_format) == (midnight(date(2001, 2, 3)), number_format)
    assert sheet["B2"].value == cells[1]
    assert sheet["B3"].value == midnight(date(1900, 3, 1))
    assert sheet["C2"].value == "2026-11-20T09:30:15Z"


def test_moments_are_of_utc_wherever_they_come_from() -> None:
    """D2"""
    moment = SENT_AT.astimezone(timezone(timedelta(hours=9)))
    content = written(layout_with(Column(Field.SENT_AT, "s"), header=False), [shared(sent_at=moment)])
    assert content == b"2026-11-20T09:30:15Z\r\n"


def test_truths_are_the_same_in_every_language() -> None:
    """D2: programs read them."""
    columns = (Column(Field.INCLUDES_SKILLS, "s"), Column(Field.READ_STATUS, "r"), Column(Field.OUTCOME, "o"))
    files = []
    for language in ("en", "ja"):
        target = io.BytesIO()
        tables.write(layout_with(*columns, header=False), target, [shared(is_read=True)], language)
        files.append(target.getvalue())
    assert files == [b"true,READ,GRADE\r\n"] * 2


# ---- files


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_rows_give_the_same_bytes(format: DownloadFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    """D3: at any time, in any time zone, by any process; a spreadsheet tells the moment that it is told, or none."""
    rows = rows_of([(text, text, 7) for text in HOSTILE])
    first = written(layout_with(format=format), rows)
    with elsewhere(monkeypatch):
        assert written(layout_with(format=format), rows) == first
    if format is XLSX:
        with zipfile.ZipFile(io.BytesIO(first)) as book:
            assert {one.date_time[0] for one in book.infolist()} == {1980}
            told_of = book.read("docProps/core.xml").decode()
        assert re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", told_of) == ["2000-01-01T00:00:00Z"] * 2
        target = io.BytesIO()
        tables.write(layout_with(format=format), target, rows, "ja", made_at=SENT_AT)
        opened = load_workbook(target)
        assert opened.properties.created == SENT_AT.replace(tzinfo=None)
        assert opened.sheetnames == ["試験結果"]


@contextmanager
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In another time zone."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        try:
            yield
        finally:
            changed.undo()
            time.tzset()


def most_memory(layout: Layout, rows: int) -> int:
    """The most bytes that were held at one time while so many rows were written."""
    gc.disable()  # when it comes in between is chance, and what it needs is counted, too
    with TemporaryFile() as target:
        tracemalloc.start()
        try:
            tables.write(layout, target, (shared(statement_number=str(number)) for number in range(rows)), "en")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.enable()


@pytest.mark.parametrize("format", FORMATS)
def test_no_more_than_a_batch_of_rows_is_held(format: DownloadFormat) -> None:
    """D4: memory does not grow with the rows; a cell that stayed would take more."""
    layout = layout_with(Column(Field.STATEMENT_NUMBER, "s"), Column(Field.NAME, "n"), format=format)
    most_memory(layout, 10)
    assert most_memory(layout, 2000) - most_memory(layout, 600) < 1400 * 20


def test_every_kind_of_table_has_its_media_type() -> None:
    """D6"""
    told = [tables.media_type(layout_with(format=format)) for format in FORMATS]
    told.append(tables.media_type(layout_with(encoding=Encoding.SHIFT_JIS)))
    assert told == [
        "text/csv; charset=utf-8",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/json",
        "text/csv; charset=Shift_JIS",
    ]
