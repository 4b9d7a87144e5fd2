"""Lists of people to verify as tests write them, hand them in and read them back."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from openpyxl import Workbook, load_workbook

from tests.client import Client
from tests.served import until

AWAITED = "... on ListAwaited { id mostRows upload { address } } ... on InvalidInput { problems { path message } }"
LIST = """query ($id: ID!) { listCheck(id: $id) {
    status rows done failure pausedUntil readyAt purpose fileName verifier { name } file { address } } }"""
STATEMENTS = ["Statement number", "Date of birth"]
ENTRIES = ["ID Number", "Secret Number"]


def csv_of(rows: Sequence[Sequence[str]], headings: Sequence[str] = STATEMENTS, delimiter: str = ",") -> str:
    """A list as a CSV text."""
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows([headings, *rows])
    return written.getvalue()


def xlsx_of(rows: Sequence[Sequence[Any]], headings: Sequence[Any] = STATEMENTS) -> bytes:
    """A list as an XLSX file."""
    book = Workbook()
    assert book.active is not None
    for row in [headings, *rows]:
        book.active.append(list(row))
    return bytes_of(book)


def bytes_of(book: Workbook) -> bytes:
    """A workbook as it is saved."""
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def rows_in(content: bytes, format: str = "CSV") -> list[list[str]]:
    """The rows of a result, as the program reads it that it is for."""
    if format == "CSV":
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "inlineStr", "n"}
    return [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]


@dataclass
class Sent:
    """A list that was handed in, by its id, and what its upload was answered."""

    id: str
    address: str
    answer: httpx2.Response


async def sent(asker: Client, content: bytes | str, purpose: str = "Admission 2027", file_name: str = "") -> Sent:
    """Hand a list in."""
    awaited = await asker.order("checkList", AWAITED, purpose=purpose, fileName=file_name)
    assert awaited["__typename"] == "ListAwaited", awaited
    address = urlsplit(awaited["upload"]["address"]).path
    raw = content.encode() if isinstance(content, str) else content
    return Sent(awaited["id"], address, await asker.http.put(address, content=raw))


async def state(asker: Client, id: str) -> Any:
    """A list as its institution sees it."""
    return (await asker.ask(LIST, id=id))["listCheck"]


async def ended(asker: Client, id: str, status: str = "READY", seconds: float = 60) -> Any:
    """The list, once it has come so far."""

    async def is_so() -> bool:
        return bool((await state(asker, id))["status"] == status)

    await until(is_so, seconds, every=0.1)
    return await state(asker, id)


async def result(asker: Client, id: str) -> bytes:
    """The result of a list that is ready."""
    address = (await state(asker, id))["file"]["address"]
    answer = await asker.http.get(urlsplit(address).path)
    assert answer.status_code == 200, answer.text
    return answer.content
