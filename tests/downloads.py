"""Downloads as tests order them, follow them and fetch them."""

import csv
import io
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2

from models.base import required
from models.result import Result
from schema import ids
from tests.client import Client
from tests.served import until
from tests.world import World, gid

FIELDS = """id status format rows done failure isOutOfDate noFile size sha256 askedBy readyAt
    leftOut { notAllowed withoutStatement gone } file { address endsAt } template { name columns { heading } }
    failedCells { column signs share { candidate { name } } }"""
REFUSED = """... on InvalidInput { problems { path message } } ... on NothingToDownload { notAllowed withoutStatement }
    ... on DownloadsStillRunning { running } ... on TooManyTries { retryAfter }"""
REQUESTED = f"... on DownloadRequested {{ notFound download {{ {FIELDS} }} }} {REFUSED}"
REPEATED = f"... on DownloadRepeated {{ download {{ {FIELDS} repeats {{ id }} }} }} {REFUSED}"
DOWNLOAD = f"query ($id: ID!) {{ download(id: $id) {{ {FIELDS} }} }}"
HISTORY = f"""query ($first: Int! = 50, $after: String) {{ organisation {{ downloads(first: $first, after: $after) {{
    edges {{ cursor node {{ {FIELDS} }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"""
PROGRESS = "subscription ($id: ID!) { downloadProgress(id: $id) { status rows done file { address } } }"


async def ordered(asker: Client, **input: Any) -> Any:
    """The answer to an order: of everything in the inbox, unless told otherwise."""
    if not input.keys() & {"shareIds", "filter"}:
        input["filter"] = {}
    return await asker.order("requestDownload", REQUESTED, **input)


async def made(asker: Client, **input: Any) -> Any:
    """The download that was ordered."""
    payload = await ordered(asker, **input)
    assert payload["__typename"] == "DownloadRequested", payload
    return payload["download"]


async def repeated(asker: Client, id: str) -> Any:
    """The answer to an order to repeat a download."""
    return await asker.order("repeatDownload", REPEATED, id=id)


async def state(asker: Client, id: str) -> Any:
    """A download as it is now."""
    return (await asker.ask(DOWNLOAD, id=id))["download"]


async def history(asker: Client) -> list[Any]:
    """The newest downloads of an institution."""
    return [edge["node"] for edge in (await asker.ask(HISTORY))["organisation"]["downloads"]["edges"]]


async def ended(asker: Client, id: str, status: str = "READY") -> Any:
    """The download, once it has come so far."""

    async def is_so() -> bool:
        return bool((await state(asker, id))["status"] == status)

    await until(is_so, seconds=120, every=0.05)
    return await state(asker, id)


async def fetched(asker: Client, download: Any) -> httpx2.Response:
    """What the address of a download's file answers."""
    return await asker.http.get(urlsplit(download["file"]["address"]).path)


async def content(asker: Client, download: Any) -> bytes:
    """The file of a download."""
    answer = await fetched(asker, download)
    assert answer.status_code == 200, answer.text
    return answer.content


def key_of(download: Any) -> UUID:
    """The key of a download."""
    key: UUID = required(ids.key_of(download["id"], "Download"))
    return key


def rows_in(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV, by their headings."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def shared(world: World, institution: Any, count: int, **facts: Any) -> list[Result]:
    """So many results, each of a candidate of its own, sent one after the other; the newest first."""
    results = []
    for _ in range(count):
        results.append(await world.result(**facts))
        await world.share(results[-1], institution)
    return results[::-1]


def ids_of(rows: Sequence[Any]) -> list[str]:
    """Ids as clients know them."""
    return [gid(row) for row in rows]
