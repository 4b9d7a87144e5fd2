"""Where files are kept: a folder by default, S3 or what speaks its language by address; all names are of our making.

A file appears whole or not at all, and is never changed: what replaces it has another name.
"""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from errors import Unavailable

if TYPE_CHECKING:
    from obstore import GetResult

log = structlog.get_logger()

PATIENCE = timedelta(seconds=10)
PIECE = 256 * 1024
PARTS = 2  # of a large file, of 5 MiB each, that are sent at one time

_store: ObjectStore | None = None


def use(address: str | None, folder: Path) -> None:
    """Keep files at `s3://bucket/folder`, whose keys stand in AWS's own variables, or in this folder.

    Raises ValueError for any other address.
    """
    global _store
    if address is None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _store = LocalStore(folder)
        return
    if urlsplit(address).scheme != "s3" or not urlsplit(address).netloc:
        raise ValueError("FILES_URL must be an address such as s3://bucket/folder.")
    _store = S3Store.from_url(
        address,
        # https, unless AWS_ENDPOINT says http: for a store on the deployment's own network
        client_options={"timeout": PATIENCE, "connect_timeout": PATIENCE, "allow_http": True},
        retry_config={"max_retries": 2, "retry_timeout": PATIENCE},
    )


def new_name(folder: str) -> str:
    """A name that nobody can guess."""
    return f"{folder}/{secrets.token_hex(16)}"


async def put(name: str, content: bytes) -> None:
    """Keep a file. Raises Unavailable."""
    with _reached():
        await _opened().put_async(name, content)


async def put_pieces(name: str, pieces: Iterator[bytes]) -> None:
    """Keep a file that comes in pieces, which a thread of the store's takes one after the other. Raises Unavailable."""
    with _reached():
        await _opened().put_async(name, pieces, max_concurrency=PARTS)


async def pieces(name: str) -> AsyncIterator[bytes] | None:
    """What a file holds, piece by piece, or None if there is none. Raises Unavailable, later too."""
    with _reached():
        try:
            found = await _opened().get_async(name)
        except FileNotFoundError:
            return None
    return _read(found)


async def _read(found: "GetResult") -> AsyncIterator[bytes]:
    with _reached():
        async for some in found.stream(min_chunk_size=PIECE):
            yield bytes(some)


async def get(name: str) -> bytes | None:
    """What a file holds, or None if there is none. Raises Unavailable."""
    with _reached():
        try:
            return bytes(await (await _opened().get_async(name)).bytes_async())
        except FileNotFoundError:
            return None


async def delete(name: str) -> None:
    """Delete a file, if it is there. Raises Unavailable."""
    with _reached():
        try:
            await _opened().delete_async(name)
        except FileNotFoundError:
            return


async def older_than(moment: datetime, folder: str) -> AsyncIterator[list[str]]:
    """The names of all files of a folder that were kept before a moment, some at a time. Raises Unavailable."""
    with _reached():
        async for some in _opened().list(folder):
            yield [one["path"] for one in some if one["last_modified"] < moment]


def _opened() -> ObjectStore:
    if _store is None:
        raise RuntimeError("Nobody has said where files are kept.")
    return _store


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        log.warning("files.unavailable", error=type(error).__name__)  # its text may name a bucket or a key
        raise Unavailable from error
