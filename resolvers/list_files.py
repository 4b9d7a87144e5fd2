"""Lists as people hand them in, and as they get them back: which column is which, and what must not be kept of it."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from engine import sheets
from engine.sheets import Fault, Sheet, SheetLine, SheetNotReadable
from models import written_dates
from models.written_dates import Order
from resolvers.rows import WHOLE_NUMBER
from resolvers.verifying import Pair

MOST_ROWS = 10_000
STATEMENT, BORN, VERSION, ID, SECRET = "statementNumber", "dateOfBirth", "version", "idNumber", "secretNumber"
PAIRS = ((STATEMENT, BORN), (ID, SECRET))
# How headings name the columns that count; all others come back as they are.
HEADINGS = {
    STATEMENT: ("statement number", "statement no", "statement of results number", "statement", "結果ステートメント",
                "結果ステートメント番号", "ステートメント番号"),
    BORN: ("date of birth", "birth date", "dob", "born", "生年月日", "誕生日"),
    VERSION: ("version printed", "版"),
    ID: ("id number", "id no", "id", "idナンバー", "id番号"),
    SECRET: ("secret number", "secret no", "secret", "シークレットナンバー", "シークレット番号"),
}  # fmt: skip
EXPECTED = (
    "The headings are not those of a list: it has the columns Statement number and Date of birth, or ID Number and "
    "Secret Number, in any order."
)
AMBIGUOUS = "This date can be read in two ways. Write it like 2001-02-03."


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is to be checked: its cells but the Secret Number, and its pair."""

    line: int
    cells: list[str]
    pair: Pair


@dataclass(frozen=True, slots=True)
class Listed:
    """A list that was handed in: how it was written, the headings of what comes back, and the rows."""

    format: str
    delimiter: str
    headings: list[str]
    rows: list[Row]


async def read(raw: bytes) -> Listed:
    """The list in these bytes. Raises SheetNotReadable."""
    try:
        return _listed(await sheets.read(raw, _is_list, MOST_ROWS))
    except SheetNotReadable as refused:
        if refused.faults[0].reason.startswith("The headings are not those of a list"):
            raise SheetNotReadable(Fault(EXPECTED, refused.faults[0].line)) from None
        raise


def packed(listed: Listed) -> bytes:
    """The list as it is kept until it is worked through; it holds Secret Numbers, so it is to be sealed."""
    rows = [(row.line, row.cells, _proofs(row.pair)) for row in listed.rows]
    return orjson.dumps([listed.format, listed.delimiter, listed.headings, rows])


def unpacked(content: bytes) -> Listed:
    """What `packed` packed."""
    format, delimiter, headings, rows = orjson.loads(content)
    return Listed(format, delimiter, headings, [Row(line, cells, _pair(proofs)) for line, cells, proofs in rows])


def _proofs(pair: Pair) -> list[Any]:
    return [pair.statement_number, pair.date_of_birth, pair.id_number, pair.secret_number, pair.version]


def _pair(proofs: Sequence[Any]) -> Pair:
    statement, born, id, secret, version = proofs
    return Pair(statement, None if born is None else date.fromisoformat(born), id, secret, version)


# ---- columns


def _roles(headings: Sequence[str]) -> list[str]:
    """Which of the columns that count each heading names; empty for the others."""
    named = {_form(name): role for role, names in HEADINGS.items() for name in (role, *names)}
    return [named.get(_form(heading), "") for heading in headings]


def _form(heading: str) -> str:
    text = unicodedata.normalize("NFKC", heading).casefold()
    return "".join(sign for sign in text if sign not in " _-.#:()（）")


def _is_list(headings: Sequence[str]) -> bool:
    roles = set(_roles(headings))
    return any(roles.issuperset(pair) for pair in PAIRS)


def _listed(sheet: Sheet) -> Listed:
    roles = _roles(sheet.headings)
    places = {role: place for place, role in enumerate(roles) if role}
    if len(places) < sum(map(bool, roles)):
        raise SheetNotReadable(Fault("A column stands there twice.", 1))
    order = written_dates.order_in(line.cells[places[BORN]] for line in sheet.lines) if BORN in places else None
    if faults := list(_faults(sheet, places, order)):
        raise SheetNotReadable(*faults)
    kept = [place for place in range(len(roles)) if place != places.get(SECRET)]
    rows = [
        Row(line.number, [line.cells[place] for place in kept], _pair_of(line, places, order, sheet))
        for line in sheet.lines
    ]
    return Listed(sheet.format, sheet.delimiter, [sheet.headings[place] for place in kept], rows)


def _faults(sheet: Sheet, places: Mapping[str, int], order: Order | None) -> Iterator[Fault]:
    """The dates that would have to be guessed. What is wrong beside is told of its own row, and spoils no other."""
    if BORN in places:
        for line in sheet.lines:
            if written_dates.is_ambiguous(line.cells[places[BORN]], order):
                yield Fault(AMBIGUOUS, line.number, sheet.headings[places[BORN]])


def _pair_of(line: SheetLine, places: Mapping[str, int], order: Order | None, sheet: Sheet) -> Pair:
    given = {role: line.cells[place] for role, place in places.items()}
    secret, version = given.get(SECRET, ""), given.get(VERSION, "")
    return Pair(
        statement_number=given.get(STATEMENT, ""),
        date_of_birth=written_dates.read(given.get(BORN, ""), order, sheet.epoch),
        id_number=given.get(ID, ""),
        secret_number=secret.zfill(4) if secret.isdecimal() else secret,  # spreadsheets drop zeros at the beginning
        version=None if not version else int(version) if WHOLE_NUMBER.fullmatch(version) else 0,  # 0 is none
    )
