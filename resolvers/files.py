"""The door for files: signed addresses that name one file, for one session or key, for 15 minutes (D6).

To add a kind of file: write a function like `photos.file(viewer, key, detail) -> File | None` which reads the row
through `visible_to(viewer)` and answers None for what may not be seen; name it in `transport/files.py`; and let a field
of the schema answer `files.link(viewer, "photo", row_id)`. The function is asked anew at every use, with the viewer of
that moment: what was withdrawn, revoked or logged out since the link was made is not served.
"""

import base64
import binascii
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from engine import keys
from errors import NotLoggedIn
from models.viewer import Viewer
from resolvers import key_viewers, sessions, trail
from resolvers.office import office

VALID = timedelta(minutes=15)
SEAL = 32
IDS_AND_TIME = 16 + 16 + 16 + 8


@dataclass(frozen=True, slots=True)
class File:
    """A file ready to be sent: `name` is what it is saved under; `body` comes in pieces where it is large."""

    name: str
    media_type: str
    body: bytes | AsyncIterator[bytes]
    size: int
    inline: bool = False  # shown in the page rather than saved
    etag: str = ""  # what tells these bytes from all others, where they are known to stay


# The viewer of this moment, the row's key, and what else the address says (a language, a version).
Serve = Callable[[Viewer, UUID, str], Awaitable[File | None]]


@dataclass(frozen=True, slots=True)
class Link:
    """An address on this service, and the moment (UTC) from which it leads nowhere."""

    address: str
    ends_at: datetime


def link(viewer: Viewer, kind: str, key: UUID, detail: str = "") -> Link:
    """The address of one file for the viewer's session or key; whoever has it has the file, until it ends.

    Raises NotLoggedIn.
    """
    if viewer.id is None or viewer.session_id is None:
        raise NotLoggedIn
    ends_at = (viewer.at + VALID).replace(microsecond=0)
    moment = int(ends_at.timestamp()).to_bytes(8, "big")
    said = viewer.session_id.bytes + viewer.id.bytes + key.bytes + moment + detail.encode()
    return Link(f"{office().site}/files/{kind}/{_token(kind, said)}", ends_at)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who came with an address, and what it names."""

    viewer: Viewer
    key: UUID
    detail: str


async def opened(kind: str, token: str, serve: Serve, asker: Viewer) -> File | None:
    """The file that an address of this kind leads to at this moment; None whatever the reason why not.

    What the file shows stands in the trail before this returns (G1).
    """
    asked = await asked_by(kind, token, asker)
    if asked is None:
        return None
    file = await serve(asked.viewer, asked.key, asked.detail)
    await trail.settle([asked.viewer])
    return file


async def asked_by(kind: str, token: str, asker: Viewer) -> Asked | None:
    """What an address of this kind names, and whose it is; None if it was never made or has ended.

    `asker` is whoever came with it: nobody, from some network address, at this moment.
    """
    said = _said(kind, token)
    if said is None or asker.at >= datetime.fromtimestamp(int.from_bytes(said[48:56], "big"), UTC):
        return None
    session_id, owner_id = UUID(bytes=said[:16]), UUID(bytes=said[16:32])
    # a key is its own session
    found = key_viewers.viewer_of_key if session_id == owner_id else sessions.viewer_of_session
    viewer = await found(session_id, asker.at, asker.address)
    if viewer.id != owner_id:
        return None
    viewer.visit.path, viewer.visit.request_id = asker.visit.path, asker.visit.request_id
    return Asked(viewer, UUID(bytes=said[32:48]), said[IDS_AND_TIME:].decode())


def _said(kind: str, token: str) -> bytes | None:
    """What a token says; None for anything that we did not make for this kind."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    said = raw[:-SEAL]
    is_ours = len(said) >= IDS_AND_TIME and hmac.compare_digest(_token(kind, said), token)
    return said if is_ours else None


def _token(kind: str, said: bytes) -> str:
    seal = keys.seal(f"file {kind}", said.hex())
    return base64.urlsafe_b64encode(said + seal).rstrip(b"=").decode()
